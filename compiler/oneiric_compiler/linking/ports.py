"""Does a class offer what a port promises? Read from source: names, arguments, sync or async; types are mypy's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import Parameter

from oneiric.fitting import arguments_mismatch

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Span
from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import Candidate, Key, Stated
from oneiric_compiler.source.annotations import is_protocol
from oneiric_compiler.source.modules import Function, Sources, Symbol, dotted_name, is_generator
from oneiric_compiler.source.signatures import is_generic
from oneiric_compiler.tables.builtins import is_builtin

_AWAITABLE = frozenset(("Awaitable", "Coroutine", "Future", "Task"))
_ASYNCHRONOUS = frozenset(
    ("AsyncIterator", "AsyncIterable", "AsyncGenerator", "AsyncContextManager", "AbstractAsyncContextManager")
)
_MACHINERY = frozenset(
    ("__init__", "__new__", "__init_subclass__", "__class_getitem__", "__subclasshook__", "__slots__")
)


@dataclass(slots=True)
class Ports:
    """The port of each key, found and checked once."""

    sources: Sources
    diagnostics: Diagnostics
    _found: dict[str, Symbol | None] = field(default_factory=dict[str, Symbol | None])
    _checked: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def check(self, scope: Scope) -> None:
        """Reports candidates that promise, or offer, another port than their key has."""
        for key in sorted(scope.known_keys()):
            port = self.of(scope, key)
            for candidate in scope.candidates(key):
                if candidate.port and port and candidate.port.value != port.value:
                    message = (
                        f"`{candidate.provider}` says the port of {key} is `{candidate.port.value}`, not `{port.value}`"
                    )
                    help, related = "state it once, or the same everywhere", [("the other is stated here", port.place)]
                    self.diagnostics.add("ONE406", message, candidate.port.place, help=help, related=related)
                elif port and not (is_builtin(candidate.factory) and is_builtin(port.value)):  # its tests hold that
                    self.fit(candidate, port)

    def of(self, scope: Scope, key: Key) -> Stated[str] | None:
        """The port that the most specific level states for the key, else a candidate."""
        for level in reversed(scope.levels.values()):
            if stated := level.get(key.domain, NOTHING).ports.get(key.name):
                return stated
        return next((each.port for each in scope.candidates(key) if each.port), None)

    def promise(self, port: str) -> Symbol | None:
        """What a port, or the class that a key has in its place, promises."""
        return self._found.get(port) or self.sources.find(port)

    def fit(self, candidate: Candidate, port: Stated[str]) -> None:
        """Reports what keeps a candidate from serving the port."""
        if port.value not in self._found:
            self._found[port.value] = find_port(self.sources, port, self.diagnostics)
        symbol, made = self._found[port.value], candidate.signature.made
        pair = (port.value, candidate.factory)
        if symbol is None or made is None or pair in self._checked:
            return
        self._checked.add(pair)
        for reason, place, promise in misfits(self.sources, symbol, made):
            message = f"`{candidate.provider}` cannot serve {candidate.key}: `{made.name}` {reason}"
            help = "offer what the port promises, or let the port promise less"
            related = [(f"the promise of `{symbol.name}`", promise)]
            self.diagnostics.add("ONE405", message, place, help=help, related=related)


def find_port(sources: Sources, stated: Stated[str], diagnostics: Diagnostics) -> Symbol | None:
    """The protocol that `module:Name` names; what makes it unusable is reported."""
    symbol = sources.find(stated.value)
    if symbol is None:
        if not sources.broken:
            help = "ports are found under the source roots, in listed plugins and among the built-ins"
            diagnostics.add("ONE406", f"port `{stated.value}` is not found", stated.place, help=help)
        return None
    if not is_protocol(sources, symbol):
        help = "derive it from `typing.Protocol`"
        related = [("defined here", symbol.place)]
        diagnostics.add("ONE406", f"port `{stated.value}` is not a Protocol", stated.place, help=help, related=related)
        return None
    if is_generic(sources, symbol):
        help = f"promise one of them: `class Texts({symbol.name}[str], Protocol): ...`"
        related = [("defined here", symbol.place)]
        message = f"port `{stated.value}` leaves its type parameters open"
        diagnostics.add("ONE406", message, stated.place, help=help, related=related)
        return None
    for name, (module, statement) in sources.members(symbol).by_name.items():
        if name not in _MACHINERY and not _is_method(statement):
            message = f"port `{symbol.name}` has `{name}`, which is not a method"
            help = "a live handle forwards calls: turn it into a method"
            diagnostics.add("ONE406", message, module.span(statement), help=help)
            return None
    return symbol


def misfits(sources: Sources, port: Symbol, made: Symbol) -> Iterator[tuple[str, Place, Span]]:
    """Why instances of class `made` cannot serve the port, with its place and the promise's; none when they can."""
    if port.qualified == made.qualified:
        return
    offered = sources.members(made)
    for name, (owner, promised) in sources.members(port).by_name.items():
        if name in _MACHINERY or not isinstance(promised, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if name not in offered.by_name:
            if offered.complete:
                yield f"has no method `{name}`", made.place, owner.name_span(promised)
            continue
        module, statement = offered.by_name[name]
        if isinstance(statement, ast.ClassDef):
            place = module.place(statement)
            yield f"has a class `{name}` where the port has a method", place, owner.name_span(promised)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, ast.Constant):
            place = Place(f"{made.place.pointer}.{name}", module.span(statement))
            yield f"has `{name}`, which is not a method", place, owner.name_span(promised)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            place = Place(f"{made.place.pointer}.{name}", module.name_span(statement))
            if reason := _mismatch(promised, statement):
                yield f"has `{name}`, which {reason}", place, owner.name_span(promised)


