"""Records as the port has them, and as dnspython does: each in one form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import dns.exception
import dns.name
import dns.rdata
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from oneiric.adapters.dns import MAX_TTL, TYPES, InvalidRecord, RecordSet, RecordType

_LONGEST = 255  # bytes of one string of a TXT
_MOST = 60_000
"""Bytes of a TXT, at most: a message of DNS has 65,535 with all that it takes besides."""
_NAMED = ("CNAME", "MX", "NS", "SRV")  # types whose last word is a name


class Records:
    """The records of one zone, for a provider."""

    def __init__(self, zone: str, provider: str) -> None:
        """Raises `InvalidRecord` where `zone` is no name."""
        self._provider = provider
        self.zone = self._parsed(zone)

    def name(self, text: str) -> dns.name.Name:
        """A name of the zone. Raises `InvalidRecord`."""
        name = self._parsed(text)
        if not name.is_subdomain(self.zone):
            raise self.invalid(f"{text!r} is not in the zone {plain(self.zone)}")
        return name

    def type(self, text: RecordType) -> RdataType:
        """Raises `InvalidRecord`."""
        if text not in TYPES:
            raise self.invalid(f"{text!r} is not a type of records that can be changed")
        return RdataType[text]

    def data(self, record: RecordSet) -> Rdataset:
        """The data of a record set. Raises `InvalidRecord`."""
        if not (type(record.ttl) is int and 0 < record.ttl <= MAX_TTL):
            raise self.invalid(f"a TTL is 1 to {MAX_TTL} seconds, not {record.ttl!r}")
        if not record.values:
            raise self.invalid(f"{record.name} has no value: delete it instead")
        if record.type == "CNAME" and len(record.values) > 1:
            raise self.invalid(f"{record.name} has several values: a CNAME has one")
        found = Rdataset(IN, self.type(record.type), ttl=record.ttl)
        for value in record.values:
            found.add(self._rdata(record.type, value), record.ttl)
        return found

    def record(self, name: dns.name.Name, data: Rdataset) -> RecordSet:
        """What the port calls this."""
        return RecordSet(
            plain(name),
            cast("RecordType", data.rdtype.name),
            frozenset(value_of(each) for each in cast("Iterable[dns.rdata.Rdata]", data)),
            data.ttl,
        )

    def invalid(self, what: str) -> InvalidRecord:
        return InvalidRecord(what, provider=self._provider)

    def _parsed(self, text: str) -> dns.name.Name:
        if not (text and text.isascii() and text.isprintable()) or any(sign in text for sign in ' \\"();@$'):
            raise self.invalid(f"{text!r} is not a name")
        try:
            return dns.name.from_text(text).canonicalize()
        except dns.exception.DNSException:
            raise self.invalid(f"{text!r} is not a name") from None

    def _rdata(self, type: RecordType, value: str) -> dns.rdata.Rdata:
        try:
            if type == "TXT":
                data = value.encode("utf-8", "surrogateescape")
                if len(data) > _MOST:
                    raise self.invalid(f"a TXT has at most {_MOST} bytes")
                return TXT(IN, RdataType.TXT, [data[at : at + _LONGEST] for at in range(0, len(data) or 1, _LONGEST)])
            if not value.isprintable():
                raise self.invalid(f"{value!r} is more than one line")
            return _canonical(dns.rdata.from_text(IN, self.type(type), value, origin=dns.name.root, relativize=False))
        except InvalidRecord:
            raise
        except (dns.exception.DNSException, ValueError):
            raise self.invalid(f"{value!r} is not a value of a record of the type {type}") from None


def plain(name: dns.name.Name) -> str:
    """In lower case, without the dot at its end."""
    return name.canonicalize().to_text(omit_final_dot=True)


def _canonical(data: dns.rdata.Rdata) -> dns.rdata.Rdata:
    wire = data.to_digestable()
    return dns.rdata.from_wire(IN, data.rdtype, wire, 0, len(wire))


def value_of(data: dns.rdata.Rdata) -> str:
    """What the port calls this, without its name and TTL."""
    if isinstance(data, TXT):
        return b"".join(data.strings).decode("utf-8", "surrogateescape")
    text = _canonical(data).to_text()
    return text.removesuffix(".") if data.rdtype.name in _NAMED and text.rpartition(" ")[2] != "." else text
