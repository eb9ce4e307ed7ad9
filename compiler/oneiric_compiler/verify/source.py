"""What a wiring's source says, read with `ast` by a grammar that has room for nothing else."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from oneiric_compiler.verify.expressions import Expression, Expressions, Strange, constant
from oneiric_compiler.verify.flowing import FlowBlock, TopicBlock, flow_block, topic_blocks

_HEAD = """\
from __future__ import annotations
from oneiric.wiring import Domain, Wiring as BaseWiring, bind
TYPE_CHECKING = False"""
_DECLARING = """\
from __future__ import annotations
from oneiric.declared import {names}
from oneiric.wiring import Domain, Wiring as BaseWiring, bind
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict"""
_DECLARED = ("Topics as BaseTopics, flow, topic", "Topics as BaseTopics, topic", "flow")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
TAKEN = (
    "Domain", "Wiring", "BaseWiring", "BaseTopics", "Topics", "bind", "flow", "topic", "Any", "TypedDict",
    "TYPE_CHECKING",
)  # fmt: skip
"""What a wiring itself calls by these names: no domain's class, and no key's attribute."""

_OWN = ("self", "int", "float", "set", "frozenset", "TYPE_CHECKING")
"""What a block means by these names, it does not import."""
INNER: Expression = {"inner": True}
"""What a layer wraps, as an argument."""


@dataclass(frozen=True, slots=True)
class Block:
    """One key's block: the domain's class and attribute name, `bind`'s arguments, and the call it returns or enters,
    or `raise` and the error where it makes nothing."""

    domain: str
    attribute: str
    key: str
    fingerprint: str
    options: Mapping[str, Any]
    returns: str
    told: str
    awaited: bool
    entered: bool
    factory: str
    arguments: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Alias:
    """The block of a key that is another one: the `slot` is that key's domain and attribute, as its body reaches it."""

    domain: str
    attribute: str
    key: str
    target: str
    returns: str
    told: str
    slot: Expression


@dataclass(frozen=True, slots=True)
class WiringSource:
    """A wiring: what it is for, what it says of source roots and tenants, the class behind each domain's attribute, the
    engine of a class that names one, and its blocks in order. `declared` are the names that it imports to declare what
    is no component, `stated` its tables by name, those of domains too, `flows` and `topics` what it declares."""

    app: str
    profile: str
    source_roots: tuple[str, ...]
    listed: str | None
    roles: Mapping[str, tuple[str, ...]]
    domains: Mapping[str, str]
    engines: Mapping[str, str]
    blocks: tuple[Block, ...]
    aliases: tuple[Alias, ...]
    declared: str
    stated: Mapping[str, Any]
    flows: tuple[FlowBlock, ...]
    topics: tuple[TopicBlock, ...]


def read_source(data: bytes) -> WiringSource:
    """The wiring of a source file. Raises `Strange` and other ValueErrors, and SyntaxError.

    It is parsed by pieces, each of whole statements at the indentation that it has in the file: the tree of all at once
    takes a hundred times the room of the text.
    """
    text = _text(data)
    (_, head), *domains = _pieces(1, text, "class ")
    declared = _declared(head) if domains else None
    if declared is None:
        raise ValueError("it does not begin as a wiring does")
    line, last = domains.pop()
    topics = _topics(domains)
    classes = [_domain(start, piece) for start, piece in domains]
    with _from(line):
        node, *called = ast.parse(last).body
        (app, profile), stated, attributes = _wiring(node)
        given = ", ".join(f"{name}={each}" for name, each in attributes.items())
        if [ast.unparse(node) for node in called] != [f"Wiring.domains({given})"]:
            raise Strange((called or [node])[-1])
    if topics and attributes.pop("topics", None) != "Topics":
        raise ValueError("its topics are not named by `Wiring`")
    names = [each.name for each in classes]
    if names != [*attributes.values()] or len({*names, *TAKEN}) != len(names) + len(TAKEN):
        raise ValueError(f"its classes are {', '.join(names)}, and `Wiring` names {', '.join(attributes.values())}")
    roots, listed = stated.get("__source_roots__", ()), stated.get("__listed__")
    return WiringSource(
        app=app,
        profile=profile,
        source_roots=roots,
        listed=listed,
        roles=stated.get("__roles__", {}),
        domains=attributes,
        engines={each.name: each.engine for each in classes if each.engine is not None},
        blocks=tuple(block for each in classes for block in each.blocks if isinstance(block, Block)),
        aliases=tuple(block for each in classes for block in each.blocks if isinstance(block, Alias)),
        declared=declared,
        stated={name: value for each in (stated, *(each.tables for each in classes)) for name, value in each.items()},
        flows=tuple(block for each in classes for block in each.blocks if isinstance(block, FlowBlock)),
        topics=topics,
    )


