"""DNS provider `cloudflare`: a zone that Cloudflare serves, by its API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlencode

import dns.exception
import dns.name
import dns.rdata
import msgspec
from dns.rdataclass import IN
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.dns import (
    TYPES,
    DnsClosed,
    DnsMisconfigured,
    DnsRefused,
    DnsUnavailable,
    DnsUnsupported,
    InvalidRecord,
    NameTaken,
    RecordSet,
    RecordType,
)
from oneiric.adapters.dns._records import Records, plain, value_of
from oneiric.errors import AdapterError

_PROVIDER = "cloudflare"
_FAULTS = Faults(_PROVIDER, DnsUnavailable, DnsRefused, DnsMisconfigured)
_PAGE = 1000  # records of one answer
_TIMES = 5  # what met another change is looked at and tried again
_TAKEN = {81053, 81054, 81056}  # beside a CNAME, or beside servers of a zone below
_GONE = {81044, 81057, 81058}  # a record that is not there, or one more that is
_KEY = {6003, 6111, 9109, 10000}  # of requests, about who asks


class _Record(msgspec.Struct):
    id: str
    name: str
    type: str
    ttl: int
    content: str = ""
    priority: int | None = None
    data: dict[str, Any] = {}


_Found = list[_Record]


class _Page(msgspec.Struct):
    result: _Found


@component(
    "adapter",
    "dns",
    provider="cloudflare",
    priority=0,
    stack_level=-20,
    capabilities=("read", "write"),
    port="oneiric.adapters.dns:Dns",
)
class CloudflareDns(Asking[Api]):
    """Reads and changes a zone of Cloudflare's; a change of a record set is one batch.

    Needs a zone at Cloudflare; the extra `dns-cloudflare`.

    `zone`: the zone's name.
    `api_key`: an API token that may read the zone, and edit its DNS.
    `base_url`: where the API is.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, of a listing for one page, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        zone: str,
        api_key: Secret,
        base_url: str = "https://api.cloudflare.com/client/v4",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        try:
            self._records = Records(zone, _PROVIDER)
        except InvalidRecord as error:
            raise _FAULTS.no_sense(error.what, "zone") from None
        self._api = Api(
            _FAULTS, DnsClosed, base_url=base_url, key=api_key, ca_file=ca_file, max_connections=max_connections
        )
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._path = ""

    async def get(self, name: str, type: RecordType) -> RecordSet | None:
        whose, which = self._records.name(name), self._records.type(type)
        found = [each for each in await self._found(whose, self._deadline()) if each.type == which.name]
        return self._set(whose, which, found) if found else None

    async def list(self) -> AsyncIterator[RecordSet]:
        sets: dict[tuple[str, str], _Found] = {}
        page, last = 1, _PAGE
        while last == _PAGE:
            asked = {"per_page": _PAGE, "page": page, "order": "name"}
            found = await self._read(f"{self._path}?{urlencode(asked)}", self._deadline())
            for each in found:
                sets.setdefault((each.name.lower(), each.type), []).append(each)
            page, last = page + 1, len(found)
        for (name, type), records in sets.items():
            if type in TYPES:
                yield self._set(self._records.name(name), RdataType[type], records)

    async def put(self, record: RecordSet, *, if_is: RecordSet | Literal["any"] | None = "any") -> None:
        name, data = self._records.name(record.name), self._records.data(record)
        self._check_apex(name, data.rdtype)
        self._api.check_open()
        if if_is != "any":
            raise DnsUnsupported("compare", provider=_PROVIDER)
        wanted = {value_of(each): {**_sent(each), "ttl": data.ttl} for each in cast("Iterable[dns.rdata.Rdata]", data)}
        asked = {"name": plain(name), "type": data.rdtype.name}
        deadline = self._deadline()
        for _ in range(_TIMES):
            there = {value_of(self._rdata(each)): each for each in await self._room(name, record.type, deadline)}
            changes: dict[str, Sequence[Any]] = {
                "deletes": [{"id": each.id} for value, each in there.items() if value not in wanted],
                "patches": [
                    {"id": each.id, "ttl": data.ttl}
                    for value, each in there.items()
                    if value in wanted and each.ttl != data.ttl
                ],
                "posts": [{**asked, **sent} for value, sent in wanted.items() if value not in there],
            }
            if await self._changed(changes, deadline):
                return
        raise self._api.unavailable("others change the records all the time")

    async def delete(self, name: str, type: RecordType) -> bool:
        whose, which = self._records.name(name), self._records.type(type)
        self._check_apex(whose, which)
        deadline = self._deadline()
        for _ in range(_TIMES):
            found = [each for each in await self._found(whose, deadline) if each.type == which.name]
            if not found:
                return False
            if await self._changed({"deletes": [{"id": each.id} for each in found]}, deadline):
                return True
        raise self._api.unavailable("others change the records all the time")

    async def _room(self, name: dns.name.Name, type: RecordType, deadline: Deadline) -> _Found:
        """The records of the type that are there. Raises `NameTaken` where one of it cannot stand beside others."""
        found = await self._found(name, deadline)
        for each in found:
            if (each.type == "CNAME") != (type == "CNAME"):
                raise NameTaken(f"{plain(name)} has records of the type {each.type}", provider=_PROVIDER)
        return [each for each in found if each.type == type]

    async def _found(self, name: dns.name.Name, deadline: Deadline) -> _Found:
        """The records of this name."""
        asked = {"name.exact": plain(name), "per_page": _PAGE}
        found = await self._read(f"{self._path}?{urlencode(asked)}", deadline)
        return [each for each in found if each.name.lower() == plain(name)]

    async def _changed(self, changes: Mapping[str, Sequence[Any]], deadline: Deadline) -> bool:
        """Make all of these changes; False, and none is made, where what they are about is not there any more."""
        asked = {kind: each for kind, each in changes.items() if each}
        if not asked:
            return True
        answer = await self._api.ask("POST", f"{self._path}/batch", asked, deadline=deadline)
        if answer.status == 200:
            return True
        codes, message = _said(answer)
        if answer.status == 404 or codes & _GONE:
            return False
        if codes & _TAKEN:
            raise NameTaken(self._api.told(message), provider=_PROVIDER)
        if answer.status == 400 and not codes & _KEY:
            raise self._records.invalid(self._api.told(message or "it answered 400"))
        raise self._failure(answer)

    async def _read(self, path: str, deadline: Deadline) -> _Found:
        answer = await self._api.ask("GET", path, deadline=deadline)
        if answer.status != 200:
            raise self._failure(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Page).result
        except ValueError:
            raise self._api.unusable(answer) from None

    async def _ask_health(self) -> None:
        """Looks for the zone, which says by what its records are reached."""
        path = f"/zones?{urlencode({'name': plain(self._records.zone)})}"
        answer = await self._api.ask("GET", path, deadline=Deadline.within(self._healthcheck_timeout))
        match answer.status, answer.json():
            case 200, {"result": [{"id": str(zone)}]} if zone.isalnum():
                self._path = f"/zones/{zone}/dns_records"
            case 200, {"result": []}:
                raise _FAULTS.no_entry("there is none of this name that the key may read", "zone")
            case _:
                raise self._failure(answer)

    def _failure(self, answer: Answer) -> AdapterError:
        codes, message = _said(answer)
        said = f": {self._api.told(message)}" if message else ""
        if answer.status in (401, 403) or codes & _KEY:
            return _FAULTS.no_entry(f"it answered {answer.status}{said}", "api_key")
        return self._api.unusable(answer, said)

    def _set(self, name: dns.name.Name, type: RdataType, records: Iterable[_Record]) -> RecordSet:
        data = Rdataset(IN, type)
        for each in records:
            data.add(self._rdata(each), each.ttl)
        return self._records.record(name, data)

    def _rdata(self, record: _Record) -> dns.rdata.Rdata:
        try:
            text = _text(record)
            return dns.rdata.from_text(IN, record.type, text, origin=dns.name.root, relativize=False)
        except (dns.exception.DNSException, KeyError, ValueError):
            raise self._api.unavailable(f"a record of {record.name} of the type {record.type} makes no sense") from None

    def _check_apex(self, name: dns.name.Name, type: RdataType) -> None:
        if name == self._records.zone and type == RdataType.NS:
            raise self._records.invalid("the servers of the zone itself are Cloudflare's")

    def _deadline(self) -> Deadline:
        return Deadline.within(self._timeout)


