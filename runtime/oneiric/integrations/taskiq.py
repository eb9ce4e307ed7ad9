"""taskiq: a runtime in each worker process of a broker, and what tasks see of it.

connect(broker, lambda: Runtime(Wiring))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from taskiq import AsyncBroker, Context, TaskiqDepends, TaskiqEvents, TaskiqMessage, TaskiqState

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._views import Views
from oneiric.runtime import Runtime

_STATE = "oneiric"


def connect(
    broker: AsyncBroker,
    make: Callable[[], Runtime[Any]],
    *,
    tenant: Callable[[TaskiqMessage], str | None] | None = None,
) -> None:
    """Have the workers of a broker run with a runtime, which `make` gives each time that one starts.

    `tenant` says whose a message is, by its labels; None is the base.
    """

    async def start(state: TaskiqState) -> None:
        runtime = make()
        await runtime.__aenter__()
        state[_STATE] = Views(runtime, tenant)

    async def stop(state: TaskiqState) -> None:
        views: Views[TaskiqMessage] | None = state.data.pop(_STATE, None)
        if views is not None:  # else it could not start
            await views.runtime.__aexit__(None, None, None)

    broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, start)
    broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, stop)


async def wiring(context: Annotated[Context, TaskiqDepends()]) -> Any:
    """A dependency: the wiring as the tenant of the message sees it. Raises `UnknownTenant`."""
    return _views(context).wiring(context.message)


def live(key: str) -> Callable[[Context], Awaitable[Any]]:
    """A dependency: the live handle of a key, `domain:key`, as the tenant of the message sees it. The key is activated.

    It raises `UnknownKey`, `UnknownTenant`, `ActivationError`.
    """

    async def handed(context: Annotated[Context, TaskiqDepends()]) -> Any:
        return await _views(context).live(key, context.message)

    return handed


def _views(context: Context) -> Views[TaskiqMessage]:
    views: Views[TaskiqMessage] | None = context.state.data.get(_STATE)
    if views is None:
        raise RuntimeNotRunning("the broker has no runtime: `connect(broker, make)` gives its workers one")
    return views
