"""Schedules: when something is called by itself, checked, and as facts of the report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from oneiric.flows.references import references

from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean
from oneiric_compiler.linking.payloads import check_payload
from oneiric_compiler.linking.targets import Targets
from oneiric_compiler.model import Entry, Stated
from oneiric_compiler.source.types import Many, Scalar

Facts: TypeAlias = dict[str, Any]
_WHEN = ("cron", "every", "at")
_TICK = ("at", "schedule")
_SINCE = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The schedules of one profile; `seconds` reads a duration."""

    targets: Targets
    tenants: Collection[str]
    seconds: Callable[..., float]
    calling: Callable[..., Facts]
    diagnostics: Diagnostics

    def schedule(self, name: str, entry: Entry) -> Facts:
        """The facts of a schedule."""
        fields, facts = entry.fields, {"from": str(entry.place)}
        found: Facts = {**facts, **{each: fields[each].value for each in _STATED if each in fields}}
        for each in ("every", "jitter"):
            if each in fields:
                found[each] = self.seconds(fields[each].value, fields[each].place, self.diagnostics)
        self._check_when(name, entry, found)
        for each in ("at", "start", "end"):
            if each in fields:
                self._check_instant(each, fields[each], "zone" in fields and each == "at")
        if "tenants" in fields:
            self._check_tenants(fields["tenants"])
        if "call" not in fields:
            help = "name what it calls: `call: task:report`"
            self.diagnostics.add("ONE730", "`call` is missing", entry.place, help=help)
            return found
        self._check_call(name, fields)
        return {**found, **self.calling(self.targets, entry, self.diagnostics)}

    def _check_call(self, name: str, fields: Mapping[str, Stated[Any]]) -> None:
        by, call, given = f"schedule `{name}`", fields["call"], fields.get("with")
        target = self.targets.of(call.value, call.place, by)
        try:
            found = list(references(given.value)) if given else []
        except ValueError as error:
            assert given is not None
            self.diagnostics.add("ONE707", str(error), given.place, help="write `$${` for a plain `${`")
            return
        for at, reference in found:
            if given and (reference.root != "tick" or reference.path[:1] not in [(each,) for each in _TICK]):
                what = f"`${{{reference.text}}}` is nothing that a schedule knows"
                help = "a schedule has `${tick.at}` and `${tick.schedule}`"
                self.diagnostics.add("ONE704", what, given.at(*at), help=help)
        if target is not None:
            check_payload(target, given, call.place, by, {"tick": Many("dict", Scalar("str"))}, self.diagnostics)

    def _check_when(self, name: str, entry: Entry, facts: Facts) -> None:
        fields = entry.fields
        stated = [each for each in _WHEN if each in fields]
        if len(stated) != 1:
            said = f"says {' and '.join(f'`{each}`' for each in stated)}" if stated else "does not say when"
            what = f"schedule `{name}` {said}"
            place = fields[stated[1]].place if stated else entry.place
            self.diagnostics.add("ONE723", what, place, help="say one of `cron`, `every` and `at`")
        if facts.get("every") == 0:
            self.diagnostics.add("ONE723", "every 0 s is always", fields["every"].place, help="say how often: `15m`")
        if "zone" in fields and not self._is_zone(fields["zone"]):
            return
        if "cron" in fields:
            self._check_cron(fields["cron"])

    def _is_zone(self, stated: Stated[Any]) -> bool:
        try:
            ZoneInfo(stated.value)
        except (ValueError, OSError, LookupError):
            help = partial(did_you_mean, stated.value, sorted(available_timezones()), "name one, such as Europe/Berlin")
            self.diagnostics.add("ONE724", f"there is no time zone `{stated.value}`", stated.place, help=help)
            return False
        return True

    def _check_cron(self, stated: Stated[Any]) -> None:
        if len(stated.value.split()) != 5:
            what = f"`{stated.value}` has {len(stated.value.split())} fields, not five"
            help = "minute, hour, day of month, month, day of week: `30 2 * * *`"
            self.diagnostics.add("ONE725", what, stated.place, help=help)
            return
        try:
            next(CronSim(stated.value, _SINCE))
        except CronSimError as error:
            what = f"`{stated.value}` is not a cron expression: {str(error)[:1].lower()}{str(error)[1:]}"
            help = "minute, hour, day of month, month, day of week: `30 2 * * *`"
            self.diagnostics.add("ONE725", what, stated.place, help=help)
        except StopIteration:
            help = "no month has such a day: correct the day or the month"
            self.diagnostics.add("ONE725", f"`{stated.value}` never comes", stated.place, help=help)

    def _check_instant(self, name: str, stated: Stated[Any], has_zone: bool) -> None:
        try:
            instant = datetime.fromisoformat(stated.value)
        except ValueError:
            what = f"`{name}` cannot be `{stated.value}`"
            self.diagnostics.add("ONE726", what, stated.place, help="write an instant: `2027-01-01T00:00:00Z`")
            return
        if instant.tzinfo is None and not has_zone:
            what = f"`{stated.value}` is another instant in each time zone"
            help = f"say which: `{stated.value}Z`" + (", or add `zone`" if name == "at" else "")
            self.diagnostics.add("ONE726", what, stated.place, help=help)

    def _check_tenants(self, stated: Stated[Any]) -> None:
        if isinstance(stated.value, str):
            if stated.value != "all":
                what = f"`tenants` cannot be `{stated.value}`"
                self.diagnostics.add("ONE729", what, stated.place, help="write `all`, or a list of names")
            return
        for index, tenant in enumerate(stated.value):
            if tenant not in self.tenants:
                otherwise = "a tenant is there once `settings/tenants/` has its file; it may be empty"
                help = partial(did_you_mean, str(tenant), self.tenants, otherwise)
                self.diagnostics.add("ONE116", f"tenant `{tenant}` has no file", stated.at(index), help=help)


_STATED = ("cron", "at", "zone", "call", "with", "misfire", "overlap", "start", "end", "most", "tenants", "queue")
