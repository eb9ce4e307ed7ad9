"""The manifests that a compile reads: the pinned copies, held against their lock and verified again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Source, Span
from oneiric_compiler.manifests.document import NotAManifest
from oneiric_compiler.manifests.entries import Artifact, Entry, Problem, read_entries
from oneiric_compiler.manifests.lock import FOLDER, NAME, Lock, LockError, Pin, parse_lock, render_time
from oneiric_compiler.manifests.verify import BadKey, Manifest, Pinned, Policy, Rejected, verify
from oneiric_compiler.model import Evidence, Project, RemoteSource, Settings
from oneiric_compiler.settings.documents import Document, read_document

WARN_AHEAD = timedelta(days=14)
"""How long before a manifest expires a compile begins to tell."""
_SYNC = "run `oneiric remote-sync` and commit what it pins"


@dataclass(frozen=True)
class PinnedManifest:
    """A source's manifest as it is pinned in `folder`, which places call `shown`."""

    source: RemoteSource
    pin: Pin
    trust: Evidence
    entries: tuple[Entry, ...]
    folder: Path
    shown: str

    def place(self, entry: Entry) -> Place:
        """Where an entry stands, by its key and provider."""
        pointer = f"{self.shown}/{self.pin.file}#/entries/{entry.key}~1{entry.provider}"
        return Place(pointer, self._span)

    @cached_property
    def _span(self) -> Span:
        return Span(Source(f"{self.shown}/{self.pin.file}", ""))

    def artifact(self, artifact: Artifact, diagnostics: Diagnostics) -> bytes | None:
        """The artifact's pinned bytes, when they are those of its digest."""
        pinned = self.pin.artifacts.get(artifact.digest)
        if pinned is None:
            message, at = f"`{artifact.name}` of `{self.source.name}` is not pinned", self._span
            diagnostics.add("ONE611", message, at, help=_SYNC)
            return None
        shown = f"{self.shown}/{pinned.file}"
        data = _read(self.folder / pinned.file, shown, self.source.max_artifact_bytes, "ONE611", diagnostics)
        if data is None or (hashlib.sha256(data).hexdigest() == artifact.digest and len(data) == pinned.size):
            return data
        message = f"the bytes pinned for `{artifact.name}` are not those of its digest, or not as many as the lock says"
        diagnostics.add("ONE611", message, Span(Source(shown, "")), help=_SYNC)
        return None


def read_pinned(project: Project, settings: Settings, diagnostics: Diagnostics) -> Iterator[PinnedManifest]:
    """The verified manifest of each source, in order; a source whose manifest cannot be used is reported."""
    shown = f"{settings.app.output}/{FOLDER}"
    folder = project.root / shown
    lock = _lock(folder, shown, diagnostics)
    if lock is None:
        return
    now = project.evaluated_at or datetime.now(UTC)
    for source in settings.remote.sources:
        pin = lock.sources.get(source.name)
        if pin is None:
            if not settings.incomplete:
                _tell_unpinned(source, diagnostics)
            continue
        at = Span(Source(f"{shown}/{pin.file}", ""))
        data = _read(folder / pin.file, at.source.path, source.max_bytes, "ONE606", diagnostics)
        manifest = None if data is None else _verified(data, source, pin, now, at, diagnostics)
        if manifest is None:
            continue
        entries, problems = read_entries(manifest.entries)
        if problems:
            _tell_problems(folder / pin.file, at.source.path, problems, diagnostics)
            continue
        _tell_unserved(entries, source, folder / pin.file, at.source.path, diagnostics)
        _tell_expiry(manifest, source, project.valid_until or now + WARN_AHEAD, at, diagnostics)
        expires = render_time(manifest.expires_at)
        trust = Evidence(source.name, manifest.version, manifest.digest, manifest.signers, expires)
        yield PinnedManifest(source, pin, trust, entries, folder, shown)


def policy_of(source: RemoteSource, now: datetime, after: Pinned | None = None) -> Policy:
    """What is asked of a source's manifests; `after` is what was last pinned."""
    return Policy(
        keys=source.keys,
        threshold=source.threshold,
        source=source.name,
        unversioned=source.unversioned,
        after=after,
        now=now,
        max_bytes=source.max_bytes,
        max_entries=source.max_entries,
        max_depth=source.max_depth,
    )


def _lock(folder: Path, shown: str, diagnostics: Diagnostics) -> Lock | None:
    place = Span(Source(f"{shown}/{NAME}", ""))
    if not (folder / NAME).exists():
        return Lock()
    data = _read(folder / NAME, place.source.path, None, "ONE606", diagnostics)
    try:
        return None if data is None else parse_lock(data)
    except LockError as error:
        diagnostics.add("ONE606", f"the lock cannot be read: {error}", place, help=_SYNC)
        return None