def _declared(head: str) -> str | None:
    """What a wiring that begins like this imports to declare what is no component; None where it begins otherwise."""
    found = ast.unparse(ast.parse(head))
    if found == _HEAD:
        return ""
    return next((names for names in _DECLARED if found == _DECLARING.format(names=names)), None)


def _topics(classes: list[tuple[int, str]]) -> tuple[TopicBlock, ...]:
    """The topics, whose class comes last, and is taken from the others."""
    if not classes or not classes[-1][1].startswith("class Topics(BaseTopics):"):
        return ()
    line, text = classes.pop()
    with _from(line):
        node = _class(text)
        if not _is_plain(node) or node.keywords:
            raise Strange(node)
        return tuple(topic_blocks(node))


def _text(data: bytes) -> str:
    """What Python reads in the file. Raises ValueError where that depends on more than its characters."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    if encoding != "utf-8":
        raise ValueError(f"it is read as {encoding}, not as UTF-8")
    text = data.decode()
    if found := _CONTROL.search(text):
        raise ValueError(f"line {text.count(chr(10), 0, found.start()) + 1} has a control character")
    return text


def _pieces(line: int, text: str, *starts: str) -> list[tuple[int, str]]:
    """The text cut before each line that begins with one of `starts`, each piece with the number of its first line."""
    found: list[tuple[int, str]] = []
    for piece in re.split(f"(?m)^(?={'|'.join(map(re.escape, starts))})", text):
        found.append((line, piece))
        line += piece.count("\n")
    return found


@contextmanager
def _from(line: int) -> Generator[None]:
    """Errors in the block count lines from the first of a piece; they leave it counting from the first of the file."""
    try:
        yield
    except Strange as strange:
        strange.line += line - 1
        raise
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + line - 1
        raise


def _wiring(node: ast.stmt) -> tuple[tuple[str, str], dict[str, Any], dict[str, str]]:
    if not (isinstance(node, ast.ClassDef) and node.name == "Wiring" and _is_plain(node)):
        raise Strange(node)
    keywords = {str(name): constant(each) for name, each in _keywords(node.keywords, node).items()}
    if [ast.unparse(base) for base in node.bases] != ["BaseWiring"] or keywords.keys() != {"app", "profile"}:
        raise Strange(node)
    declared = [each for each in node.body if not isinstance(each, ast.Pass)]
    stated: dict[str, Any] = {}
    while declared and isinstance(declared[0], ast.Assign):
        name, value = _stated(declared.pop(0))
        if name in stated:
            raise Strange(node)
        stated[name] = value
    return (keywords["app"], keywords["profile"]), stated, dict(map(_declaration, declared))


def _stated(node: ast.stmt) -> tuple[str, Any]:
    """What the wiring says of itself: a text, a tuple of texts or a mapping to such under one of the names for that."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__listed__")], value=ast.Constant(value=str(text))):
            return "__listed__", text
        case ast.Assign(targets=[ast.Name(id="__source_roots__")], value=ast.Tuple(elts=items)):
            return "__source_roots__", tuple(constant(item) for item in items)
        case ast.Assign(
            targets=[ast.Name(id="__outbox__" | "__broadcast__" as name)], value=ast.Constant(value=str(text))
        ):
            return name, text
        case ast.Assign(targets=[ast.Name(id="__imports__")], value=ast.Tuple(elts=items)):
            return "__imports__", tuple(constant(item) for item in items)
        case ast.Assign(targets=[ast.Name(id="__queues__" | "__exports__" as name)], value=ast.Dict() as value):
            return name, ast.literal_eval(value)
        case ast.Assign(targets=[ast.Name(id="__roles__")], value=ast.Dict(keys=names, values=values)):
            return "__roles__", {constant(name): _texts(each) for name, each in zip(names, values, strict=True) if name}
        case _:
            raise Strange(node)


def _texts(node: ast.expr) -> tuple[str, ...]:
    if not isinstance(node, ast.Tuple):
        raise Strange(node)
    return tuple(constant(item) for item in node.elts)


def _declaration(node: ast.stmt) -> tuple[str, str]:
    """The names of `attribute: Class`."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind), value=None):
            return name, kind
        case _:
            raise Strange(node)


class _Class(NamedTuple):
    """A domain's class: its name, its engine, what drives that, and its blocks."""

    name: str
    engine: str | None
    tables: Mapping[str, Any]
    blocks: list[Block | Alias | FlowBlock]


