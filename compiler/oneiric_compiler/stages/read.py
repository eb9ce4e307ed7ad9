"""Stage 1: the settings folder to `Settings`, every file read, validated and shaped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, Source, Span, did_you_mean, nearest
from oneiric_compiler.model import (
    DOMAINS,
    PROVIDED,
    App,
    Declaration,
    Entry,
    Key,
    Level,
    Overrides,
    Project,
    Remote,
    Section,
    Settings,
    Stated,
)
from oneiric_compiler.settings.documents import Document, Value, read_document
from oneiric_compiler.settings.folder import no_settings, within
from oneiric_compiler.settings.schema import conform, shortened
from oneiric_compiler.tables.entries import KINDS, PARTS, SINGLE
from oneiric_compiler.tables.options import KEY_OPTIONS

T = TypeVar("T")
RECORDED = ("ONEIRIC_STACK_ORDER", "ONEIRIC_TRUSTED_PUBLIC_KEYS")
"""The variables whose values a report records, for `--check` to use."""
_STACK_ITEM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*:\s*([-+]?[0-9]{1,4})\s*")
_NO_CANDIDATES = frozenset({
    "selections", "requires", "ports", "provider_settings", "gather_order", "layers", "unbind", "aliases",
    *(option.name for option in KEY_OPTIONS), *SINGLE, "disable",
    *(kind for kind in KINDS if kind != "workflows"),
})  # fmt: skip
_PROVIDED = frozenset(("key", "provided", "port", "priority", "stack_level", "capabilities"))
_SECTION_KEYS = _NO_CANDIDATES | {"components", "workflows"}
_HARMLESS = frozenset(("name", "stack_order", "profiles", "target", "output", "roles"))


def read(project: Project, diagnostics: Diagnostics) -> Settings | None:
    """The project's settings, or None when app.yml does not tell what the project is made of."""
    if not _is_folder(project.settings):
        message, help = no_settings(project.root, project.environ)
        diagnostics.add("ONE101", message, help=help)
        return None
    reader = _Reader(project, diagnostics)
    document = reader.document("app.yml", "app")
    if document is None:
        return None
    app = reader.app(document)
    reader.incomplete = False
    present = reader.present(app, told=not document.broken)
    base = {
        domain: reader.section(found, domain)
        for domain, section in app.sections.items()
        if f"{section}.yml" in present and (found := reader.document(f"{section}.yml", "domain"))
    }
    remote = reader.remote() if "remote.yml" in present else Remote()
    common = tuple(reader.files)
    profiles = {name: reader.overlay(f"profiles/{name}.yml", app) for name in reader.listed_profiles(app, document)}
    tenants = {name: reader.overlay(f"tenants/{name}.yml", app) for name in reader.tenant_names()}
    tenant_files = tuple(f"settings/tenants/{name}.yml" for name in tenants)
    files = {"default": (*common, *tenant_files)}
    for name in profiles:
        files[name] = (*common, f"settings/profiles/{name}.yml", *tenant_files)
    overrides = reader.overrides(tenants) if project.overrides else Overrides()
    environment = reader.environment(remote)
    if document.value is None or not {path[0] for path in document.unread} <= _HARMLESS:
        return None
    return Settings(
        app, base, profiles, tenants, overrides, files, environment, remote, reader.incomplete, reader.unsettled
    )


def parse_stack_order(text: str) -> dict[str, int] | None:
    """`a:100,b:50` as a mapping, or None when it is something else."""
    matches = [_STACK_ITEM.fullmatch(item) for item in text.split(",") if item.strip()]
    order = {match[1]: int(match[2]) for match in matches if match}
    return order if len(order) == len(matches) and all(abs(rank) <= 1000 for rank in order.values()) else None


