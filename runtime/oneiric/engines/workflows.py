"""The engine of the domain workflow: has runs taken up while the application runs, and tells of them by topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.declared import FlowBlock
from oneiric.engines.work import work_of
from oneiric.host import Host

if TYPE_CHECKING:
    from oneiric.slot import AnyScope


class Workflows:
    """Of one application; see `oneiric.lifecycle.engines`."""

    def __init__(self, host: Host, domain: str) -> None:
        self._work = work_of(host)

    async def start(self) -> None:
        """Take up runs, also those that were left unfinished."""
        await self._work.begin(self)

    async def settle(self, plan: Any) -> None:
        """Go on with what the new wiring has."""
        await self._work.settle()

    async def stop(self) -> None:
        """Take up no more, and let the steps under way end."""
        await self._work.end(self)


class Declared:
    """The component of a workflow that settings declare, for a need of it, and for layers."""

    __slots__ = ("_block", "_scope")

    def __init__(self, scope: AnyScope, block: FlowBlock) -> None:
        self._scope = scope
        self._block = block

    async def __call__(self, input: object, /) -> Any:
        """Run it and wait for its result. Raises `RunFailed`."""
        slot = self._scope.place(self._block.flow["key"])
        return await (await slot.start(input)).result()
