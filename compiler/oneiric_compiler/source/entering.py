"""Factories that give no instance, but a generator or context manager that is entered for it and left to close it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from oneiric_compiler.source.modules import Function, Module, Sources, Symbol, inner_statements, is_generator
from oneiric_compiler.source.nodes import named, unquoted

Way: TypeAlias = Literal["sync", "async"]

MANAGERS: dict[str, Way] = {"contextlib.contextmanager": "sync", "contextlib.asynccontextmanager": "async"}
_PROMISED = frozenset(
    f"{module}.{prefix}{name}"
    for module in ("typing", "contextlib", "collections.abc", "typing_extensions")
    for prefix in ("", "Async", "Abstract", "AbstractAsync")
    for name in ("ContextManager", "Generator", "Iterator")
)


class Mistake(NamedTuple):
    """Why a factory cannot be entered, or not once: where, and what to do."""

    code: str
    what: str
    node: ast.expr | ast.stmt | None
    help: str


def way(sources: Sources, module: Module, node: Function, *, foreign: bool) -> Way | None:
    """How what the function gives is entered; None where it gives the instance itself. What a `foreign` decorator makes
    of a generator is not known."""
    for decorator in node.decorator_list:
        if found := MANAGERS.get(named(sources, module, decorator)):
            return found
    if foreign:
        return None
    if is_generator(node):
        return "async" if isinstance(node, ast.AsyncFunctionDef) else "sync"
    promised = named(sources, module, unquoted(node.returns))
    if promised not in _PROMISED:
        return None
    return "async" if "Async" in promised.rpartition(".")[2] else "sync"


def yielded(sources: Sources, module: Module, node: Function) -> ast.expr | None:
    """The annotation of what it yields: T of `Iterator[T]`, `AsyncGenerator[T, None]` and the like."""
    returns = unquoted(node.returns)
    if not isinstance(returns, ast.Subscript) or named(sources, module, returns) not in _PROMISED:
        return None
    return returns.slice.elts[0] if isinstance(returns.slice, ast.Tuple) and returns.slice.elts else returns.slice


def mistake(sources: Sources, factory: Symbol) -> Mistake | None:
    """What keeps a factory that gives something to enter from being entered once."""
    node = factory.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    decorators = [(each, named(sources, factory.module, each).rpartition(".")[2]) for each in node.decorator_list]
    manager = next(((each, name) for each, name in decorators if f"contextlib.{name}" in MANAGERS), None)
    if manager and (wrong := _under(manager[1], node)):
        help = f"write `@{'async' if manager[1] == 'contextmanager' else ''}contextmanager`"
        if not is_generator(node):
            help = "let it `yield` the instance"
        return Mistake("ONE210", f"is {wrong} under `@{manager[1]}`", manager[0], help)
    if isinstance(node, ast.AsyncFunctionDef) and not is_generator(node):
        help = "write `def` in the place of `async def`, or let it `yield` the instance"
        return Mistake("ONE210", "gives what is to be entered only once it is awaited", node.returns, help)
    return _times(node)


def _under(manager: str, node: Function) -> str:
    """What stands under the manager's decorator, where that cannot take it."""
    if isinstance(node, ast.AsyncFunctionDef):
        if not is_generator(node):
            return "a coroutine function"
        return "an async generator" if manager == "contextmanager" else ""
    return "a plain generator" if manager == "asynccontextmanager" and is_generator(node) else ""


def _times(node: Function) -> Mistake | None:
    """Whether it is plain to see that it yields twice, or never."""
    if not is_generator(node):
        if any(isinstance(each, ast.Return) and each.value is not None for each in _own(node)):
            return None
        return Mistake("ONE211", "never yields the instance", None, "let it `yield` the instance, once")
    found, _ = _certain(node.body)
    if len(found) < 2:
        return None
    help = "what follows the `yield` closes the instance: yield one, such as a tuple or an object that has both"
    return Mistake("ONE211", "yields a second time", found[1], help)


def _certain(body: list[ast.stmt]) -> tuple[list[ast.Yield], bool]:
    """The yields that each way through the statements meets, and whether it goes on after them."""
    found: list[ast.Yield] = []
    for statement in body:
        inner, goes_on = _through(statement)
        found += inner
        if not goes_on:
            return found, False
    return found, True


def _through(statement: ast.stmt) -> tuple[list[ast.Yield], bool]:
    if isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
        return [*_yields(statement)], False
    if isinstance(statement, ast.If):
        ways = [_certain(statement.body), _certain(statement.orelse)]
        open_ways = [way for way in ways if way[1]]
        return min(open_ways or ways, key=lambda way: len(way[0]))[0], bool(open_ways)
    if isinstance(statement, ast.Try):
        found, goes_on = _certain([*statement.body, *statement.orelse])
        last, ends = _certain(statement.finalbody)
        return [*found, *last], goes_on and ends
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return _certain(statement.body)
    if inner_statements(statement):
        return [], True
    return [*_yields(statement)], True


def _yields(statement: ast.stmt) -> Iterator[ast.Yield]:
    """Those of a simple statement, which all are met; one of a choice within it is not told from others."""
    if not any(isinstance(each, (ast.IfExp, ast.BoolOp, ast.Lambda)) for each in ast.walk(statement)):
        yield from (each for each in ast.walk(statement) if isinstance(each, ast.Yield))


def _own(node: Function) -> Iterator[ast.stmt]:
    """The statements of a function but for those of functions and classes in it."""
    pending = [*node.body]
    while pending:
        statement = pending.pop()
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            pending += inner_statements(statement)
