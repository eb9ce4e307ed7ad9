"""The part of Route 53 that is about the records of a zone, in this process, written from its documentation.

moto makes changes that the service refuses: it creates what is there, deletes what is otherwise, and lets a CNAME stand
beside other records. What is left to it are signatures.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.backends.harness.receivers import Answering, HTTPReceiver

ZONE_ID = "Z0123456789ABC"
_XMLNS = "https://route53.amazonaws.com/doc/2013-04-01/"
_ZONE = f"/2013-04-01/hostedzone/{ZONE_ID}"
_TREE = {"xml": _XMLNS}


class Handler(Answering):
    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        there = cast("Route53", self.server.receiver)
        status, said = there.answer(self.command, self.path, body)
        self.say(status, said.encode(), {"Content-Type": "text/xml"})

    do_GET = do_POST = do


class Wrong(Exception):
    pass


def failed(code: str, message: str = "") -> str:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return f'<ErrorResponse xmlns="{_XMLNS}">{error}<RequestId>r</RequestId></ErrorResponse>'


class Route53(HTTPReceiver):
    """Record sets by name and type, as XML has them. `instead`: what is answered to all about records, if it is set.
    `meanwhile` is done once, before a change; a page has at most `page` sets."""

    handler = Handler
    page = 300

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        self.odd: list[str] = []  # sets of other kinds, as XML, at the end of a list
        self.instead: tuple[int, str] | None = None
        self.meanwhile: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        parts = urlsplit(path)
        if not parts.path.startswith(_ZONE):
            return 404, failed("NoSuchHostedZone", "No hosted zone found with ID")
        if parts.path == _ZONE:
            zone = f"<Id>/hostedzone/{ZONE_ID}</Id><Name>example.org.</Name><CallerReference>x</CallerReference>"
            return 200, _said("GetHostedZoneResponse", f"<HostedZone>{zone}</HostedZone>")
        if self.instead is not None:
            return self.instead
        with self._lock:
            if method == "GET":
                return 200, self._listed({name: value for name, [value] in parse_qs(parts.query).items()})
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            before = dict(self.sets)
            try:
                for change in ElementTree.fromstring(body).iterfind(".//xml:Change", _TREE):
                    self._change(change)
            except Wrong as error:
                self.sets = before
                return 400, failed("InvalidChangeBatch", f"[{error}]")
            told = "<Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>"
            return 200, _said("ChangeResourceRecordSetsResponse", f"<ChangeInfo>{told}</ChangeInfo>")

    def _listed(self, query: Mapping[str, str]) -> str:
        start = _order(query.get("name", "."), query.get("type", ""))
        found = sorted((key for key in self.sets if _order(*key) >= start), key=lambda key: _order(*key))
        most = int(query.get("maxitems", self.page))
        sets = "".join(_set(*key, *self.sets[key]) for key in found[:most])
        rest = f"<IsTruncated>{'true' if found[most:] else 'false'}</IsTruncated><MaxItems>{most}</MaxItems>"
        for name, kind in found[most : most + 1]:
            rest += f"<NextRecordName>{_escaped(name)}</NextRecordName><NextRecordType>{kind}</NextRecordType>"
        odd = "" if found[most:] else "".join(self.odd)
        return _said("ListResourceRecordSetsResponse", f"<ResourceRecordSets>{sets}{odd}</ResourceRecordSets>{rest}")

    def _change(self, change: ElementTree.Element) -> None:
        def text(name: str) -> str:
            return change.findtext(f".//xml:{name}", "", _TREE)

        name, kind = text("Name").lower(), text("Type")
        values = tuple(each.text or "" for each in change.iterfind(".//xml:Value", _TREE))
        wanted = int(text("TTL")), values
        assert values
        if kind == "TXT":
            self._check_text(values)
        there = self.sets.get((name, kind))
        about = f"resource record set [name='{name}', type='{kind}']"
        if text("Action") == "DELETE":
            if there is None:
                raise Wrong(f"Tried to delete {about} but it was not found")
            if (there[0], {*there[1]}) != (wanted[0], {*values}):
                raise Wrong(f"Tried to delete {about} but the values provided do not match the current values")
            del self.sets[name, kind]
            return
        if text("Action") == "CREATE" and there is not None:
            raise Wrong(f"Tried to create {about} but it already exists")
        if any(each == name and "CNAME" in (kind, other) and kind != other for each, other in self.sets):
            beside = "conflicts with other records with the same DNS name in zone example.org."
            raise Wrong(f"RRSet of type {kind} with DNS name {name} is not permitted as it {beside}")
        self.sets[name, kind] = wanted

    def _check_text(self, values: tuple[str, ...]) -> None:
        for value in values:
            assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\[0-3][0-7]{2})*"(?: "(?:[ !#-\[\]-~]|\\[0-3][0-7]{2})*")*', value)
            if len(value) > 4000:
                raise Wrong("CharacterStringTooLong (Value is too long)")


def _order(name: str, kind: str) -> tuple[list[str], str]:
    return name.rstrip(".").lower().split(".")[::-1] if name != "." else [], kind


def _escaped(name: str) -> str:
    return name.replace("*", "\\052")


def _set(name: str, kind: str, ttl: int, values: tuple[str, ...]) -> str:
    records = "".join(f"<ResourceRecord><Value>{escape(each)}</Value></ResourceRecord>" for each in values)
    fields = f"<Name>{_escaped(name)}</Name><Type>{kind}</Type><TTL>{ttl}</TTL>"
    return f"<ResourceRecordSet>{fields}<ResourceRecords>{records}</ResourceRecords></ResourceRecordSet>"


def _said(root: str, inner: Any) -> str:
    return f'<?xml version="1.0"?>\n<{root} xmlns="{_XMLNS}">{inner}</{root}>'
