"""What the capability `compare` of the port `dns` promises."""

from __future__ import annotations

import asyncio

import pytest

from oneiric.adapters.dns import Dns, InvalidRecord, RecordConflict, RecordSet
from oneiric.testing.contracts.dns import a_name
from oneiric.testing.contracts.running import Contract


class DnsCompareContract(Contract[Dns]):
    """Cases for a DNS adapter of the capability `compare`, besides those of `DnsContract`."""

    def test_a_change_on_condition_is_made_only_where_it_is_met(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            one, two = (RecordSet(name, "TXT", frozenset((text,)), 60) for text in ("one", "two"))
            with pytest.raises(RecordConflict):
                await dns.put(two, if_is=one)
            await dns.put(one, if_is=None)
            with pytest.raises(RecordConflict):
                await dns.put(two, if_is=None)
            with pytest.raises(RecordConflict):
                await dns.put(one, if_is=two)
            with pytest.raises(RecordConflict):
                await dns.put(two, if_is=RecordSet(name, "TXT", frozenset(("one", "more")), 60))
            assert await dns.get(name, "TXT") == one
            await dns.put(two, if_is=RecordSet(name, "TXT", one.values, 7200))
            assert await dns.get(name, "TXT") == two
            await dns.put(one, if_is=RecordSet(f"{name.upper()}.", "TXT", two.values, 60))
            with pytest.raises(InvalidRecord):
                await dns.put(two, if_is=RecordSet(f"x.{name}", "TXT", one.values, 60))

        self.check(case)

    def test_of_racing_changes_on_a_condition_one_is_made(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()

            async def attempt(text: str, if_is: RecordSet | None) -> RecordSet | None:
                record = RecordSet(name, "TXT", frozenset((text,)), 60)
                try:
                    await dns.put(record, if_is=if_is)
                except RecordConflict:
                    return None
                return record

            before: RecordSet | None = None
            for turn in range(3):
                outcomes = await asyncio.gather(*(attempt(f"{turn} by {number}", before) for number in range(8)))
                (before,) = [record for record in outcomes if record is not None]
                assert await dns.get(name, "TXT") == before

        self.check(case)

    def test_a_wildcard_is_not_what_is_there(self) -> None:
        async def case(dns: Dns) -> None:
            name = a_name()
            await dns.put(RecordSet(f"*.{name}", "A", frozenset(("192.0.2.1",)), 60), if_is=None)
            await dns.put(RecordSet(f"any.{name}", "A", frozenset(("192.0.2.2",)), 60), if_is=None)

        self.check(case)
