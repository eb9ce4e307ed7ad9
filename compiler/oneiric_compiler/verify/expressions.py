"""The arguments that a wiring's source gives a factory, read back as the expressions that a report has for them."""

from __future__ import annotations

import ast
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, TypeAlias

Expression: TypeAlias = dict[str, Any]


_CONVERTERS = {
    "oneiric.convert:boolean": "bool",
    "pathlib:Path": "path",
    "oneiric:Secret": "secret",
    "oneiric.structures:anything": "any",
}


class Strange(ValueError):
    """The source holds what no wiring has: what, and on which line."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__()
        self.line, self.shown = getattr(node, "lineno", 1), ast.unparse(_Untold().visit(deepcopy(node)))[:80]

    def __str__(self) -> str:
        return f"line {self.line} has no place in a wiring: `{self.shown}`"


class _Untold(ast.NodeTransformer):
    """Without what texts say: one may be a secret."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("…") if isinstance(node.value, (str, bytes)) else node


def constant(node: ast.expr) -> str:
    """The text of a string literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise Strange(node)


@dataclass(frozen=True, slots=True)
class Expressions:
    """Reads an argument back as the expression that a report has for it."""

    imports: Mapping[str, str]
    used: set[str] = field(default_factory=set[str])

    def imported(self, node: ast.expr) -> str:
        """What a name is imported from, as `module:name`; of an artifact it is reached by `import_module`."""
        match node:
            case ast.Name(id=name) if name in self.imports:
                self.used.add(name)
                return self.imports[name]
            case ast.Attribute(value=ast.Call(func=ast.Name() as called, args=[module], keywords=[]), attr=name):
                if self.imported(called) == "importlib:import_module":
                    return f"{constant(module)}:{name}"
            case _:
                pass
        raise Strange(node)

    def factory(self, node: ast.expr) -> str:
        """The same of what a block calls, which may be a method of an imported class."""
        match node:
            case ast.Attribute(value=ast.Name() | ast.Attribute() as cls, attr=method):
                return f"{self.imported(cls)}.{method}"
            case _:
                return self.imported(node)

    def read(self, node: ast.expr) -> Expression:
        match node:
            case ast.Constant(value=bytes() as octets):
                return {"bytes": b64encode(octets).decode("ascii")}
            case ast.Constant(value=value):
                return {"value": value}
            case ast.BinOp(op=ast.BitOr()):
                return self._flags(node)
            case ast.Call():
                return self._called(node)
            case ast.Attribute():
                return self._named(node)
            case ast.Tuple(elts=items):
                return {"tuple": [self.read(each) for each in items]}
            case _:
                pass
        if any(isinstance(each, ast.Constant) and isinstance(each.value, bytes) for each in ast.walk(node)):
            return self._container(node)
        try:
            return {"value": ast.literal_eval(node)}
        except ValueError:
            return self._container(node)

    def _named(self, node: ast.Attribute) -> Expression:
        match node.value:
            case ast.Attribute(ast.Attribute(ast.Attribute(ast.Name("self"), "_wiring"), domain), name):
                if node.attr == "live":
                    return {"need": [domain, name]}
            case ast.Name("self") if node.attr == "_application":
                return {"need": ["oneiric", "runtime"]}
            case _:
                pass
        return {"enum": self.imported(node.value), "name": node.attr}

    def _flags(self, node: ast.BinOp) -> Expression:
        names: list[str] = []
        origins: set[str] = set()
        each: ast.expr = node
        while isinstance(each, ast.BinOp) and isinstance(each.op, ast.BitOr):
            names.insert(0, self._flag(each.right, origins))
            each = each.left
        names.insert(0, self._flag(each, origins))
        if len(origins) != 1:
            raise Strange(node)
        return {"flags": origins.pop(), "names": names}

    def _flag(self, node: ast.expr, origins: set[str]) -> str:
        if not isinstance(node, ast.Attribute):
            raise Strange(node)
        origins.add(self.imported(node.value))
        return node.attr

    def _container(self, node: ast.expr) -> Expression:
        match node:
            case ast.List(elts=items):
                return {"list": [self.read(each) for each in items]}
            case ast.Dict(keys=keys, values=values) if None not in keys:
                names = [constant(key) for key in keys if key is not None]
                return {"dict": dict(zip(names, map(self.read, values), strict=True))}
            case _:
                raise Strange(node)

    def _called(self, node: ast.Call) -> Expression:
        match node.func, node.args:
            case ast.Attribute(ast.Name("self"), "_env"), [_] | [_, _]:
                return self._variable(node.args, node.keywords)
            case ast.Attribute(ast.Name("self"), "_env_as"), [conversion, *variable] if 1 <= len(variable) <= 2:
                return {**self._variable(variable, node.keywords), "as": self._conversion(conversion)}
            case _:
                pass
        if node.keywords:
            return self._made(node)
        match node.func, node.args:
            case ast.Attribute(ast.Name("self"), "_secret"), [name]:
                return {"secret": constant(name)}
            case ast.Name(("set" | "frozenset") as kind), [ast.List(elts=items)]:
                return {kind: [self.read(each) for each in items]}
            case _:
                return self._wrapped(node)

    def _wrapped(self, node: ast.Call) -> Expression:
        match node.func, node.args:
            case ast.Attribute(value=secret, attr="reveal"), []:
                return {**self.read(secret), "reveal": True}
            case ast.Attribute(value=shape, attr="format"), values:
                return {"text": self._text(node, constant(shape), values)}
            case ast.Name(), [inner]:
                kind = {"pathlib:Path": "path", "oneiric:Secret": "secret"}.get(self.imported(node.func))
                if kind == "path" and isinstance(inner, ast.Constant):
                    return {"path": constant(inner)}
                if kind is not None:
                    read = self.read(inner)
                    return {"text": read.get("text") or [read], "as": kind}
            case _:
                pass
        return self._made(node)

    def _made(self, node: ast.Call) -> Expression:
        """A call of what is imported, or of a method of it."""
        match node.func:
            case ast.Attribute(value=ast.Name(id=name) as cls, attr=method) if name in self.imports:
                made = f"{self.imported(cls)}.{method}"
            case ast.Name(id=name) | ast.Attribute(value=ast.Call(func=ast.Name(id=name))) if name in self.imports:
                made = self.imported(node.func)
            case _:
                raise Strange(node)
        found: Expression = {"make": made}
        if node.args:
            found["args"] = [self.read(each) for each in node.args]
        if node.keywords:
            found["named"] = {each.arg: self.read(each.value) for each in node.keywords if each.arg}
            if len(found["named"]) != len(node.keywords):
                raise Strange(node)
        return found

    def _text(self, node: ast.Call, shape: str, values: Sequence[ast.expr]) -> list[Any]:
        """The parts of a format string, and between them the values that its `{}` stand for."""
        left: list[Expression] = [self.read(each) for each in values]
        parts: list[Any] = [""]
        for literal, name, spec, conversion in Formatter().parse(shape):
            parts[-1] += literal
            if name is not None:
                if name or spec or conversion or not left:
                    raise Strange(node)
                parts += [left.pop(0), ""]
        if left:
            raise Strange(node)
        return [each for each in parts if each != ""]

    def _variable(self, nodes: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Expression:
        found: Expression = {"env": constant(nodes[0])}
        if len(nodes) > 1:
            found["default"] = self._default(nodes[1])
        for each in keywords:
            if each.arg != "why" or len(keywords) > 1:
                raise Strange(each.value)
            found["why"] = constant(each.value)
        return found

    def _default(self, node: ast.expr) -> str | Expression:
        """A text, or what a function of nothing gives."""
        match node:
            case ast.Lambda(args=ast.arguments([], [], None, [], [], None, []), body=body):
                return self.read(body)
            case _:
                return constant(node)

    def _conversion(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in ("int", "float", "str"):
            return node.id
        if isinstance(node, ast.Call):
            return self._converter(node)
        origin = self.imported(node)
        plain = _CONVERTERS.get(origin)
        if plain is not None:
            return plain
        return {"by" if origin.partition(":")[0] in ("oneiric.texts", "uuid", "ipaddress") else "enum": origin}

    def _converter(self, node: ast.Call) -> Any:
        """A converter that is made of others, of a class or of values."""
        if node.keywords:
            raise Strange(node)
        match self.imported(node.func).split(":"), node.args:
            case ["oneiric.convert", "member"], [enum]:
                return {"enum": self.imported(enum), "whole": True}
            case ["oneiric.convert", "one_of"] | ["oneiric.structures", "choice"], choices:
                return {"one_of": [self._choice(each) for each in choices]}
            case ["oneiric.structures", "record"], [made, ast.Dict(keys=names, values=fields), *required]:
                named = [constant(each) for each in names if each is not None]
                if len(named) != len(fields):
                    raise Strange(node)
                found = {name: self._conversion(each) for name, each in zip(named, fields, strict=True)}
                return {"record": self.imported(made), "fields": found, "required": [*map(constant, required)]}
            case ["oneiric.structures", "then"], [of, made]:
                return {"then": self.imported(made), "of": self._conversion(of)}
            case ["oneiric.structures", "fixed"], items:
                return {"fixed": [self._conversion(each) for each in items]}
            case ["oneiric.structures", "optional"], [of]:
                return {"optional": self._conversion(of)}
            case ["oneiric.structures", ("dict_of" | "frozenset_of" | "list_of" | "set_of" | "tuple_of") as name], [of]:
                return {name.removesuffix("_of"): self._conversion(of)}
            case _:
                raise Strange(node)

    def _choice(self, node: ast.expr) -> Any:
        read = self.read(node)
        if "value" not in read or isinstance(read["value"], (list, dict)):
            raise Strange(node)
        return read["value"]
