"""Tokens that a server is asked with, and log-ins that give them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from oneiric import Secret
from oneiric.adapters._common.api import Deadline
from oneiric.adapters._common.network import Faults, revealed


class Token:
    """What a server is asked with: the text that is given, or else of a log-in, one for all who wait for it."""

    def __init__(self, given: Secret | None, log_in: Callable[[Deadline], Awaitable[Secret]]) -> None:
        self._token = given
        self._log_in = log_in
        self._logging_in = asyncio.Lock()
        self.is_given = given is not None

    async def get(self, deadline: Deadline, *, instead_of: Secret | None = None) -> Secret:
        """A token, and another one than the one that has expired. Raises what a log-in does."""
        async with self._logging_in:
            if self._token is None or self._token is instead_of:
                self._token = await self._log_in(deadline)
            return self._token


def check_credentials(faults: Faults, token: Secret | None, **user: Any) -> None:
    """Raise the port's error unless it is said how to log in: by a token, or by two settings that are given by name:
    who it is, and the secret."""
    (of_name, name), (of_secret, secret) = user.items()
    if token is not None and (name is not None or secret is not None):
        raise faults.no_sense(f"is given, and {of_name} or {of_secret} too: log in one way", "token")
    if token is None and name is None:
        raise faults.no_sense(f"is missing, and {of_name} too", "token")
    if token is None and secret is None:
        raise faults.no_sense(f"is missing: {of_name} needs it", of_secret)
    faults.check_text(**{of_name: name})
    for setting, each in (("token", token), (of_secret, secret)):
        text = revealed(each)
        if text is not None and not (text and text.isascii() and text.isprintable()):
            raise faults.no_sense("is empty, or not printable ASCII", setting)
