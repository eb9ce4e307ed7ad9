"""Python source as text: modules found by path under the roots, parsed with `ast`, names resolved, nothing imported."""

from __future__ import annotations

import ast
import keyword
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Source, Span
from oneiric_compiler.settings.documents import NOTHING_UNSAVED, Folder, read_text
from oneiric_compiler.settings.mistakes import tell_conflicts
from oneiric_compiler.source.types import Record

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
Definition: TypeAlias = "ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr"

MAX_NAME = 240
HARMLESS_BASES = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions", "abc", "builtins")
    for name in ("Protocol", "Generic", "ABC", "object")
)


@dataclass(frozen=True, slots=True)
class Root:
    """A folder, of a disk or an archive, that packages lie in: all of them, or `only` the named ones.

    `shown` stands before the paths of what is found in it.
    """

    path: Folder
    shown: str = ""
    only: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Module:
    name: str
    source: Source
    tree: ast.Module
    is_package: bool
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    imports: dict[str, str] = field(default_factory=dict[str, str])
    stars: list[str] = field(default_factory=list[str])

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> Span:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return Span(
            self.source,
            node.lineno,
            self._column(node.lineno, node.col_offset),
            end_line,
            self._column(end_line, end_column),
        )

    def keyword_span(self, node: ast.keyword) -> Span:
        """The name in front of `=`."""
        column = self._column(node.lineno, node.col_offset)
        return Span(self.source, node.lineno, column, node.lineno, column + len(node.arg or "**"))

    def name_span(self, node: ast.ClassDef | Function) -> Span:
        """The name behind `class` or `def`."""
        line = self.source.line(node.lineno)
        column = max(line.find(node.name, node.col_offset), 0) + 1
        return Span(self.source, node.lineno, column, node.lineno, column + len(node.name))

    def place(self, node: ast.ClassDef | Function) -> Place:
        return Place(f"{self.source.path}#{node.name}", self.name_span(node))

    def annotated(self, node: ast.arg | ast.AnnAssign, name: str) -> Place:
        """The place of a parameter or field."""
        return Place(f"{self.source.path}#{name}", self.span(node))

    def _column(self, line: int, offset: int) -> int:
        if self.source.text.isascii():
            return offset + 1
        return len(self.source.line(line).encode()[:offset].decode("utf-8", "ignore")) + 1


class Symbol(NamedTuple):
    """A definition and the module it stands in; `qualified` is `module.name`. A method of a class, as a factory, is
    called `Class.method`, and has the class it is called on, which may inherit it."""

    module: Module
    node: Definition
    name: str
    owner: Symbol | None = None

    @property
    def qualified(self) -> str:
        return f"{self.module.name}.{self.name}"

    @property
    def place(self) -> Place:
        if isinstance(self.node, ast.expr):
            return Place(f"{self.module.source.path}#{self.name}", self.module.span(self.node))
        if self.owner:
            return Place(f"{self.module.source.path}#{self.name}", self.module.name_span(self.node))
        return self.module.place(self.node)


@dataclass(frozen=True, slots=True)
class Members:
    """What a class offers; not `complete` when a base is out of sight, so that more may be there."""

    by_name: dict[str, tuple[Module, ast.stmt]]
    complete: bool