def _is_method(statement: ast.stmt) -> bool:
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return not any(
        (dotted_name(each) or "").rpartition(".")[2] in ("property", "cached_property", "staticmethod", "classmethod")
        for each in statement.decorator_list
    )


def _mismatch(promised: Function, offered: Function) -> str | None:
    if offered.decorator_list:
        return None if _is_method(offered) else "is not a plain method"
    wanted, is_async = _awaited(promised), _awaited(offered)
    if wanted and not is_async:
        return "is not async, and the port's is"
    if is_async and not wanted:
        return "is async, and the port's is not"
    return arguments_mismatch(_parameters(promised.args), _parameters(offered.args), "`")


def _awaited(function: Function) -> bool:
    """Whether a call is awaited: `async def` without `yield`, or annotated as returning an awaitable."""
    if isinstance(function, ast.AsyncFunctionDef):
        return not is_generator(function)
    return _returned(function) in _AWAITABLE


def is_synchronous(function: Function) -> bool:
    """Whether a call is certainly not awaited, iterated or entered asynchronously; of a decorated one none knows."""
    given = isinstance(function, ast.AsyncFunctionDef) or _returned(function) in _AWAITABLE | _ASYNCHRONOUS
    return not given and not function.decorator_list


def _returned(function: Function) -> str:
    """The name, without what it is in and of, that a return is annotated with."""
    returns = function.returns
    if isinstance(returns, ast.Constant) and isinstance(returns.value, str):
        return returns.value.partition("[")[0].rpartition(".")[2].strip()
    head = returns.value if isinstance(returns, ast.Subscript) else returns
    return "" if head is None else (dotted_name(head) or "").rpartition(".")[2]


def _parameters(arguments: ast.arguments) -> list[Parameter]:
    """The parameters of a method but its first positional one, which is `self`."""
    optional = {id(each) for each in _optional(arguments)}
    by_kind = (
        (Parameter.POSITIONAL_ONLY, arguments.posonlyargs),
        (Parameter.POSITIONAL_OR_KEYWORD, arguments.args),
        (Parameter.VAR_POSITIONAL, [arguments.vararg] if arguments.vararg else []),
        (Parameter.KEYWORD_ONLY, arguments.kwonlyargs),
        (Parameter.VAR_KEYWORD, [arguments.kwarg] if arguments.kwarg else []),
    )
    itself = [*arguments.posonlyargs, *arguments.args][:1]
    return [
        Parameter(each.arg, kind, default=None if id(each) in optional else Parameter.empty)
        for kind, found in by_kind
        for each in found
        if each not in itself
    ]


def _optional(arguments: ast.arguments) -> list[ast.arg]:
    positional = [*arguments.posonlyargs, *arguments.args]
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [*positional[len(positional) - len(arguments.defaults) :], *(each for each, default in keyword if default)]
