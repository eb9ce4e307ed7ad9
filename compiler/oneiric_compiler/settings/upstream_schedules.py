"""Schedules of upstream's `schedules.json` as `schedules` of settings/tasks.yml, and what none of these can say."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from oneiric.envelope import instant
from oneiric.flows.ticks import Schedule, check, zone_of

Object: TypeAlias = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is, and YAML refuses or takes for the end of a line."""
_KNOWN = frozenset(
    ("id", "name", "enabled", "schedule", "payload", "deleteAfterRun", "state", "createdAtMs", "updatedAtMs")
)
_FIELDS: Mapping[str, tuple[str, ...]] = {"at": ("atMs",), "every": ("everyMs",), "cron": ("expr", "tz")}
"""Kind of schedule -> the fields that go with it; the first has to be there."""
_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


class Finding(NamedTuple):
    """What is to be known of a place, a JSON pointer: a `warning` where the entry says less, or nothing."""

    at: str
    severity: Literal["warning", "note"]
    message: str
    help: str


class Converted(NamedTuple):
    """The entries of `schedules`, of so many jobs, and what they do not say."""

    jobs: int
    schedules: dict[str, dict[str, Any]]
    findings: list[Finding]

    @property
    def whole(self) -> bool:
        return all(each.severity == "note" for each in self.findings)

    def settings(self) -> str:
        """The text of settings/tasks.yml; every value in it is JSON."""
        lines = (f"  {json.dumps(name)}: {_flow(entry)}\n" for name, entry in self.schedules.items())
        return f"schedules:\n{''.join(lines)}" if self.schedules else "schedules: {}\n"


def convert(data: bytes) -> Converted:
    """Convert a `schedules.json`. Raises `ValueError`, which says why it is not one."""
    try:
        document = json.loads(data)
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    stated = _object(document) or {}
    if not isinstance(jobs := stated.get("jobs"), list):
        raise ValueError("it has no list `jobs`")
    if (version := json.dumps(stated.get("version"))) != "1":
        raise ValueError(f"its `version` is {version}, not 1")
    found = Converted(len(jobs := cast("Sequence[Any]", jobs)), {}, [])
    for index, each in enumerate(jobs):
        if (job := _object(each)) is not None:
            _Job(f"/jobs/{index}", job, found.findings).add(found.schedules)
        else:
            what = "a job that is no object is left out"
            found.findings.append(Finding(f"/jobs/{index}", "warning", what, "write the entry by hand"))
    return found


class _Left(Exception):
    """The job has no entry; the place within it, why and what to do instead."""


