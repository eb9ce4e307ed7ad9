"""Workflows in a wiring: each as the data that its engine goes by, and as code that says the same to type checkers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from oneiric.flows.paths import is_list, parsed
from oneiric.flows.references import Reference, parts, references

from oneiric_compiler.model import DECLARED
from oneiric_compiler.stages.link import attribute_name

Report = dict[str, Any]

_STATED = ("after", "call", "with", "when", "for_each", "most", "at_once", "retry", "timeout", "on_error")
_OF_FLOW = ("result", "steps", "start_when", "queue")


def flow_data(facts: Report) -> Report:
    """What the engine goes by."""
    nodes = {name: {each: node[each] for each in _STATED if each in node} for name, node in facts["nodes"].items()}
    return {"nodes": nodes, **{name: facts[name] for name in _OF_FLOW if name in facts}}


def flow_literal(facts: Report) -> Iterator[str]:
    """The lines of the dict that the engine goes by, a node a line."""
    yield "{"
    yield '    "nodes": {'
    data = flow_data(facts)
    yield from (f"        {literal(name)}: {literal(node)}," for name, node in data.pop("nodes").items())
    yield "    },"
    yield from (f"    {literal(name)}: {literal(each)}," for name, each in data.items())
    yield "}"


def literal(value: Any) -> str:
    """A value of JSON as Python has it, in ASCII."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{literal(name)}: {literal(each)}" for name, each in items) + "}"
    if is_list(value):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


