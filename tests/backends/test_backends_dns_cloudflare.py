"""DNS at Cloudflare: the contracts, and what is its own, on a server that is written here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.dns import Dns, DnsError, DnsRefused, DnsUnavailable, InvalidRecord, NameTaken, RecordSet
from oneiric.adapters.dns.cloudflare import CloudflareDns
from oneiric.testing.contracts import DnsContract, NetworkedDnsContract, started
from oneiric.testing.contracts.dns import ZONE
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.cloudflare import Cloudflare, failed
from tests.backends.harness.servers import Address

KEY = "open-sesame"
WWW = f"www.{ZONE}"


@pytest.fixture(name="there")
def a_cloudflare() -> Generator[Cloudflare, None, None]:
    with Cloudflare(key=KEY) as there:
        yield there


def cloudflare(url: str, **settings: Any) -> CloudflareDns:
    given: dict[str, Any] = {"zone": ZONE, "api_key": Secret(KEY), "base_url": f"{url}/client/v4", **settings}
    return CloudflareDns(**given)


class TestCloudflareDns(DnsContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Cloudflare) -> None:
        self.there = there

    def fresh(self) -> AbstractAsyncContextManager[Dns]:
        return started(cloudflare(self.there.url))


class TestCloudflareFaults(NetworkedDnsContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Cloudflare) -> None:
        self.there = there

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.there.host, self.there.port))

    @contextmanager
    def private(self) -> Generator[Cloudflare, None, None]:
        yield self.there

    def component(self, host: str, port: int) -> CloudflareDns:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return cloudflare(f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[CloudflareDns, None, None]:
        yield cloudflare(self.there.url, api_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], CloudflareDns]]]:
        def new(**settings: Any) -> Callable[[], CloudflareDns]:
            given: dict[str, Any] = {"zone": ZONE, "api_key": Secret(SECRET), **settings}
            return lambda: CloudflareDns(**given)

        return [
            ("zone", new(zone="")),
            ("zone", new(zone="a..b")),
            ("api_key", new(api_key=Secret(""))),
            ("api_key", new(api_key=Secret(f"{SECRET}\n"))),
            ("base_url", new(base_url="")),
            ("base_url", new(base_url=f"http://u:{SECRET}@x")),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestCloudflareActivation(ActivationCases):
    provider = Provider(
        "dns",
        "cloudflare",
        "dns",
        "base_url",
        {"base_url": "http://127.0.0.1:PORT", "zone": ZONE, "api_key": "${PROBE_SECRET}"},
        secret=KEY,
    )


def with_started(there: Cloudflare, case: Callable[[CloudflareDns], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with started(cloudflare(there.url, **settings)) as dns:
            await case(dns)

    run(main())


def a(*values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(WWW, "A", frozenset(values), ttl)


def test_a_put_is_one_batch_and_leaves_what_stays_as_it_is(there: Cloudflare) -> None:
    async def case(dns: CloudflareDns) -> None:
        await dns.put(a("192.0.2.1", "192.0.2.2"))
        [stays] = [each for each in there.named(WWW) if each["content"] == "192.0.2.2"]
        stays["proxied"] = True
        await dns.put(a("192.0.2.2", "192.0.2.3"))
        assert there.records[stays["id"]]["proxied"], "it is the one that was there"
        await dns.put(a("192.0.2.2", "192.0.2.3", ttl=120))
        assert [{kind: len(each) for kind, each in batch.items()} for batch in there.batches] == [
            {"posts": 2},
            {"deletes": 1, "posts": 1},
            {"patches": 2},
        ]
        await dns.put(a("192.0.2.2", "192.0.2.3", ttl=120))
        assert len(there.batches) == 3, "nothing is to be changed"

    with_started(there, case)


def test_what_others_changed_meanwhile_is_looked_at_again(there: Cloudflare) -> None:
    async def case(dns: CloudflareDns) -> None:
        await dns.put(a("192.0.2.1"))
        there.meanwhile = there.records.clear
        await dns.put(a("192.0.2.2"))
        assert await dns.get(WWW, "A") == a("192.0.2.2")
        there.meanwhile = lambda: there.add({"name": WWW, "type": "A", "content": "192.0.2.3", "ttl": 60})
        await dns.put(a("192.0.2.2", "192.0.2.3"))
        assert await dns.get(WWW, "A") == a("192.0.2.2", "192.0.2.3")
        there.meanwhile = there.records.clear
        assert not await dns.delete(WWW, "A")

    with_started(there, case)


def test_a_batch_that_fails_changes_nothing(there: Cloudflare) -> None:
    async def case(dns: CloudflareDns) -> None:
        await dns.put(a("192.0.2.1", ttl=300))
        with pytest.raises(InvalidRecord, match="Must be between 60 and 86400"):
            await dns.put(a("192.0.2.2", ttl=30))
        with pytest.raises(InvalidRecord, match="is too long"):
            await dns.put(RecordSet(WWW, "TXT", frozenset(("fits", "x" * 5000)), 60))
        with pytest.raises(NameTaken, match="NS records with that host"):
            await dns.put(RecordSet(WWW, "NS", frozenset(("ns.example.net",)), 60))
        there.meanwhile = lambda: there.add({"name": f"c.{ZONE}", "type": "A", "content": "192.0.2.3", "ttl": 60})
        with pytest.raises(NameTaken, match="with that host already exists"):
            await dns.put(RecordSet(f"c.{ZONE}", "CNAME", frozenset(("a.example.net",)), 60))
        assert [each async for each in dns.list() if each.name == WWW] == [a("192.0.2.1", ttl=300)]

    with_started(there, case)


def test_records_of_others_are_read(there: Cloudflare) -> None:
    added: list[dict[str, Any]] = [
        {"type": "TXT", "content": 'v=spf1 "x" \\ -all', "ttl": 1},
        {"type": "TXT", "content": '"two " "parts"', "ttl": 60},
        {"type": "HTTPS", "content": '1 . alpn="h2"', "ttl": 60},
        {"type": "MX", "content": "Mail.example.net", "priority": 0, "ttl": 60},
    ]
    for number, each in enumerate(added):
        there.records[f"r{number}"] = {"id": f"r{number}", "name": WWW, **each}

    async def case(dns: CloudflareDns) -> None:
        text = await dns.get(WWW, "TXT")
        assert text == RecordSet(WWW, "TXT", frozenset(('v=spf1 "x" \\ -all', "two parts")), 1)
        mail = RecordSet(WWW, "MX", frozenset(("0 mail.example.net",)), 60)
        assert [each async for each in dns.list()] == [text, mail]
        there.records["r3"]["priority"] = None
        with pytest.raises(DnsUnavailable, match="of the type MX makes no sense"):
            await dns.get(WWW, "MX")

    with_started(there, case)


def test_a_zone_of_many_pages_is_listed(there: Cloudflare) -> None:
    for number in range(2000):
        record = {"name": f"{number}.{ZONE}", "type": "A", "content": "192.0.2.1", "ttl": 60}
        there.records[f"r{number}"] = {"id": f"r{number}", **record}

    async def case(dns: CloudflareDns) -> None:
        assert len([each async for each in dns.list()]) == 2000

    with_started(there, case)


async def nothing(dns: CloudflareDns) -> None:
    pass


def test_a_zone_that_the_key_may_not_read_does_not_start(there: Cloudflare) -> None:
    with pytest.raises(DnsRefused, match=r"\(setting zone\)"):
        with_started(there, nothing, zone="other.example")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((403, failed(10000, f"Authentication error {KEY}")), DnsRefused, "(setting api_key)"),
        ((400, failed(6003, "Invalid request headers")), DnsRefused, "(setting api_key)"),
        ((429, failed(971, "Please wait")), DnsUnavailable, "it answered 429: Please wait"),
        ((500, b"<html>"), DnsUnavailable, "it answered 500"),
        ((200, b"<html>"), DnsUnavailable, "not JSON that makes sense"),
        ((200, {"success": True, "result": [{"id": 7}]}), DnsUnavailable, "not JSON that makes sense"),
    ],
)
def test_answers_that_are_of_no_use(there: Cloudflare, answer: Any, error: type[DnsError], says: str) -> None:
    async def case(dns: CloudflareDns) -> None:
        there.instead = answer
        for call in (dns.get(WWW, "A"), dns.put(a("192.0.2.1")), dns.delete(WWW, "A"), anext(dns.list())):
            with pytest.raises(error) as caught:
                await call
            assert says in str(caught.value)
            assert KEY not in str(caught.value)

    with_started(there, case)
