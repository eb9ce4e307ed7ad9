"""The port `secrets`: texts that must not be seen, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from oneiric import Secret
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class SecretsError(AdapterError):
    """Anything a secrets adapter raises. It shows no value and keeps none in its cause or context."""

    key = "secrets"


class SecretsClosed(SecretsError, Closed):
    """The adapter was closed, or not started yet."""


class SecretsUnavailable(SecretsError, Unavailable):
    """The place the secrets are kept cannot be read, or not in time; trying again later may help."""


class SecretsRefused(SecretsError, Refused):
    """The place the secrets are kept turns the credentials away, or does not let them read this secret."""


class SecretsMisconfigured(SecretsError, Misconfigured):
    """The adapter's settings make no sense, or two names that are asked for are one where the secrets are kept."""


class SecretNotFound(SecretsError):
    """There is no such secret, or it is empty. `name` is the name that was asked for; `why` where it was looked for."""

    def __init__(self, name: str, why: str = "", *, provider: str | None = None) -> None:
        self.name = name
        super().__init__(f"there is no secret {name!r}" + (f": {why}" if why else ""), provider=provider)


class InvalidName(SecretsError):
    """The name is not one: 1 to 128 of ASCII letters, digits and `_.-`, the last two not first."""


class Secrets(Protocol):
    """Reads secrets. An empty one counts as missing: it is nearly always a variable that somebody forgot."""

    async def get(self, name: str) -> Secret:
        """The secret. Raises `SecretNotFound`, `InvalidName`, `SecretsUnavailable`, `SecretsRefused`,
        `SecretsMisconfigured`."""
        ...


class RefreshableSecrets(Secrets, Protocol):
    """Secrets with the capability `refresh`: they are kept for a while, and can be read anew before that is over."""

    async def refresh(self) -> None:
        """Give nothing out that was read before. Raises `SecretsUnavailable`, and then goes on with what it has."""
        ...


def check_name(name: str, provider: str | None = None) -> None:
    """Raise `InvalidName` unless `name` can name a secret. For providers."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        what = "a secret's name is 1 to 128 letters, digits and '_.-', the last two not first"
        raise InvalidName(what, provider=provider)


class Names:
    """What secrets are called where they are kept, each as something else. For providers.

    `prefix` stands before every name; `spelt` is for places that do not take all names. The first name that is found
    in a place has it: another one that would be spelt alike is refused, so that nobody gets the secret of another.
    """

    def __init__(self, provider: str, prefix: str, spelt: Callable[[str], str] = str) -> None:
        self._provider = provider
        self._prefix = prefix
        self._spelt = spelt
        self._owners: dict[str, str] = {}

    def place(self, name: str) -> str:
        """What a secret is called there. Raises `InvalidName`, `SecretsMisconfigured`."""
        check_name(name, self._provider)
        place = self._prefix + self._spelt(name)
        owner = self._owners.get(place, name)
        if owner != name:
            what = f"{name!r} and {owner!r} are both {place} there: rename one of the two"
            raise SecretsMisconfigured(what, provider=self._provider)
        return place

    def found(self, name: str) -> None:
        """From now on the place of this name is its own."""
        self._owners[self._prefix + self._spelt(name)] = name