@dataclass(slots=True)
class FlowCode:
    """Writes the body of a workflow's method; `untyped` are the keys of which type checkers know nothing, `imports` are
    what it uses of `oneiric.flows.inline`, and where it `takes_token` a call has to be handed the token of its step."""

    sections: Mapping[str, str]
    bindings: Mapping[str, Report]
    facts: Report
    untyped: Collection[str]
    imports: set[str] = field(default_factory=set[str])
    takes_token: bool = False
    _locals: dict[str, str] = field(default_factory=dict[str, str])
    _may_lack: set[str] = field(default_factory=set[str])

    def lines(self) -> list[str]:
        """The statements, in the flow's order."""
        taken = {"self", "input", "item"}
        for name in self.facts["nodes"]:
            local = attribute_name(name)
            while local in taken or local in (*_HELPERS, "Token"):
                local += "_"
            taken.add(local)
            self._locals[name] = local
        found: list[str] = []
        for name, node in self.facts["nodes"].items():
            found += self._node(name, node)
        return [*found, f"return {self._result()}"]

    def _node(self, name: str, node: Report) -> Iterator[str]:
        local, reads = self._locals[name], node.get("reads", {})
        needed = [
            self._locals[each]
            for each in self.facts["nodes"]
            if each in self._may_lack and each in _needed((node.get("with", {}), node.get("for_each", "")))
        ]
        checks = [f"{each} is not None" for each in needed]
        if "when" in node:
            self.imports.add("holds")
            scope = [each for each in ("input", *self._locals) if each in _roots(node["when"])]
            shown = ", ".join(f"{self._locals.get(each, each)}={self._locals.get(each, each)}" for each in scope)
            stated = _renamed(node["when"], self._locals)
            checks.append(f"holds({literal(stated)}{', ' if shown else ''}{shown})")
        made = self._made(name, node, reads)
        if node.get("on_error") == "continue" and "for_each" not in node:
            self.imports.add("continued")
            made = f"await continued({made})"
            self._may_lack.add(name)
        elif "for_each" not in node:
            made = f"await {made}"
        if checks:
            self._may_lack.add(name)
        if name not in self._used():
            yield from self._statement(node, reads, made, checks)
        else:
            yield f"{local} = {made} if {' and '.join(checks)} else None" if checks else f"{local} = {made}"

    def _used(self) -> set[str]:
        """The nodes whose results something refers to."""
        nodes = self.facts["nodes"].values()
        templates = [self.facts.get("result"), *([node.get("with"), node.get("for_each")] for node in nodes)]
        conditions = set[str]().union(*(_roots(node.get("when", [])) for node in nodes))
        return {reference.root for _, reference in references(templates)} | conditions

    def _statement(self, node: Report, reads: Mapping[str, str], made: str, checks: list[str]) -> Iterator[str]:
        """A call whose result nobody wants, which may be none."""
        indent = "    " if checks else ""
        if checks:
            yield f"if {' and '.join(checks)}:"
        if "for_each" not in node:
            yield f"{indent}{made}"
            return
        call = made.removeprefix("[").partition(" for item in ")[0]
        yield f"{indent}for item in {self._value(node['for_each'], reads)}:"
        yield f"{indent}    {call}"

    def _made(self, name: str, node: Report, reads: Mapping[str, str]) -> str:
        call = self._call(f"inline/{name}", node, reads)
        if "for_each" not in node:
            return call
        listed = self._value(node["for_each"], reads)
        if node.get("on_error") == "continue":
            self.imports.add("or_error")
            call = f"or_error({call})"
        return f"[await {call} for item in {listed}]"

    def _call(self, token: str, node: Report, reads: Mapping[str, str]) -> str:
        key, _, method = node["call"].partition("#")
        domain, _, name = key.partition(":")
        slot = f"self._wiring.{self.sections[domain]}.{attribute_name(name)}"
        given = node.get("with", {})
        if self.bindings.get(key, {}).get("factory") == DECLARED[1]:
            self.imports.add("plain")
            return f"{slot}.inline(plain({self._mapping(given, reads)}))"
        arguments = [f"{each}={self._value(value, reads)}" for each, value in given.items() if each.isidentifier()]
        if node.get("token"):
            arguments.append(f"token=Token({literal(token)})")
            self.takes_token = True
        live = f"{slot}.live"
        if key in self.untyped:
            self.imports.add("untyped")
            live = f"untyped({live})"
        return f"{live}{f'.{method}' if method else ''}({', '.join(arguments)})"

    def _mapping(self, value: Mapping[str, Any], reads: Mapping[str, str]) -> str:
        return "{" + ", ".join(f"{literal(name)}: {self._value(each, reads)}" for name, each in value.items()) + "}"

    def _value(self, template: Any, reads: Mapping[str, str]) -> str:
        """A template as an expression."""
        if isinstance(template, dict):
            return self._mapping(cast("dict[str, Any]", template), reads)
        if is_list(template):
            return f"[{', '.join(self._value(each, reads) for each in template)}]"
        if not isinstance(template, str):
            return literal(template)
        found = parts(template)
        if len(found) == 1 and isinstance(found[0], Reference):
            return self._read(found[0], reads)
        if not any(isinstance(part, Reference) for part in found):
            return literal("".join(cast("tuple[str, ...]", found)))
        self.imports.add("text")
        shown = (literal(part) if isinstance(part, str) else self._read(part, reads) for part in found)
        return f"text({', '.join(shown)})"

    def _read(self, reference: Reference, reads: Mapping[str, str]) -> str:
        root = self._locals.get(reference.root, reference.root)
        if reference.text in reads:
            value = f"{root}{reads[reference.text]}"
        else:
            self.imports.add("plain")
            value = f"plain({root}){''.join(f'[{literal(each)}]' for each in reference.path)}"
        if not reference.has_default:
            return value
        default = literal(reference.default)
        if reference.path:
            self.imports.add("given")
            value = f"given(lambda: {value}, {default})"
        return f"({value} if {root} is not None else {default})" if reference.root in self._may_lack else value

    def _result(self) -> str:
        return self._value(self.facts.get("result"), self.facts.get("reads", {}))


_HELPERS = ("continued", "given", "holds", "or_error", "plain", "text", "untyped")


def _needed(templates: Any) -> set[str]:
    """The roots of references without default."""
    return {each.root for template in templates for _, each in references(template) if not each.has_default}


def _roots(conditions: Any) -> set[str]:
    """What the paths of conditions begin with."""
    if is_list(conditions):
        return set[str]().union(*map(_roots, conditions))
    if not isinstance(conditions, dict):
        return set()
    stated = cast("dict[str, Any]", conditions)
    found = {str(parsed(stated["path"])[0])} if "path" in stated else set[str]()
    return found.union(*(_roots(stated[name]) for name in ("any", "not") if name in stated))


def _renamed(conditions: Any, names: Mapping[str, str]) -> Any:
    """Conditions whose paths begin with the locals that stand for nodes."""
    if is_list(conditions):
        return [_renamed(each, names) for each in conditions]
    stated = cast("dict[str, Any]", conditions)
    if "path" not in stated:
        return {name: _renamed(each, names) for name, each in stated.items()}
    root = str(parsed(stated["path"])[0])
    if names.get(root, root) == root:
        return stated
    rest = stated["path"][len(f"['{root}']") if stated["path"].startswith("[") else len(root) :]
    return {**stated, "path": f"{names[root]}{rest}"}
