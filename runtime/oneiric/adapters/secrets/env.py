"""Secrets provider `env`: variables of the environment."""

from __future__ import annotations

import os
import re

from oneiric import Secret, component
from oneiric.adapters.secrets import SecretNotFound, SecretsClosed, check_name


@component(
    "adapter",
    "secrets",
    provider="env",
    priority=0,
    stack_level=-10,
    capabilities=("read",),
    port="oneiric.adapters.secrets:Secrets",
)
class EnvSecrets:
    """Reads the variable `prefix` + name from the environment, each time it is asked.

    `prefix`: what the variable's name begins with.
    `uppercase_keys`: upper-case the name first. `.` and `-`, which a variable cannot have, become `_`.
    `required_keys`: names without which the component is not healthy.
    """

    def __init__(
        self,
        *,
        prefix: str = "ONEIRIC_SECRET_",
        uppercase_keys: bool = True,
        required_keys: list[str] | None = None,
    ) -> None:
        self._prefix = prefix
        self._uppercase_keys = uppercase_keys
        self._required_keys = tuple(required_keys or ())
        for name in self._required_keys:
            check_name(name)
        self._closed = False

    async def health(self) -> bool:
        return not self._closed and all(self._read(name) for name in self._required_keys)

    async def aclose(self) -> None:
        self._closed = True

    async def get(self, name: str) -> Secret:
        if self._closed:
            raise SecretsClosed("the secrets adapter is closed")
        value = self._read(name)
        if not value:
            raise SecretNotFound(name)
        return Secret(value)

    def _read(self, name: str) -> str | None:
        check_name(name)
        variable = re.sub("[.-]", "_", name)
        return os.environ.get(self._prefix + (variable.upper() if self._uppercase_keys else variable))
