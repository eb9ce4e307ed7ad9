"""Secrets provider `env`: variables of the environment."""

from __future__ import annotations

import re

from oneiric import Secret, component
from oneiric.adapters.secrets import Names, SecretNotFound, SecretsClosed
from oneiric.environment import environment

_PROVIDER = "env"


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
    `uppercase_keys`: upper-case the name first. `.` and `-`, which a variable cannot have, become `_`. Two names that
    become the same variable are refused.
    `required_keys`: names without which the component is not healthy.
    """

    def __init__(
        self,
        *,
        prefix: str = "ONEIRIC_SECRET_",
        uppercase_keys: bool = True,
        required_keys: list[str] | None = None,
    ) -> None:
        self._names = Names(_PROVIDER, prefix, lambda name: _variable(name.upper() if uppercase_keys else name))
        self._required_keys = tuple(required_keys or ())
        for name in self._required_keys:
            self._names.place(name)
        self._environment = environment()
        self._closed = False

    async def health(self) -> bool:
        return not self._closed and all(self._environment.get(self._names.place(name)) for name in self._required_keys)

    async def aclose(self) -> None:
        self._closed = True

    async def get(self, name: str) -> Secret:
        if self._closed:
            raise SecretsClosed("the secrets adapter is closed", provider=_PROVIDER)
        variable = self._names.place(name)
        value = self._environment.get(variable)
        if not value:
            state = "not set" if value is None else "empty"
            raise SecretNotFound(name, f"the environment variable {variable} is {state}", provider=_PROVIDER)
        self._names.found(name)
        return Secret(value)


def _variable(name: str) -> str:
    return re.sub("[.-]", "_", name)
