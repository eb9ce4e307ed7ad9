"""The servers that all backend tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.harness.kinds import KINDS, Kind
from tests.backends.harness.servers import Address, shared


def _fixture(kind: Kind) -> object:
    @pytest.fixture(scope="session", name=kind.name)
    def server() -> Iterator[Address]:
        with shared(kind) as address:
            yield address

    return server


globals().update({kind.name: _fixture(kind) for kind in KINDS})

pytest.register_assert_rewrite(
    "tests.backends.activation", "tests.backends.pooled", "tests.unit.events.killing", "tests.unit.events.outboxes"
)
