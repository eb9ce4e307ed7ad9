"""The port `secrets`: texts that must not be seen, by name."""

from __future__ import annotations

import re
from typing import Protocol

from oneiric import OneiricError, Secret
from oneiric.errors import Closed, Unavailable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class SecretsError(OneiricError):
    """Anything a secrets adapter raises. It shows no value and keeps none in its cause or context."""


class SecretsClosed(SecretsError, Closed):
    """The adapter was closed, or not started yet."""


class SecretsUnavailable(SecretsError, Unavailable):
    """The place the secrets are kept cannot be read."""


class SecretNotFound(SecretsError):
    """There is no such secret, or it is empty. `name` is the name that was asked for; `why` where it was looked for."""

    def __init__(self, name: str, why: str = "") -> None:
        self.name = name
        super().__init__(f"there is no secret {name!r}" + (f": {why}" if why else ""))


class InvalidName(SecretsError):
    """The name is not one: 1 to 128 of ASCII letters, digits and `_.-`, the last two not first."""


class Secrets(Protocol):
    """Reads secrets. An empty one counts as missing: it is nearly always a variable that somebody forgot."""

    async def get(self, name: str) -> Secret:
        """The secret. Raises `SecretNotFound`, `SecretsUnavailable` or `InvalidName`."""
        ...


def check_name(name: str) -> None:
    """Raise `InvalidName` unless `name` can name a secret. For providers."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidName("a secret's name is 1 to 128 letters, digits and '_.-', the last two not first")
