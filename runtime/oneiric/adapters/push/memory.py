"""Push provider `memory`: pushes go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections.abc import Mapping

from oneiric import component
from oneiric.adapters._common.remembering import Remembering
from oneiric.adapters.push import Accepted, Device, InvalidDevice, Push, PushClosed, PushMisconfigured, check_push


@component(
    "adapter",
    "push",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("notifications", "push"),
    port="oneiric.adapters.push:Pushes",
)
class MemoryPushes(Remembering[tuple[Device, Push]]):
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last pushes `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise PushMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        super().__init__(keep, PushClosed)

    async def send(self, device: Device, push: Push) -> Accepted:
        self._check_open()
        check_push(push, "memory")
        if not isinstance(device, str | Mapping) or not device:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDevice("it is neither a text nor a mapping, or empty", provider="memory")
        return Accepted(self._keep((device, push)))
