"""A pytest plugin: `wired` runs an application's wiring for one test; `live` makes fixtures of its keys.

    def test_checkout(wired):
        portal = wired(Wiring, replace={"adapter:cache": FakeCache()})
        assert portal.call(portal.runtime.wiring.services.checkout.live.total, "basket") == 12

Tests that are async themselves need no fixture: `async with Runtime(Wiring, replace=...)`.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Protocol, TypeVar

    from oneiric.portal import Portal
    from oneiric.slot import Deadlines
    from oneiric.wiring import Wiring

    W = TypeVar("W", bound=Wiring)

    class Wired(Protocol):
        """Run a wiring until the test ends."""

        def __call__(
            self,
            wiring: type[W],
            *,
            replace: Mapping[str, object] | None = None,
            deadlines: Deadlines | None = None,
            environ: Mapping[str, str] | None = None,
            tenants: Mapping[str, Mapping[str, object]] | None = None,
        ) -> Portal[W]: ...


@pytest.fixture
def wired() -> Iterator[Wired]:
    """`wired(Wiring, replace=...)` gives the portal of a running runtime, closed when the test ends; `tenants` has for
    each tenant what replaces keys as that one sees them."""
    from contextlib import ExitStack

    from oneiric.runtime import Runtime
    from oneiric.testing.overriding import override

    with ExitStack() as stack:

        def run(
            wiring: type[W],
            *,
            replace: Mapping[str, object] | None = None,
            deadlines: Deadlines | None = None,
            environ: Mapping[str, str] | None = None,
            tenants: Mapping[str, Mapping[str, object]] | None = None,
        ) -> Portal[W]:
            runtime = Runtime(wiring, replace=replace, deadlines=deadlines, environ=environ)
            portal = stack.enter_context(runtime.portal())
            for tenant, instances in (tenants or {}).items():
                stack.enter_context(override(runtime, instances, tenant=tenant))
            return portal

        yield run


def live(key: str, *, tenant: str | None = None) -> Any:
    """A fixture, for a `conftest.py`: the live handle of a key, `domain:key`, of the runtime that the fixture `portal`
    gives, in the base or as a tenant sees it. Raises as `Runtime.use`.

        orders = live("service:orders")
    """

    @pytest.fixture
    def handle(portal: Portal[Any]) -> Any:
        domain, _, name = key.partition(":")
        return portal.call(portal.runtime.use, domain, name, tenant=tenant)

    return handle
