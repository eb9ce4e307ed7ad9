"""The code of a workflow in a wiring, read back as the steps that it takes, and the same steps of the report's facts.

Both name a result by the index of its step. The grammar has room for nothing but what a workflow is written with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from oneiric_compiler.verify.expressions import Strange
from oneiric_compiler.verify.templates import Named, all_named, indexed, pieces

Facts: TypeAlias = Mapping[str, Any]
Root: TypeAlias = str | int

HELPERS = frozenset(("continued", "given", "holds", "or_error", "plain", "text", "untyped"))
"""What the code of a workflow may use of `oneiric.flows.inline`."""
_METHODS = {"live": "__call__", "inline": "inline"}


@dataclass(frozen=True, slots=True)
class Read:
    """Part of the input, an item or a result: `rest` is code, `default` as shown; `guarded` where it may be lacking."""

    root: Root
    rest: str
    default: str | None = None
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A call: domain's attribute, key's and method, with what it is given, for each item of `listed`, where no result
    of `needs` is lacking and `when` holds."""

    called: tuple[str, str, str]
    given: tuple[tuple[str, Any], ...]
    token: str | None = None
    listed: Any = None
    continues: bool = False
    needs: tuple[Root, ...] = ()
    when: str = "[]"


def steps_of(body: Sequence[ast.stmt]) -> tuple[Any, ...]:
    """The steps that the code takes, and its result last. Raises `Strange`."""
    reader = _Reader()
    statements = reader.imported(body)
    for statement in statements[:-1]:
        reader.statement(statement)
    match statements[-1:]:
        case [ast.Return(ast.expr() as value)]:
            return *reader.steps, reader.value(value)
        case _:
            raise Strange(statements[-1] if statements else ast.Pass())