def _text(record: _Record) -> str:
    """A record as it stands in a file of a zone."""
    content, data = record.content, record.data
    match record.type:
        case "MX":
            return f"{record.priority} {content}"
        case "SRV":
            return f"{data['priority']} {data['weight']} {data['port']} {data['target']}"
        case "CAA":
            return f"{data['flags']} {data['tag']} {_quoted(str(data['value']))}"
        case "TXT" if not content.startswith('"'):
            return _quoted(content)
        case _:
            return content


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sent(data: Any) -> dict[str, Any]:
    """What the API is told of a record's data."""
    match data.rdtype:
        case RdataType.MX:
            return {"content": plain(data.exchange), "priority": data.preference}
        case RdataType.SRV:
            fields = {"priority": data.priority, "weight": data.weight, "port": data.port}
            return {"data": {**fields, "target": plain(data.target)}}
        case RdataType.CAA:
            return {"data": {"flags": data.flags, "tag": data.tag.decode(), "value": data.value.decode("latin-1")}}
        case RdataType.CNAME | RdataType.NS:
            return {"content": plain(data.target)}
        case _:
            return {"content": data.to_text()}


def _said(answer: Answer) -> tuple[set[int], str]:
    """The codes that an answer gives to what is wrong, and the first that it says of it."""
    match answer.json():
        case {"errors": [{"message": str(message)}, *_] as errors}:
            said = cast("list[dict[str, Any]]", errors)
            return {code for each in said if isinstance(code := each.get("code"), int)}, message
        case _:
            return set(), ""
