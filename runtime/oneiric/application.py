"""The running application, as a component sees it that needs `oneiric:runtime`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from oneiric.lifecycle.health import Health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.envelope import Emitted


class Application(Protocol):
    """What a component may ask of the application it runs in. A tenant's own instance sees
    that tenant alone.

    It is there before and after everything else: nothing is activated for it, and it is never closed.
    """

    def tenants(self) -> tuple[str, ...]:
        """The tenants there are; for a tenant itself alone. Raises `LoadError` as `Runtime.tenants`."""
        ...

    def tenant(self, name: str) -> Any:
        """The wiring as that tenant sees it. Raises `UnknownTenant`, for a tenant of any other."""
        ...

    async def call(self, call: str, payload: Mapping[str, Any] | None = None) -> Any:
        """What `DOMAIN:KEY` or `DOMAIN:KEY#method` gives, as JSON, of keywords of JSON that are held against its port.
        Raises `PayloadError`, `Unserved` where nothing serves it, and what the call does."""
        ...

    async def emit(self, topic: str, event: object) -> Emitted:
        """Tell who subscribed to a topic of the settings. Raises `EventError`, `Unserved` where it is none."""
        ...

    async def health(self) -> tuple[Health, ...]:
        """Ask every active component how it is; for a tenant its own and those that it may share. Not to be called by a
        component's own `health`, which would wait for itself."""
        ...

    def paused(self) -> Mapping[str, str]:
        """The full keys that an operator lets nothing new be activated of, and what they noted."""
        ...
