"""One workflow of the settings, checked: what its nodes call, refer to and wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from oneiric.flows import graph
from oneiric.flows.conditions import COMBINED, faults
from oneiric.flows.paths import is_list, parsed
from oneiric.flows.references import ROOTS, Reference, parts, references

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.payloads import check_payload
from oneiric_compiler.linking.reading import ANY, read
from oneiric_compiler.linking.targets import Target, Targets
from oneiric_compiler.model import Entry, Stated
from oneiric_compiler.source.types import Many, Type

_PATH = "path "
"""What the texts of those references begin with that are the path of a condition, not written as `${…}`."""
_TAKEN = (*ROOTS, "nodes", "result", "self")


@dataclass(slots=True)
class Flowing:
    """Checks a workflow; `levels` are its nodes by what they wait for, `reads_result` how Python reads what the result
    refers to. `whose` says of a tenant's that it is that, where what is at fault stands in the base's."""

    name: str
    entry: Entry
    targets: Targets
    diagnostics: Diagnostics
    whose: str = ""
    levels: tuple[tuple[str, ...], ...] = ()
    reads_result: dict[str, str] = field(default_factory=dict[str, str])
    _types: dict[str, Type] = field(default_factory=dict[str, Type])
    _may_lack: set[str] = field(default_factory=set[str])

    def checked(self) -> dict[str, dict[str, Any]]:
        """The nodes in the flow's order, each with what it comes `after` and how Python `reads` what it refers to."""
        nodes, fields = self.entry.parts, self.entry.fields
        if not nodes:
            self._tell("ONE703", f"workflow `{self.name}` has no nodes", self.entry.place, "add one under `nodes`")
            return {}
        for name in nodes:
            if name in _TAKEN:
                place = nodes[name].place
                self._tell(
                    "ONE704", f"a node cannot be called `{name}`, which means something else", place, "rename it"
                )
        after = {name: self._after(name, node) for name, node in nodes.items()}
        if circle := graph.cycle(after):
            message = f"the nodes of workflow `{self.name}`{self.whose} wait for each other: {' -> '.join(circle)}"
            self._tell("ONE705", message, nodes[circle[0]].place, "let one of them not refer to the next")
            return {}
        self.levels = graph.levels(after)
        self._types["input"] = self.targets.type_of(fields["input"].value) if "input" in fields else Many("dict", ANY)
        found: dict[str, dict[str, Any]] = {}
        for name in [each for level in self.levels for each in level]:
            ordered = [each for level in self.levels for each in level if each in after[name]]
            found[name] = {"after": ordered, **self._node(name, nodes[name])}
        if "result" in fields:
            self.reads_result = self._result(fields["result"])
        return found

    def _after(self, name: str, node: Entry) -> list[str]:
        """The nodes that a node waits for, said and inferred."""
        nodes = self.entry.parts
        found: dict[str, None] = {}
        for index, other in enumerate(node.fields["after"].value if "after" in node.fields else ()):
            if other is not None and self._is_node(other, node.fields["after"].at(index)):
                found[other] = None
        for place, reference in self._references(node):
            if reference.node is not None and self._is_node(reference.node, place, reference):
                found[reference.node] = None
        found.pop("", None)
        return [each for each in nodes if each in found]

    def _is_node(self, name: str, place: Place, reference: Reference | None = None) -> bool:
        if name in self.entry.parts:
            return True
        said = f"{_shown(reference)} refers to" if reference else "`after` names"
        if reference and name.isupper():
            message = f"{said} an environment variable, and runs are stored in clear"
            self._tell("ONE706", message, place, "read it in the component: `provider_settings` may refer to it")
            return False
        known = [*self.entry.parts, *(("input",) if reference else ())]
        help = partial(did_you_mean, name, known, "name a node of this workflow")
        self._tell("ONE704", f"{said} `{name}`, which is not a node of workflow `{self.name}`", place, help)
        return False

    def _references(self, node: Entry) -> Iterator[tuple[Place, Reference]]:
        """All that a node refers to, with the place; what cannot be read is reported once by `_node`."""
        for name in ("with", "for_each"):
            if name in node.fields:
                yield from self._in(node.fields[name], tell=False)
        for condition, place in conditions(node.fields.get("when")):
            try:
                root, *rest = parsed(condition["path"])
            except (ValueError, KeyError, TypeError):
                continue
            yield place, Reference(_PATH + condition["path"], str(root), tuple(rest), None)

    def _in(self, stated: Stated[Any], *, tell: bool = True) -> list[tuple[Place, Reference]]:
        try:
            return [(stated.at(*at), reference) for at, reference in references(stated.value)]
        except ValueError as error:
            if tell:
                self._tell("ONE707", str(error), stated.place, "write `$${` for a plain `${`")
            return []

    def _node(self, name: str, node: Entry) -> dict[str, Any]:
        """What is known of a node only now; all that is wrong with it is reported."""
        fields, by = node.fields, f"node `{name}` of workflow `{self.name}`"
        if name not in _TAKEN:
            self._types[name] = ANY
        self._check_list(name, fields, by)
        for condition, place in whole_conditions(fields.get("when")):
            for at, what in faults(condition):
                self._tell("ONE708", what, place(*at), "see docs/workflows.md, conditions")
        for each in ("with", "for_each"):
            if each in fields:
                self._in(fields[each])
        reads: dict[str, str] = {}
        for place, reference in self._references(node):
            if reference.root != "tick":
                self._read(reference, place, reads, node)
        if "call" not in fields:
            self._tell("ONE730", "`call` is missing", node.place, "name what the node calls, such as `task:mail`")
            return {}
        target = self.targets.of(fields["call"].value, fields["call"].place, by)
        if target is not None:
            result = target.result
            if name not in _TAKEN:
                self._types[name] = Many("list", result) if "for_each" in fields else result
            self._tell_repeated(name, target, fields)
            check_payload(target, fields.get("with"), fields["call"].place, by, self._types, self.diagnostics)
        if self._may_be_missing(name, fields, node):
            self._may_lack.add(name)
        facts: dict[str, Any] = {"token": True} if target and target.token else {}
        return {**facts, "reads": dict(sorted(reads.items()))} if reads else facts

    def _tell_repeated(self, name: str, target: Target, fields: Mapping[str, Stated[Any]]) -> None:
        """Notes that a call is made again which does not say that it can be."""
        winner = self.targets.bindings[target.key].decision.winner
        method = fields["call"].value.partition("#")[2] or "__call__"
        again = "retry" in fields and fields["retry"].value.get("attempts", 1) > 1
        bears_it = target.takes_token or winner.is_builtin or winner.is_declared or winner.repeats(method)
        own = again and not fields["retry"].place.pointer.startswith("generated/manifests/")
        if own and target.place is not None and not bears_it:
            what = f"node `{name}` of workflow `{self.name}` calls {target.key} again where it failed"
            help = f"let `{winner.provider}` say that it bears that: `idempotent=True`; or take the step's `token`"
            related = [("it is declared here", winner.place)]
            self.diagnostics.add("ONE715", what, fields["retry"].place, help=help, related=related)

    def _may_be_missing(self, name: str, fields: Mapping[str, Stated[Any]], node: Entry) -> bool:
        """Whether the flow may go on without the node's result."""
        goes_on = "on_error" in fields and fields["on_error"].value == "continue" and "for_each" not in fields
        with_others = any(
            reference.node in self._may_lack and not reference.has_default for _, reference in self._references(node)
        )
        return "when" in fields or goes_on or with_others

    def _check_list(self, name: str, fields: Mapping[str, Stated[Any]], by: str) -> None:
        if "for_each" not in fields:
            for other in ("most", "at_once"):
                if other in fields:
                    what = f"{by} has `{other}`, and no `for_each`"
                    self._tell("ONE709", what, fields[other].place, "say what list: `for_each: ${input.items}`")
            return
        if "most" not in fields:
            help = "say how many items there may be: `most: 100`"
            self._tell("ONE709", f"{by} is done for each item, of how many is not said", fields["for_each"].place, help)
        try:
            whole = parts(str(fields["for_each"].value))
        except ValueError:
            return
        if len(whole) != 1 or isinstance(whole[0], str):
            what = f"`for_each` of {by} is a text, and no list"
            self._tell("ONE709", what, fields["for_each"].place, "refer to a list: `${input.items}`")

    def _read(self, reference: Reference, place: Place, reads: dict[str, str], node: Entry) -> None:
        """Finds what a reference leads to, and how Python reads it."""
        type = self._root(reference, node, place)
        if type is None:
            return
        found = read(type, reference.path)
        if found.missing is not None:
            otherwise = "add the field to the type, or refer to another"
            help = partial(did_you_mean, found.missing, found.known, otherwise)
            what = f"{_shown(reference)} reads `{found.missing}`, which {found.within} does not have"
            self._tell("ONE710", what, place, help)
        elif found.code is not None and not reference.text.startswith(_PATH):
            reads[reference.text] = found.code

    def _root(self, reference: Reference, node: Entry, place: Place) -> Type | None:
        if reference.root == "item":
            return self._item(node, reference, place)
        return self._types.get(reference.root)

    def _item(self, node: Entry, reference: Reference, place: Place) -> Type | None:
        if "for_each" not in node.fields:
            what = f"`${{{reference.text}}}` refers to an item, and the node has no `for_each`"
            self._tell("ONE704", what, place, "say what list: `for_each: ${input.items}`")
            return None
        try:
            (listed,) = parts(str(node.fields["for_each"].value))
        except ValueError:
            return ANY
        if isinstance(listed, str) or listed.root == "item":
            return ANY
        found = read(self._types.get(listed.root, ANY), listed.path).type
        return found.item if isinstance(found, Many) and found.kind != "dict" else ANY

    def _result(self, stated: Stated[Any]) -> dict[str, str]:
        reads: dict[str, str] = {}
        for place, reference in self._in(stated):
            if reference.root == "item":
                self._tell("ONE704", "a result has no item", place, "refer to the node: its result is the whole list")
                continue
            if reference.node is not None and not self._is_node(reference.node, place, reference):
                continue
            if reference.node in self._may_lack and not reference.has_default:
                what = f"`${{{reference.text}}}` may not be there: node `{reference.node}`{self.whose} can be skipped "
                what += "or fail"
                self._tell("ONE714", what, place, f"say what stands in for it: `${{{reference.text}:-null}}`")
            self._read(reference, place, reads, self.entry)
        return dict(sorted(reads.items()))

    def _tell(self, code: str, message: str, place: Place, help: Any) -> None:
        self.diagnostics.add(code, message, place, help=help)


def _shown(reference: Reference) -> str:
    path = reference.text.removeprefix(_PATH)
    return f"`{path}`" if path != reference.text else f"`${{{path}}}`"


def whole_conditions(stated: Stated[Any] | None) -> Iterator[tuple[Any, Any]]:
    """The conditions of a list, each with what gives the place of a path in it."""
    for index, condition in enumerate(stated.value if stated else ()):
        if condition is not None and stated is not None:
            yield condition, partial(stated.at, index)


def conditions(stated: Stated[Any] | None) -> Iterator[tuple[dict[str, Any], Place]]:
    """Every condition that has a path, those within others too."""
    pending = list(whole_conditions(stated))
    while pending:
        condition, place = pending.pop(0)
        if not isinstance(condition, dict):
            continue
        condition = cast("dict[str, Any]", condition)
        if "path" in condition:
            yield condition, place("path")
        for name in COMBINED:
            inner = condition.get(name)
            if is_list(inner):
                pending += [(each, partial(place, name, at)) for at, each in enumerate(inner)]
            elif inner is not None:
                pending.append((inner, partial(place, name)))