def _domain(line: int, text: str) -> _Class:
    (_, head), *pieces = _pieces(line, text, "    @bind(", "    @Domain.__alias__(", "    @flow(")
    with _from(line):
        node = _class(head)
        if node.keywords or not _is_plain(node) or [ast.unparse(base) for base in node.bases] != ["Domain"]:
            raise Strange(node)
        first, *others = node.body
        if ast.unparse(first) != "_wiring: Wiring" or first.col_offset != 4:
            raise Strange(first)
        engine, others = _engine(others)
        tables, others = _tables(others)
        if not pieces and engine is None:
            raise Strange(node)
        promised = _promised(others)
        results = _results(others)
    blocks: list[Block | Alias | FlowBlock] = []
    for start, piece in pieces:
        with _from(start - 1):
            bound, *others = _class(f"class _:\n{piece}").body
            if not isinstance(bound, (ast.FunctionDef, ast.AsyncFunctionDef)):
                raise Strange(bound)
            if piece.startswith("    @flow("):
                blocks.append(flow_block(node.name, bound, promised, results))
            else:
                blocks.append(_block(node.name, bound, promised))
            promised = _promised(others)
            results = _results(others)
    return _Class(node.name, engine, tables, blocks)


def _tables(nodes: list[ast.stmt]) -> tuple[dict[str, Any], list[ast.stmt]]:
    """What drives a domain's engine, and what comes after it."""
    match nodes:
        case [ast.Assign(targets=[ast.Name(id="__subscriptions__" | "__schedules__" as name)], value=value), *others]:
            return {name: ast.literal_eval(value)}, others
        case _:
            return {}, nodes


def _results(nodes: Sequence[ast.stmt]) -> dict[str, tuple[str, ...]]:
    """The classes of what workflows result in, for type checkers alone: their fields, of any type."""
    found: dict[str, tuple[str, ...]] = {}
    for each in (each for node in nodes if isinstance(node, ast.If) for each in node.body):
        match each:
            case ast.ClassDef(name=name, bases=[ast.Name("TypedDict")], keywords=[], body=body, decorator_list=[]):
                found[name] = tuple(ast.unparse(field).removesuffix(": Any") for field in body)
            case _:
                pass
    return found


def _engine(nodes: list[ast.stmt]) -> tuple[str | None, list[ast.stmt]]:
    """The engine that a domain's class names first, and what comes after it."""
    match nodes:
        case [ast.Assign(targets=[ast.Name(id="__engine__")], value=ast.Constant(value=str(engine))), *others]:
            return engine, others
        case _:
            return None, nodes


def _class(text: str) -> ast.ClassDef:
    """The one class of a text that holds nothing else."""
    match ast.parse(text).body:
        case [ast.ClassDef() as node]:
            return node
        case body:
            raise Strange(body[-1])


