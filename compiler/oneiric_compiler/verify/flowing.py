"""Workflows and topics in a wiring's source: read by a grammar that has room for nothing else, and held against the
report's facts."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from oneiric_compiler.verify.expressions import Strange, constant
from oneiric_compiler.verify.flow_code import steps_of

Facts = Mapping[str, Any]

_STATED = ("after", "call", "with", "when", "for_each", "most", "at_once", "retry", "timeout", "on_error")


@dataclass(frozen=True, slots=True)
class FlowBlock:
    """The block of a workflow: its data, the `input` type it names and that of its method, the fields of its result,
    what its docstring says, and the steps that its code takes."""

    domain: str
    attribute: str
    key: str
    fingerprint: str
    options: Mapping[str, Any]
    takes: str
    results: tuple[str, ...]
    told: str
    steps: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TopicBlock:
    """A topic: its attribute, what `topic` is given, and the type of its events."""

    attribute: str
    name: str
    options: Mapping[str, Any]
    type: str


def flow_block(
    domain: str, node: ast.stmt, promised: Mapping[str, str], results: Mapping[str, tuple[str, ...]]
) -> FlowBlock:
    """The block of a workflow; `promised` and `results` are the names that type checkers know."""
    match node:
        case ast.AsyncFunctionDef(
            decorator_list=[ast.Call(ast.Name("flow"), [key, fingerprint], keywords)],
            body=[ast.Expr(told), *body],
            returns=ast.Name(returns),
        ):
            options = {str(each.arg): ast.literal_eval(each.value) for each in keywords}
        case _:
            raise Strange(node)
    match node.args:
        case ast.arguments([], [ast.arg("self", None), ast.arg("input", ast.Name(takes))], None, [], [], None, []):
            pass
        case _:
            raise Strange(node)
    return FlowBlock(
        domain=domain,
        attribute=node.name,
        key=constant(key),
        fingerprint=constant(fingerprint),
        options=options,
        takes=promised.get(takes, takes),
        results=results.get(returns, ()),
        told=constant(told),
        steps=steps_of(body),
    )


def topic_blocks(node: ast.ClassDef) -> Iterator[TopicBlock]:
    """The topics of the class `Topics`."""
    first, *others = node.body
    if ast.unparse(first) != "_wiring: Wiring":
        raise Strange(first)
    imported: dict[str, str] = {}
    for each in others:
        match each:
            case ast.If(ast.Name("TYPE_CHECKING"), [ast.ImportFrom(module=str(module), names=[name], level=0)], []):
                imported[name.asname or name.name] = f"{module}:{name.name}"
            case ast.FunctionDef(
                decorator_list=[ast.Call(ast.Name("topic"), [name], keywords)],
                args=ast.arguments([], [ast.arg("self", None)], None, [], [], None, []),
                body=[ast.Raise(ast.Name("NotImplementedError"), None)],
                returns=ast.expr() as returns,
            ):
                shown = ast.unparse(returns)
                options = {str(keyword.arg): constant(keyword.value) for keyword in keywords}
                yield TopicBlock(each.name, constant(name), options, imported.get(shown, shown))
            case _:
                raise Strange(each)


def without_places(value: Any) -> Any:
    """Facts less what states them."""
    if not isinstance(value, dict):
        return value
    facts = cast("dict[str, Any]", value)
    return {name: without_places(each) for name, each in facts.items() if name != "from"}


def stated_flow(facts: Facts) -> Any:
    """The data of a workflow, as its block has it."""
    nodes = {name: {each: node[each] for each in _STATED if each in node} for name, node in facts["nodes"].items()}
    return {
        "nodes": nodes,
        **{name: facts[name] for name in ("result", "steps", "start_when", "queue") if name in facts},
    }


def of_tenant(facts: Facts, tenant: str | None) -> dict[str, Any]:
    """A workflow as a tenant has it: its nodes in the order of their levels, each field its own or the base's."""
    own = facts["tenants"].get(tenant) if "tenants" in facts else None
    whole = {name: each for name, each in facts.items() if name != "tenants"}
    if own is not None:
        whole["levels"] = own["levels"] if "levels" in own else facts["levels"]
        names = [name for level in whole["levels"] for name in level]
        whole["nodes"] = {name: dict(facts["nodes"][name]) for name in names}
        for name, fields in own["nodes"].items():
            whole["nodes"][name].update(fields)
    return whole


def printed(binding: Facts, facts: Facts) -> str:
    """The fingerprint of a workflow, in the base or as a tenant has it."""
    parts = {name: binding[name] for name in ("provider", "factory") if name in binding}
    parts |= {"flow": without_places(facts), "settings": {}, "needs": {}}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: true is not 1; the order of what is in them counts."""
    return json.dumps(one) == json.dumps(other)


def same_nodes(one: Any, other: Any) -> bool:
    """The same of flows, whose nodes have an order and their fields none."""
    return [*one["nodes"]] == [*other["nodes"]] and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
