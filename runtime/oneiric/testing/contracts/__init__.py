"""What a provider of a built-in port promises, as pytest cases: subclass the contract of the port and run pytest.

    class TestMyCache(CacheContract):
        def fresh(self) -> AbstractAsyncContextManager[Cache]:
            return started(MyCache(url="..."))

Every case gets a component of its own from `fresh`, in a loop of its own, under a deadline.
"""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[a-z]*.py")))

# made by `just generate`, from here to the end
from oneiric.testing.contracts.actions import ActionContract  # noqa: E402
from oneiric.testing.contracts.cache import CacheContract, NetworkedCacheContract  # noqa: E402
from oneiric.testing.contracts.chat import ChatContract, NetworkedChatContract, ServiceChatContract  # noqa: E402
from oneiric.testing.contracts.database import DatabaseContract, NetworkedDatabaseContract  # noqa: E402
from oneiric.testing.contracts.dns import DnsContract, NetworkedDnsContract  # noqa: E402
from oneiric.testing.contracts.dns_compare import DnsCompareContract  # noqa: E402
from oneiric.testing.contracts.email import EmailContract, NetworkedEmailContract, RefusalContract, ServiceEmailContract  # noqa: E402
from oneiric.testing.contracts.embedding import EmbeddingContract, NetworkedEmbeddingContract, RealModelContract  # noqa: E402
from oneiric.testing.contracts.engine import EngineContract  # noqa: E402
from oneiric.testing.contracts.file_transfer import FilesContract, NetworkedFilesContract  # noqa: E402
from oneiric.testing.contracts.http import HttpContract, NetworkedHttpContract  # noqa: E402
from oneiric.testing.contracts.identity import IdentityContract, NetworkedIdentityContract  # noqa: E402
from oneiric.testing.contracts.llm import LLMContract, NetworkedLLMContract  # noqa: E402
from oneiric.testing.contracts.monitoring import MonitoringContract, NetworkedMonitoringContract  # noqa: E402
from oneiric.testing.contracts.networked import NetworkedContract  # noqa: E402
from oneiric.testing.contracts.nosql import NetworkedNosqlContract, NosqlContract  # noqa: E402
from oneiric.testing.contracts.push import NetworkedPushContract, PushContract, ServicePushContract  # noqa: E402
from oneiric.testing.contracts.queue import FanoutContract, NetworkedQueueContract, QueueContract  # noqa: E402
from oneiric.testing.contracts.running import close, started  # noqa: E402
from oneiric.testing.contracts.secrets import NetworkedSecretsContract, SecretsContract  # noqa: E402
from oneiric.testing.contracts.sms import NetworkedSmsContract, ServiceSmsContract, SmsContract  # noqa: E402
from oneiric.testing.contracts.storage import NetworkedStorageContract, StorageContract  # noqa: E402
from oneiric.testing.contracts.vector import NetworkedVectorContract, VectorContract  # noqa: E402

__all__ = [
    "ActionContract",
    "CacheContract",
    "ChatContract",
    "DatabaseContract",
    "DnsCompareContract",
    "DnsContract",
    "EmailContract",
    "EmbeddingContract",
    "EngineContract",
    "FanoutContract",
    "FilesContract",
    "HttpContract",
    "IdentityContract",
    "LLMContract",
    "MonitoringContract",
    "NetworkedCacheContract",
    "NetworkedChatContract",
    "NetworkedContract",
    "NetworkedDatabaseContract",
    "NetworkedDnsContract",
    "NetworkedEmailContract",
    "NetworkedEmbeddingContract",
    "NetworkedFilesContract",
    "NetworkedHttpContract",
    "NetworkedIdentityContract",
    "NetworkedLLMContract",
    "NetworkedMonitoringContract",
    "NetworkedNosqlContract",
    "NetworkedPushContract",
    "NetworkedQueueContract",
    "NetworkedSecretsContract",
    "NetworkedSmsContract",
    "NetworkedStorageContract",
    "NetworkedVectorContract",
    "NosqlContract",
    "PushContract",
    "QueueContract",
    "RealModelContract",
    "RefusalContract",
    "SecretsContract",
    "ServiceChatContract",
    "ServiceEmailContract",
    "ServicePushContract",
    "ServiceSmsContract",
    "SmsContract",
    "StorageContract",
    "VectorContract",
    "close",
    "started",
]
