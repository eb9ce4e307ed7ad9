"""DNS provider `route53`: a hosted zone of Amazon Route 53."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import dns.exception
import dns.name
import dns.rdata
from botocore.exceptions import ClientError
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from oneiric import Secret, component
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.aws import Account, Service, answer_of, code_of
from oneiric.adapters._common.network import Faults
from oneiric.adapters.dns import (
    TYPES,
    DnsClosed,
    DnsMisconfigured,
    DnsRefused,
    DnsUnavailable,
    InvalidRecord,
    NameTaken,
    RecordConflict,
    RecordSet,
    RecordType,
)
from oneiric.adapters.dns._records import Records

_PROVIDER = "route53"
_FAULTS = Faults(_PROVIDER, DnsUnavailable, DnsRefused, DnsMisconfigured)
_ZONE_ID = re.compile(r"[A-Z0-9]{1,32}")
_TIMES = 5  # what met another change is looked at and tried again
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_UNMET = ("but it already exists", "but it was not found", "do not match the current values")
_Change = Mapping[str, Any]


@component(
    "adapter",
    "dns",
    provider="route53",
    priority=0,
    stack_level=-20,
    capabilities=("read", "write", "compare"),
    port="oneiric.adapters.dns:Dns",
)
class Route53Dns(Asking[Service]):
    """Reads and changes a hosted zone of Amazon's.

    Needs an account of AWS with a hosted zone; the extra `dns-route53`.

    `zone_id`: the id of the hosted zone: `Z0123456789ABCDEFGHIJ`.
    `region`: a region of the partition that has the zone; Route 53 itself has no regions.
    `endpoint_url`: `https://HOST:PORT` of another server than Amazon's.
    `access_key_id`: who signs; without it, what the environment, the profile or the machine's role gives.
    `secret_access_key`: the secret of that key.
    `session_token`: the token that a temporary key comes with.
    `profile_name`: a profile of the files in `~/.aws`, instead of a key.
    `ca_file`: a file of certificates to trust, instead of those that botocore brings.
    `timeout`: seconds to connect, for one request, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        zone_id: str,
        region: str = "us-east-1",
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: Secret | None = None,
        session_token: Secret | None = None,
        profile_name: str | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 5,
    ) -> None:
        _FAULTS.check_above_zero(healthcheck_timeout=healthcheck_timeout)
        if not _ZONE_ID.fullmatch(zone_id):
            raise _FAULTS.no_sense("is not 1 to 32 capital letters and digits", "zone_id")
        self._api = Service(
            "route53",
            Account(region, endpoint_url, access_key_id, secret_access_key, session_token, profile_name, ca_file),
            _FAULTS,
            DnsClosed,
            _said,
            timeout=timeout,
            max_connections=max_connections,
        )
        self._zone_id = zone_id
        self._healthcheck_timeout = healthcheck_timeout
        self._zone: Records | None = None

    async def get(self, name: str, type: RecordType) -> RecordSet | None:
        return await self._get(self._records.name(name), self._records.type(type))

    async def list(self) -> AsyncIterator[RecordSet]:
        start: dict[str, Any] = {}
        while True:
            page = await self._api.ask("list_resource_record_sets", HostedZoneId=self._zone_id, **start)
            for found in page["ResourceRecordSets"]:
                if found["Type"] in TYPES and _is_plain(found):
                    yield self._record(found)
            if not page["IsTruncated"]:
                return
            nexts = {"StartRecordName": "NextRecordName", "StartRecordType": "NextRecordType"}
            nexts |= {"StartRecordIdentifier": "NextRecordIdentifier"}
            start = {asked: page[told] for asked, told in nexts.items() if told in page}

    async def put(self, record: RecordSet, *, if_is: RecordSet | Literal["any"] | None = "any") -> None:
        name, data = self._records.name(record.name), self._records.data(record)
        self._check_apex(name, data.rdtype)
        changes = [_change("UPSERT" if if_is == "any" else "CREATE", name, data)]
        if if_is is not None and if_is != "any":
            if (self._records.name(if_is.name), if_is.type) != (name, record.type):
                raise self._records.invalid("if_is has another name or type")
            expected = self._records.record(name, self._records.data(if_is))
            there = await self._get(name, data.rdtype)
            if there is None or there.values != expected.values:
                raise _conflict(record.name)
            # of the TTL it has: the service deletes only what is just so
            changes.insert(0, _change("DELETE", name, self._records.data(there)))
        await self._change(record.name, changes)

    async def delete(self, name: str, type: RecordType) -> bool:
        whose, which = self._records.name(name), self._records.type(type)
        self._check_apex(whose, which)
        for _ in range(_TIMES):
            there = await self._get(whose, which)
            if there is None:
                return False
            try:
                await self._change(name, [_change("DELETE", whose, self._records.data(there))])
            except RecordConflict:
                continue
            return True
        raise _FAULTS.no_answer("others change the records all the time", "zone_id")

    async def _get(self, name: dns.name.Name, type: RdataType) -> RecordSet | None:
        asked: dict[str, Any] = {"StartRecordName": name.to_text(), "StartRecordType": type.name, "MaxItems": "1"}
        page = await self._api.ask("list_resource_record_sets", HostedZoneId=self._zone_id, **asked)
        for found in page["ResourceRecordSets"]:
            if (_name(found), found["Type"]) == (name, type.name) and _is_plain(found):
                return self._record(found)
        return None

    async def _change(self, about: str, changes: Sequence[_Change]) -> None:
        """Make all of these changes, or none."""
        batch = {"Changes": changes}
        await self._api.ask("change_resource_record_sets", about, HostedZoneId=self._zone_id, ChangeBatch=batch)

    async def _ask_health(self) -> None:
        """What the zone is called."""
        seconds = self._healthcheck_timeout
        answer = await self._api.ask("get_hosted_zone", self._zone_id, seconds=seconds, Id=self._zone_id)
        self._zone = Records(answer["HostedZone"]["Name"], _PROVIDER)

    def _record(self, found: Any) -> RecordSet:
        type = RdataType[found["Type"]]
        data = Rdataset(IN, type)
        try:
            for each in found["ResourceRecords"]:
                data.add(_rdata(type, each["Value"]), found["TTL"])
        except (dns.exception.DNSException, ValueError):
            what = f"records of {found['Name']} of the type {type.name} make no sense"
            raise _FAULTS.no_answer(what, "zone_id") from None
        return self._records.record(_name(found), data)

    def _check_apex(self, name: dns.name.Name, type: RdataType) -> None:
        if name == self._records.zone and type == RdataType.NS:
            raise self._records.invalid("the servers of the zone itself are Amazon's")

    @property
    def _records(self) -> Records:
        self._api.check_open()
        if self._zone is None:
            raise DnsClosed("it is not open", provider=_PROVIDER)
        return self._zone


