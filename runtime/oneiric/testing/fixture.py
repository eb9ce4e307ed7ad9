"""A pytest plugin: `wired` runs an application's wiring for one test.

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
    from typing import Protocol, TypeVar

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
        ) -> Portal[W]: ...


@pytest.fixture
def wired() -> Iterator[Wired]:
    """`wired(Wiring, replace=...)` gives the portal of a running runtime, closed when the test ends."""
    from contextlib import ExitStack

    from oneiric.runtime import Runtime

    with ExitStack() as stack:

        def run(
            wiring: type[W],
            *,
            replace: Mapping[str, object] | None = None,
            deadlines: Deadlines | None = None,
            environ: Mapping[str, str] | None = None,
        ) -> Portal[W]:
            runtime = Runtime(wiring, replace=replace, deadlines=deadlines, environ=environ)
            return stack.enter_context(runtime.portal())

        yield run
