"""Declarations that would vanish: uses of `component` that source does not show, and registrations at run time."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from oneiric_compiler.diagnostics.found import Diagnostics, Span
from oneiric_compiler.discovery.declarations import COMPONENT, is_component, names_component
from oneiric_compiler.source.modules import Module, Sources, Symbol, dotted_name, statements

Scope: TypeAlias = "Mapping[str, str]"
"""The names a function binds: what each is imported from, or nothing."""

_UPSTREAM = re.compile(r"\b(?:Candidate|[A-Z]\w*Metadata|register(?:_\w+)?)\b")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAMING = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DECLARE = "write `@component(…)` right above the class or function, at the top level of its module"


class _Use(NamedTuple):
    """A use that declares nothing: of `component`, called or handed on, or of a function of upstream's."""

    node: ast.expr
    name: str
    upstream: bool = False


def vanishing(sources: Sources, module: Module, read: Container[str], diagnostics: Diagnostics) -> bool:
    """Reports what looks like a declaration and is none; whether there is such.

    `read` are the modules that are read for declarations: a decorator made in another one is told where it stands.
    """
    decorators = _decorators(module)
    uses = list(_Uses(sources, module).of(module.tree)) if _may_hold(sources, module, decorators) else []
    for use in uses:
        (_tell_upstream if use.upstream else _tell)(use, module, diagnostics)
    vanished = bool(uses)
    for name, standing in decorators.items():
        if made := _made_elsewhere(sources, module, name, read):
            vanished = True
            for decorator in standing:
                message = f"`@{name}` declares components where the compiler does not look"
                related = [("it uses `component` here", made)]
                diagnostics.add("ONE203", message, module.span(decorator), help=_DECLARE, related=related)
    return vanished


def _tell(use: _Use, module: Module, diagnostics: Diagnostics) -> None:
    called = isinstance(use.node, ast.Call)
    message = f"`{use.name}` is {'called' if called else 'used'} outside of a decorator, so it declares nothing"
    diagnostics.add("ONE203", message, module.span(use.node), help=_DECLARE)


def _tell_upstream(use: _Use, module: Module, diagnostics: Diagnostics) -> None:
    message = f"`{use.name}(…)` registers at run time, which declares nothing here"
    diagnostics.add("ONE209", message, module.span(use.node), help=_instead(use.node) or _DECLARE)


def _instead(node: ast.expr) -> str | None:
    """The decorator that says what a registration said, where that is literal."""
    keywords = node.keywords if isinstance(node, ast.Call) and not node.args else []
    stated = {each.arg: each.value.value for each in keywords if isinstance(each.value, ast.Constant)}
    key, domain = stated.get("key", stated.get("category")), stated.get("domain", "adapter")
    if key is None or "provider" not in stated:
        return None
    options = [f"{name}={stated[name]!r}" for name in ("provider", "priority", "stack_level") if name in stated]
    written = f"@component({domain!r}, {key!r}, {', '.join(options)})".replace("'", '"')
    return f"write `{written}` right above its class"


