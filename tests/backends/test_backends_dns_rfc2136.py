"""DNS by dynamic updates: the contracts, and what is its own. The server is BIND."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.dns import Dns, DnsRefused, RecordSet
from oneiric.adapters.dns.rfc2136 import Rfc2136Dns
from oneiric.testing.contracts import DnsCompareContract, DnsContract, NetworkedDnsContract, started
from oneiric.testing.contracts.dns import ZONE
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.kinds import BIND, DNS_KEY, DNS_SECRET
from tests.backends.harness.servers import Address, Server, private

WRONG = "aHVudGVyMi1ub3QtdG8tYmUtc2Vlbg=="


def rfc2136(server: Address | Server, **settings: Any) -> Rfc2136Dns:
    given: dict[str, Any] = {"host": server.host, "port": server.port, "zone": ZONE, "key_name": DNS_KEY}
    return Rfc2136Dns(**{**given, "key_secret": Secret(DNS_SECRET), **settings})


class TestRfc2136Dns(DnsContract, DnsCompareContract):
    @pytest.fixture(autouse=True)
    def place(self, bind: Address) -> None:
        self.server = bind

    def fresh(self) -> AbstractAsyncContextManager[Dns]:
        return started(rfc2136(self.server))


class TestRfc2136Faults(NetworkedDnsContract):
    @pytest.fixture(autouse=True)
    def place(self, bind: Address) -> None:
        self.server = bind

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.server)

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(BIND) as server:
            yield server

    def component(self, host: str, port: int) -> Rfc2136Dns:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return rfc2136(Address(host, port), **times)

    @contextmanager
    def refused(self) -> Generator[Rfc2136Dns, None, None]:
        yield rfc2136(self.server, key_secret=Secret(WRONG))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Rfc2136Dns]]]:
        def new(**settings: Any) -> Callable[[], Rfc2136Dns]:
            return lambda: rfc2136(Address("127.0.0.1", 53), **settings)

        return [
            ("host", new(host="")),
            ("port", new(port=0)),
            ("zone", new(zone="")),
            ("zone", new(zone="a..b")),
            ("key_name", new(key_name="a b")),
            ("key_secret", new(key_secret=Secret(f"{SECRET}!"))),
            ("key_secret", new(key_secret=Secret(""))),
            ("key_algorithm", new(key_algorithm="hmac-md5")),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestRfc2136Activation(ActivationCases):
    provider = Provider(
        "dns",
        "rfc2136",
        "dns",
        "host",
        {"host": "127.0.0.1", "port": "PORT", "zone": ZONE, "key_name": "tests", "key_secret": "${PROBE_SECRET}"},
        secret=WRONG,
    )


@pytest.mark.parametrize(
    ("settings", "error", "setting"),
    [
        ({"zone": "other.example"}, DnsRefused, "zone"),
        ({"key_name": "nobody"}, DnsRefused, "key_name"),
        ({"key_secret": Secret(WRONG)}, DnsRefused, "key_secret"),
        ({"key_algorithm": "hmac-sha512"}, DnsRefused, "key_name"),
    ],
)
def test_a_zone_or_a_key_that_the_server_does_not_have(bind: Address, settings: Any, error: Any, setting: str) -> None:
    async def main() -> None:
        with pytest.raises(error) as caught:
            async with started(rfc2136(bind, **settings)):
                pass
        assert caught.value.setting == setting
        assert WRONG not in str(caught.value)

    run(main())


def test_many_records_are_listed(bind: Address) -> None:
    async def main() -> None:
        records = {RecordSet(f"l{each}.many.{ZONE}", "TXT", frozenset(("x" * 200,)), 60) for each in range(200)}
        async with started(rfc2136(bind, timeout=30.0)) as dns:
            await asyncio.gather(*map(dns.put, records))
            assert {each async for each in dns.list() if ".many." in each.name} == records
            await asyncio.gather(*(dns.delete(each.name, "TXT") for each in records))

    run(main())
