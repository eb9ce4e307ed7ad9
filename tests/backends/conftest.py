"""The servers that all backend tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.harness.servers import AZURITE, HTTP, MARIADB, NATS, POSTGRES, REDIS, Address, Kind, shared


def _fixture(kind: Kind) -> object:
    @pytest.fixture(scope="session", name=kind.name)
    def server() -> Iterator[Address]:
        with shared(kind) as address:
            yield address

    return server


redis, nats, postgres, mariadb, azurite, http = (
    _fixture(kind) for kind in (REDIS, NATS, POSTGRES, MARIADB, AZURITE, HTTP)
)

pytest.register_assert_rewrite("tests.backends.pooled")
