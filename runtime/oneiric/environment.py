"""The environment that components are made in, for those that read variables themselves."""

from __future__ import annotations

import os
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_given: ContextVar[Mapping[str, str] | None] = ContextVar("oneiric_environment", default=None)


def environment() -> Mapping[str, str]:
    """The `environ` of the runtime that makes the component which asks while it is made; else the process's own."""
    given = _given.get()
    return os.environ if given is None else given


def make_in(environ: Mapping[str, str]) -> None:
    """Let what the current task makes from now on have this environment."""
    _given.set(environ)
