"""One sync: every source looked at, its manifest verified, its artifacts checked; then all of it pinned, or nothing.

A source that cannot be reached is not a failure of trust: an optional one keeps what is pinned of it. One whose
manifest or artifact is rejected is, optional or not, and then nothing is written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from oneiric.artifacts.contents import ArtifactError, inspect

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.manifests.document import is_json
from oneiric_compiler.manifests.entries import Artifact, read_entries
from oneiric_compiler.manifests.lock import ARTIFACTS, NAME, Lock, LockError, Pin, PinnedArtifact
from oneiric_compiler.manifests.pinned import policy_of
from oneiric_compiler.manifests.verify import (
    BadKey,
    Manifest,
    NotAManifest,
    Pinned,
    Policy,
    Rejected,
    verify,
)
from oneiric_compiler.model import Project, RemoteSource, Settings
from oneiric_compiler.remote.fetch import (
    Ask,
    Auth,
    Fetched,
    Fetcher,
    FetchError,
    MissingSecret,
    Unreachable,
    auth_for,
    joined,
    read_file,
)
from oneiric_compiler.remote.pins import Batch, Pins
from oneiric_compiler.remote.status import Look, Remembered, failure, now

Outcome: TypeAlias = Literal["pinned", "unchanged", "accepted", "kept", "unreachable", "rejected"]
"""`accepted`: would have been pinned, had the others been accepted; `kept`: unreachable, and what is pinned stays."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the look at one source: what may be pinned of it, or the rule that it failed by, why, and what to
    do. `tags` are the server's, of the bytes of `pin`."""

    outcome: Outcome
    pin: Pin | None
    rule: str = ""
    reason: str = ""
    help: str = ""
    tags: Fetched | None = None


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of a sync, by source; what is pinned now; whether anything on disk is another than before."""

    results: Mapping[str, Result]
    lock: Lock
    changed: bool
    ok: bool


async def sync(
    project: Project,
    settings: Settings,
    fetcher: Fetcher,
    remembered: Remembered,
    diagnostics: Diagnostics,
    *,
    only: Collection[str] | None = None,
) -> Synced:
    """Look at every source, or at `only` some, and pin what they have; the others keep what is pinned of them.

    What went wrong goes to `diagnostics`, the looks to `remembered`. Nothing that is pinned is removed.
    """
    pins = Pins(project.root, settings.app.output)
    lock = _lock(pins, diagnostics)
    if lock is None:
        return Synced({}, Lock(), False, False)
    sources = settings.remote.sources
    asked = [each for each in sources if only is None or each.name in only]
    with pins.batch() as stage:
        looks = [_Look(project, settings, each, lock, pins, stage, fetcher, remembered) for each in asked]
        try:
            found = await _all(look.result() for look in looks)
            results = {source.name: result for source, result in zip(asked, found, strict=True)}
            for source in asked:
                _tell(source, results[source.name], diagnostics)
            ok = all(each.outcome in ("accepted", "kept") for each in found)
            new = _lock_of(sources, results, lock) if ok else lock
            changed = ok and stage.commit(new)
        except OSError as error:
            tell_disk(error, pins.shown, diagnostics)
            return Synced({}, lock, False, False)
    if ok:
        results = {name: _settled(each, lock.sources.get(name)) for name, each in results.items()}
    remembered.sources = {each.name: look for each in sources if (look := remembered.sources.get(each.name))}
    for source in asked:
        before = remembered.sources.get(source.name)
        remembered.sources[source.name] = _seen(source, results[source.name], fetcher, before)
    return Synced(results, new, changed, ok)


async def _all(looks: Iterable[Awaitable[Result]]) -> list[Result]:
    """What came of each look, once all are over; only then the first error is raised."""
    found = await asyncio.gather(*looks, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if isinstance(each, Result)]


def tell_disk(error: OSError, shown: str, diagnostics: Diagnostics) -> None:
    """Report that a folder cannot be written."""
    help = "let the user who syncs read and write there, and check that there is room"
    message = f"{shown} cannot be written: {error.strerror or error}"
    diagnostics.add("ONE501", message, Span(Source(shown, "")), help=help)


def _lock(pins: Pins, diagnostics: Diagnostics) -> Lock | None:
    try:
        return pins.lock()
    except (LockError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        help = "restore it from version control: what it says keeps older manifests out"
        at = Span(Source(f"{pins.shown}/{NAME}", ""))
        diagnostics.add("ONE606", f"the lock cannot be read: {reason}", at, help=help)
        return None


def _lock_of(sources: Collection[RemoteSource], results: Mapping[str, Result], before: Lock) -> Lock:
    """What is pinned when the results are; of a source that was not asked, what was pinned before."""
    pins = {**before.sources, **{name: result.pin for name, result in results.items()}}
    return Lock({each.name: pin for each in sources if (pin := pins.get(each.name)) is not None})


def _tell(source: RemoteSource, result: Result, diagnostics: Diagnostics) -> None:
    if result.outcome == "rejected":
        message = f"`{source.name}` is rejected by the rule `{result.rule}`: {result.reason}"
        diagnostics.add("ONE622", message, source.place, help=result.help)
    elif result.rule == "secret":
        diagnostics.add("ONE623", f"`{source.name}`: {result.reason}", source.place, help=result.help)
    elif result.outcome == "unreachable":
        diagnostics.add("ONE620", f"`{source.name}` cannot be fetched: {result.reason}", source.place, help=result.help)
    elif result.outcome == "kept":
        stays = "what is pinned of it stays" if result.pin else "nothing is pinned of it yet"
        message = f"`{source.name}` cannot be fetched, and {stays}: {result.reason}"
        diagnostics.add("ONE621", message, source.place, help=result.help)


def _settled(result: Result, before: Pin | None) -> Result:
    """After all were accepted: whether what is pinned of a source is another now."""
    if result.outcome == "kept":
        return result
    return replace(result, outcome="unchanged" if result.pin == before else "pinned")


def _seen(source: RemoteSource, result: Result, fetcher: Fetcher, before: Look | None) -> Look:
    """The look to remember: tags only of bytes that are pinned."""
    failed = before.failure if before else None
    if result.rule != "breaker" or failed is None:  # else what made it open goes on
        failed = failure(result.rule, result.reason, failed) if result.rule else None
    breaker = "closed" if source.is_file else fetcher.breaker(source.address)
    if result.outcome in ("pinned", "unchanged") and result.pin and result.tags:
        tags = result.tags
        return Look(now(), result.outcome, failed, breaker, result.pin.digest, tags.etag, tags.last_modified)
    kept = before or Look("", "")
    return Look(now(), result.outcome, failed, breaker, kept.digest, kept.etag, kept.last_modified)


class _Look:
    """One source, from its address to what may be pinned of it."""

    def __init__(
        self,
        project: Project,
        settings: Settings,
        source: RemoteSource,
        lock: Lock,
        pins: Pins,
        stage: Batch,
        fetcher: Fetcher,
        remembered: Remembered,
    ) -> None:
        self.project, self.roots, self.source = project, settings.remote.roots, source
        self.pins, self.stage, self.fetcher = pins, stage, fetcher
        self.pin = lock.sources.get(source.name)
        self.before = remembered.sources.get(source.name)
        self.auth: Auth | None = None

    async def result(self) -> Result:
        """What came of it, with no secret in its words, whoever's they are.

        Raises `OSError` where what is staged cannot be written.
        """
        result = await self._result()
        if self.auth is None:
            return result
        return replace(result, reason=self.auth.hide(result.reason), help=self.auth.hide(result.help))

    async def _result(self) -> Result:
        try:
            return await self._accepted()
        except MissingSecret as error:
            help = "set it for the sync: it is sent to this source alone, and stored nowhere"
            return Result("unreachable", self.pin, "secret", str(error), help)
        except Unreachable as error:
            outcome: Outcome = "unreachable" if self.source.required else "kept"
            return Result(outcome, self.pin, error.rule, error.message, error.help)
        except FetchError as error:
            return self._rejected(error.rule, error.message, error.help)
        except NotAManifest as error:
            return self._rejected("not-a-manifest", str(error), "is this the address of the manifest?")
        except Rejected as error:
            return self._rejected(error.rule, error.message, error.help)
        except BadKey as error:
            return self._rejected("keys", str(error), "state another key in settings/remote.yml")
        except ArtifactError as error:
            return self._rejected("artifact", str(error), "its author publishes another, and signs again")

    def _rejected(self, rule: str, reason: str, help: str | None) -> Result:
        return Result("rejected", self.pin, rule, reason, help or "its author corrects it and signs it again")

    async def _accepted(self) -> Result:
        self.auth = self._auth()
        pinned = self.pins.bytes_of(self.pin.file, self.pin.digest) if self.pin else None
        fetched = await self._fetch(pinned)
        data = pinned if fetched.data is None else fetched.data
        assert data is not None  # nothing is asked conditionally without it
        manifest = await asyncio.to_thread(verify, data, self._policy())
        if pin := await asyncio.to_thread(self._pin_of, manifest):
            file, artifacts = pin.file, pin.artifacts
        else:
            file = f"{self.source.name}.{'json' if is_json(data) else 'yaml'}"
            artifacts = await self._artifacts(manifest)
        self.stage.put(file, data)
        return Result("accepted", _pin(self.source, file, manifest, artifacts), tags=fetched)

    def _pin_of(self, manifest: Manifest) -> Pin | None:
        """What the lock says, if it is of this very manifest and its artifacts are whole: its entries were accepted."""
        pin = self.pin
        if pin is None or pin.digest != manifest.digest or PurePosixPath(pin.file).stem != self.source.name:
            return None
        named = {str(each["sha256"]).lower() for each in manifest.entries if each.get("sha256") is not None}
        whole = named == {*pin.artifacts} and all(self._is_whole(*each) for each in pin.artifacts.items())
        return pin if whole else None

    def _is_whole(self, digest: str, pinned: PinnedArtifact) -> bool:
        """Whether an artifact lies where a runtime looks for it, a file with the bytes of its digest."""
        data = self.pins.bytes_of(pinned.file, digest)
        if data is None or (self.pins.folder / pinned.file).is_symlink():
            return False
        return (PurePosixPath(pinned.file).stem, pinned.size) == (digest, len(data))

    async def _artifacts(self, manifest: Manifest) -> dict[str, PinnedArtifact]:
        """The artifacts that entries name, by digest. Raises `Rejected` where an entry cannot be used."""
        entries, problems = await asyncio.to_thread(read_entries, manifest.entries)
        if problems:
            first, *others = problems
            more = f" (and {len(others)} more)" if others else ""
            raise Rejected("entries", first.message + more, first.help)
        artifacts = {each.artifact.digest: each.artifact for each in entries if each.artifact}
        return {digest: await self._artifact(each) for digest, each in sorted(artifacts.items())}

    def _auth(self) -> Auth | None:
        source = self.source
        if source.auth_header is None or source.auth_value is None or source.is_file:
            return None
        return auth_for(source.address, source.auth_header, source.auth_value, self.project.environ)

    async def _fetch(self, pinned: bytes | None) -> Fetched:
        """The manifest's bytes; none where the server says that they are those that are pinned."""
        source = self.source
        if source.is_file:
            return Fetched(await self._read(source.address, source.max_bytes))
        ask = self._ask(source.address, source.max_bytes, source.name)
        before, pin = self.before, self.pin
        if before and pin and pinned is not None and (before.digest, pin.address) == (pin.digest, source.address):
            ask = replace(ask, etag=before.etag, last_modified=before.last_modified)
        return await self.fetcher.fetch(ask)

    async def _artifact(self, artifact: Artifact) -> PinnedArtifact:
        """An artifact's bytes, pinned already or fetched, looked into and staged; only those of the digest count."""
        file = f"{ARTIFACTS}/{artifact.digest}{PurePosixPath(artifact.name).suffix}"
        data = await asyncio.to_thread(self.pins.bytes_of, file, artifact.digest)
        if data is None:
            data = await self._artifact_bytes(artifact)
            if hashlib.sha256(data).hexdigest() != artifact.digest:
                help = "it was changed after it was signed, or on its way; its author signs what is there"
                raise Rejected("digest", f"what `{artifact.uri}` holds is not what was signed", help)
        await asyncio.to_thread(inspect, artifact.name, data)
        self.stage.put(file, data)
        return PinnedArtifact(file, artifact.uri, len(data))

    async def _artifact_bytes(self, artifact: Artifact) -> bytes:
        """From an address relative to the manifest's; a manifest from elsewhere names no file of this machine."""
        source, limit = self.source, self.source.max_artifact_bytes
        if source.is_file and "://" not in artifact.uri:
            return await self._read(str(PurePosixPath(source.address).parent / artifact.uri), limit)
        address = artifact.uri if source.is_file else str(joined(source.address, artifact.uri))
        fetched = await self.fetcher.fetch(self._ask(address, limit, f"{source.name}: {artifact.name}"))
        assert fetched.data is not None  # nothing was asked conditionally
        return fetched.data

    async def _read(self, address: str, limit: int) -> bytes:
        return await asyncio.to_thread(read_file, self.project.root, self.roots, address, limit)

    def _ask(self, address: str, max_bytes: int, name: str) -> Ask:
        source = self.source
        return Ask(
            name=name,
            address=address,
            max_bytes=max_bytes,
            connect=source.connect,
            total=source.total,
            minimum_rate=source.minimum_rate,
            redirects=source.redirects,
            auth=self.auth,
        )

    def _policy(self) -> Policy:
        source, pin = self.source, self.pin
        after = Pinned(pin.version, pin.digest, pin.signers) if pin else None
        return policy_of(source, self.project.evaluated_at or datetime.now(UTC), after)


def _pin(source: RemoteSource, file: str, manifest: Manifest, artifacts: Mapping[str, PinnedArtifact]) -> Pin:
    return Pin(
        address=source.address,
        file=file,
        version=manifest.version,
        digest=manifest.digest,
        signers=manifest.signers,
        signed_at=manifest.signed_at,
        not_before=manifest.not_before,
        expires_at=manifest.expires_at,
        artifacts=artifacts,
    )