class _Reader:
    def __init__(self, project: Project, diagnostics: Diagnostics) -> None:
        self.project, self.diagnostics = project, diagnostics
        self.files: list[str] = []
        self.incomplete = False
        self.unsettled = False
        self.knows_domains = True

    def document(self, name: str, schema: str, sections: Collection[str] = ()) -> Document | None:
        """The file with only what fits its schema in it; of an overlay, only what stands under its `sections`."""
        shown = f"settings/{name}"
        path = self.project.settings / name
        document = read_document(path, shown, self.diagnostics, self.project.unsaved)
        if document is None:
            self.incomplete = self.unsettled = True
            return None
        self.files.append(shown)
        if schema == "overlay":
            self._drop_unknown(document, sections)
        if document.value is not None or not document.broken:
            document.value = conform(document, schema, self.diagnostics)
        self.unsettled = self.unsettled or document.broken
        self.incomplete = self.incomplete or _lacks_candidates(document, 1 if schema == "overlay" else 0)
        return document

    def _drop_unknown(self, document: Document, sections: Collection[str]) -> None:
        if not isinstance(document.value, dict):
            return
        for section in sorted(document.value.keys() - set(sections)):
            document.unread.add((section,))
            if self.knows_domains:
                document.broken = True
                message, place = f"`{section}` is not a domain's section", document.place(section, of_key=True)
                help: Help = partial(did_you_mean, section, sections)
                if section in _SECTION_KEYS:
                    help = f"put it under the section of its domain, such as `adapters: {{{section}: …}}`"
                self.diagnostics.add("ONE110", message, place, help=help)
        document.value = {name: value for name, value in document.value.items() if name in sections}

    def app(self, document: Document) -> App:
        self.knows_domains = not document.broken
        value = _mapping(document.value)
        target = _mapping(value.get("target"))
        packages = _stated(document, value, "packages")
        return App(
            name=value.get("name", ""),
            packages=tuple(each for each in packages if not each.value.startswith("!")),
            excluded=tuple(each._replace(value=each.value[1:]) for each in packages if each.value.startswith("!")),
            plugins=_stated(document, value, "plugins"),
            allow=tuple(_list(value.get("allow"))),
            source_roots=self.source_roots(document, value.get("source_roots")),
            stack_order=self.stack_order(document, _mapping(value.get("stack_order"))),
            profiles=tuple(_list(value.get("profiles"))),
            domains=tuple(sorted(_list(value.get("domains")))),
            python=target.get("python"),
            os=target.get("os"),
            output=value.get("output", "generated"),
            roles={
                name: _named(document, tuple(_list(keys)), "roles", name)
                for name, keys in _mapping(value.get("roles")).items()
            },
        )

    def source_roots(self, document: Document, stated: Value) -> tuple[str, ...]:
        """The folders that packages lie in; those outside of the project are reported."""
        root = self.project.root
        names = enumerate(App().source_roots) if stated is None else _items(stated)
        found = {name: document.place("source_roots", index) for index, name in names}
        for name, place in found.items():
            if within(root, name) is None or ".." in Path(name).parts:
                message = f"the source root `{shortened(name)}` lies outside of the project"
                help = "name a folder in the project, such as `src`; what lies elsewhere is installed, as a plugin is"
                self.diagnostics.add("ONE111", message, place, help=help)
                document.unread.add(("source_roots",))
        return tuple(found)

    def stack_order(self, document: Document, stated: Mapping[str, int]) -> dict[str, Stated[int]]:
        text = self.project.environ.get("ONEIRIC_STACK_ORDER", "")
        if not text.strip():
            return {name: Stated(rank, document.place("stack_order", name)) for name, rank in stated.items()}
        place = Place("ONEIRIC_STACK_ORDER", Span(Source("ONEIRIC_STACK_ORDER", text), 1, 1, 1, len(text) + 1))
        order = parse_stack_order(text)
        if order is None:
            help = "write `name:priority,…`, each name once, with priorities from -1000 to 1000"
            self.diagnostics.add("ONE118", "ONEIRIC_STACK_ORDER cannot be read", place, help=help)
            self.unsettled = True
        return {name: Stated(rank, place) for name, rank in (order or {}).items()}

    def environment(self, remote: Remote) -> dict[str, str]:
        text = self.project.environ.get("ONEIRIC_STACK_ORDER", "")
        order = parse_stack_order(text) if text.strip() else None
        found = {"ONEIRIC_STACK_ORDER": ",".join(f"{k}:{v}" for k, v in sorted(order.items()))} if order else {}
        if remote.environment_keys:
            found["ONEIRIC_TRUSTED_PUBLIC_KEYS"] = ",".join(remote.environment_keys)
        return found

    def remote(self) -> Remote:
        document = self.document("remote.yml", "remote")
        if document is None:
            return Remote()
        from oneiric_compiler.manifests.settings import read_remote

        remote = read_remote(document, self.project.root, self.project.environ, self.diagnostics)
        if len(remote.sources) < len(_mapping(document.value).get("sources") or ()):
            self.incomplete = self.unsettled = True
        return remote

    def section(self, document: Document, domain: str, *path: str) -> Section:
        value: Any = document.value
        for part in path:
            value = value[part]
        value = _mapping(value)
        section = Section()
        for name, provider in _mapping(value.get("selections")).items():
            section.selections[name] = _named(document, provider, *path, "selections", name)
        for name, capabilities in _mapping(value.get("requires")).items():
            wanted = tuple(sorted(_list(capabilities)))
            section.requires[name] = _named(document, wanted, *path, "requires", name)
        for name, port in _mapping(value.get("ports")).items():
            section.ports[name] = _named(document, port, *path, "ports", name)
        for pattern, names in _mapping(value.get("gather_order")).items():
            section.gather_order[pattern] = _named(document, tuple(_list(names)), *path, "gather_order", pattern)
        for name, layers in _mapping(value.get("layers")).items():
            section.layers[name] = _named(document, tuple(_list(layers)), *path, "layers", name)
        for name, target in _mapping(value.get("aliases")).items():
            section.aliases[name] = _named(document, target, *path, "aliases", name)
        for index, name in _items(value.get("unbind")):
            section.unbind[name] = Stated(name, document.place(*path, "unbind", index, named=name))
        for option in KEY_OPTIONS:
            if keys := _mapping(value.get(option.name)):
                section.options[option.name] = {
                    name: _named(document, each, *path, option.name, name) for name, each in keys.items()
                }
        section.components += self.components(document, domain, value.get("components"), *path, "components")
        self.entries(document, domain, section, value, *path)
        for provider, fields in _mapping(value.get("provider_settings")).items():
            section.setting_places[provider] = document.place(*path, "provider_settings", provider, of_key=True)
            section.provider_settings[provider] = {
                name: _named(document, setting, *path, "provider_settings", provider, name)
                for name, setting in _mapping(fields).items()
            }
        return section

    def entries(self, document: Document, domain: str, section: Section, value: dict[str, Any], *path: str) -> None:
        """What a section declares besides components, as far as it belongs to that domain."""
        for kind, owner in (*KINDS.items(), *SINGLE.items()):
            if kind not in value or value[kind] is None:
                continue
            if owner != domain:
                place = document.place(*path, kind, of_key=True)
                message = f"`{kind}` says nothing of domain `{domain}`"
                help = f"put it in settings/{DOMAINS[owner]}.yml, or under `{DOMAINS[owner]}:` of a profile or tenant"
                self.diagnostics.add("ONE110", message, place, help=help)
                self.unsettled = True
            elif kind in SINGLE:
                section.single[kind] = _named(document, value[kind], *path, kind)
            else:
                names = _mapping(value[kind])
                section.entries[kind] = {name: _entry(document, names[name], *path, kind, name) for name in names}
        for index, name in _items(value.get("disable")):
            section.disable[name] = Stated(name, document.place(*path, "disable", index, named=name))

    def components(self, document: Document, domain: str, stated: Value, *path: str) -> Iterator[Declaration]:
        """The components that a section declares, whole ones alone."""
        for index, component in _items(stated):
            whole = self.provided(document, component, *path, index) if component.get("provided") else component
            if {"key", "provider", "factory"} <= whole.keys():
                yield _declaration(document, domain, whole, *path, index)

    def provided(self, document: Document, component: dict[str, Any], *path: str | int) -> dict[str, Any]:
        """What the application hands in, as a component; nothing where it says how that would be made."""
        wrong = [name for name in component if name not in _PROVIDED]
        for name in wrong:
            place = document.place(*path, name, of_key=True)
            message = f"a component that is provided has no `{name}`: the application makes it"
            self.diagnostics.add("ONE433", message, place, help=f"remove `{name}`, or `provided: true`")
        if wrong or "key" not in component:
            self.incomplete = True
            return {}
        provider, factory = PROVIDED
        return {**component, "provider": provider, "factory": factory}

    def overlay(self, name: str, app: App) -> Level:
        domains = {section: domain for domain, section in app.sections.items()}
        document = self.document(name, "overlay", domains)
        if document is None:
            return {}
        sections = _mapping(document.value)
        return {domains[section]: self.section(document, domains[section], section) for section in sections}

    def listed_profiles(self, app: App, document: Document) -> list[str]:
        found = set(self._names("profiles"))
        for index, name in enumerate(app.profiles):
            if name not in found:
                place = document.place("profiles", index)
                message = f"profile `{name}` has no file settings/profiles/{name}.yml"
                otherwise = "write the file or remove the profile from the list"
                self.diagnostics.add("ONE116", message, place, help=partial(did_you_mean, name, found, otherwise))
        for name in sorted(found - set(app.profiles)) if not document.broken else ():
            shown = f"settings/profiles/{name}.yml"
            help = f"add `{name}` to `profiles` in settings/app.yml to compile it"
            self.diagnostics.add("ONE117", f"profile `{name}` is not listed", Span(Source(shown, "")), help=help)
        return [name for name in app.profiles if name in found]

    def tenant_names(self) -> list[str]:
        return [name for name in self._names("tenants") if self._usable(name, f"settings/tenants/{name}.yml")]

    def _usable(self, name: str, shown: str) -> bool:
        fault = tenant_fault(name)
        if fault is not None:
            message = f"a tenant cannot be called `{name}`: {fault}"
            self.diagnostics.add("ONE114", message, Span(Source(shown, "")), help="rename the file")
        return fault is None

    def _names(self, folder: str) -> list[str]:
        files = self._files(folder)
        names = [file.stem for file in files if self._expected(file, f"{folder}/", file.suffix == ".yml")]
        alike: dict[str, str] = {}
        for name in names:
            if (other := alike.setdefault(name.casefold(), name)) != name:
                message = f"settings/{folder}/{name}.yml and {other}.yml differ by upper and lower case alone"
                help = "rename one of them: a file system that ignores case keeps only one"
                self.diagnostics.add("ONE114", message, Span(Source(f"settings/{folder}/{name}.yml", "")), help=help)
        return names

    def _files(self, folder: str) -> list[Path]:
        """The YAML files of a folder in the settings folder, hidden ones left out."""
        try:
            files = sorted((self.project.settings / folder).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            shown = f"settings/{folder}".rstrip("/")
            message = f"{shown} cannot be read: {error.strerror}"
            help = "let the user who compiles read it, or remove it"
            self.diagnostics.add("ONE101", message, Span(Source(shown, "")), help=help)
            return []
        return [file for file in files if file.suffix in (".yml", ".yaml") and not file.name.startswith((".", "_"))]

    def present(self, app: App, *, told: bool) -> set[str]:
        """The names of the files in the settings folder; those that nothing reads are told of."""
        known = {"app.yml", "remote.yml", *(f"{section}.yml" for section in app.sections.values())}
        files = self._files("")
        for file in files if told else ():
            self._expected(file, "", file.name in known, known)
        return {file.name for file in files}

    def _expected(self, file: Path, folder: str, expected: bool, known: Iterable[str] = ()) -> bool:
        if expected:
            return True
        help = partial(_other_file, file, known)
        span = Span(Source(f"settings/{folder}{file.name}", ""))
        self.diagnostics.add("ONE115", f"settings/{folder}{file.name} is not read", span, help=help)
        return False

    def overrides(self, listed: Collection[str]) -> Overrides:
        """The operator's overrides; those for a tenant without a file are reported."""
        assert self.project.overrides is not None
        document = read_document(self.project.overrides, "overrides", self.diagnostics)
        if document is None:
            return Overrides()
        value = _mapping(conform(document, "overrides", self.diagnostics))

        def stated(mapping: Mapping[str, str], *path: str) -> dict[Key, Stated[str]]:
            keys = {text: Key(*text.split(":", 1)) for text in mapping}
            return {keys[text]: _named(document, name, *path, text) for text, name in mapping.items()}

        tenants = {
            tenant: stated(mapping, "tenants", tenant) for tenant, mapping in _mapping(value.get("tenants")).items()
        }
        for tenant in sorted(tenants.keys() - set(listed)):
            message, place = f"tenant `{tenant}` has no file", document.place("tenants", tenant, of_key=True)
            otherwise = "a tenant is there once `settings/tenants/` has its file; it may be empty"
            self.diagnostics.add("ONE116", message, place, help=partial(did_you_mean, tenant, listed, otherwise))
        return Overrides(stated(_mapping(value.get("overrides")), "overrides"), tenants)


def tenant_fault(name: str) -> str | None:
    """Why a tenant cannot have that name; None where it can. It is a file's name on every system, and stands in places
    (`settings/tenants/NAME.yml#/…`) and commands."""
    if not 1 <= len(name) <= 128 or len(name.encode("utf-8", "surrogatepass")) > 200:
        return "a name has 1 to 128 characters, and at most 200 bytes in UTF-8"
    if not name.isprintable() or name != name.strip():
        return "it has characters that are not printable, or begins or ends with a space"
    if name.startswith((".", "_")) or set(name) & set("/\\:#"):
        return "it begins with `.` or `_`, or has one of `/`, `\\`, `:` and `#`"
    if not unicodedata.is_normalized("NFC", name):
        return "it is not in Unicode's normal form NFC"
    return None


def _declaration(document: Document, domain: str, fields: dict[str, Any], *path: str | int) -> Declaration:
    key, provider = fields["key"], fields["provider"]
    place = document.place(*path, named=f"{key}/{provider}")
    fields = {name: _without_gaps(value) for name, value in fields.items()}
    places = {name: Place(f"{place.pointer}/{name}", document.place(*path, name).span) for name in fields}
    places["provider"] = Place(place.pointer, places["provider"].span)
    return Declaration(Key(domain, key), provider, fields["factory"], places["provider"], fields, places)


def _entry(document: Document, value: Any, *path: str) -> Entry:
    fields = _mapping(value)
    parts = _mapping(fields.get(PARTS))
    return Entry(
        document.place(*path, of_key=True),
        {name: _named(document, each, *path, name) for name, each in fields.items() if name != PARTS},
        {name: _entry(document, each, *path, PARTS, name) for name, each in parts.items()},
    )


def _named(document: Document, value: T, *path: str) -> Stated[T]:
    return Stated(value, document.place(*path), document.place(*path, of_key=True), partial(document.place, *path))


def _stated(document: Document, value: Mapping[str, Any], name: str) -> tuple[Stated[str], ...]:
    return tuple(Stated(item, document.place(name, index)) for index, item in _items(value.get(name)))


def _lacks_candidates(document: Document, depth: int) -> bool:
    """Whether something that is left out of the document may have declared a candidate."""
    if document.value is None:
        return document.broken
    return any(len(path) <= depth or path[depth] not in _NO_CANDIDATES for path in document.unread)


def _without_gaps(value: Value) -> Value:
    """A field of a component without the items, at any depth, that were left out for not fitting."""
    if isinstance(value, dict):
        return {name: _without_gaps(each) for name, each in value.items()}
    return [_without_gaps(each) for each in _list(value)] if isinstance(value, list) else value


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _mapping(value: Value) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: Value) -> Iterator[tuple[int, Any]]:
    """The items of a list by index, less those that were left out for not fitting."""
    return ((index, item) for index, item in enumerate(value if isinstance(value, list) else ()) if item is not None)


def _list(value: Value) -> list[Any]:
    return [item for _, item in _items(value)]


def _other_file(file: Path, known: Iterable[str]) -> str:
    near = file.stem if file.suffix == ".yaml" else nearest(file.stem, (name.removesuffix(".yml") for name in known))
    return f"did you mean `{near}.yml`?" if near else f"list `{file.stem}` under `domains` in settings/app.yml"
