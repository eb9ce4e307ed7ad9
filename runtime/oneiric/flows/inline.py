"""What the code of a workflow in a wiring is written with: the same as its engine does, without an engine."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypedDict, TypeVar

from oneiric.flows import conditions
from oneiric.flows.model import Condition

T = TypeVar("T")
D = TypeVar("D")


class Reason(TypedDict):
    """Why an item came to nothing."""

    type: str
    message: str


class Failed(TypedDict):
    """What stands in the place of an item that came to nothing."""

    error: Reason


def holds(stated: Sequence[Condition], **scope: Any) -> bool:
    """Whether the conditions hold of the input and of results, by their names."""
    return conditions.holds(stated, plain(scope))


def plain(value: Any) -> Any:
    """A value as JSON has it, which paths lead into."""
    import msgspec

    return msgspec.to_builtins(value, str_keys=True, enc_hook=_fields)


def untyped(live: Any) -> Any:
    """A live handle of which type checkers know nothing."""
    return live


def given(value: Callable[[], T], otherwise: D) -> T | D:
    """What is there, or else what stands in for it."""
    try:
        return value()
    except (AttributeError, LookupError, TypeError):
        return otherwise


def text(*parts: Any) -> str:
    """Texts, and other values as JSON, as one text."""
    return "".join(part if isinstance(part, str) else json.dumps(plain(part), ensure_ascii=False) for part in parts)


async def continued(call: Awaitable[T]) -> T | None:
    """What a call comes to; nothing where it fails."""
    try:
        return await call
    except Exception:
        return None


async def or_error(call: Awaitable[T]) -> T | Failed:
    """What a call comes to, or its error in its place."""
    try:
        return await call
    except Exception as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}


def _fields(value: Any) -> Any:
    """A pydantic model as its fields."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise NotImplementedError(f"{type(value).__name__} cannot be written as JSON")
    return dump(mode="json")
