"""What a wiring's source says, read with `ast` by a grammar that has room for nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Expression: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """One key's block: the domain's class and attribute name, `bind`'s arguments, and the call that it returns."""

    domain: str
    attribute: str
    key: str
    fingerprint: str
    options: Mapping[str, Any]
    returns: str
    told: str
    awaited: bool
    factory: str
    arguments: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Source:
    """A wiring: what it is for, the class behind each domain's attribute, and its blocks in order."""

    app: str
    profile: str
    domains: Mapping[str, str]
    blocks: tuple[Block, ...]


class Strange(ValueError):
    """The source holds what no wiring has; the text says what, and on which line."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__(f"line {getattr(node, 'lineno', 0)} has no place in a wiring: `{ast.unparse(node)[:80]}`")


def read_source(text: str) -> Source:
    """The wiring of a source text. Raises `Strange`, and SyntaxError (a ValueError is raised for a null byte)."""
    body = ast.parse(text).body
    head, classes, last = body[:3], body[3:-1], body[-1:]
    if [ast.unparse(node) for node in head] != _HEAD:
        raise Strange(
            next((node for node, line in zip(head, _HEAD, strict=False) if ast.unparse(node) != line), body[0])
        )
    if not classes or not last:
        raise Strange(body[-1])
    blocks = [block for node in classes[:-1] for block in _domain(node)]
    app, profile, attributes = _wiring(classes[-1])
    if ast.unparse(last[0]) != f"Wiring.domains({', '.join(f'{name}={each}' for name, each in attributes.items())})":
        raise Strange(last[0])
    return Source(app, profile, attributes, tuple(blocks))


_HEAD = [
    "from __future__ import annotations",
    "from oneiric.wiring import Domain, Wiring as BaseWiring, bind",
    "TYPE_CHECKING = False",
]


def _wiring(node: ast.stmt) -> tuple[str, str, dict[str, str]]:
    if not (isinstance(node, ast.ClassDef) and node.name == "Wiring" and not node.decorator_list):
        raise Strange(node)
    keywords = {str(each.arg): _constant(each.value) for each in node.keywords}
    if [ast.unparse(base) for base in node.bases] != ["BaseWiring"] or keywords.keys() != {"app", "profile"}:
        raise Strange(node)
    declared = [each for each in node.body if not isinstance(each, ast.Pass)]
    return keywords["app"], keywords["profile"], dict(map(_declaration, declared))


def _declaration(node: ast.stmt) -> tuple[str, str]:
    """The names of `attribute: Class`."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind), value=None):
            return name, kind
        case _:
            raise Strange(node)


def _domain(node: ast.stmt) -> Iterator[Block]:
    if not (isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["Domain"]):
        raise Strange(node)
    if node.keywords or node.decorator_list or ast.unparse(node.body[0]) != "_wiring: Wiring":
        raise Strange(node.body[0])
    promised: dict[str, str] = {}
    for each in node.body[1:]:
        if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING" and not each.orelse:
            promised |= _imports(each.body)
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield _block(node.name, each, promised)
        else:
            raise Strange(each)


def _imports(nodes: Sequence[ast.stmt]) -> dict[str, str]:
    """What each local name is imported from, as `module:name`."""
    found: dict[str, str] = {}
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or node.level:
            raise Strange(node)
        found |= {each.asname or each.name: f"{node.module}:{each.name}" for each in node.names}
    return found


def _block(domain: str, node: ast.FunctionDef | ast.AsyncFunctionDef, promised: Mapping[str, str]) -> Block:
    if len(node.decorator_list) != 1 or ast.unparse(node.args) != "self" or len(node.body) < 2:
        raise Strange(node)
    bound, (told, *imports, last) = node.decorator_list[0], node.body
    if not (isinstance(bound, ast.Call) and ast.unparse(bound.func) == "bind" and len(bound.args) == 2):
        raise Strange(bound)
    if not isinstance(told, ast.Expr):
        raise Strange(told)
    made = last.value if isinstance(last, ast.Return) else None
    if isinstance(made, ast.Name) and len(imports) > 1:
        *imports, typed, assigned = imports
        made = _typed(typed, assigned, made.id)
    if made is None:
        raise Strange(last)
    reader = _Expressions(_imports(imports))
    awaited = isinstance(made, ast.Await)
    call = made.value if isinstance(made, ast.Await) else made
    if not isinstance(call, ast.Call) or call.args:
        raise Strange(last)
    returns = node.returns.id if isinstance(node.returns, ast.Name) else ""
    return Block(
        domain=domain,
        attribute=node.name,
        key=_constant(bound.args[0]),
        fingerprint=_constant(bound.args[1]),
        options={str(each.arg): ast.literal_eval(each.value) for each in bound.keywords},
        returns=promised.get(returns, returns).removeprefix("builtins:"),
        told=_constant(told.value),
        awaited=awaited and isinstance(node, ast.AsyncFunctionDef),
        factory=reader.imported(call.func),
        arguments={str(each.arg): reader.read(each.value) for each in call.keywords},
    )