class Sources:
    """The modules under the roots, each read and parsed once; `objects` are the classes read as settings objects.

    `unsaved` are texts of an editor, read instead of files.
    """

    def __init__(
        self, roots: tuple[Root, ...], diagnostics: Diagnostics, unsaved: Mapping[Path, str] = NOTHING_UNSAVED
    ) -> None:
        self.roots = roots
        self._unsaved = unsaved
        self.broken = False
        self._diagnostics = diagnostics
        self.objects: dict[str, Record | None] = {}
        self._modules: dict[str, Module | None] = {}
        self._members: dict[str, Members] = {}

    def add(self, root: Root) -> None:
        """One more root; what was not found before may be in it."""
        if root not in self.roots:
            self.roots = (*self.roots, root)
            self._modules = {name: module for name, module in self._modules.items() if module is not None}
            self.objects = {}

    def exists(self, name: str) -> bool:
        return any(True for _ in self._locate(name))

    def beside(self, name: str) -> set[str]:
        """The modules and packages that lie where `name` would."""
        parent = name.rpartition(".")[0]
        folders = [path.joinpath(*parent.split(".")) if parent else path for path, _ in self._open_roots()]
        found = {each for folder in folders if folder.is_dir() for each in _modules_in(folder)}
        return {f"{parent}.{each}" if parent else each for each in found}

    def root_below(self, name: str) -> str | None:
        """The folder in a root, as places show it, that `name` is found in."""
        top = name.partition(".")[0]
        for path, shown in self._open_roots():
            for folder in sorted(path.iterdir()) if path.is_dir() else ():
                if folder.is_dir() and top in _modules_in(folder):
                    return f"{shown}/{folder.name}" if shown else folder.name
        return None

    def _open_roots(self) -> Iterator[tuple[Path, str]]:
        """The roots on disk that any package may lie in, each with how places show it."""
        return ((root.path, root.shown) for root in self.roots if not root.only and isinstance(root.path, Path))

    def module(self, name: str) -> Module | None:
        """The module of that dotted name, or None when it is under no root or does not parse."""
        if name not in self._modules:
            self._modules[name] = None
            found = next(self._locate(name), None)
            if found is not None and found[0].is_file():
                self._modules[name] = self._parse(name, *found)
        return self._modules[name]

    def walk(self, package: str, holding: bytes = b"") -> Iterator[Module]:
        """The modules of a package, sorted by module path; those that do not parse are reported and left out, and
        those whose file has not the text are not parsed."""
        for name in sorted(self._names(package, holding)):
            module = self.module(name)
            if module is not None:
                yield module

    def names(self, package: str) -> list[str]:
        """The modules of a package by name, sorted; not looked into."""
        return sorted(self._names(package))

    def find(self, reference: str) -> Symbol | None:
        """What `module:name` or `module:Class.method` names, through re-exports."""
        module_name, _, name = reference.partition(":")
        name, _, method = name.partition(".")
        found = self.resolve(f"{module_name}.{name}")
        if not isinstance(found, Symbol):
            return None
        return self._method(found, method) if method else found

    def _method(self, cls: Symbol, name: str) -> Symbol | None:
        if not isinstance(cls.node, ast.ClassDef):
            return None
        module, statement = self.members(cls).by_name.get(name, (cls.module, None))
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return None
        return Symbol(module, statement, f"{cls.name}.{name}", cls)

    def resolve_in(self, module: Module, dotted: str, seen: frozenset[str] = frozenset()) -> Symbol | str:
        """What a dotted name means inside `module`: a symbol, or the qualified name of something out of sight.

        `seen` are the names on the way here: one that leads back to itself means nothing.
        """
        head, _, rest = dotted.partition(".")
        if head in module.definitions:
            node, itself = module.definitions[head], f"{module.name}.{head}"
            target = dotted_name(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
            if target and target != head and itself not in seen:
                return self.resolve_in(module, f"{target}.{rest}" if rest else target, seen | {itself})
            return Symbol(module, node, head) if not rest else f"{module.name}.{dotted}"
        if head in module.imports:
            qualified = module.imports[head] + (f".{rest}" if rest else "")
            return self.resolve(qualified, seen) or qualified
        for star in module.stars:
            if isinstance(found := self.resolve(f"{star}.{dotted}", seen), Symbol):
                return found
        return f"builtins.{dotted}"

    def resolve(self, qualified: str, seen: frozenset[str] = frozenset()) -> Symbol | str | None:
        """What a fully qualified name means; a string when re-exported from out of sight; None when it is nowhere."""
        module_name, _, name = qualified.rpartition(".")
        module = self.module(module_name) if module_name else None
        if module is None or qualified in seen:
            return None
        if name in module.definitions:
            return self.resolve_in(module, name, seen)
        if name in module.imports:
            target = module.imports[name]
            return self.resolve(target, seen | {qualified}) or target
        for star in module.stars:
            if found := self.resolve(f"{star}.{name}", seen | {qualified}):
                return found
        return None

    def bases(self, symbol: Symbol) -> Iterator[Symbol | str]:
        assert isinstance(symbol.node, ast.ClassDef)
        for base in symbol.node.bases:
            expression = base.value if isinstance(base, ast.Subscript) else base
            name = dotted_name(expression)
            yield self.resolve_in(symbol.module, name) if name else "?"

    def members(self, symbol: Symbol, seen: frozenset[str] = frozenset()) -> Members:
        """Functions and assigned names of a class and its bases, nearest first."""
        if symbol.qualified in self._members:
            return self._members[symbol.qualified]
        assert isinstance(symbol.node, ast.ClassDef)
        found: dict[str, tuple[Module, ast.stmt]] = {}
        complete = symbol.qualified not in seen
        for statement in statements(symbol.node.body):
            for name in _bound_names(statement):
                found[name] = (symbol.module, statement)
        for base in self.bases(symbol) if complete else ():
            if isinstance(base, Symbol) and isinstance(base.node, ast.ClassDef):
                inherited = self.members(base, seen | {symbol.qualified})
                found = {**inherited.by_name, **found}
                complete = complete and inherited.complete
            elif base not in HARMLESS_BASES:
                complete = False
        self._members[symbol.qualified] = Members(found, complete)
        return self._members[symbol.qualified]

    def _locate(self, name: str) -> Iterator[tuple[Folder, str]]:
        parts = name.split(".")
        for root in self.roots if all(map(_can_be_module, parts)) else ():
            if root.only and root.only.isdisjoint(prefixes(name)):
                continue
            shown = "/".join((root.shown, *parts)) if root.shown else "/".join(parts)
            folder = root.path.joinpath(*parts)
            if (folder / "__init__.py").is_file():
                yield folder / "__init__.py", f"{shown}/__init__.py"
            elif (file := root.path.joinpath(*parts[:-1], f"{parts[-1]}.py")).is_file():
                yield file, f"{shown}.py"
            elif folder.is_dir():
                yield folder, shown

    def _names(self, package: str, holding: bytes = b"") -> Iterator[str]:
        path = next((path for path, _ in self._locate(package)), None)
        if not isinstance(path, Path):
            return
        if path.is_file():
            yield package
            if path.name != "__init__.py":
                return
            path = path.parent
        for file in path.rglob("*.py"):
            parts = file.relative_to(path).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            named = parts and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
            if named and (not holding or holding in self._bytes(file)):
                yield ".".join((package, *parts))

    def _bytes(self, file: Path) -> bytes:
        return self._unsaved[file].encode() if file in self._unsaved else file.read_bytes()

    def _parse(self, name: str, path: Folder, shown: str) -> Module | None:
        unsaved = self._unsaved.get(path) if isinstance(path, Path) else None
        text = read_text(path, shown, self._diagnostics) if unsaved is None else unsaved
        if text is None:
            self.broken = True
            return None
        source = Source(shown, text)
        try:
            tree = _parsed(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.broken = True
            if tell_conflicts(source, self._diagnostics):
                return None
            line, column = getattr(error, "lineno", 1) or 1, getattr(error, "offset", 1) or 1
            reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
            span = Span(source, line, column, line, column + 1)
            help = "correct it, or compile with the Python version that it is written for"
            self._diagnostics.add("ONE202", f"not Python: {reason}", span, help=help)
            return None
        module = Module(name, source, tree, path.name == "__init__.py")
        for statement in statements(tree.body):
            _bind(module, statement)
        return module


def _modules_in(folder: Path) -> Iterator[str]:
    """The modules, and the folders with modules in them, by name."""
    for each in folder.iterdir():
        name = each.name.removesuffix(".py")
        holds = each.is_dir() and any(inner.name.endswith(".py") for inner in each.iterdir())
        if name.isidentifier() and not name.startswith("__") and (holds or name != each.name):
            yield name


def prefixes(module: str) -> list[str]:
    """The module and the packages it is in, outermost first."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _can_be_module(name: str) -> bool:
    """Whether a file can be called so: no file system takes longer names."""
    return len(name) <= MAX_NAME and not keyword.iskeyword(name)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body in their order, those inside `if`, `try` and `with` included."""
    pending = body[::-1]
    while pending:
        statement = pending.pop()
        yield statement
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            pending.extend(inner_statements(statement)[::-1])


def inner_statements(statement: ast.stmt) -> list[ast.stmt]:
    """The statements that stand directly inside another one, in their order."""
    inner: list[ast.stmt] = list(getattr(statement, "body", ()))
    for block in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        inner += block.body
    return [*inner, *getattr(statement, "orelse", ()), *getattr(statement, "finalbody", ())]


def is_generator(function: Function) -> bool:
    """Whether its own body, not that of an inner function, holds a `yield`."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))
    return False


def _parsed(text: str) -> ast.Module:
    """The syntax tree; what Python merely warns of is for those who run the module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def dotted_name(node: ast.expr) -> str | None:
    """`a.b.c` of a name or attribute expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (value := dotted_name(node.value)):
        return f"{value}.{node.attr}"
    return None


def _bind(module: Module, statement: ast.stmt) -> None:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        module.definitions[statement.name] = statement
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                module.definitions[target.id] = statement.value
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        module.definitions[statement.target.id] = statement.value
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            module.imports[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
    elif isinstance(statement, ast.ImportFrom):
        origin = _origin(module, statement)
        for alias in statement.names:
            if alias.name == "*":
                module.stars.append(origin)
            else:
                module.imports[alias.asname or alias.name] = f"{origin}.{alias.name}"


def _origin(module: Module, statement: ast.ImportFrom) -> str:
    if not statement.level:
        return statement.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - statement.level + (1 if module.is_package else 0)]
    return ".".join((*kept, *((statement.module,) if statement.module else ())))


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
