"""Whether a manifest may be used: `verify` reads as the list of rules, each of which names itself when it rejects.

Sources: upstream's signing rules, 2 to 5; for versions, expiry and rotation, The Update Framework 1.0.33, section 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from oneiric_compiler.manifests.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ENTRIES,
    NotAManifest,
    Rejected,
    canonical,
    parse,
)
from oneiric_compiler.manifests.keys import BadKey, holds, read_public_key, read_signature, show_key
from oneiric_compiler.settings.documents import Value

__all__ = ["BadKey", "Manifest", "NotAManifest", "Pinned", "Policy", "Rejected", "verify"]

ALGORITHM = "ed25519"
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of this clock a signer's may be."""
MAX_SIGNATURES = 64
MAX_VERSION = 2**53 - 1
"""The largest integer that every JSON reader takes for itself."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What was last accepted of the source, as `Manifest` had it."""

    version: int | None
    digest: str
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a manifest. `keys` are base64 of 32 bytes; `source` None: any; `now` is aware."""

    keys: tuple[str, ...]
    now: datetime
    threshold: int = 1
    source: str | None = None
    unversioned: bool = False
    after: Pinned | None = None
    max_bytes: int = MAX_BYTES
    max_entries: int = MAX_ENTRIES
    max_depth: int = MAX_DEPTH


@dataclass(frozen=True, slots=True)
class Manifest:
    """A verified manifest. `digest` is the SHA-256 of its bytes; `signers` the trusted keys that signed it, sorted."""

    source: str
    entries: tuple[Mapping[str, Any], ...]
    version: int | None
    digest: str
    signers: tuple[str, ...]
    signed_at: datetime | None
    not_before: datetime | None
    expires_at: datetime | None


def verify(data: bytes, policy: Policy) -> Manifest:
    """The manifest in `data`, which no rule of the policy rejects.

    Raises `NotAManifest`, `Rejected`, and `BadKey` for a key of the policy that is none.
    """
    document = parse(data, max_bytes=policy.max_bytes, max_depth=policy.max_depth)
    entries = _entries(document, policy.max_entries)
    signers = _signers(document, policy)
    signed_at, not_before, expires_at = (_time(document, name) for name in ("signed_at", "not_before", "expires_at"))
    version = _version(document, unversioned=policy.unversioned)
    digest = hashlib.sha256(data).hexdigest()
    source = _source(document, policy.source)
    if signed_at and signed_at > policy.now + CLOCK_TOLERANCE:
        raise Rejected("signed-at", f"signed in the future, at {signed_at.isoformat()}", "check the clocks")
    if not_before and policy.now < not_before:
        raise Rejected("not-yet-valid", f"valid from {not_before.isoformat()}")
    if expires_at and policy.now >= expires_at:
        raise Rejected("expired", f"expired at {expires_at.isoformat()}", "its source signs a new one")
    if policy.after and not _rotated(policy.after, policy):
        _grows(policy.after, version, digest)
    return Manifest(source, entries, version, digest, signers, signed_at, not_before, expires_at)


def _entries(document: Mapping[str, Value], limit: int) -> tuple[Mapping[str, Any], ...]:
    found = document.get("entries")
    if not isinstance(found, list):
        raise NotAManifest("it has no list of `entries`")
    if len(found) > limit:
        raise Rejected("limits", f"{len(found)} entries, of at most {limit}", "raise `caps` in settings/remote.yml")
    entries = tuple(each for each in found if isinstance(each, dict))
    if len(entries) < len(found):
        raise Rejected("form", "an entry that is not a mapping")
    return entries


def _signers(document: Mapping[str, Value], policy: Policy) -> tuple[str, ...]:
    """Distinct trusted keys with a signature over the canonical form; too few are rejected."""
    stated = stated_signatures(document)
    if not stated:
        raise Rejected("signature", "it is not signed", "`oneiric manifest sign` signs one")
    usual = [each for each in stated if each.get("algorithm") in (None, ALGORITHM)]
    if not usual:
        raise Rejected("signature", f"signed by another algorithm than {ALGORITHM}")
    signatures = [each for each in (read_signature(str(each["signature"])) for each in usual) if each]
    trusted = {read_public_key(key) for key in policy.keys}
    signed = canonical(document)
    found = {key for key in trusted if any(holds(key, each, signed) for each in signatures)}
    if not found:
        help = "its bytes were changed, or another key signed them"
        raise Rejected("signature", "no signature of a trusted key holds", help)
    if len(found) < policy.threshold:
        message = f"signed by {len(found)} of the trusted keys, of at least {policy.threshold}"
        raise Rejected("threshold", message, "each key counts once, however often it signed")
    return tuple(sorted(show_key(key) for key in found))


def stated_signatures(document: Mapping[str, Value]) -> list[dict[str, Value]]:
    """What a document states as signatures, each a mapping with a `signature` that is text."""
    stated = document.get("signatures")
    listed: list[Value] = [] if stated is None else stated if isinstance(stated, list) else [stated]
    if document.get("signature") is not None:
        listed = [{"signature": document["signature"], "algorithm": document.get("signature_algorithm")}, *listed]
    if len(listed) > MAX_SIGNATURES:
        raise Rejected("limits", f"{len(listed)} signatures, of at most {MAX_SIGNATURES}")
    found = [each for each in listed if isinstance(each, dict) and isinstance(each.get("signature"), str)]
    if len(found) < len(listed):
        raise Rejected("form", "a signature that is not a mapping with the text of one")
    return found


def _time(document: Mapping[str, Value], name: str) -> datetime | None:
    """An ISO 8601 time; one without an offset is in UTC."""
    stated = document.get(name)
    if stated is None:
        return None
    try:
        time = datetime.fromisoformat(stated if isinstance(stated, str) else "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Rejected("form", f"`{name}` is not a valid time", 'ISO 8601, such as "2027-01-31T12:00:00Z"') from error


def _version(document: Mapping[str, Value], *, unversioned: bool) -> int | None:
    version = document.get("version")
    if version is None:
        if unversioned:
            return None
        help = "an older one could be replayed unnoticed; `unversioned: true` in settings/remote.yml accepts that"
        raise Rejected("version", "it has no `version`", help)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= MAX_VERSION:
        raise Rejected("version", f"`version` is not an integer from 0 to {MAX_VERSION}")
    return version


def _source(document: Mapping[str, Value], wanted: str | None) -> str:
    source = document.get("source")
    if wanted is None and source is None:
        return ""
    if not isinstance(source, str):
        raise Rejected("source", "it does not name its `source`")
    if wanted is not None and source != wanted:
        raise Rejected("source", f"it is of the source `{source[:60]}`, not `{wanted}`")
    return source


def _rotated(after: Pinned, policy: Policy) -> bool:
    """Whether no signer of the last one is trusted any more: then what it said of versions is not either."""
    trusted = {show_key(read_public_key(key)) for key in policy.keys}
    return bool(after.signers) and trusted.isdisjoint(after.signers)


def _grows(after: Pinned, version: int | None, digest: str) -> None:
    if after.version is None or digest == after.digest:
        return
    if version is None:
        raise Rejected("version", f"it has no `version`, and {after.version} was accepted before")
    if version < after.version:
        help = "an older one replayed? After a key's compromise, trusting other keys starts again"
        raise Rejected("version", f"version {version}, and {after.version} was accepted before", help)
    if version == after.version:
        raise Rejected("version", f"another content of version {version}", "its source counts `version` up")
