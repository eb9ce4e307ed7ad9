"""The contract of the port `dns`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from oneiric.adapters.dns import (
    Dns,
    DnsClosed,
    DnsError,
    DnsMisconfigured,
    DnsRefused,
    DnsUnavailable,
    DnsUnsupported,
    InvalidRecord,
    NameTaken,
    RecordSet,
    RecordType,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities, close, health

ZONE = "example.org"
"""The zone that adapters of the contracts are for."""
VALUES: dict[RecordType, frozenset[str]] = {
    "A": frozenset(("192.0.2.1", "192.0.2.2")),
    "AAAA": frozenset(("2001:db8::1",)),
    "CNAME": frozenset(("other.example.net",)),
    "TXT": frozenset(("v=spf1 -all", 'with "quotes", a \\ and ; signs', "é \N{SNOWMAN}", "", "long " * 200)),
    "MX": frozenset(("10 mail.example.net", "20 other.example.net")),
    "SRV": frozenset(("10 5 443 host.example.net",)),
    "CAA": frozenset(('0 issue "letsencrypt.org"', '0 iodef "mailto:x@example.net"')),
    "NS": frozenset(("ns1.example.net", "ns2.example.net")),
}


class DnsContract(Contract[Dns]):
    """Cases for a DNS adapter: subclass it and override `fresh`, for the zone `ZONE`. Others may use the zone too."""

    def test_it_is_healthy(self) -> None:
        async def case(dns: Dns) -> None:
            assert await health(dns)

        self.check(case)

    @pytest.mark.parametrize("type", VALUES)
    def test_records_are_read_as_they_were_put(self, type: RecordType) -> None:
        async def case(dns: Dns) -> None:
            record = RecordSet(a_name(), type, VALUES[type], 300)
            await dns.put(record)
            assert await dns.get(record.name, type) == record
            assert record in [each async for each in dns.list()]
            assert await dns.delete(record.name, type)
            assert await dns.get(record.name, type) is None
            assert not await dns.delete(record.name, type)
            assert record not in [each async for each in dns.list()]

        self.check(case)

    def test_what_is_not_there_is_none(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            assert await dns.get(name, "A") is None
            await dns.put(RecordSet(name, "TXT", frozenset(("there",)), 60))
            assert await dns.get(name, "A") is None
            assert not await dns.delete(name, "A")
            assert await dns.get(f"below.{name}", "TXT") is None

        self.check(case)

    def test_a_set_takes_the_place_of_the_one_before(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            await dns.put(RecordSet(name, "A", frozenset(("192.0.2.1", "192.0.2.2")), 60))
            now = RecordSet(name, "A", frozenset(("192.0.2.2", "192.0.2.3")), 3600)
            await dns.put(now)
            assert await dns.get(name, "A") == now
            await dns.put(RecordSet(name, "AAAA", frozenset(("2001:db8::1",)), 60))
            assert await dns.get(name, "A") == now, "another type of the name stands apart"

        self.check(case)

    def test_names_are_the_same_with_a_dot_at_the_end_and_in_upper_case(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            await dns.put(RecordSet(f"{name.upper()}.", "MX", frozenset(("10 Mail.Example.NET.",)), 60))
            want = RecordSet(name, "MX", frozenset(("10 mail.example.net",)), 60)
            for spelt in (name, f"{name}.", name.title()):
                assert await dns.get(spelt, "MX") == want
            assert await dns.delete(f"{name}.", "MX")

        self.check(case)

    def test_a_wildcard_is_a_name_and_no_other_name_has_its_records(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            record = RecordSet(f"*.{name}", "A", frozenset(("192.0.2.1",)), 60)
            await dns.put(record)
            assert await dns.get(f"*.{name}", "A") == record
            assert await dns.get(f"any.{name}", "A") is None
            assert not await dns.delete(f"any.{name}", "A")
            await dns.put(RecordSet(f"any.{name}", "A", frozenset(("192.0.2.2",)), 60))
            assert await dns.get(f"*.{name}", "A") == record

        self.check(case)

    def test_nothing_stands_beside_a_cname(self) -> None:
        async def case(dns: Dns) -> None:
            alias = RecordSet(a_name(), "CNAME", VALUES["CNAME"], 60)
            text = RecordSet(alias.name, "TXT", frozenset(("x",)), 60)
            await dns.put(alias)
            with pytest.raises(NameTaken):
                await dns.put(text)
            assert await dns.get(alias.name, "TXT") is None
            assert await dns.get(alias.name, "CNAME") == alias
            await dns.delete(alias.name, "CNAME")
            await dns.put(text)
            with pytest.raises(NameTaken):
                await dns.put(alias)
            assert await dns.get(alias.name, "CNAME") is None
            assert await dns.get(alias.name, "TXT") == text

        self.check(case)

    def test_a_condition_that_is_not_declared_is_not_supported(self) -> None:
        async def case(dns: Dns) -> None:
            if "compare" in capabilities(dns):
                return
            record = RecordSet(a_name(), "TXT", frozenset(("one",)), 60)
            conditions: tuple[RecordSet | None, ...] = (None, record)
            for if_is in conditions:
                with pytest.raises(DnsUnsupported) as caught:
                    await dns.put(record, if_is=if_is)
                assert caught.value.capability == "compare"
            assert await dns.get(record.name, "TXT") is None

        self.check(case)

    @pytest.mark.parametrize(
        ("name", "type", "values", "ttl"),
        [
            ("", "A", ["192.0.2.1"], 60),
            ("www.example.net", "A", ["192.0.2.1"], 60),
            ("wwwexample.org", "A", ["192.0.2.1"], 60),
            ("a..example.org", "A", ["192.0.2.1"], 60),
            (f"{'x' * 64}.example.org", "A", ["192.0.2.1"], 60),
            ("é.example.org", "A", ["192.0.2.1"], 60),
            ("a b.example.org", "A", ["192.0.2.1"], 60),
            ("a.example.org", "SOA", ["x"], 60),
            ("a.example.org", "A", [], 60),
            ("a.example.org", "A", ["192.0.2"], 60),
            ("a.example.org", "A", ["2001:db8::1"], 60),
            ("a.example.org", "A", ["192.0.2.1\nb 60 IN A 192.0.2.2"], 60),
            ("a.example.org", "MX", ["mail.example.org"], 60),
            ("a.example.org", "CNAME", ["a.example.net", "b.example.net"], 60),
            ("a.example.org", "CNAME", [""], 60),
            ("a.example.org", "CAA", ["issue"], 60),
            ("a.example.org", "TXT", ["x" * 65536], 60),
            ("a.example.org", "A", ["192.0.2.1"], 0),
            ("a.example.org", "A", ["192.0.2.1"], 2**31),
            ("a.example.org", "A", ["192.0.2.1"], True),
            ("example.org", "NS", ["ns.example.net"], 60),
        ],
    )
    def test_what_cannot_be_a_record_is_refused(self, name: str, type: Any, values: list[str], ttl: int) -> None:
        async def case(dns: Dns) -> None:
            before = [each async for each in dns.list()]
            with pytest.raises(InvalidRecord):
                await dns.put(RecordSet(name, type, frozenset(values), ttl))
            assert [each async for each in dns.list()] == before

        self.check(case)

    def test_a_cancelled_call_leaves_an_adapter_that_works(self) -> None:
        async def case(dns: Dns) -> None:
            record = RecordSet(a_name(), "A", frozenset(("192.0.2.1",)), 60)

            async def some() -> None:
                await dns.put(record)
                await dns.get(record.name, "A")

            async for _ in cancelled_at_every_step(some):
                assert await dns.get(record.name, "AAAA") is None

        self.check(case)

    def test_a_closed_adapter_refuses_every_call(self) -> None:
        async def case(dns: Dns) -> None:
            await close(dns)
            await close(dns)
            record = RecordSet(a_name(), "A", frozenset(("192.0.2.1",)), 60)
            for call in (dns.get(record.name, "A"), dns.put(record), dns.delete(record.name, "A"), anext(dns.list())):
                with pytest.raises(DnsClosed):
                    await call

        self.check(case)


class NetworkedDnsContract(NetworkedContract[Dns]):
    """Cases for a DNS adapter behind a network, besides those of `DnsContract`."""

    base = DnsError
    unavailable = DnsUnavailable
    refusal = DnsRefused
    misconfigured = DnsMisconfigured

    async def use(self, component: Dns, number: int = 0) -> None:
        record = RecordSet(f"n{number}.{ZONE}", "TXT", frozenset((f"value {number}",)), 60)
        await component.put(record)
        assert await component.get(record.name, "TXT") == record


def a_name() -> str:
    """A name of the zone that nobody else uses."""
    return f"{uuid4().hex}.{ZONE}"
