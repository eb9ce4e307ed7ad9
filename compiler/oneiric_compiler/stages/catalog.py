"""Stage 2: everything that could serve a key, in registration order.

Registration order: built-ins, plugins as listed, packages by module path and line, settings in file order, manifests
by source and entry.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import oneiric
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, did_you_mean
from oneiric_compiler.discovery.declarations import declarations
from oneiric_compiler.discovery.installed import Unread, find_installed
from oneiric_compiler.discovery.plugins import find_plugins
from oneiric_compiler.discovery.unread import vanishing
from oneiric_compiler.model import (
    DECLARED,
    PROVIDED,
    App,
    Candidate,
    Catalog,
    Declaration,
    Key,
    Level,
    Project,
    Section,
    Settings,
    Stated,
)
from oneiric_compiler.source.modules import Module, Root, Sources, Symbol, prefixes
from oneiric_compiler.source.signatures import Signature, is_factory, signature
from oneiric_compiler.source.types import Scalar
from oneiric_compiler.tables import builtins, layers
from oneiric_compiler.tables.options import OPTIONS
from oneiric_compiler.tables.tiers import RANKS

if TYPE_CHECKING:
    from oneiric_compiler.manifests.offers import Offer
    from oneiric_compiler.model import Evidence

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PATH_HINTS = {"vendor": 90, "adapters": 80, "services": 70, "tasks": 60, "events": 60, "workflows": 60}


def catalog(project: Project, settings: Settings, diagnostics: Diagnostics) -> tuple[Catalog, Sources]:
    """All candidates of all scopes, and the sources they were read from."""
    builtin_root = Root(Path(oneiric.__file__).parent.parent, only=frozenset(("oneiric",)))
    sources = Sources((builtin_root, *_source_roots(project, settings.app)), diagnostics, project.unsaved)
    builder = _Builder(settings, sources, diagnostics)
    for package in builtins.ROOTS:
        builder.read_modules(sources.walk(package, builtins.DECLARING), builtins.SOURCE)
    plugins = list(find_plugins(settings.app.plugins, diagnostics))
    for plugin in plugins:
        for root in plugin.roots:
            sources.add(root)
        for module in plugin.modules:
            builder.read_modules(sources.walk(module), f"plugin:{plugin.name}")
    builder.read_packages()
    allowed = ("oneiric", *settings.app.allow, *(p.value for p in settings.app.packages))
    builder.allowed = frozenset((*allowed, *(module for plugin in plugins for module in plugin.modules)))
    for _, section in sorted(settings.base.items()):
        builder.add_settings((*section.components, *_workflows(section)), builder.base)
    profiles = {name: builder.level(level, builder.base) for name, level in settings.profiles.items()}
    tenants = {name: builder.level(level, builder.base, declares=False) for name, level in settings.tenants.items()}
    versions = {plugin.name: plugin.version for plugin in plugins}
    manifests = builder.add_manifests(project, versions) if settings.remote.sources else ()
    incomplete = builder.incomplete or sources.broken or len(plugins) < len(settings.app.plugins)
    base = {key: tuple(found.values()) for key, found in builder.base.items()}
    layered = {key: tuple(found.values()) for key, found in builder.layers.items()}
    read = (versions, builder.distributions)
    return Catalog(base, profiles, tenants, layered, builder.common(), *read, manifests, incomplete), sources


def infer_priority(
    factory: str, stack_order: Mapping[str, Stated[int]]
) -> tuple[int, Literal["stack-order", "path", "default"]]:
    """The priority of a candidate that declares none: from the stack order by its top package, else from its path."""
    parts = factory.partition(":")[0].split(".")
    if parts[0] in stack_order:
        return stack_order[parts[0]].value, "stack-order"
    for hint, rank in PATH_HINTS.items():
        if hint in parts:
            return rank - min(len(parts), 10), "path"
    return 0, "default"


def _source_roots(project: Project, app: App) -> Iterator[Root]:
    for name in app.source_roots:
        path = (project.root / name).resolve()
        shown = path.relative_to(project.root).as_posix()
        yield Root(path, "" if shown == "." else shown)


_Found: TypeAlias = "dict[Key, dict[tuple[str, str], Candidate]]"
"""In registration order, by source and provider: nothing is declared twice within one source."""


@dataclass(slots=True)
class _Builder:
    settings: Settings
    sources: Sources
    diagnostics: Diagnostics
    allowed: frozenset[str] = frozenset()
    incomplete: bool = False
    base: _Found = field(default_factory=dict[Key, "dict[tuple[str, str], Candidate]"])
    layers: _Found = field(default_factory=dict[Key, "dict[tuple[str, str], Candidate]"])
    distributions: dict[str, str] = field(default_factory=dict[str, str])
    _signatures: dict[str, Signature] = field(default_factory=dict[str, Signature])

    def read_modules(self, modules: Iterable[Module], source: str) -> None:
        for module in modules:
            self._add_declared(module, source)

    def read_packages(self) -> None:
        app = self.settings.app
        owners: dict[str, str] = {}
        for package in app.packages:
            if not self.sources.exists(package.value):
                roots = ", ".join(f"`{root}`" for root in app.source_roots)
                message = f"package `{package.value}` is under none of the source roots {roots}"
                help = partial(self._near_package, package.value)
                self.diagnostics.add("ONE201", message, package.place, help=help)
                self.incomplete = True
            for module_name in self.sources.names(package.value):
                owners.setdefault(module_name, package.value)
        known = {prefix for name in owners for prefix in prefixes(name)}
        for left in app.excluded:
            if left.value not in known:
                otherwise = "name a module of a package that is listed, or remove it"
                near = partial(did_you_mean, left.value, owners, otherwise)
                self.diagnostics.add("ONE201", f"`!{left.value}` leaves out nothing", left.place, help=near)
        excluded = {left.value for left in app.excluded}
        read = {name for name in owners if excluded.isdisjoint(prefixes(name))}
        for name in sorted(read):
            if module := self.sources.module(name):
                self._add_declared(module, f"package:{owners[name]}")
                self.incomplete = vanishing(self.sources, module, read, self.diagnostics) or self.incomplete

    def level(self, level: Level, below: _Found, *, declares: bool = True) -> dict[Key, tuple[Candidate, ...]]:
        """What an overlay's components add, by key, with the candidates they come on top of. One that `declares` has
        workflows of its own; others change those there are."""
        components = [each for _, section in sorted(level.items()) for each in section.components]
        components += [
            each
            for section in level.values()
            for each in (_workflows(section) if declares else ())
            if ("settings", each.provider) not in below.get(each.key, {})
        ]
        added = {each.key: dict(below.get(each.key, {})) for each in components if not each.fields.get("layer")}
        self.add_settings(components, added)
        return {key: tuple(found.values())[len(below.get(key, ())) :] for key, found in added.items()}

    def _near_package(self, name: str) -> str:
        """What may be meant by a package that is not found."""
        if (root := self.sources.root_below(name)) is not None:
            return f"it is in `{root}`: add that to `source_roots` in settings/app.yml"
        beside = self.sources.beside(name) - {self.settings.app.output.partition("/")[0]}
        otherwise = "source_roots in settings/app.yml names the folders that packages lie in"
        return did_you_mean(name, beside, None) or otherwise

    def add_settings(self, components: Iterable[Declaration], into: _Found) -> None:
        for declaration in components:
            if self._may_name(declaration):
                self._add(declaration, "settings", into)
            else:
                self.incomplete = True

    def add_manifests(self, project: Project, plugins: Mapping[str, str]) -> tuple[Evidence, ...]:
        """Adds what the pinned manifests offer; the trust in each."""
        from oneiric_compiler.manifests.offers import Offers, target_markers
        from oneiric_compiler.manifests.pinned import read_pinned

        manifests = list(read_pinned(project, self.settings, self.diagnostics))
        app = self.settings.app
        markers = target_markers(app.python, app.os)
        offers = Offers(self.sources, app.sections, plugins, markers, self.diagnostics)
        for offer in offers.of(manifests):
            self._add(offer.declaration, f"manifest:{offer.source.name}", self.base, offer)
        self.incomplete = self.incomplete or offers.incomplete or len(manifests) < len(self.settings.remote.sources)
        return tuple(manifest.trust for manifest in manifests)

    def _add_declared(self, module: Module, source: str) -> None:
        for declaration in declarations(self.sources, module, self.settings.app.sections, self.diagnostics):
            if declaration:
                self._add(declaration, source, self.base)
            else:
                self.incomplete = True

    def _may_name(self, declaration: Declaration) -> bool:
        module = declaration.factory.partition(":")[0]
        if not self.allowed.isdisjoint(prefixes(module)):
            return True
        message = f"factory `{declaration.factory}` is outside the allowed prefixes"
        help = f"add `{module.partition('.')[0]}` to `allow` or `packages` in settings/app.yml"
        self.diagnostics.add("ONE205", message, declaration.places["factory"], help=help)
        return False

    def _add(self, declared: Declaration, source: str, into: _Found, offer: Offer | None = None) -> None:
        into = self.layers if declared.fields.get("layer") else into
        first = into.get(declared.key, {}).get((source, declared.provider))
        if first is not None:
            message = f"provider `{declared.provider}` is declared twice for {declared.key}"
            help, related = "name one of them differently, or remove it", [("first here", first.place)]
            self.diagnostics.add("ONE204", message, declared.places["provider"], help=help, related=related)
            return
        if candidate := self._candidate(declared, source, offer):
            into.setdefault(declared.key, {})[source, declared.provider] = candidate
        else:
            self.incomplete = True

    def _candidate(self, declared: Declaration, source: str, offer: Offer | None) -> Candidate | None:
        barred = offer is not None and offer.barred is not None
        found = Signature(declared.place, None) if barred else self._signature(declared)
        fields = cast("Mapping[str, Any]", declared.fields)
        python = fields.get("python_version")
        if found is None or not self._is_specifier(python, declared):
            return None
        inferred, inferred_from = infer_priority(declared.factory, self.settings.app.stack_order)
        top = declared.factory.partition(".")[0].partition(":")[0]
        stacked = self.settings.app.stack_order.get(top)
        from_stack = inferred_from == "stack-order" and stacked is not None
        options: dict[str, Any] = {option.name: option.read(fields) for option in OPTIONS}
        options["priority"] = fields.get("priority", inferred)
        options |= _links(declared, {**options, "port": None, "needs": {}} if barred else options)
        candidate = Candidate(
            key=declared.key,
            provider=declared.provider,
            factory=declared.factory,
            source=source,
            place=declared.place,
            signature=found,
            priority_from="declared" if "priority" in fields else inferred_from,
            priority_place=stacked.place
            if from_stack and stacked and "priority" not in fields
            else _of(declared, "priority"),
            **options,
        )
        return _held(candidate, offer, fields) if offer else candidate

    def common(self) -> dict[str, Candidate]:
        """The built-in layers by name, as far as the settings place one."""
        stated = [each for _, section in self.settings.sections() for each in section.layers.values()]
        placed = {text for each in stated for text in each.value}
        return {
            name: layer
            for name in sorted({text.partition(":")[0] for text in placed}.intersection(layers.NAMES))
            if (layer := self._common(name))
        }

    def _common(self, name: str) -> Candidate | None:
        symbol = self.sources.find(layers.factory(name))
        if symbol is None:
            return None
        found = signature(self.sources, symbol)
        known = {**(found.parameters or {})}
        known |= {key: replace(known[key], type=Scalar("str")) for key in layers.KEYS.get(name, ())}
        options: dict[str, Any] = {option.name: option.read({"layer": True}) for option in OPTIONS}
        options["priority"] = 0
        declared = Declaration(Key("", name), name, layers.factory(name), symbol.place, {}, {})
        return Candidate(
            key=declared.key,
            provider=name,
            factory=declared.factory,
            source=builtins.SOURCE,
            place=declared.place,
            signature=replace(found, parameters=known, result=None, made=None),
            priority_from="default",
            priority_place=declared.place,
            **(options | _links(declared, options)),
        )

    def _signature(self, declared: Declaration) -> Signature | None:
        if declared.factory in (PROVIDED[1], DECLARED[1]):
            return Signature(declared.place, {})
        if declared.factory not in self._signatures:
            if not self._is_in_sight(declared):
                return None
            symbol = self.sources.find(declared.factory)
            if symbol is None or not _is_callable(symbol):
                self._no_factory(declared)
                return None
            if symbol.owner and not is_factory(self.sources, symbol):
                message = f"`{declared.factory}` is called on an instance"
                related = [("defined here", symbol.place)]
                help = "name a classmethod or staticmethod: put `@classmethod` above it"
                self.diagnostics.add("ONE212", message, _of(declared, "factory"), help=help, related=related)
                return None
            found = signature(self.sources, symbol)
            if wrong := found.mistake:
                place = symbol.module.span(wrong.node) if wrong.node else symbol.place
                self.diagnostics.add(wrong.code, f"`{declared.factory}` {wrong.what}", place, help=wrong.help)
                return None
            self._signatures[declared.factory] = found
        return self._signatures[declared.factory]

    def _is_in_sight(self, declared: Declaration) -> bool:
        """Whether the factory's module may be looked for: one that `allow` names, and no source root has, is that of an
        installed distribution."""
        module = declared.factory.partition(":")[0]
        if self.sources.exists(module) or frozenset(self.settings.app.allow).isdisjoint(prefixes(module)):
            return True
        found = find_installed(module)
        if isinstance(found, Unread):
            if self.sources.exists(module.partition(".")[0]):
                return True
            self.diagnostics.add(found.code, found.what, _of(declared, "factory"), help=found.help)
            return False
        self.distributions[found.name] = found.version
        self.sources.add(found.root)
        return True

    def _no_factory(self, declared: Declaration) -> None:
        module_name, _, name = declared.factory.partition(":")
        name, _, method = name.partition(".")
        module = self.sources.module(module_name)
        place = declared.places.get("factory", declared.place)
        if method and (cls := self.sources.find(f"{module_name}:{name}")):
            self._no_method(declared, cls, method)
        elif module is not None and name in module.imports:
            message = f"`{module_name}` imports `{name}` from `{module.imports[name]}`, whose source is not found"
            wrap = "name a class or function under a source root, such as one that wraps it"
            self.diagnostics.add("ONE206", message, place, help=wrap)
        elif module is not None:
            message = f"`{module_name}` has no class or function `{name}`"
            self.diagnostics.add("ONE206", message, place, help=partial(_other_name, module, name))
        elif not self.sources.broken:
            help = "factories are found under the source roots, in listed plugins and among the built-ins"
            self.diagnostics.add("ONE206", f"module `{module_name}` is not found", place, help=help)

    def _no_method(self, declared: Declaration, cls: Symbol, method: str) -> None:
        what, related = f"has no method `{method}`", [("defined here", cls.place)]
        help: Help = "name a class in front of the dot"
        if isinstance(cls.node, ast.ClassDef):
            members = self.sources.members(cls)
            own = [name for name, (_, node) in members.by_name.items() if isinstance(node, _FUNCTIONS)]
            otherwise = (
                "name a classmethod of it" if members.complete else "one of its bases is out of sight: name what is not"
            )
            help = partial(did_you_mean, method, own, otherwise)
            what = f"has `{method}`, which is not a method" if method in members.by_name else what
        else:
            what = "is not a class"
        message = f"`{declared.factory.rpartition('.')[0]}` {what}"
        self.diagnostics.add("ONE212", message, _of(declared, "factory"), help=help, related=related)

    def _is_specifier(self, text: str | None, declared: Declaration) -> bool:
        try:
            SpecifierSet(text or "")
        except InvalidSpecifier:
            help = 'write a PEP 440 specifier such as ">=3.12"'
            message = f"`python_version` is `{text}`, not a version specifier"
            self.diagnostics.add("ONE111", message, declared.places["python_version"], help=help)
            return False
        return True


def _workflows(section: Section) -> Iterator[Declaration]:
    """The workflows of a section, as what serves their keys."""
    provider, factory = DECLARED
    for name, entry in section.entries.get("workflows", {}).items():
        places: dict[str, Place] = dict.fromkeys(("provider", "factory"), entry.place)
        yield Declaration(Key("workflow", name), provider, factory, entry.place, {}, places)


def _links(declared: Declaration, options: Mapping[str, Any]) -> dict[str, Any]:
    """The port, and what it needs of one key and of several, each with the place that states it."""
    port = options["port"]
    needs: dict[str, Stated[str]] = {}
    gathers: dict[str, Stated[str | tuple[str, ...]]] = {}
    for name, need in sorted(options["needs"].items()):
        if isinstance(need, str) and not need.endswith("*"):
            needs[name] = Stated(need, _of(declared, "needs"))
        else:
            gathers[name] = Stated(need if isinstance(need, str) else tuple(need), _of(declared, "needs"))
    return {"port": Stated(port, declared.places["port"]) if port else None, "needs": needs, "gathers": gathers}


def _held(candidate: Candidate, offer: Offer, stated: Mapping[str, Any]) -> Candidate:
    """The candidate of a manifest under its source's ceilings; a default that nobody stated is not told as held."""
    changed: dict[str, Any] = {}
    held: dict[str, int] = {}
    for rank in RANKS:
        most = offer.source.ceilings[rank.fact]
        if rank.of(candidate) <= most:
            continue
        changed[rank.fact] = most
        if rank.origin:
            changed |= {rank.origin: "ceiling", rank.place: offer.source.place}
        if rank.origin or rank.fact in stated:
            held[rank.fact] = rank.of(candidate)
    flow, subscription, calling = offer.saying
    return replace(
        candidate,
        **changed,
        artifact=offer.artifact,
        trust=offer.trust,
        held=held,
        barred=offer.barred,
        flow=flow,
        subscription=subscription,
        calling=calling,
    )


def _of(declared: Declaration, name: str) -> Place:
    return declared.places.get(name, declared.place)


def _is_callable(symbol: Symbol) -> bool:
    return not hasattr(symbol.node, "ctx") and hasattr(symbol.node, "body") and hasattr(symbol.node, "name")


def _other_name(module: Module, name: str) -> str | None:
    names = {each for each, node in module.definitions.items() if not isinstance(node, ast.expr)}
    return did_you_mean(name, (names | module.imports.keys()) - {name}, "define it there")
