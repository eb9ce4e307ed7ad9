"""Whose wirings may run: a signature beside a wiring, over the digest of it and its tenants' lines.

`wiring.sig` is JSON of format `oneiric.signature/2` with app, profile, generation, serial and signatures; what is
signed is the canonical JSON of all but the last. One of format `oneiric.signature/1` has no serial, which reads as 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from oneiric.errors import LoadError
from oneiric.trust.keys import BadKey, holds, read_public_key, read_signature

FORMAT = "oneiric.signature/2"
WITHOUT_SERIAL = "oneiric.signature/1"
NAME = "wiring.sig"
MAX_BYTES = 64 * 1024
MAX_SERIAL = 2**53 - 1
"""The largest that every reader of JSON reads exactly."""


class TrustError(LoadError):
    """A wiring is not signed as it has to be; nothing of it has run."""

    def __init__(self, what: str) -> None:
        super().__init__("trust", what)


class Trust:
    """The public keys (base64 of 32 bytes) whose owners may sign, and how many of them have to have signed.

    Raises ValueError for what is not a key, and for a threshold that no signatures could meet.
    """

    __slots__ = ("keys", "threshold")

    def __init__(self, keys: Iterable[str], threshold: int = 1) -> None:
        self.keys = frozenset(map(read_public_key, keys))
        self.threshold = threshold
        if not 1 <= threshold <= len(self.keys):
            raise ValueError(f"{threshold} signatures cannot come from {len(self.keys)} keys")

    @classmethod
    def read(cls, path: str | os.PathLike[str], threshold: int = 1) -> Trust:
        """From a file with one key a line; empty lines and those that start with `#` are left out.

        Raises `TrustError` for one that cannot be used.
        """
        try:
            with open(path, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
            return cls((line for line in lines if line and not line.startswith("#")), threshold)
        except OSError as error:
            raise TrustError(f"{os.fspath(path)} cannot be read: {error.strerror or error}") from error
        except (BadKey, UnicodeDecodeError) as error:
            raise TrustError(f"{os.fspath(path)} is not a file of public keys: {error}") from error
        except ValueError as error:
            raise TrustError(f"{os.fspath(path)}: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trust) and (self.keys, self.threshold) == (other.keys, other.threshold)

    def __hash__(self) -> int:
        return hash((self.keys, self.threshold))


class Signed(NamedTuple):
    """What a `wiring.sig` says; `signatures` by the keys as they are written. Nothing of it is verified yet."""

    app: str
    profile: str
    generation: str
    serial: int
    signatures: dict[str, str]
    format: str = FORMAT

    def by(self, public: bytes) -> bool:
        """Whether the owner of a key signed this."""
        signed = self.signed()
        return any(
            holds(public, signature, signed)
            for key, text in self.signatures.items()
            if _key(key) == public and (signature := read_signature(text)) is not None
        )

    def head(self) -> dict[str, object]:
        """The document without its signatures."""
        numbered = {} if self.format == WITHOUT_SERIAL else {"serial": self.serial}
        about = {"app": self.app, "profile": self.profile, "generation": self.generation}
        return {"format": self.format, **about, **numbered}

    def signed(self) -> bytes:
        """What is signed of it."""
        return json.dumps(self.head(), sort_keys=True, separators=(",", ":")).encode("ascii")


def parse(data: bytes) -> Signed:
    """The document in a signature file. Raises ValueError."""
    try:
        document: Any = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    match document:
        case {"format": str(name)} if name not in (FORMAT, WITHOUT_SERIAL):
            raise ValueError(f"not of format {FORMAT}")
        case {
            "format": str(name),
            "app": str(app),
            "profile": str(profile),
            "generation": str(generation),
            "signatures": [*listed],
        }:
            serial = 0 if name == WITHOUT_SERIAL else _serial(document.get("serial"))
            return Signed(app, profile, generation, serial, dict(map(_signature, listed)), name)
        case _:
            raise ValueError("not whole")


def _serial(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SERIAL:
        raise ValueError(f"its serial is not a whole number from 0 to {MAX_SERIAL}")
    return value


def _signature(each: Any) -> tuple[str, str]:
    match each:
        case {"key": str(key), "signature": str(signature)}:
            return key, signature
        case _:
            raise ValueError("not whole")


def read_beside(wiring: str) -> bytes:
    """The bytes of the signature file of the wiring at that path. Raises `TrustError`."""
    path = os.path.join(os.path.dirname(wiring), NAME)
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES)
    except FileNotFoundError:
        raise TrustError(f"{wiring} is not signed: there is no {NAME} beside it") from None
    except OSError as error:
        raise TrustError(f"{path} cannot be read: {error.strerror or error}") from error


def verify(trust: Trust, wiring: str, digest: str, signature: bytes) -> Signed:
    """What enough trusted keys signed of the wiring at that path, whose generation is `digest`; `signature` is what its
    signature file holds. Raises `TrustError`."""
    try:
        signed = parse(signature)
    except ValueError as error:
        path = os.path.join(os.path.dirname(wiring), NAME)
        raise TrustError(f"{path} is not a signature: {error}") from error
    if not signed.signatures:
        raise TrustError(f"{wiring} is not signed: its {NAME} has no signatures; `oneiric compile --sign KEY` adds one")
    if signed.generation != digest:
        raise TrustError(f"{wiring} or its tenants are not what was signed: the signature is of another generation")
    try:
        valid = sum(map(signed.by, trust.keys))
    except ImportError as error:
        raise TrustError("signatures cannot be verified without the extra `trust` of this distribution") from error
    if valid < trust.threshold:
        raise TrustError(f"{wiring} is signed by {valid} trusted keys; {trust.threshold} have to sign it")
    return signed


def _key(text: str) -> bytes | None:
    try:
        return read_public_key(text)
    except BadKey:
        return None
