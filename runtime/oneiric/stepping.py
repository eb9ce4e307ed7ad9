"""The step of a run that code is called by, and its token."""

from __future__ import annotations

from _contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    class AnySteps(Protocol):
        """What a step is part of: `engines.steps.Steps`."""

        @property
        def tenant(self) -> str | None: ...
        @property
        def token(self) -> Token: ...
        async def call(
            self, call: str, payload: Mapping[str, Any] = ..., /, *, name: str | None = None, attempts: int = 1
        ) -> Any:
            """Make a call once in this run: where the run goes on after a crash, its result is there already."""
            ...


class Token(str):
    """What tells one step of one run from every other, and is the same whenever it is repeated: an idempotency key. A
    call that has a parameter `token` of this type is given it."""

    __slots__ = ()


CURRENT: ContextVar[AnySteps | None] = ContextVar("oneiric.step", default=None)


def token() -> Token | None:
    """The token of the step that this is called by; None outside of a run."""
    current = CURRENT.get()
    return None if current is None else current.token


def steps() -> AnySteps:
    """Durable steps of the run that this is called by, for workflows that are code. Raises `NotInRun`."""
    current = CURRENT.get()
    if current is None:
        from oneiric.errors import NotInRun

        raise NotInRun("durable steps need a run: start the workflow by `start`, or `oneiric workflow run`")
    return current
