"""What verified manifests offer to a compile: each entry as a declaration, with all that holds or bars it."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from oneiric.artifacts.contents import ArtifactError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Source, Span, nearest
from oneiric_compiler.manifests.archives import Archive, open_archive
from oneiric_compiler.manifests.entries import Artifact, Entry
from oneiric_compiler.manifests.pinned import PinnedManifest
from oneiric_compiler.manifests.saying import Saying, saying
from oneiric_compiler.model import DECLARED, Declaration, Evidence, Key, RemoteSource
from oneiric_compiler.release import __version__
from oneiric_compiler.settings.documents import Value
from oneiric_compiler.source.modules import Sources
from oneiric_compiler.tables.tiers import Filter

_OTHER_RELEASES = """
    __main__ aifc annotationlib asynchat asyncore audioop binhex cgi cgitb chunk compression crypt distutils formatter
    imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu
    xdrlib
"""
"""Modules of the standard library before or after this release: what is refused does not depend on who compiles."""
STANDARD = frozenset(sys.stdlib_module_names).union(_OTHER_RELEASES.split())

_MARKERS = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release", "extra"),
    *("platform_system", "platform_version", "python_version", "python_full_version", "implementation_name"),
    "implementation_version",
)
_MARKER = re.compile(rf"\b(?:{'|'.join(_MARKERS)})\b")

Barred: TypeAlias = "tuple[Filter, tuple[Value, Value]]"


@dataclass(frozen=True, slots=True)
class Offer:
    """An entry as a declaration. `barred` when it may not take part."""

    source: RemoteSource
    trust: Evidence
    declaration: Declaration
    artifact: str | None
    barred: Barred | None
    saying: Saying


@dataclass(frozen=True, slots=True)
class _Read:
    manifest: PinnedManifest
    entry: Entry
    archive: Archive | None
    barred: Barred | None

    @property
    def place(self) -> Place:
        return self.manifest.place(self.entry)


@dataclass(slots=True)
class Offers:
    """Reads manifests in registration order. `incomplete` when some of what they offer may be missing."""

    sources: Sources
    domains: Collection[str]
    plugins: Mapping[str, str]
    target: Mapping[str, str]
    diagnostics: Diagnostics
    incomplete: bool = False
    _archives: dict[str, Archive | None] = field(default_factory=dict[str, Archive | None])

    def of(self, manifests: Sequence[PinnedManifest]) -> Iterator[Offer]:
        """Every entry of every manifest; the modules of the artifacts that they use are found in the sources then."""
        allowed = [self._allowed(each, entry) for each in manifests for entry in each.entries]
        versions = _versions(self.plugins, (each.archive for each in allowed if not each.barred))
        read = [
            _Read(each.manifest, each.entry, each.archive, each.barred or _unmet(each.entry, versions, self.target))
            for each in allowed
        ]
        used = _used(each for each in read if not each.barred)
        if not self._are_distinct(used):
            self.incomplete = True
            return
        for archive, _ in used:
            self.sources.add(archive.root)
        owned = {module: archive for archive, _ in used for module in archive.modules}
        for each in read:
            if not each.barred and not self._is_usable(each, owned):
                self.incomplete = True
                continue
            has_artifact = each.entry.artifact and not each.entry.said.workflow
            artifact = str(each.entry.artifact) if has_artifact else None
            found = saying(each.entry.said, each.place, each.manifest.source.ceilings["priority"])
            yield Offer(each.manifest.source, each.manifest.trust, _declaration(each), artifact, each.barred, found)

    def _allowed(self, manifest: PinnedManifest, entry: Entry) -> _Read:
        """The entry; barred when its factory, or a module of its artifact, is none that the source may bring."""
        allow = manifest.source.allow
        compared: list[Value] = [*allow]
        if not _within(entry.module, allow):
            return _Read(manifest, entry, None, ("allowlist", (entry.module, compared)))
        archive = self._archive(manifest, entry.artifact) if entry.artifact else None
        tops = {prefix.partition(".")[0] for prefix in allow}
        beside: list[Value] = [*sorted(archive.modules - tops)] if archive else []
        barred: Barred | None = ("allowlist", (beside, compared)) if beside else _overreaching(manifest, entry)
        return _Read(manifest, entry, archive, barred)

    def _archive(self, manifest: PinnedManifest, artifact: Artifact) -> Archive | None:
        """The artifact, read once, whichever addresses it has."""
        if str(artifact) not in self._archives:
            self._archives[str(artifact)] = self._opened(manifest, artifact)
        return self._archives[str(artifact)]

    def _opened(self, manifest: PinnedManifest, artifact: Artifact) -> Archive | None:
        data = manifest.artifact(artifact, self.diagnostics)
        if data is None:
            return None
        shown = f"{manifest.shown}/{manifest.pin.artifacts[artifact.digest].file}"
        try:
            return open_archive(artifact, data, shown)
        except ArtifactError as error:
            message = f"an artifact of `{manifest.source.name}` cannot be used: {error}"
            help = "its author makes it a pure-Python wheel or a single module"
            self.diagnostics.add("ONE611", message, Span(Source(shown, "")), help=help)
            return None

    def _are_distinct(self, used: Sequence[tuple[Archive, Place]]) -> bool:
        """Whether no module is in two places: whichever were read, the other might be what runs."""
        found: list[tuple[str, str, Place]] = []
        owners: dict[str, Archive] = {}
        for archive, place in used:
            for name in archive.names:
                if (other := owners.setdefault(name, archive)) is not archive:
                    message = f"{name} is in two artifacts, {other.artifact} and {archive.artifact}"
                    found.append((message, "let the sources agree, or take one of them out", place))
            for module in filter(self.sources.exists, sorted(archive.modules)):
                message = f"the module `{module}` is in the artifact {archive.artifact.name}, and outside of it"
                found.append((message, "rename yours, or do not allow the artifact's", place))
        for message, help, place in found:
            self.diagnostics.add("ONE612", message, place, help=f"only one can be on a path: {help}")
        return not found

    def _is_usable(self, read: _Read, owned: Mapping[str, Archive]) -> bool:
        """Whether its domain is one of the project, and its factory where it says."""
        entry, top = read.entry, read.entry.module.partition(".")[0]
        if entry.domain not in self.domains:
            message = f"`{entry.domain}` of {entry.key}/{entry.provider} is not a domain"
            near = partial(_other_domain, entry.domain, self.domains)
            self.diagnostics.add("ONE610", message, read.place, help=near)
            return False
        misplaced: str | None = None
        if entry.artifact is None and top in owned:
            misplaced = f"is in the artifact {owned[top].artifact.name}, which its entry does not name"
        elif read.archive and top not in read.archive.modules:
            misplaced = f"is not in its artifact {read.archive.artifact.name}"
        if misplaced:
            message = f"`{entry.factory}` of {entry.key}/{entry.provider} {misplaced}"
            help = "the manifest's author names the artifact that the factory is in"
            self.diagnostics.add("ONE206", message, read.place, help=help)
        return misplaced is None and (entry.artifact is None or read.archive is not None)


def _used(read: Iterable[_Read]) -> list[tuple[Archive, Place]]:
    """Each archive once, with the place of the first entry that is in it."""
    found: dict[str, tuple[Archive, Place]] = {}
    for each in read:
        if each.archive is not None:
            found.setdefault(str(each.archive.artifact), (each.archive, each.place))
    return list(found.values())


def _within(module: str, allow: Iterable[str]) -> bool:
    """Whether a module lies in one of the prefixes; none of the standard library does."""
    if module.partition(".")[0] in STANDARD:
        return False
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in allow)


def _versions(plugins: Mapping[str, str], archives: Iterable[Archive | None]) -> dict[str, Version]:
    """The distributions whose versions a compile knows: oneiric, the listed plugins, the artifacts."""
    stated = {"oneiric": __version__, **plugins}
    known = {str(canonicalize_name(name)): Version(version) for name, version in stated.items()}
    found = [each for each in archives if each is not None]
    return known | {each.distribution: each.version for each in found if each.distribution and each.version}


def target_markers(python: str | None, os: str | None) -> dict[str, str]:
    """What is known of the markers of requirements (PEP 508) on the target; never what the compiling machine has."""
    known = {"extra": "", "implementation_name": "cpython", "platform_python_implementation": "CPython"}
    if python is not None:
        known["python_version"] = ".".join(python.split(".")[:2])
    if python is not None and python.count(".") == 2:
        known["python_full_version"] = python
    if os is not None:
        known |= {"sys_platform": {"windows": "win32"}.get(os, os), "platform_system": os.capitalize()}
        known["os_name"] = "nt" if os == "windows" else "posix"
    return known


def _applies(requirement: Requirement, target: Mapping[str, str]) -> bool:
    """Whether a requirement counts on the target: where its marker asks for more than is known, it does."""
    marker = requirement.marker
    if marker is None or not target.keys() >= set(_MARKER.findall(str(marker))):
        return True
    return marker.evaluate({**dict.fromkeys(_MARKERS, ""), **target})


def _unmet(entry: Entry, versions: Mapping[str, Version], target: Mapping[str, str]) -> Barred | None:
    """The first requirement that is not met, with what is there of it; extras are not looked at."""
    for wanted in entry.requires:
        version = versions.get(str(canonicalize_name(wanted.name)))
        if _applies(wanted, target) and (version is None or not wanted.specifier.contains(version, prereleases=True)):
            return "requires", (str(wanted), str(version) if version else None)
    for other in entry.conflicts_with:
        version = versions.get(str(canonicalize_name(other.name)))
        if version is not None and _applies(other, target) and other.specifier.contains(version, prereleases=True):
            return "conflicts", (str(other), str(version))
    return None


def _overreaching(manifest: PinnedManifest, entry: Entry) -> Barred | None:
    """What an entry calls that its source neither offers nor may call, else the topics that it may not be told of."""
    source = manifest.source
    own = {f"{each.domain}:{each.key}" for each in manifest.entries}
    called = [node["call"] for node in (entry.said.workflow or {"nodes": {}})["nodes"].values()]
    beside = [each for each in called if each not in own and not _matched(each, source.calls)]
    if beside:
        return "allowlist", ([*dict.fromkeys(beside)], [*source.calls])
    told = [each for each in (entry.said.subscription or {"topics": ()})["topics"] if not _matched(each, source.topics)]
    return ("allowlist", (told, [*source.topics])) if told else None


def _matched(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name, or all that a pattern matches, is matched by one of the patterns."""
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in patterns)


def _declaration(read: _Read) -> Declaration:
    entry, place = read.entry, read.place
    places = {name: Place(f"{place.pointer}/{name}", place.span) for name in (*entry.fields, "factory", "provider")}
    factory = DECLARED[1] if entry.said.workflow else entry.factory
    return Declaration(Key(entry.domain, entry.key), entry.provider, factory, place, entry.fields, places)


def _other_domain(domain: str, domains: Iterable[str]) -> str:
    near = nearest(domain, domains)
    custom = "list a custom domain under `domains` in settings/app.yml"
    return f"did you mean `{near}`? Else {custom}" if near else custom
