"""DNS at Route 53: the contracts, and what is its own, on a server that is written here and on moto."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.dns import (
    Dns,
    DnsError,
    DnsRefused,
    DnsUnavailable,
    InvalidRecord,
    RecordConflict,
    RecordSet,
)
from oneiric.adapters.dns.route53 import Route53Dns
from oneiric.testing.contracts import DnsCompareContract, DnsContract, NetworkedDnsContract, started
from oneiric.testing.contracts.dns import VALUES, ZONE
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.aws import Moto, senseless
from tests.backends.harness.servers import Address
from tests.backends.route53 import ZONE_ID, Route53, failed

WWW = f"www.{ZONE}"


@pytest.fixture(name="there")
def a_route53() -> Generator[Route53, None, None]:
    with Route53() as there:
        yield there


def route53(url: str, **settings: Any) -> Route53Dns:
    given: dict[str, Any] = {"endpoint_url": url, "zone_id": ZONE_ID, "access_key_id": "k"}
    given |= {"secret_access_key": Secret("s"), **settings}
    return Route53Dns(**given)


class TestRoute53Dns(DnsContract, DnsCompareContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Route53) -> None:
        self.there = there

    def fresh(self) -> AbstractAsyncContextManager[Dns]:
        return started(route53(self.there.url))


class TestRoute53Faults(NetworkedDnsContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Route53, moto: Address) -> None:
        self.there, self.moto = there, moto

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.there.host, self.there.port))

    @contextmanager
    def private(self) -> Generator[Route53, None, None]:
        yield self.there

    def component(self, host: str, port: int) -> Route53Dns:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return route53(f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[Route53Dns, None, None]:
        yield route53("", **{**Moto(self.moto).settings, "secret_access_key": Secret(SECRET)})

    def senseless(self) -> Sequence[tuple[str, Callable[[], Route53Dns]]]:
        def new(**settings: Any) -> Callable[[], Route53Dns]:
            given: dict[str, Any] = {"zone_id": ZONE_ID, **settings}
            return lambda: Route53Dns(**given)

        return [
            ("zone_id", new(zone_id="")),
            ("zone_id", new(zone_id="example.org")),
            *senseless(new),
        ]


class TestRoute53Activation(ActivationCases):
    provider = Provider(
        "dns",
        "route53",
        "aiobotocore",
        "endpoint_url",
        {
            "endpoint_url": "http://127.0.0.1:PORT",
            "zone_id": ZONE_ID,
            "access_key_id": "AKIA",
            "secret_access_key": "${PROBE_SECRET}",
        },
        secret="not a secret",
    )


def with_started(there: Route53, case: Callable[[Route53Dns], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with started(route53(there.url, **settings)) as dns:
            await case(dns)

    run(main())


def a(*values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(WWW, "A", frozenset(values), ttl)


def test_what_others_change_between_the_look_and_the_change_is_a_conflict(there: Route53) -> None:
    async def case(dns: Route53Dns) -> None:
        await dns.put(a("192.0.2.1", ttl=7200))
        there.meanwhile = lambda: there.sets.update({(f"{WWW}.", "A"): (7200, ("192.0.2.9",))})
        with pytest.raises(RecordConflict):
            await dns.put(a("192.0.2.2"), if_is=a("192.0.2.1"))
        there.meanwhile = there.sets.clear
        with pytest.raises(RecordConflict):
            await dns.put(a("192.0.2.2"), if_is=a("192.0.2.9"))
        await dns.put(a("192.0.2.1"))
        there.meanwhile = lambda: there.sets.update({(f"{WWW}.", "A"): (60, ("192.0.2.9",))})
        assert await dns.delete(WWW, "A")
        assert there.sets == {}

    with_started(there, case)


def test_sets_of_other_kinds_are_left_out_and_pages_are_followed(there: Route53) -> None:
    there.page = 2
    alias = "<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>x.</DNSName></AliasTarget>"
    there.odd = [
        f"<ResourceRecordSet><Name>{ZONE}.</Name><Type>A</Type>{alias}</ResourceRecordSet>",
        f"<ResourceRecordSet><Name>{ZONE}.</Name><Type>SOA</Type><TTL>9</TTL><ResourceRecords/></ResourceRecordSet>",
    ]

    async def case(dns: Route53Dns) -> None:
        records = {RecordSet(f"{each}.{ZONE}", "A", frozenset(("192.0.2.1",)), 60) for each in ("*", "a", "b", "c")}
        for record in records:
            await dns.put(record)
        assert {each async for each in dns.list()} == records

    with_started(there, case)


async def nothing(dns: Route53Dns) -> None:
    pass


def test_a_zone_that_is_not_there_does_not_start(there: Route53) -> None:
    with pytest.raises(DnsRefused, match=r"there is no zone ZNONE \(setting zone_id\)"):
        with_started(there, nothing, zone_id="ZNONE")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((403, failed("AccessDenied", SECRET)), DnsRefused, "(setting access_key_id)"),
        ((403, failed("SignatureDoesNotMatch")), DnsRefused, "(setting secret_access_key)"),
        ((400, failed("PriorRequestNotComplete")), DnsUnavailable, "the server answered 400 PriorRequestNotComplete"),
        ((400, failed("Throttling", "Rate exceeded")), DnsUnavailable, "the server answered 400 Throttling"),
        ((503, failed("ServiceUnavailable")), DnsUnavailable, "the server answered 503"),
    ],
)
def test_answers_that_are_of_no_use(there: Route53, answer: Any, error: type[DnsError], says: str) -> None:
    async def case(dns: Route53Dns) -> None:
        there.instead = answer
        for call in (dns.get(WWW, "A"), dns.put(a("192.0.2.1")), dns.delete(WWW, "A"), anext(dns.list())):
            with pytest.raises(error) as caught:
                await call
            assert says in str(caught.value)
            assert SECRET not in str(caught.value)

    with_started(there, case)


def test_what_the_service_does_not_keep_is_invalid(there: Route53) -> None:
    async def case(dns: Route53Dns) -> None:
        with pytest.raises(InvalidRecord, match="CharacterStringTooLong"):
            await dns.put(RecordSet(WWW, "TXT", frozenset(("x" * 5000,)), 60))

    with_started(there, case)


def test_on_moto_records_are_read_as_they_were_put(moto: Address) -> None:
    account = Moto(moto, checks=False)
    made = account.client("route53").create_hosted_zone(Name=ZONE, CallerReference="tests")
    zone_id = made["HostedZone"]["Id"].rpartition("/")[2]

    async def main() -> None:
        async with started(route53("", **account.settings, zone_id=zone_id)) as dns:
            for type, values in VALUES.items():
                record = RecordSet(f"{type.lower()}.{ZONE}", type, values, 300)
                await dns.put(record)
                assert await dns.get(record.name, type) == record
            assert len([each async for each in dns.list() if each.name != ZONE]) == len(VALUES)

    run(main())
