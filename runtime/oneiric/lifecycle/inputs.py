"""What one activation may read: its environment variables and the secrets fetched for it."""

from __future__ import annotations

from oneiric.errors import VariableError
from oneiric.wiring import Domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from oneiric.secret import Secret
    from oneiric.slot import AnyScope, AnyStay
    from oneiric.wiring import Binding, Default

    T = TypeVar("T")


class Inputs:
    """The environment and the secrets of one activation of one binding. `stay` is that in what its factory gave to be
    entered, if it did."""

    __slots__ = ("_binding", "_environ", "_secrets", "stay")

    def __init__(self, binding: Binding, environ: Mapping[str, str], secrets: Mapping[str, Secret | Exception]) -> None:
        self._binding = binding
        self._environ = environ
        self._secrets = secrets
        self.stay: AnyStay | None = None

    def env(self, name: str, default: Default = None, why: str | None = None) -> str:
        """The variable; `default` where it is unset or empty. Raises `VariableError` without either.

        With `why`, which the error tells, the variable has to be more than set: not empty.
        """
        text = self._environ.get(name)
        if not text and default is not None:
            return default if isinstance(default, str) else default()
        if text is None or (why is not None and not text):
            state = "is not set" if text is None else "is empty"
            reason = f": {why}" if why else ""
            what = f"{self._whose()} needs the environment variable {name}, which {state}{reason}"
            raise VariableError(what, name)
        return text

    def env_as(self, converter: Callable[[str], T], name: str, default: Default = None, why: str | None = None) -> T:
        """The same, converted. Raises `VariableError` naming the text and what was expected."""
        from oneiric.convert import Unshown, convert

        text = self.env(name, default, why)
        try:
            return convert(converter, text)
        except ValueError as error:
            shown = "what cannot be read" if isinstance(error, Unshown) else repr(text)
            own = self._environ.get(name) or default is None
            state = f"is {shown}" if own else f"is not set, and its default comes to {shown}"
            what = f"{self._whose()}: the environment variable {name} {state}, expected {error}"
            raise VariableError(what, name) from error

    def secret(self, name: str) -> Secret:
        """A secret the binding names. Raises what fetching it raised, `LookupError` for any other."""
        found = self._secrets[name]
        if isinstance(found, Exception):
            raise found
        return found

    def enter(self, made: Any) -> Any:
        """The instance that a generator or context manager gives, in this thread. Raises what the entering does."""
        from oneiric.lifecycle.entered import ThreadStay

        self.stay = stay = ThreadStay(made)
        return stay.enter()

    async def enter_async(self, made: Any) -> Any:
        """The same of an asynchronous one, in a task of its own."""
        from oneiric.lifecycle.entered import TaskStay

        self.stay = stay = TaskStay(made)
        return await stay.enter()

    def _whose(self) -> str:
        return f"{self._binding.key} ({self._binding.provider})"


def context(scope: AnyScope, inputs: Inputs, inner: object = None) -> Domain:
    """What a block runs on: the scope's wiring, the inputs of one activation, and what a layer wraps."""
    domain = Domain()
    vars(domain).update(_scope=scope, _wiring=scope.wiring, _inputs=inputs, _inner=inner)
    return domain