def _change(action: str, name: dns.name.Name, data: Rdataset) -> _Change:
    values = [{"Value": _value(each)} for each in cast("Iterable[dns.rdata.Rdata]", data)]
    records = {"Name": name.to_text(), "Type": data.rdtype.name, "TTL": data.ttl, "ResourceRecords": values}
    return {"Action": action, "ResourceRecordSet": records}


def _is_plain(found: Any) -> bool:
    """Whether it is a record set as the port has them, and none of an alias or a routing policy."""
    return "SetIdentifier" not in found and "AliasTarget" not in found


def _name(found: Any) -> dns.name.Name:
    """What is escaped in a name stands there in octal."""
    return dns.name.from_text(
        re.sub(r"\\([0-7]{3})", lambda code: f"\\{int(code[1], 8):03}", found["Name"])
    ).canonicalize()


def _value(data: dns.rdata.Rdata) -> str:
    if isinstance(data, TXT):
        return " ".join(f'"{_quoted(each)}"' for each in data.strings)
    return data.to_text()


def _quoted(data: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 and each not in b'"\\' else f"\\{each:03o}" for each in data)


def _rdata(type: RdataType, value: str) -> dns.rdata.Rdata:
    if type != RdataType.TXT:
        return dns.rdata.from_text(IN, type, value, origin=dns.name.root, relativize=False)
    strings: Sequence[str] = _STRING.findall(value)
    if not strings:
        raise ValueError(value)
    return TXT(IN, type, [_ESCAPED.sub(_unescaped, each.encode()) for each in strings])


def _unescaped(escaped: re.Match[bytes]) -> bytes:
    code = escaped[1]
    return bytes([int(code, 8)]) if len(code) == 3 else code


def _conflict(name: str) -> RecordConflict:
    return RecordConflict(f"{name} has other records than expected", provider=_PROVIDER)


def _said(error: ClientError, about: str) -> Exception | None:
    """The port's error for what this service alone answers."""
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
    match code_of(error):
        case "NoSuchHostedZone":
            return _FAULTS.no_entry(f"{answer_of(error)}: there is no zone {about}", "zone_id")
        case "InvalidChangeBatch" if "conflicts with other records" in message:
            return NameTaken(f"{about} has records of another type", provider=_PROVIDER)
        case "InvalidChangeBatch" if any(each in message for each in _UNMET):
            return _conflict(about)
        case "InvalidChangeBatch" | "InvalidInput" | "InvalidDomainName":
            return InvalidRecord(f"{answer_of(error)}: {message:.300}", provider=_PROVIDER)
        case _:
            return None
