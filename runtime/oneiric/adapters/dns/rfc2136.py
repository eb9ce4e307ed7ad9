"""DNS provider `rfc2136`: a zone of an authoritative server that takes dynamic updates: BIND, Knot, PowerDNS."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar, cast

import dns.asyncquery
import dns.exception
import dns.inet
import dns.message
import dns.name
import dns.tsig
import dns.xfr
import dns.zone
from dns.rcode import Rcode
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from dns.update import UpdateMessage

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.dns import (
    TYPES,
    DnsClosed,
    DnsError,
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

Result = TypeVar("Result")
_PROVIDER = "rfc2136"
_FAULTS = Faults(_PROVIDER, DnsUnavailable, DnsRefused, DnsMisconfigured)
_UNMET = (Rcode.NXRRSET, Rcode.YXRRSET, Rcode.NXDOMAIN, Rcode.YXDOMAIN)
"""What a server answers where a prerequisite of an update is not met."""
_ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")


@component(
    "adapter",
    "dns",
    provider="rfc2136",
    priority=0,
    stack_level=-20,
    capabilities=("read", "write", "compare"),
    port="oneiric.adapters.dns:Dns",
)
class Rfc2136Dns:
    """Changes a zone by dynamic updates, and reads it from the same server, over TCP.

    Needs a server that is authoritative for the zone and takes updates; the extra `dns-rfc2136`.

    `host`: the server's name or address.
    `zone`: the zone's name.
    `port`: the server's port.
    `key_name`: the name of the TSIG key that requests are signed with.
    `key_secret`: the key itself, in base64.
    `key_algorithm`: what it signs with: `hmac-sha224`, `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; each request opens one.
    """

    def __init__(
        self,
        *,
        host: str,
        zone: str,
        port: int = 53,
        key_name: str,
        key_secret: Secret,
        key_algorithm: str = "hmac-sha256",
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(
            port=port, timeout=timeout, healthcheck_timeout=healthcheck_timeout, max_connections=max_connections
        )
        _FAULTS.check_text(host=host)
        if key_algorithm not in _ALGORITHMS:
            raise _FAULTS.no_sense(f"is not one of {', '.join(_ALGORITHMS)}", "key_algorithm")
        self._records = _made("zone", lambda: Records(zone, _PROVIDER))
        self._key_name = _made("key_name", lambda: Records(key_name, _PROVIDER)).zone
        self._key = _key(self._key_name, key_secret, key_algorithm)
        self._host = host
        self._port = port
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()
        self._open = False

    async def start(self) -> None:
        self._timeouts = Timeouts()
        self._open = True
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except DnsError:
            return False
        return True

    async def aclose(self) -> None:
        self._open = False
        self._timeouts.end_all()

    async def get(self, name: str, type: RecordType) -> RecordSet | None:
        return await self._in_time(lambda: self._get(self._records.name(name), self._records.type(type)))

    async def list(self) -> AsyncIterator[RecordSet]:
        found = await self._in_time(self._transferred)
        for name, data in found.iterate_rdatasets():
            if data.rdtype.name in TYPES:
                yield self._records.record(name, data)

    async def put(self, record: RecordSet, *, if_is: RecordSet | Literal["any"] | None = "any") -> None:
        name, data = self._records.name(record.name), self._records.data(record)
        self._check_apex(name, data.rdtype)
        update = self._update()
        if if_is is None:
            update.absent(name, data.rdtype)
        elif if_is != "any":
            if (self._records.name(if_is.name), if_is.type) != (name, record.type):
                raise self._records.invalid("if_is has another name or type")
            update.present(name, *self._records.data(if_is))  # as data alone: a TTL would make it malformed
        others: list[RecordType] = [type for type in TYPES if (type == "CNAME") != (record.type == "CNAME")]
        for other in others:  # or else the server would leave this one out, and say nothing
            update.absent(name, other)
        update.replace(name, data)
        answered = await self._in_time(lambda: self._send(update))
        if answered == Rcode.NOERROR:
            return
        await self._in_time(lambda: self._check_free(name, others))
        raise RecordConflict(f"{record.name} has other records than expected", provider=_PROVIDER)

    async def delete(self, name: str, type: RecordType) -> bool:
        whose, which = self._records.name(name), self._records.type(type)
        self._check_apex(whose, which)
        update = self._update()
        update.present(whose, which)
        update.delete(whose, which)
        return await self._in_time(lambda: self._send(update)) == Rcode.NOERROR

    async def _get(self, name: dns.name.Name, type: RdataType) -> RecordSet | None:
        query = dns.message.make_query(name, type, flags=0)
        answer = await self._ask(query)
        if answer.rcode() not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            raise self._unusable(answer.rcode())
        # those of a zone below stand beside the answer, and are of this zone too
        for section in (answer.answer, answer.authority):
            found = answer.get_rrset(section, name, IN, type)
            if found is not None and await self._is_there(name, type):
                return self._records.record(name, found)
        return None

    async def _is_there(self, name: dns.name.Name, type: RdataType) -> bool:
        """Whether the zone has records of this name itself: an answer may be of a wildcard."""
        update = self._update()
        update.present(name, type)
        return await self._send(update) == Rcode.NOERROR

    async def _check_free(self, name: dns.name.Name, types: Sequence[RecordType]) -> None:
        for type in types:
            if await self._is_there(name, RdataType[type]):
                what = f"{name.to_text(omit_final_dot=True)} has records of the type {type}"
                raise NameTaken(what, provider=_PROVIDER)

    async def _ask_health(self) -> None:
        answer = await self._in_time(self._soa, self._healthcheck_timeout)
        if answer.rcode() != Rcode.NOERROR:
            raise self._unusable(answer.rcode())
        if not answer.had_tsig:
            raise _FAULTS.no_answer("what it answers is not signed", "host")
        if answer.get_rrset(answer.answer, self._records.zone, IN, RdataType.SOA) is None:
            raise _FAULTS.no_sense("the server is not authoritative for it", "zone")

    async def _soa(self) -> dns.message.Message:
        query = dns.message.make_query(self._records.zone, RdataType.SOA, flags=0)
        try:
            return await self._ask(query)
        except dns.exception.FormError:  # servers do not sign that they refuse a zone
            query = dns.message.make_query(self._records.zone, RdataType.SOA, flags=0)
            return await dns.asyncquery.tcp(query, await self._address(), port=self._port)

    async def _transferred(self) -> dns.zone.Zone:
        zone = dns.zone.Zone(self._records.zone, relativize=False)
        query, _ = dns.xfr.make_query(zone, serial=None, keyring={self._key_name: self._key})
        await dns.asyncquery.inbound_xfr(await self._address(), zone, query, port=self._port)
        return zone

    def _update(self) -> UpdateMessage:
        return UpdateMessage(self._records.zone)

    async def _send(self, update: UpdateMessage) -> Rcode:
        """What the server says of an update: that it is done, or that a prerequisite is not met."""
        answered = (await self._ask(update)).rcode()
        if answered != Rcode.NOERROR and answered not in _UNMET:
            raise self._unusable(answered)
        return answered

    async def _ask(self, message: dns.message.Message) -> dns.message.Message:
        message.use_tsig(self._key)
        return await dns.asyncquery.tcp(message, await self._address(), port=self._port)

    async def _address(self) -> str:
        if dns.inet.is_address(self._host):
            return self._host
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port)
        return str(found[0][4][0])

    async def _in_time(self, work: Callable[[], Awaitable[Result]], seconds: float | None = None) -> Result:
        """The result of requests; what fails is the port's error."""
        seconds = seconds or self._timeout
        if not self._permits.take():
            await self._permits.wait_in_time(_FAULTS, "max_connections", seconds)
        try:
            self._check_open()
            with self._timeouts.within(seconds):
                return await work()
        except DnsError:
            raise
        except Exception as error:
            self._check_open()
            raise self._translated(error, seconds) from None
        finally:
            self._permits.give_back()

    def _translated(self, error: Exception, seconds: float) -> Exception:
        match error:
            case TimeoutError():
                return _FAULTS.no_answer(f"no answer in {seconds:g} s", "timeout")
            case dns.tsig.PeerBadKey():
                return _FAULTS.no_entry("the server does not know the key", "key_name")
            case dns.tsig.PeerBadSignature() | dns.tsig.BadSignature():
                return _FAULTS.no_entry("the server has another key of this name", "key_secret")
            case dns.tsig.PeerBadTime() | dns.tsig.BadTime():
                return _FAULTS.no_entry("its clock and that of this machine differ", "host")
            case dns.xfr.TransferError():
                return self._unusable(Rcode(cast("Any", error).rcode))
            case OSError():
                return _FAULTS.no_answer(f"it cannot be reached: {error.strerror or type(error).__name__}", "host")
            case _:
                return _FAULTS.no_answer(f"it talks badly: {type(error).__name__}", "host")

    def _unusable(self, code: Rcode) -> DnsError:
        if code in (Rcode.REFUSED, Rcode.NOTAUTH, Rcode.NOTZONE):
            return DnsRefused(f"the server answers {code.name}", provider=_PROVIDER, setting="zone")
        return DnsUnavailable(f"the server answers {code.name}", provider=_PROVIDER, setting="host")

    def _check_apex(self, name: dns.name.Name, type: RdataType) -> None:
        if name == self._records.zone and type == RdataType.NS:
            raise self._records.invalid("the servers of the zone itself are not changed by updates")

    def _check_open(self) -> None:
        if not self._open:
            raise DnsClosed("it is not open", provider=_PROVIDER)


def _made(setting: str, make: Callable[[], Records]) -> Records:
    try:
        return make()
    except InvalidRecord as error:
        raise _FAULTS.no_sense(error.what, setting) from None


def _key(name: dns.name.Name, secret: Secret, algorithm: str) -> dns.tsig.Key:
    try:
        data = binascii.a2b_base64(secret.reveal(), strict_mode=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise _FAULTS.no_sense("is not base64", "key_secret")
    return dns.tsig.Key(name, data, algorithm)
