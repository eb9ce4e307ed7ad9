"""Workflows and topics in a wiring's source: read by a grammar that has room for nothing else, and held against the
report's facts."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from oneiric_compiler.verify.expressions import Strange, constant

Facts = Mapping[str, Any]

HELPERS = frozenset(("continued", "given", "holds", "or_error", "plain", "text", "untyped"))
"""What the code of a workflow may use of `oneiric.flows.inline`."""
_SHAPES = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Dict, ast.List, ast.Call, ast.Await, ast.IfExp,
    ast.BoolOp, ast.And, ast.Compare, ast.IsNot, ast.Lambda, ast.arguments, ast.ListComp, ast.comprehension,
    ast.keyword, ast.Load, ast.Store, ast.UnaryOp, ast.USub,
)  # fmt: skip
"""What its expressions are made of."""
_UNTYPED = re.compile(r"^untyped\(([\w.]+)\)")
_STATED = ("after", "call", "with", "when", "for_each", "most", "at_once", "retry", "timeout", "on_error")


@dataclass(frozen=True, slots=True)
class FlowBlock:
    """The block of a workflow: its data, the `input` type it names and that of its method, the fields of its result,
    what its docstring says, and the calls that its code makes: domain's attribute, key's attribute and method."""

    domain: str
    attribute: str
    key: str
    fingerprint: str
    options: Mapping[str, Any]
    takes: str
    results: tuple[str, ...]
    told: str
    calls: tuple[tuple[str, str, str], ...]


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
        calls=tuple(_calls(body)),
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


def _calls(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """The calls that the code makes, in its order; anything that has no place there is refused."""
    statements = [*body]
    known = {"self", "input", "item"}
    match statements[:1]:
        case [ast.ImportFrom(module="oneiric", names=[ast.alias(name="Token", asname=None)], level=0)]:
            known.add("Token")
            statements = statements[1:]
        case _:
            pass
    match statements[:1]:
        case [ast.ImportFrom(module="oneiric.flows.inline", names=names, level=0)]:
            used = {each.name for each in names if each.asname is None}
            if len(used) != len(names) or not used <= HELPERS:
                raise Strange(statements[0])
            known |= used
            statements = statements[1:]
        case _:
            pass
    for statement in statements[:-1]:
        match statement:
            case ast.Assign([ast.Name(name)], value) if name not in (*known, *HELPERS, "Token"):
                yield from _in(value, known)
                known.add(name)
            case _:
                yield from _made(statement, known)
    match statements[-1:]:
        case [ast.Return(ast.expr() as value)]:
            if [*_in(value, known)]:
                raise Strange(statements[-1])
        case _:
            raise Strange(statements[-1] if statements else ast.Pass())


def _made(statement: ast.stmt, known: set[str]) -> Iterator[tuple[str, str, str]]:
    """The calls of a statement whose result nobody wants: an expression, one for each item, or one on conditions."""
    match statement:
        case ast.Expr(value):
            yield from _in(value, known)
        case ast.For(ast.Name("item"), listed, [ast.Expr(value)], []):
            if [*_in(listed, known)]:
                raise Strange(statement)
            yield from _in(value, known)
        case ast.If(test, [inner], []) if not isinstance(inner, ast.If):
            if [*_in(test, known)]:
                raise Strange(statement)
            yield from _made(inner, known)
        case _:
            raise Strange(statement)


def _in(value: ast.expr, known: set[str]) -> Iterator[tuple[str, str, str]]:
    """The calls of components in an expression."""
    for node in ast.walk(value):
        if not isinstance(node, _SHAPES) or (isinstance(node, ast.Name) and node.id not in known):
            raise Strange(node if isinstance(node, ast.expr) else value)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and ast.unparse(node) != "self._wiring":
            raise Strange(node)
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in (*HELPERS, "Token")):
            yield _slot_called(node)
    whole = ast.unparse(value)
    if whole.count("self") != whole.count("self._wiring."):
        raise Strange(value)


def _slot_called(node: ast.Call) -> tuple[str, str, str]:
    """What is called of `self._wiring.DOMAIN.KEY.live`, or `inline` of a workflow."""
    path = _UNTYPED.sub(r"\1", ast.unparse(node.func)).split(".")
    match path:
        case ["self", "_wiring", domain, key, "live" | "inline"]:
            return domain, key, "__call__"
        case ["self", "_wiring", domain, key, "live", method]:
            return domain, key, method
        case _:
            raise Strange(node)


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