def _decorators(module: Module) -> dict[str, list[ast.expr]]:
    """The decorators of the module's own classes and functions by name."""
    found: dict[str, list[ast.expr]] = {}
    for node in statements(module.tree.body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for each in node.decorator_list:
                if name := dotted_name(each.func if isinstance(each, ast.Call) else each):
                    found.setdefault(name, []).append(each)
    return found


def _may_hold(sources: Sources, module: Module, decorators: Mapping[str, list[ast.expr]]) -> bool:
    """Whether the text says more of `component` than decorators and imports do: to look at each node takes longer."""
    text = module.source.text
    if "oneiric" in text and _UPSTREAM.search(text):
        return True
    names = {"component", *(name for name in module.imports if names_component(sources, module, name))}
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
    imports = [node for node in statements(module.tree.body) if isinstance(node, (ast.Import, ast.ImportFrom))]
    imported = sum(len(word.findall(f"{each.name} {each.asname or ''}")) for node in imports for each in node.names)
    read = sum(len(each) for name, each in decorators.items() if names_component(sources, module, name))
    return len(word.findall(text)) > imported + read


def _made_elsewhere(sources: Sources, module: Module, name: str, read: Container[str]) -> Span | None:
    """Where a decorator uses `component`, made as it is in a module that is not read."""
    found = sources.resolve_in(module, name)
    if not isinstance(found, Symbol) or found.module.name in read or found.qualified in COMPONENT:
        return None
    uses = (each for each in _Uses(sources, found.module).of(found.node) if not each.upstream)
    return next((found.module.span(use.node) for use in uses), None)


@dataclass(slots=True)
class _Uses:
    sources: Sources
    module: Module

    def of(self, tree: ast.AST) -> Iterator[_Use]:
        """The uses in a tree, the scopes of its functions kept apart; of those in one another the inner ones."""
        pending: list[tuple[ast.AST, tuple[Scope, ...]]] = [(tree, ())]
        while pending:
            node, scopes = pending.pop()
            use = self._use(node, scopes)
            if use is not None and not (use.upstream and self._holds_another(node, scopes)):
                yield use
                continue
            inner = (*scopes, _bound(node)) if isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS)) else scopes
            pending.extend((child, inner) for child in self._children(node, scopes))

    def _use(self, node: ast.AST, scopes: tuple[Scope, ...]) -> _Use | None:
        called = node.func if isinstance(node, ast.Call) else node
        name = dotted_name(called) if isinstance(called, (ast.Name, ast.Attribute)) else None
        if name is None or not isinstance(node, (ast.Call, ast.Name, ast.Attribute)):
            return None
        if isinstance(node, (ast.Name, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            return None
        if self._is_component(name, scopes):
            return _Use(node, name)
        if isinstance(node, ast.Call) and self._is_upstream(name, scopes):
            return _Use(node, name, upstream=True)
        return None

    def _holds_another(self, node: ast.AST, scopes: tuple[Scope, ...]) -> bool:
        inner = (each for each in ast.walk(node) if each is not node)
        return any(use.upstream for each in inner if (use := self._use(each, scopes)))

    def _children(self, node: ast.AST, scopes: tuple[Scope, ...]) -> Iterator[ast.AST]:
        """What is in a node, less what is read elsewhere: decorators, aliases at the top level, annotations."""
        if not scopes and isinstance(node, (ast.Assign, ast.AnnAssign)) and self._is_alias(node):
            return
        for child in ast.iter_child_nodes(node):
            read = isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (
                child in node.decorator_list
                and isinstance(child, ast.expr)
                and is_component(self.sources, self.module, child)
            )
            if read:
                yield from [*child.args, *child.keywords] if isinstance(child, ast.Call) else ()
            else:
                yield child

    def _is_alias(self, node: ast.Assign | ast.AnnAssign) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        value = isinstance(node.value, (ast.Name, ast.Attribute))
        return value and all(isinstance(each, ast.Name) for each in targets)

    def _is_component(self, name: str, scopes: tuple[Scope, ...]) -> bool:
        head, _, rest = name.partition(".")
        origin = next((scope[head] for scope in reversed(scopes) if head in scope), None)
        if origin is None:
            return names_component(self.sources, self.module, name)
        qualified = f"{origin}.{rest}" if rest else origin
        found = self.sources.resolve(qualified) or qualified
        return (found.qualified if isinstance(found, Symbol) else found) in COMPONENT

    def _is_upstream(self, name: str, scopes: tuple[Scope, ...]) -> bool:
        head, _, rest = name.partition(".")
        own = next((scope[head] for scope in reversed(scopes) if head in scope), None)
        origin = self.module.imports.get(head, "") if own is None else own
        qualified = f"{origin}.{rest}" if rest else origin
        if not _UPSTREAM.fullmatch(qualified.rpartition(".")[2]):
            return False
        if origin.partition(".")[0] == "oneiric":
            return self.sources.resolve(qualified) is None
        return "register_" in rest and self._imports_upstream()

    def _imports_upstream(self) -> bool:
        return any(
            origin.startswith("oneiric.")
            and _UPSTREAM.fullmatch(origin.rpartition(".")[2])
            and self.sources.resolve(origin) is None
            for origin in self.module.imports.values()
        )


def _bound(node: ast.AST) -> Scope:
    """The names that a function, or a comprehension, binds itself."""
    if isinstance(node, _COMPREHENSIONS):
        return {name.id: "" for each in node.generators for name in ast.walk(each.target) if isinstance(name, ast.Name)}
    assert isinstance(node, _FUNCTIONS)
    arguments = node.args
    everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    found = {each.arg: "" for each in everything if each is not None}
    outer: set[str] = set()
    pending: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else [*node.body]
    while pending:
        inner = pending.pop()
        if isinstance(inner, (ast.Global, ast.Nonlocal)):
            outer.update(inner.names)
        found.update(_bindings(inner))
        if not isinstance(inner, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(inner))
    return {name: origin for name, origin in found.items() if name not in outer}


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    """What a node itself binds, and what that is imported from."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, ""
    elif isinstance(node, _NAMING) and node.name:
        yield node.name, ""
    elif isinstance(node, ast.Import):
        yield from ((each.asname or each.name.partition(".")[0], _imported(each)) for each in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)


def _imported(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]
