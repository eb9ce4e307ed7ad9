"""Loading a wiring by its content: never through the import cache, so that a newer one can be loaded beside it."""

from __future__ import annotations

import importlib.util
import marshal
import os
from types import CodeType, ModuleType
from typing import Any

from oneiric.errors import LoadError
from oneiric.snapshot import generation
from oneiric.wiring import Domain, Wiring

_PYC_HEAD = 16  # bytes: magic number, flags, hash of the source
_CHECKED_HASH = 0b11


def load(path: str | os.PathLike[str]) -> type[Wiring]:
    """Execute a generated `wiring.py` under the digest of it and its `tenants.jsonl`; its `Wiring` class.

    Raises `LoadError` for one that cannot be read, does not import or is not whole.
    """
    path = os.path.abspath(path)
    source, tenants = _read(path)
    digest = generation(source, tenants)
    module = ModuleType(f"oneiric.generations.{digest}")
    module.__file__ = path
    try:
        exec(_code(path, source), module.__dict__)
    except Exception as error:
        raise LoadError("load", f"{path} does not import: {type(error).__name__}: {error}") from error
    return _wiring(module, path, digest)


def _read(path: str) -> tuple[bytes, bytes]:
    try:
        with open(path, "rb") as file:
            source = file.read()
        try:
            with open(os.path.join(os.path.dirname(path), "tenants.jsonl"), "rb") as file:
                tenants = file.read()
        except FileNotFoundError:
            tenants = b""
    except OSError as error:
        raise LoadError("load", f"{path} cannot be read: {error.strerror or error}") from error
    return source, tenants


def _code(path: str, source: bytes) -> CodeType:
    """The bytecode beside the file where it is of exactly these bytes, else compiled now."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            cached = file.read()
    except (OSError, NotImplementedError):
        cached = b""
    head = importlib.util.MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    if cached.startswith(head):
        code = marshal.loads(memoryview(cached)[_PYC_HEAD:])
        if isinstance(code, CodeType):
            return code
    return compile(source, path, "exec", dont_inherit=True)


def _wiring(module: ModuleType, path: str, digest: str) -> type[Wiring]:
    wiring: Any = getattr(module, "Wiring", None)
    if not (isinstance(wiring, type) and issubclass(wiring, Wiring) and wiring is not Wiring):
        raise LoadError("shape", f"{path} is not whole: it defines no Wiring")
    domains = wiring.__domains__
    if not domains or not all(issubclass(domain, Domain) for domain in domains.values()):
        raise LoadError("shape", f"{path} is not whole: its Wiring names no domains")
    wiring.__file__ = path
    wiring.__generation__ = digest
    return wiring
