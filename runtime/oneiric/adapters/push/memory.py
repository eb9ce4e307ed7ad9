"""Push provider `memory`: pushes go nowhere, and the last ones can be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import count

from oneiric import component
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
class MemoryPushes:
    """Sends nothing: what an application runs with that names no service, and what tests look into.

    `keep`: how many of the last pushes `sent` has.
    """

    def __init__(self, *, keep: int = 1000) -> None:
        if keep < 1:
            raise PushMisconfigured(f"{keep} is below 1", provider="memory", setting="keep")
        self._sent: deque[tuple[Device, Push]] = deque(maxlen=keep)
        self._ids = count(1)
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    @property
    def sent(self) -> list[tuple[Device, Push]]:
        """The pushes that are kept and their devices, first the first; after a close as well."""
        return list(self._sent)

    async def send(self, device: Device, push: Push) -> Accepted:
        if self._closed:
            raise PushClosed("it is not open", provider="memory")
        check_push(push, "memory")
        if not isinstance(device, str | Mapping) or not device:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDevice("it is neither a text nor a mapping, or empty", provider="memory")
        self._sent.append((device, push))
        return Accepted(str(next(self._ids)))
