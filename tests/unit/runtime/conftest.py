"""What tests of a running application share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.runtime.shop.parts import Tracked


@pytest.fixture
def nothing_leaks() -> Iterator[None]:
    """Every part of the shop that was made is closed in the end."""
    Tracked.made.clear()
    Tracked.closed.clear()
    yield
    assert sorted(map(id, Tracked.made)) == sorted(map(id, Tracked.closed))