class _Job(NamedTuple):
    at: str
    stated: Object
    findings: list[Finding]

    def add(self, schedules: dict[str, dict[str, Any]]) -> None:
        try:
            name = self._name(schedules)
            entry = {**self._when(), "call": f"task:{name}", **self._given(name)}
            self._rest(entry)
            if self.stated.get("enabled", True) is not True:
                help = f"add the entry when it is to run: {name}: {_flow(entry)}"
                raise _Left("/enabled", f"`{name}` is not enabled and is left out", help)
            schedules[name] = entry
        except _Left as left:
            self._told("warning", *left.args)

    def _told(self, severity: Literal["warning", "note"], at: str, message: str, help: str) -> None:
        self.findings.append(Finding(self.at + at, severity, message, help))

    def _name(self, taken: Collection[str]) -> str:
        stated = [self.stated.get(each) for each in ("name", "id")]
        for each in stated:
            if isinstance(each, str) and _NAME.fullmatch(each) and each not in taken:
                if each != stated[0] and stated[0] is not None:
                    message = f"the entry is called `{each}`, the job's `id`: its name cannot be one, or is taken"
                    self._told("note", "/name", message, "rename the entry and its task as you like")
                return each
        help = "give the job a name of letters, digits, `.`, `_` and `-` that no other job has"
        raise _Left("/name", "a job whose name and id cannot name an entry, or are taken, is left out", help)

    def _when(self) -> dict[str, Any]:
        stated = _object(self.stated.get("schedule")) or {}
        kind = stated.get("kind")
        if not isinstance(kind, str) or kind not in _FIELDS:
            raise _Left(
                "/schedule", "the job is left out: its kind is none of `at`, `every`, `cron`", "say when it is due"
            )
        for each in sorted({*stated} - {"kind", *_FIELDS[kind]}):
            if stated[each] is not None:
                self._told("warning", _pointer("schedule", each), f"`{kind}` has no `{each}`", f"remove `{each}`")
        try:
            return {"at": self._at, "every": self._every, "cron": self._cron}[kind](stated)
        except (ValueError, OverflowError) as error:
            what = str(error) if isinstance(error, ValueError) else "the instant is out of range"
            at = _pointer("schedule", _FIELDS[kind][0])
            raise _Left(at, f"the job is left out: {what}", "correct it, or write the entry by hand") from None

    def _at(self, stated: Object) -> dict[str, Any]:
        return {"at": instant(_EPOCH + timedelta(milliseconds=_count(stated, "atMs")))}

    def _every(self, stated: Object) -> dict[str, Any]:
        milliseconds = _count(stated, "everyMs")
        check(Schedule(every=milliseconds / 1000))
        every = _duration(milliseconds)
        message = f"every {every} is counted from 1970-01-01T00:00:00Z, and no longer from when the job was made"
        self._told("note", "/schedule/everyMs", message, "write `cron` for ticks at times of your own")
        return {"every": every}

    def _cron(self, stated: Object) -> dict[str, Any]:
        expr, zone = stated.get("expr"), stated.get("tz")
        if not isinstance(expr, str):
            raise ValueError("`expr` is no text")
        check(Schedule(cron=expr))
        if zone is None:
            message = "`cron` without a time zone is read in UTC; upstream's may be that of its machine"
            self._told("warning", "/schedule/tz", message, "add the `zone` that is meant, such as Europe/Berlin")
            zoned = {}
        else:
            try:
                zone_of(zone if isinstance(zone, str) else json.dumps(zone))
            except ValueError as error:
                raise _Left("/schedule/tz", f"the job is left out: {error}", "correct the time zone") from None
            zoned = {"zone": zone}
        day, weekday = expr.split()[2], expr.split()[4]
        if "*" not in (day, weekday) and "*" in (day[0], weekday[0]):
            message = f"`{expr}` is due where both of its day fields match; upstream has either of them match"
            self._told("warning", "/schedule/expr", message, "write the days out, or an entry for each of the two")
        return {"cron": expr, **zoned}

    def _given(self, name: str) -> dict[str, Any]:
        if self.stated.get("payload") is None:
            return {}
        if (payload := _object(self.stated["payload"])) is None:
            self._told("warning", "/payload", "a payload that is no object is left out", "write it as `with`")
            return {}
        given = {each: _plain(value) for each, value in payload.items() if value is not None}
        if (kind := given.pop("kind", None)) is not None:
            takes = f", which takes {', '.join(f'`{each}`' for each in sorted(given))}" if given else ""
            message = f"what upstream does for a payload of kind `{kind}` is left out: the entry calls task:{name}"
            self._told("warning", "/payload/kind", message, f"write that component of domain task{takes}")
        return {"with": given} if given else {}

    def _rest(self, entry: Object) -> None:
        if self.stated.get("deleteAfterRun"):
            if "at" in entry:
                message, help = "the entry stays when it has run; it comes no second time", "remove it then"
                self._told("note", "/deleteAfterRun", message, help)
            else:
                message = "`deleteAfterRun` is left out: the entry comes again and again"
                self._told("warning", "/deleteAfterRun", message, "`most: 1` lets it run once")
        if any(value not in (None, []) for value in _values(self.stated.get("state"))):
            message = "how far the job came is left out: a schedule counts from when the engine first sees it"
            self._told("note", "/state", message, "let upstream finish what is due before you change over")
        for each in sorted({*self.stated} - _KNOWN):
            self._told("warning", _pointer(each), f"`{each}` is not known and is left out", "see docs/tasks.md")


def _values(state: Any) -> Iterator[Any]:
    yield from (state,) if (stated := _object(state)) is None else stated.values()


def _object(value: Any) -> Object | None:
    return cast("Object", value) if isinstance(value, dict) else None


def _count(stated: Object, name: str) -> int:
    if not isinstance(value := stated.get(name), int) or isinstance(value, bool):
        raise ValueError(f"`{name}` is no whole number")
    return value


def _duration(milliseconds: int) -> str:
    text = ""
    for unit, size in _UNITS:
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text


def _plain(value: Any) -> Any:
    """A value in which nothing is a reference."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if (stated := _object(value)) is not None:
        return {name: _plain(each) for name, each in stated.items()}
    return [_plain(each) for each in cast("Sequence[Any]", value)] if isinstance(value, list) else value


def _flow(entry: Object) -> str:
    """JSON as YAML takes it, on one line."""
    text = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())
    return "{" + _NO_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "}"


def _pointer(*names: str) -> str:
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)