def _is_plain(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it has no type parameters and, being a class, no decorators."""
    return not getattr(node, "type_params", ()) and not (isinstance(node, ast.ClassDef) and node.decorator_list)


def _promised(nodes: Sequence[ast.stmt]) -> dict[str, str]:
    """What is imported for type checkers alone."""
    found: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
                found |= _imports([each for each in body if not isinstance(each, ast.ClassDef)])
            case _:
                raise Strange(node)
    return found


def _imports(nodes: Sequence[ast.stmt]) -> dict[str, str]:
    """What each local name is imported from, as `module:name`."""
    found: dict[str, str] = {}
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or node.level:
            raise Strange(node)
        for each in node.names:
            name = each.asname or each.name
            if name in found or name in _OWN:
                raise Strange(node)
            found[name] = f"{node.module}:{each.name}"
    return found


def _alias(domain: str, node: ast.FunctionDef | ast.AsyncFunctionDef, promised: Mapping[str, str]) -> Alias | None:
    """The alias that a block is; None for one of another kind."""
    match node:
        case ast.FunctionDef(
            decorator_list=[ast.Call(ast.Attribute(ast.Name("Domain"), "__alias__"), [key, target], [])],
            body=[ast.Expr(told), ast.Return(ast.Attribute(slot, "current"))],
        ) if _is_plain(node) and _takes_self(node.args):
            returns = node.returns.id if isinstance(node.returns, ast.Name) else ""
            return Alias(
                domain=domain,
                attribute=node.name,
                key=constant(key),
                target=constant(target),
                returns=promised.get(returns, returns).removeprefix("builtins:"),
                told=constant(told),
                slot=Expressions({}).read(ast.Attribute(slot, "live", ast.Load())),
            )
        case _:
            return None


def _block(domain: str, node: ast.FunctionDef | ast.AsyncFunctionDef, promised: Mapping[str, str]) -> Block | Alias:
    if (alias := _alias(domain, node, promised)) is not None:
        return alias
    match node.decorator_list, node.body:
        case [ast.Call(func=ast.Name(id="bind"), args=[key, fingerprint]) as bound], [ast.Expr(told), *imports, last]:
            options = {name: _literal(each) for name, each in _keywords(bound.keywords, bound).items()}
        case _:
            raise Strange(node)
    if not _is_plain(node) or not _takes_self(node.args):
        raise Strange(node)
    named, returns = constant(key), node.returns.id if isinstance(node.returns, ast.Name) else ""
    block = partial(
        Block,
        domain=domain,
        attribute=node.name,
        key=named,
        fingerprint=constant(fingerprint),
        options=options,
        returns=promised.get(returns, returns).removeprefix("builtins:"),
        told=constant(told),
    )
    if isinstance(last, ast.Raise):
        refused = _raised(imports, last, named)
        return block(awaited=isinstance(node, ast.AsyncFunctionDef), entered=False, factory=refused, arguments={})
    typed = {returns: promised[returns]} if returns in promised else dict[str, str]()
    awaited, entered, factory, arguments = _made(node, imports, last, typed)
    return block(awaited=awaited, entered=entered, factory=factory, arguments=arguments)


def _made(
    node: ast.FunctionDef | ast.AsyncFunctionDef, imports: list[ast.stmt], last: ast.stmt, typed: Mapping[str, str]
) -> tuple[bool, bool, str, dict[str, Expression]]:
    """How a block makes its instance: whether that is awaited, whether it is entered, by which factory, of what."""
    imports, annotated = _annotated(imports, typed)
    wraps = "inner" in annotated
    if wraps and ast.unparse(annotated.pop("inner")) != "self._inner":
        raise Strange(last)
    made = last.value if isinstance(last, ast.Return) else None
    if isinstance(made, ast.Name):
        made = annotated.pop(made.id, None)
    if made is None or annotated:
        raise Strange(last)
    reader = Expressions(_imports(imports))
    awaited = isinstance(made, ast.Await)
    call = made.value if isinstance(made, ast.Await) else made
    entered = _entered(call, awaited)
    call = entered or call
    if not isinstance(call, ast.Call) or call.args or awaited != isinstance(node, ast.AsyncFunctionDef):
        raise Strange(last)
    factory = reader.factory(call.func)
    given = _keywords(call.keywords, last)
    arguments = {name: reader.read(each) for name, each in given.items() if not wraps or name != "inner"}
    if wraps:
        if "inner" not in given or ast.unparse(given["inner"]) != "inner":
            raise Strange(last)
        arguments["inner"] = INNER
    if reader.used != set(reader.imports):
        raise Strange(imports[0])
    return awaited, entered is not None, factory, arguments


def _raised(imports: Sequence[ast.stmt], node: ast.Raise, key: str) -> str:
    """`raise`, and the error that a block raises of its key, as `module:name`, where that is all it does."""
    match node:
        case ast.Raise(exc=ast.Call(ast.Name(name), [ast.Constant(named)], []), cause=None) if named == key:
            imported = _imports(imports)
            if imported.keys() != {name}:
                raise Strange(node)
            return f"raise {imported[name]}"
        case _:
            raise Strange(node)


def _entered(node: ast.expr, awaited: bool) -> ast.Call | None:
    """The call of a factory whose instance is entered for, which is async where that is awaited."""
    match node:
        case ast.Call(func=ast.Attribute(ast.Name("self"), attr=attr), args=[ast.Call() as call], keywords=[]):
            return call if attr == ("_enter_async" if awaited else "_enter") else None
        case _:
            return None


def _takes_self(arguments: ast.arguments) -> bool:
    """Whether `self` is all that a function takes."""
    match arguments:
        case ast.arguments([], [ast.arg("self", None)], None, [], [], None, []):
            return True
        case _:
            return False


def _keywords(keywords: Sequence[ast.keyword], node: ast.AST) -> dict[str, ast.expr]:
    """The named arguments of a call; Python takes none twice, which its parser alone lets pass."""
    found = {each.arg: each.value for each in keywords if each.arg is not None}
    if len(found) != len(keywords):
        raise Strange(node)
    return found


def _literal(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else ast.literal_eval(node)


def _annotated(nodes: Sequence[ast.stmt], typed: Mapping[str, str]) -> tuple[list[ast.stmt], dict[str, ast.expr]]:
    """The imports of a block, and the values of `name: Type = value` after them, of the one type of `typed` that is
    imported for type checkers alone."""
    imports, found = [*nodes], dict[str, ast.expr]()
    while imports and isinstance(imports[-1], ast.AnnAssign):
        node = imports.pop()
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind), value=ast.expr() as value) if (
                name not in found and kind in (typed or ("object",))
            ):
                found[name] = value
            case _:
                raise Strange(node)
    if found and typed and _promised([imports.pop()] if imports else []) != typed:
        raise Strange(nodes[-1])
    return imports, found
