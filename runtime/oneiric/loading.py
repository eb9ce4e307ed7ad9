"""Loading a wiring by its content: never through the import cache, so that a newer one can be loaded beside it."""

from __future__ import annotations

import importlib.util
import marshal
import os
from contextlib import suppress
from hashlib import sha256
from types import CodeType, ModuleType
from typing import Any

from oneiric.errors import LoadError
from oneiric.lines import Lines, generation_of
from oneiric.wiring import Wiring, aliases_of, check_lines, domains_of, file_of, lines_of, stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.trust.signature import Signed, Trust
    from oneiric.wiring import Stamp

_PYC_HEAD = 16  # bytes: magic number, flags, hash of the source
_CHECKED_HASH = 0b11


def load(path: str | os.PathLike[str], *, trust: Trust | None = None) -> type[Wiring]:
    """Execute a generated `wiring.py` under the digest of it and its `tenants.jsonl`; its `Wiring` class.

    With `trust` the two are verified first, and exactly what was verified is executed and looked up. A runtime of it
    reloads only what is signed as well. Raises `LoadError` for one that cannot be read, does not import or is not
    whole or has lost lines of its tenants, `TrustError` for one that is not signed as it has to be.
    """
    path = os.path.abspath(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
        tenants = Lines.beside(path, copied=trust is not None)
    except OSError as error:
        raise LoadError("load", f"{path} cannot be read: {error.strerror or error}") from error
    digest = generation_of(source, tenants.text)
    signed = None
    if trust is not None:
        from oneiric.trust.signature import read_beside, verify

        signed = verify(trust, path, digest, read_beside(path))
    module = ModuleType(f"oneiric.generations.{digest}")
    module.__file__ = path
    try:
        exec(_code(path, source) if trust is None else _compiled(path, source), module.__dict__)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        if b"\n<<<<<<< " in source:
            told = "it holds a merge conflict, and `oneiric compile` writes it again"
        raise LoadError("load", f"{path} does not import: {told}") from error
    wiring = _wiring(module, path)
    wiring.__file__, wiring.__generation__, wiring.__tenants__ = path, digest, tenants
    wiring.__trust__ = trust
    if signed is not None:
        _check_signed(signed, wiring)
        wiring.__serial__ = signed.serial
    check_lines(wiring, tenants)
    return wiring


def _check_signed(signed: Signed, wiring: type[Wiring]) -> None:
    """See that the wiring is of the app and profile that its signers named. Raises `TrustError`."""
    if (signed.app, signed.profile) != (wiring.__app__, wiring.__profile__):
        from oneiric.trust.signature import TrustError

        what = f"{wiring.__app__}, profile {wiring.__profile__}"
        said = f"{signed.app}, profile {signed.profile}"
        raise TrustError(f"{wiring.__file__} is of {what}; its signature is of {said}")


def digest_of_imported(wiring: type[Wiring], stamp: Stamp) -> str:
    """The name of the generation that was imported from a file; by its fingerprints where that has changed since."""
    path = file_of(wiring)
    if path is None or stamp is None or stamp_of(path) != stamp:
        return digest_of(wiring)
    with open(path, "rb") as file:
        return generation_of(file.read(), lines_of(wiring).text)


def digest_of(wiring: type[Wiring]) -> str:
    """The name of a wiring's generation. One that was imported, or made in memory, is named by its fingerprints."""
    if wiring.__generation__ is not None:
        return wiring.__generation__
    found = sha256()
    for attribute, domain, bindings in domains_of(wiring):
        if domain.__engine__ is not None:
            found.update(f"{attribute} {domain.__engine__}\n".encode())
        for name, binding in bindings.items():
            found.update(f"{binding.key} {name} {binding.fingerprint}\n".encode())
    for _, name, alias in aliases_of(wiring):
        found.update(f"{alias.key} {name} = {alias.target}\n".encode())
    found.update(lines_of(wiring).text)
    return found.hexdigest()


def _code(path: str, source: bytes) -> CodeType:
    """The bytecode beside the file where it is of exactly these bytes, else compiled now."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            cached = file.read()
    except (OSError, NotImplementedError):
        cached = b""
    head = importlib.util.MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    if cached.startswith(head):
        with suppress(EOFError, TypeError, ValueError):  # cut short, or overwritten
            code = marshal.loads(memoryview(cached)[_PYC_HEAD:])
            if isinstance(code, CodeType):
                return code
    return _compiled(path, source)


def _compiled(path: str, source: bytes) -> CodeType:
    code: CodeType = compile(source, path, "exec", dont_inherit=True)
    return code


def _wiring(module: ModuleType, path: str) -> type[Wiring]:
    wiring: Any = getattr(module, "Wiring", None)
    if not (isinstance(wiring, type) and issubclass(wiring, Wiring) and wiring is not Wiring):
        raise LoadError("shape", f"{path} is incomplete: it defines no Wiring")
    domains = wiring.__domains__
    if not domains:
        raise LoadError("shape", f"{path} is incomplete: its Wiring names no domains")
    return wiring
