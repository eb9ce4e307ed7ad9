"""Topics, and who is told of their events: checked, and as facts of the report."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from oneiric.flows.conditions import faults
from oneiric.flows.paths import parsed

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.entries import called, merged
from oneiric_compiler.linking.flowing import conditions, whole_conditions
from oneiric_compiler.linking.reading import ANY, fits, read
from oneiric_compiler.linking.targets import Targets
from oneiric_compiler.model import Entry, Key, Stated
from oneiric_compiler.source.annotations import read_type
from oneiric_compiler.source.modules import Module
from oneiric_compiler.source.types import AnyOf, Many, Record, Type

Facts: TypeAlias = dict[str, Any]
EVENT, ENVELOPE, FANOUT = "event", "envelope", "fanout"
"""The parameters of a handler; the capability of queues that tell every process."""
_HANDLER = "a handler is `async def __call__(self, *, event: T, envelope: Envelope | None = None)`"


@dataclass(frozen=True, slots=True)
class Subscribing:
    """The topics and subscriptions of one profile. `plain` gives the facts of fields that calls have in common."""

    topics: Mapping[str, Entry]
    subscriptions: Mapping[str, Entry]
    targets: Targets
    plain: Callable[..., Facts]
    diagnostics: Diagnostics
    broadcasts: bool = False
    """Whether the settings name a queue that broadcasts."""

    def topic(self, name: str, entry: Entry) -> Facts:
        """The facts of a topic."""
        fields = entry.fields
        if "order_by" in fields:
            self._check_path(fields["order_by"], [name])
        if "type" in fields and self.targets.sources.find(fields["type"].value) is None:
            what = f"the type `{fields['type'].value}` of topic `{name}` is not found"
            help = "types are found under the source roots and in listed plugins"
            self.diagnostics.add("ONE718", what, fields["type"].place, help=help)
        return {
            "from": str(entry.place),
            **{each: fields[each].value for each in ("type", "order_by") if each in fields},
        }

    def subscription(self, name: str, entry: Entry) -> Facts:
        """The facts of a subscription."""
        fields = entry.fields
        topics = self.matched(fields["topics"], f"subscription `{name}`") if "topics" in fields else []
        if "topics" not in fields:
            help = "name what it is told of: `topics: [order.placed]`"
            self.diagnostics.add("ONE730", "`topics` is missing", entry.place, help=help)
        self._check_conditions(fields.get("where"), topics)
        self._check_fanout(name, entry)
        facts: Facts = {"from": str(entry.place), "topics": topics}
        handler = Key("event", name)
        if "starts" in fields:
            facts["starts"] = fields["starts"].value
            self._check_started(name, fields["starts"], handler)
        else:
            facts["handler"] = str(handler)
            self._check_handler(handler, entry, topics)
        own = ("delivery", "where", "at_once", "priority", "fanout", "queue")
        bound = self.targets.bindings.get(handler) if "starts" not in fields else None
        calling: Mapping[str, Stated[Any]] = bound.decision.winner.calling if bound else {}
        facts |= self.plain({**calling, **fields}, self.diagnostics, *own)
        if "priority" not in fields and bound:
            declared = bound.decision.winner
            facts |= {"priority": declared.priority} if declared.priority_from == "declared" else {}
        return facts

    def of_tenant(self, name: str, differs: Entry | None, base: Facts) -> Facts:
        """What a tenant has other than the base's facts of a subscription; None disables it: it is told of no topic."""
        if differs is None:
            return {"topics": []}
        found = self.subscription(name, merged(self.subscriptions[name], differs))
        changed = {field: value for field, value in found.items() if field != "from" and base.get(field) != value}
        return {"from": str(differs.place), **changed}

    def tell_unknown(self, tenant: str, name: str, place: Place) -> None:
        """Reports what a tenant states of a subscription that is not declared below it."""
        what = f"tenant `{tenant}` changes the subscription `{name}`, which is not declared"
        help = partial(did_you_mean, name, self.subscriptions, "declare it in settings/events.yml, or in the profile")
        self.diagnostics.add("ONE728", what, place, help=help)

    def matched(self, stated: Stated[Any], by: str) -> list[str]:
        """The topics that names and patterns match; one that matches none is reported."""
        found: set[str] = set()
        for index, pattern in enumerate(stated.value):
            if pattern is None:
                continue
            names = [each for each in self.topics if matches(pattern, each)]
            found.update(names)
            if not names:
                self.tell_unmatched(pattern, stated.at(index), by)
        return sorted(found)

    def tell_unmatched(self, pattern: str, place: Place, by: str) -> None:
        """Reports a topic, or a pattern, that no topic is called."""
        help = partial(did_you_mean, pattern, self.topics, "declare it: `topics: {order.placed: {type: shop:Placed}}`")
        self.diagnostics.add("ONE719", f"{by} names `{pattern}`, which no topic is called", place, help=help)

    def check_handlers(self, keys: Iterable[Key]) -> None:
        """Reports components of domain event that no subscription names."""
        for key in keys:
            if key.domain == "event" and key.name not in self.subscriptions:
                winner = self.targets.bindings[key].decision.winner
                what = f"{key} handles events, and no subscription of that name says which"
                help = f"add it to settings/events.yml: `subscriptions: {{{key.name}: {{topics: […]}}}}`"
                self.diagnostics.add("ONE720", what, winner.place, help=help)

    def check_broadcast(self, stated: Stated[Any]) -> None:
        """Reports a queue that cannot tell every process."""
        key = called(stated.value)
        winner = self.targets.bindings[self.targets.same.get(key, key)].decision.winner
        if FANOUT not in winner.capabilities:
            what = f"`broadcast` names {key}, and {winner.provider}, which serves it, lacks the capability `{FANOUT}`"
            help = f"have it served by one that has it: `requires: {{{key.name}: [{FANOUT}]}}` in settings/adapters.yml"
            self.diagnostics.add("ONE732", what, stated.place, help=help, related=[("served by", winner.place)])

    def _check_fanout(self, name: str, entry: Entry) -> None:
        """Reports a subscription of every process that is not told directly, or that no queue tells."""
        fanout = entry.fields.get("fanout")
        if fanout is None or fanout.value != "processes":
            return
        durable = "delivery" in entry.fields and entry.fields["delivery"].value == "durable"
        if durable or "starts" in entry.fields:
            what = f"subscription `{name}` is told in every process, and its delivery is durable, which is one run"
            help = "leave `delivery` out, or `fanout`"
            self.diagnostics.add("ONE732", what, fanout.place, help=help)
        elif not self.broadcasts:
            what = f"subscription `{name}` is told in every process, and no queue is named that tells them"
            help = "name one in settings/events.yml: `broadcast: adapter:queue`"
            self.diagnostics.add("ONE732", what, fanout.place, help=help)

    def _check_started(self, name: str, starts: Stated[Any], handler: Key) -> None:
        if called(starts.value).domain != "workflow":
            what = f"subscription `{name}` starts {starts.value}, which is not a workflow"
            help = "name a workflow, such as `workflow:fulfil`; a task is called by a workflow of one node"
            self.diagnostics.add("ONE721", what, starts.place, help=help)
        elif self.targets.of(starts.value, starts.place, f"subscription `{name}`") and handler in self.targets.bindings:
            winner = self.targets.bindings[handler].decision.winner
            what = f"subscription `{name}` starts {starts.value}, and {handler} handles its events"
            related = [("the handler", winner.place)]
            help = "give one of them another name: a subscription has a handler or starts a workflow"
            self.diagnostics.add("ONE721", what, starts.place, help=help, related=related)

    def _check_handler(self, key: Key, entry: Entry, topics: list[str]) -> None:
        bound = self.targets.bindings.get(self.targets.same.get(key, key))
        if bound is None or bound.unbound:
            names = [str(each) for each in self.targets.bindings if each.domain == "event"]
            otherwise = f"declare a component for {key}, or say what it `starts`"
            what = f"subscription `{key.name}` has no handler: nothing serves {key}"
            self.diagnostics.add("ONE701", what, entry.place, help=partial(did_you_mean, str(key), names, otherwise))
            return
        symbol = (bound.port and self.targets.sources.find(bound.port)) or bound.decision.winner.signature.made
        if symbol is None or not isinstance(symbol.node, ast.ClassDef):
            return
        members = self.targets.sources.members(symbol)
        if "__call__" in members.by_name:
            self._check_call(key, *members.by_name["__call__"], entry, topics)
        elif members.complete:
            what = f"{key} cannot be called: it has no `__call__`"
            related = [("defined here", symbol.place)]
            self.diagnostics.add("ONE702", what, entry.place, help=_HANDLER, related=related)

    def _check_call(self, key: Key, module: Module, node: ast.stmt, entry: Entry, topics: list[str]) -> None:
        """Holds what a handler takes against the events that it is told of."""
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            return
        related = [("defined here", module.name_span(node))]
        keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        taken = {each.arg: (each, default is None) for each, default in keywords}
        others = [name for name, (_, required) in taken.items() if required and name not in (EVENT, ENVELOPE)]
        others += [each.arg for each in [*node.args.posonlyargs, *node.args.args][1:]]
        if EVENT not in taken or others:
            what = f"{key} does not take an event" if EVENT not in taken else f"{key} requires `{others[0]}` as well"
            self.diagnostics.add("ONE702", what, entry.place, help=_HANDLER, related=related)
            return
        wanted = read_type(self.targets.sources, module, taken[EVENT][0].annotation)
        for topic in topics:
            given = self._type(topic)
            if not _may_be(given, wanted):
                what = f"{key} handles {wanted}, and an event of `{topic}` is {given}"
                help = "handle the type of the topic, or a union of those of all topics"
                self.diagnostics.add("ONE722", what, entry.fields["topics"].place, help=help, related=related)

    def _type(self, topic: str) -> Type:
        stated = self.topics[topic].fields.get("type")
        return self.targets.type_of(stated.value) if stated else Many("dict", ANY)

    def _check_conditions(self, stated: Stated[Any] | None, topics: list[str]) -> None:
        for condition, place in whole_conditions(stated):
            for at, what in faults(condition, of_event=True):
                self.diagnostics.add("ONE708", what, place(*at), help="see docs/workflows.md, conditions")
        for condition, place in conditions(stated):
            self._check_path(Stated(condition["path"], place), topics)

    def _check_path(self, stated: Stated[Any], topics: list[str]) -> None:
        """Reports a path that the events of all these topics lack."""
        try:
            path = parsed(str(stated.value))
        except ValueError as error:
            self.diagnostics.add("ONE707", str(error), stated.place, help="write it as in `customer.id`")
            return
        found = [read(self._type(topic), path) for topic in topics]
        if found and all(each.missing for each in found):
            first = found[0]
            what = f"`{stated.value}` reads `{first.missing}`, which {first.within} does not have"
            otherwise = "name a field of the event"
            help = partial(did_you_mean, str(first.missing), first.known, otherwise)
            self.diagnostics.add("ONE710", what, stated.place, help=help)


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is called by a name or pattern with one `*` at its end."""
    return topic.startswith(pattern[:-1]) if pattern.endswith("*") else topic == pattern


def _may_be(given: Type, wanted: Type) -> bool:
    """Whether a handler of one type may be told of events of another: of classes with fields, of that class alone."""
    if isinstance(wanted, AnyOf):
        return any(_may_be(given, each) for each in wanted.members)
    if isinstance(given, Record) and isinstance(wanted, Record):
        return given.reference == wanted.reference
    return fits(given, wanted)
