"""One call of an event's handler: its instance leased, the event read as the type it takes,
synchronous ones in a thread.

Both deliveries end here: the direct one, and the step of a durable one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

import msgspec

from oneiric.boundary import PlainError, plain, read_as
from oneiric.envelope import Envelope, EventError
from oneiric.host import Scope
from oneiric.lifecycle.steps import in_thread
from oneiric.live.leases import SlotLease
from oneiric.tracing import span


class _Shape(NamedTuple):
    """How a handler is called: what its `event` is read as, None for JSON, and whether it takes the envelope."""

    reads: Callable[[Any], Any]
    envelope: bool
    waits: bool


async def handled(scope: Scope, key: str, envelope: Envelope) -> Any:
    """What the handler of a key, as that view has it, makes of an event.

    Raises what the handler raises; `EventError` where the event is not of the type that it takes; what an activation
    raises.
    """
    domain, _, name = key.partition(":")
    traced = span("deliver", domain=domain, key=name, topic=envelope.type, tenant=envelope.tenant, **told(envelope))
    async with SlotLease[Any](scope.place(key)) as instance:
        shape = _shape_of(key, _innermost(scope, key, instance))
        arguments = {"event": shape.reads(envelope.data)}
        if shape.envelope:
            arguments["envelope"] = envelope
        with traced:
            if shape.waits:
                return await instance(**arguments)
            result = (await in_thread(partial(instance, **arguments))).get()
            return await result if inspect.isawaitable(result) else result


def told(envelope: Envelope) -> dict[str, str]:
    """Which event it is, as OpenTelemetry says it in spans."""
    return {"cloudevents.event_id": envelope.id, "cloudevents.event_source": envelope.source}


async def handled_step(scope: Scope, key: str, envelope: Envelope) -> Any:
    """The same for a step of a run: what the handler gives, or None where that is not JSON, which nobody asked for."""
    try:
        return plain(await handled(scope, key, envelope))
    except PlainError:
        return None


def _innermost(scope: Scope, key: str, instance: Any) -> Any:
    """What the layers of a key wrap, whose signature is known; without layers, the instance."""
    held = scope.slot(key).held
    return instance if held is None else held.instance


def _shape_of(key: str, instance: Any) -> _Shape:
    called = instance if isinstance(instance, FunctionType) else type(instance).__call__
    return _shape(key, called)


@lru_cache(1024)
def _shape(key: str, called: Any) -> _Shape:
    parameters = inspect.signature(called).parameters
    taken = {each.kind for each in parameters.values()}
    envelope = "envelope" in parameters or inspect.Parameter.VAR_KEYWORD in taken
    return _Shape(_reader(key, called), envelope, inspect.iscoroutinefunction(called))


def _reader(key: str, called: Any) -> Callable[[Any], Any]:
    function = inspect.unwrap(called)
    annotation = getattr(function, "__annotations__", {}).get("event")
    if annotation is None:
        return _copied
    try:
        hints = get_type_hints(
            SimpleNamespace(__annotations__={"event": annotation}),
            globalns=getattr(function, "__globals__", None),
            include_extras=True,
        )
    except Exception as error:
        raise EventError(
            f"{key} says that its `event` is a {annotation}, which cannot be read where it is defined: {error}; "
            "import that type for the running program, not for type checkers alone"
        ) from error
    wanted = hints["event"]
    if wanted in (Any, object):
        return _copied

    def reads(data: Any) -> Any:
        try:
            return read_as(data, wanted)
        except PlainError as error:
            raise EventError(f"{key} does not take the event: {error}") from error

    return reads


def _copied(data: Any) -> Any:
    """The same JSON in containers of its own, which a handler may change."""
    return msgspec.to_builtins(data)
