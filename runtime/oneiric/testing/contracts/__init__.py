"""What a provider of a built-in port promises, as pytest cases: subclass the contract of the port and run pytest.

    class TestMyCache(CacheContract):
        def fresh(self) -> AbstractAsyncContextManager[Cache]:
            return started(MyCache(url="..."))

Every case gets a component of its own from `fresh`, in a loop of its own, under a deadline.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("cache", "database", "running", "secrets", "storage"))
)

from oneiric.testing.contracts.cache import CacheContract  # noqa: E402
from oneiric.testing.contracts.database import DatabaseContract  # noqa: E402
from oneiric.testing.contracts.running import close, started  # noqa: E402
from oneiric.testing.contracts.secrets import SecretsContract  # noqa: E402
from oneiric.testing.contracts.storage import StorageContract  # noqa: E402

__all__ = [
    "CacheContract",
    "DatabaseContract",
    "SecretsContract",
    "StorageContract",
    "close",
    "started",
]