def _verified(
    data: bytes, source: RemoteSource, pin: Pin, now: datetime, at: Span, diagnostics: Diagnostics
) -> Manifest | None:
    policy = policy_of(source, now)
    try:
        manifest = verify(data, policy)
    except NotAManifest as error:
        diagnostics.add("ONE607", f"what is pinned of `{source.name}` is not a manifest: {error}", at, help=_SYNC)
        return None
    except Rejected as error:
        code = "ONE608" if error.rule == "expired" else "ONE607"
        message = f"the manifest of `{source.name}` is rejected by the rule `{error.rule}`: {error.message}"
        diagnostics.add(code, message, at, help=error.help or _SYNC)
        return None
    wrong = _differs(source, pin, manifest)
    if wrong is None and pin.signers != manifest.signers and not _signed_by(data, pin.signers, policy):
        wrong = "signer"
    if wrong:
        message = f"the lock says another {wrong} of `{source.name}` than what is pinned and stated"
        diagnostics.add("ONE606", message, at, help=_SYNC)
        return None
    return manifest


def _differs(source: RemoteSource, pin: Pin, manifest: Manifest) -> str | None:
    """What the lock says that is not so."""
    stem, _, _ = pin.file.rpartition(".")
    agrees = {
        "file": stem == source.name,
        "address": pin.address == source.address,
        "digest": pin.digest == manifest.digest,
        "version": pin.version == manifest.version,
        "time of signing": pin.signed_at == manifest.signed_at,
        "begin": pin.not_before == manifest.not_before,
        "expiry": pin.expires_at == manifest.expires_at,
    }
    return next((name for name, same in agrees.items() if not same), None)


def _signed_by(data: bytes, signers: tuple[str, ...], policy: Policy) -> bool:
    """Whether all of these signed it, of whom some may not be trusted any more."""
    try:
        verify(data, replace(policy, keys=signers, threshold=len(signers)))
    except (Rejected, BadKey):
        return False
    return True


def _tell_unpinned(source: RemoteSource, diagnostics: Diagnostics) -> None:
    message = f"nothing is pinned of the source `{source.name}`"
    diagnostics.add("ONE604" if source.required else "ONE605", message, source.place, help=_SYNC)


def _tell_problems(path: Path, shown: str, problems: tuple[Problem, ...], diagnostics: Diagnostics) -> None:
    """At their lines: the document is read for these a second time, as settings are."""
    document = read_document(path, shown, Diagnostics()) or Document(Source(shown, ""))
    for problem in problems:
        help = f"{problem.help}; its author corrects and signs it again"
        diagnostics.add("ONE610", problem.message, document.place(*problem.path), help=help)


def _tell_unserved(
    entries: tuple[Entry, ...], source: RemoteSource, path: Path, shown: str, diagnostics: Diagnostics
) -> None:
    """What entries state that has no effect, each field once, at the first entry that states it."""
    unserved = {name: entry for entry in reversed(entries) for name in entry.said.unserved}
    document = read_document(path, shown, Diagnostics()) if unserved else None
    for name, first in sorted(unserved.items()):
        others = sum(name in entry.said.unserved for entry in entries) - 1
        more = f", nor in {others} more of `{source.name}`" if others else f" of `{source.name}`"
        message = f"`{name}` has no effect in entry {first.index} ({first.key}/{first.provider}){more}"
        place = (
            document.place("entries", first.index, name.partition(".")[0], of_key=True)
            if document
            else Span(Source(shown, ""))
        )
        diagnostics.add("ONE613", message, place, help="do not rely on it: state in settings what it is meant to do")


def _tell_expiry(manifest: Manifest, source: RemoteSource, until: datetime, at: Span, diagnostics: Diagnostics) -> None:
    if manifest.expires_at is not None and manifest.expires_at < until:
        message = f"the manifest of `{source.name}` expires at {render_time(manifest.expires_at)}"
        diagnostics.add("ONE609", message, at, help="run `oneiric remote-sync` once its author has signed a new one")


def _read(path: Path, shown: str, limit: int | None, code: str, diagnostics: Diagnostics) -> bytes | None:
    """A pinned file's bytes: no more than one above the limit, which tells that there are too many."""
    try:
        with path.open("rb") as stream:
            return stream.read() if limit is None else stream.read(limit + 1)
    except OSError as error:
        message = f"{shown} cannot be read: {error.strerror}"
        diagnostics.add(code, message, Span(Source(shown, "")), help=_SYNC)
        return None