def _typed(imported: ast.stmt, assigned: ast.stmt, name: str) -> ast.expr | None:
    """The value of `name: Type = value`, after an import of the type for type checkers alone."""
    match imported, assigned:
        case ast.If(orelse=[]), ast.AnnAssign(target=ast.Name(id=target)) if target == name:
            if ast.unparse(imported.test) == "TYPE_CHECKING":
                _imports(imported.body)
                return assigned.value
        case _:
            pass
    raise Strange(assigned)


def _constant(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise Strange(node)


@dataclass(frozen=True, slots=True)
class _Expressions:
    """Reads an argument back as the expression that a report has for it."""

    imports: Mapping[str, str]

    def imported(self, node: ast.expr) -> str:
        """What a name is imported from, as `module:name`; of an artifact it is reached by `import_module`."""
        match node:
            case ast.Name(id=name) if name in self.imports:
                return self.imports[name]
            case ast.Attribute(value=ast.Call(func=ast.Name() as called, args=[module], keywords=[]), attr=name):
                if self.imported(called) == "importlib:import_module":
                    return f"{_constant(module)}:{name}"
            case _:
                pass
        raise Strange(node)

    def read(self, node: ast.expr) -> Expression:
        try:
            return {"value": ast.literal_eval(node)} if not isinstance(node, ast.Tuple) else self._container(node)
        except ValueError:
            return self._called(node) if isinstance(node, ast.Call) else self._container(node)

    def _container(self, node: ast.expr) -> Expression:
        if isinstance(node, ast.Attribute):
            path = ast.unparse(node).split(".")
            if path[:2] == ["self", "_wiring"] and path[-1] == "live" and len(path) == 5:
                return {"need": [path[2], path[3]]}
            return {"enum": self.imported(node.value), "name": node.attr}
        if isinstance(node, (ast.List, ast.Tuple)):
            return {"list" if isinstance(node, ast.List) else "tuple": [self.read(each) for each in node.elts]}
        if isinstance(node, ast.Dict) and None not in node.keys:
            names = [_constant(key) for key in node.keys if key is not None]
            return {"dict": dict(zip(names, map(self.read, node.values), strict=True))}
        raise Strange(node)

    def _called(self, node: ast.Call) -> Expression:
        name = ast.unparse(node.func)
        if node.keywords:
            raise Strange(node)
        if name == "self._secret":
            return {"secret": _constant(*node.args)}
        if name == "self._env":
            return self._variable(node.args)
        if name == "self._env_as":
            return {**self._variable(node.args[1:]), "as": self._conversion(node.args[0])}
        if name in ("set", "frozenset") and len(node.args) == 1 and isinstance(node.args[0], ast.List):
            return {name: [self.read(each) for each in node.args[0].elts]}
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("reveal", "format"):
            return self._text(node, node.func)
        kind = {"pathlib:Path": "path", "oneiric:Secret": "secret"}.get(self.imported(node.func))
        if kind is None or len(node.args) != 1:
            raise Strange(node)
        if kind == "path" and isinstance(node.args[0], ast.Constant):
            return {"path": _constant(node.args[0])}
        inner = self.read(node.args[0])
        return {"text": inner.get("text") or [inner], "as": kind}

    def _variable(self, nodes: Sequence[ast.expr]) -> Expression:
        return dict(zip(("env", "default"), map(_constant, nodes), strict=False))

    def _conversion(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in ("int", "float"):
            return node.id
        if isinstance(node, ast.Call):
            if self.imported(node.func) != "oneiric.convert:one_of":
                raise Strange(node)
            return {"one_of": [_constant(each) for each in node.args]}
        origin = self.imported(node)
        return {"oneiric.convert:boolean": "bool", "pathlib:Path": "path"}.get(origin) or {"enum": origin}

    def _text(self, node: ast.Call, function: ast.Attribute) -> Expression:
        if function.attr == "reveal":
            return {**self.read(function.value), "reveal": True}
        pieces: list[Any] = []
        values = [self.read(each) for each in node.args]
        for piece in _constant(function.value).replace("{}", "\0{}\0").split("\0"):
            pieces.append(values.pop(0) if piece == "{}" else piece.replace("{{", "{").replace("}}", "}"))
        return {"text": [each for each in pieces if each != ""]}