@dataclass(slots=True)
class _Reader:
    steps: list[Step] = field(default_factory=list[Step])
    _roots: dict[str, Root] = field(default_factory=lambda: {"input": "input", "item": "item"})
    _helpers: set[str] = field(default_factory=set[str])

    def imported(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements after the imports."""
        rest = [*body]
        for module, allowed in (("oneiric", {"Token"}), ("oneiric.flows.inline", HELPERS)):
            match rest[:1]:
                case [ast.ImportFrom(module=named, names=names, level=0)] if named == module:
                    if any(each.asname for each in names) or not {each.name for each in names} <= allowed:
                        raise Strange(rest[0])
                    self._helpers |= {each.name for each in names}
                    del rest[0]
                case _:
                    pass
        return rest

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign([ast.Name(name)], value) if name not in (*self._roots, *HELPERS, "self", "Token"):
                self.steps.append(self._step(value))
                self._roots[name] = len(self.steps) - 1
            case ast.If(test, [inner], []):
                self.steps.append(self._where(test, self._unused(inner)))
            case _:
                self.steps.append(self._unused(statement))

    def _unused(self, statement: ast.stmt) -> Step:
        """A call whose result nobody wants."""
        match statement:
            case ast.Expr(value):
                return self._awaited(value)
            case ast.For(ast.Name("item"), listed, [ast.Expr(value)], []):
                return replace(self._awaited(value), listed=self.value(listed))
            case _:
                raise Strange(statement)

    def _step(self, node: ast.expr) -> Step:
        match node:
            case ast.IfExp(test, body, ast.Constant(None)):
                return self._where(test, self._step(body))
            case ast.ListComp(value, [ast.comprehension(ast.Name("item"), listed, [], 0)]):
                return replace(self._awaited(value), listed=self.value(listed))
            case _:
                return self._awaited(node)

    def _where(self, test: ast.expr, step: Step) -> Step:
        """The step on the conditions of `test`."""
        for each in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else (test,):
            match each:
                case ast.Compare(ast.Name(name), [ast.IsNot()], [ast.Constant(None)]) if name in self._roots:
                    step = replace(step, needs=(*step.needs, self._roots[name]))
                case ast.Call(ast.Name("holds"), [stated], keywords) if "holds" in self._helpers:
                    step = replace(step, when=repr(self._conditions(stated, keywords)))
                case _:
                    raise Strange(each)
        return step

    def _conditions(self, stated: ast.expr, scope: list[ast.keyword]) -> Any:
        try:
            conditions, roots = indexed(ast.literal_eval(stated), self._roots)
        except (ValueError, TypeError, LookupError):
            raise Strange(stated) from None
        names = [each.arg for each in scope if each.arg == ast.unparse(each.value)]
        if len(names) < len(scope) or {self._roots.get(str(name)) for name in names} != roots:
            raise Strange(stated)
        return conditions

    def _awaited(self, node: ast.expr) -> Step:
        match node:
            case ast.Await(ast.Call(ast.Name("continued" | "or_error" as helper), [call], [])):
                if helper not in self._helpers:
                    raise Strange(node)
                return replace(self._called(call), continues=True)
            case ast.Await(call):
                return self._called(call)
            case _:
                raise Strange(node)

    def _called(self, node: ast.expr) -> Step:
        """`self._wiring.DOMAIN.KEY.live(…)`, or `inline` of a workflow."""
        match node:
            case ast.Call(function, arguments, keywords):
                called = self._slot(function)
            case _:
                raise Strange(node)
        token: str | None = None
        if called[2] == "inline":
            match arguments, keywords:
                case [ast.Call(ast.Name("plain"), [ast.Dict() as mapping], [])], []:
                    return Step(called, self.value(mapping)[1])
                case _:
                    raise Strange(node)
        given: list[tuple[str, Any]] = []
        for each in keywords:
            match each:
                case ast.keyword("token", ast.Call(ast.Name("Token"), [ast.Constant(str(token))], [])):
                    pass
                case ast.keyword(str(name), value):
                    given.append((name, self.value(value)))
                case _:
                    raise Strange(node)
        if arguments:
            raise Strange(node)
        return Step(called, tuple(given), token)

    def _slot(self, node: ast.expr) -> tuple[str, str, str]:
        method = None
        match node:
            case ast.Attribute(inner, name) if name not in _METHODS and not name.startswith("_"):
                node, method = inner, name
            case _:
                pass
        match node:
            case ast.Call(ast.Name("untyped"), [inner], []) if "untyped" in self._helpers:
                node = inner
            case _:
                pass
        match ast.unparse(node).split("."):
            case ["self", "_wiring", domain, key, ("live" | "inline") as how] if method is None or how == "live":
                return domain, key, method or _METHODS[how]
            case _:
                raise Strange(node)

    def value(self, node: ast.expr) -> Any:
        """A template: a pair of its kind and what is in it, or what it reads."""
        match node:
            case ast.Dict(keys, values):
                names = [_literal(each) if each else None for each in keys]
                return "dict", tuple(zip(names, map(self.value, values), strict=True))
            case ast.List(each):
                return "list", tuple(map(self.value, each))
            case ast.Call(ast.Name("text"), each, []) if "text" in self._helpers:
                return "text", tuple(map(self.value, each))
            case ast.Call(
                ast.Name("given"), [ast.Lambda(ast.arguments([], [], None, [], [], None, []), read), default]
            ):
                return replace(self._read(read), default=repr(_literal(default)))
            case ast.IfExp(ast.Compare(ast.Name(name), [ast.IsNot()], [ast.Constant(None)]), read, default):
                found, otherwise = self.value(read), repr(_literal(default))
                if not isinstance(found, Read) or found.default not in (None, otherwise):
                    raise Strange(node)
                if found.root != self._roots.get(name):
                    raise Strange(node)
                return replace(found, default=otherwise, guarded=True)
            case ast.Constant() | ast.UnaryOp():
                return "literal", repr(_literal(node))
            case _:
                return self._read(node)

    def _read(self, node: ast.expr) -> Read:
        inner, plain = node, ""
        while isinstance(inner, (ast.Attribute, ast.Subscript)):
            if isinstance(inner, ast.Attribute) and inner.attr.startswith("_"):
                raise Strange(node)
            if isinstance(inner, ast.Subscript):
                _literal(inner.slice)
            inner = inner.value
        rest = ast.unparse(node)[len(ast.unparse(inner)) :]
        match inner:
            case ast.Call(ast.Name("plain"), [ast.Name() as name], []) if "plain" in self._helpers:
                inner, plain = name, "plain"
            case _:
                pass
        if not isinstance(inner, ast.Name) or inner.id not in self._roots:
            raise Strange(node)
        return Read(self._roots[inner.id], plain + rest)


def stated_steps(report: Facts, facts: Facts, attributes: Mapping[str, str]) -> Iterator[Any]:
    """The steps of a workflow by the report, and its result last; `attributes` are those of keys by name."""
    indices: dict[str, Root] = {name: index for index, name in enumerate(facts["nodes"])}
    lacking = set[Root]()
    for name, node in facts["nodes"].items():
        key, _, method = node["call"].partition("#")
        domain, _, called = key.partition(":")
        inline = domain == "workflow" and called in report.get("workflows", {})
        listed, templates = node.get("for_each"), node.get("with", {})
        templates = {each: value for each, value in templates.items() if inline or each.isidentifier()}
        named = all_named([node.get("with", {}), listed])
        wanted = {indices.get(each.root) for each in named if not each.default}
        template = _Template(indices, node.get("reads", {}), frozenset(lacking))
        step = Step(
            (report["domains"][domain], attributes[called], "inline" if inline else method or "__call__"),
            tuple((each, template.of(value)) for each, value in templates.items()),
            f"inline/{name}" if node.get("token") else None,
            None if listed is None else template.of(listed),
            node.get("on_error") == "continue",
            tuple(each for each in indices.values() if each in lacking and each in wanted),
            repr(indexed(node.get("when", []), indices)[0]),
        )
        if step.needs or "when" in node or (step.continues and listed is None):
            lacking.add(indices[name])
        yield step
    yield _Template(indices, facts.get("reads", {}), frozenset(lacking)).of(facts.get("result"))


@dataclass(frozen=True, slots=True)
class _Template:
    indices: Mapping[str, Root]
    reads: Mapping[str, str]
    lacking: frozenset[Root]

    def of(self, value: Any) -> Any:
        """What the code of a template comes to."""
        if isinstance(value, dict):
            stated = cast("dict[str, Any]", value)
            return "dict", tuple((name, self.of(each)) for name, each in stated.items())
        if isinstance(value, list):
            return "list", tuple(map(self.of, cast("Sequence[Any]", value)))
        if not isinstance(value, str):
            return "literal", repr(value)
        found = [("literal", repr(each)) if isinstance(each, str) else self._read(each) for each in pieces(value)]
        if len(found) == 1:
            return found[0]
        return ("text", tuple(found)) if found else ("literal", repr(""))

    def _read(self, reference: Named) -> Read:
        root = self.indices.get(reference.root, reference.root)
        guarded = bool(reference.default) and root in self.lacking
        default = repr(reference.default[0]) if reference.default and (guarded or reference.path) else None
        if reference.text in self.reads:
            rest = _as_shown(self.reads[reference.text])
        else:
            rest = f"plain{''.join(f'[{each!r}]' for each in reference.path)}"
        return Read(root, rest, default, guarded)


def _as_shown(rest: str) -> str:
    with suppress(SyntaxError):
        return ast.unparse(ast.parse(f"_{rest}", mode="eval"))[1:]
    return rest


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise Strange(node) from None
