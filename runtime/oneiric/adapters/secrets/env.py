"""Secrets provider `env`: variables of the environment."""

from __future__ import annotations

import re

from oneiric import Secret, component
from oneiric.adapters.secrets import SecretNotFound, SecretsClosed, check_name
from oneiric.environment import environment


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
    """Reads the variable `prefix` + name from the environment, the runtime's `environ`, each time it is asked.

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
        self._environment = environment()
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
            state = "not set" if value is None else "empty"
            raise SecretNotFound(name, f"the environment variable {self._variable(name)} is {state}")
        return Secret(value)

    def _read(self, name: str) -> str | None:
        check_name(name)
        return self._environment.get(self._variable(name))

    def _variable(self, name: str) -> str:
        variable = re.sub("[.-]", "_", name)
        return self._prefix + (variable.upper() if self._uppercase_keys else variable)
