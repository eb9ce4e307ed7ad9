"""Actions `hash.…`: digests of text."""

from __future__ import annotations

from hashlib import sha256 as _sha256
from typing import Protocol, TypedDict

from oneiric import component


class Digest(TypedDict):
    """What a digest comes to.

    `algorithm`: the one that was used.
    `digest`: in hexadecimal digits.
    """

    algorithm: str
    digest: str


class Sha256(Protocol):
    """Gives the SHA-256 of a text in UTF-8.

    `text`: what is digested.
    `salt`: what stands before it.
    """

    async def __call__(self, *, text: str, salt: str = "") -> Digest: ...


def sha256(*, text: str, salt: str = "") -> Digest:
    """The digest of the salt followed by the text. For code that needs no key."""
    return {"algorithm": "sha256", "digest": _sha256((salt + text).encode()).hexdigest()}


@component(
    "action",
    "hash.sha256",
    provider="hashlib",
    priority=0,
    stack_level=-10,
    capabilities=("sha256",),
    port="oneiric.actions.hash:Sha256",
)
class HashlibSha256:
    """Made by the standard library.

    `pepper`: put before every salt.
    """

    def __init__(self, *, pepper: str = "") -> None:
        self._pepper = pepper

    async def __call__(self, *, text: str, salt: str = "") -> Digest:
        return sha256(text=text, salt=self._pepper + salt)
