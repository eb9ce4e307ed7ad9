"""The lock of the pinned manifests, format `oneiric.lock/1` (`schemas/lock.schema.json`).

It lies beside them and says of each source what was accepted: a compile uses no pinned byte that it does not name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from oneiric_compiler.settings.schema import validator

FORMAT = "oneiric.lock/1"
FOLDER = "manifests"
"""Where pinned manifests lie, below the output folder."""
NAME = "lock.json"
ARTIFACTS = "artifacts"
_TIMES = ("signed_at", "not_before", "expires_at")


class LockError(ValueError):
    """The text is not a lock of a format that this release reads; the message says why."""


@dataclass(frozen=True, slots=True)
class PinnedArtifact:
    """One artifact's bytes: their file (relative to the manifests' folder), where they came from, their number."""

    file: str
    uri: str
    size: int


@dataclass(frozen=True, slots=True)
class Pin:
    """What was accepted of one source: `digest` is the SHA-256 of the file's bytes; artifacts are by SHA-256."""

    address: str
    file: str
    version: int | None
    digest: str
    signers: tuple[str, ...]
    signed_at: datetime | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    artifacts: Mapping[str, PinnedArtifact] = field(default_factory=dict[str, PinnedArtifact])


@dataclass(frozen=True, slots=True)
class Lock:
    """The pins, by the name of their source."""

    sources: Mapping[str, Pin] = field(default_factory=dict[str, Pin])


def parse_lock(data: bytes) -> Lock:
    """The lock in a file's bytes. Raises `LockError`."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LockError("it is not JSON") from error
    facts = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    if facts.get("format") != FORMAT:
        raise LockError(f"it is not of the format {FORMAT}")
    if unfit := next(validator("lock").iter_errors(facts), None):
        raise LockError(f"{unfit.json_path[2:] or 'it'} is not as the schema of locks says")
    sources: dict[str, Any] = facts["sources"]
    return Lock({name: _pin(pin) for name, pin in sorted(sources.items())})


def render_lock(lock: Lock) -> bytes:
    """The lock's bytes: one fact a line, sorted."""
    sources = {name: _facts(pin) for name, pin in lock.sources.items()}
    return (json.dumps({"format": FORMAT, "sources": sources}, indent=1, sort_keys=True) + "\n").encode()


def render_time(time: datetime | None) -> str | None:
    """ISO 8601 in UTC, ending in `Z`."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _pin(facts: Mapping[str, Any]) -> Pin:
    return Pin(
        address=facts["address"],
        file=facts["file"],
        version=facts["version"],
        digest=facts["digest"],
        signers=tuple(facts["signers"]),
        **{name: _time(facts[name]) for name in _TIMES},
        artifacts={digest: PinnedArtifact(**each) for digest, each in sorted(facts["artifacts"].items())},
    )


def _facts(pin: Pin) -> dict[str, Any]:
    artifacts = {
        digest: {"file": each.file, "uri": each.uri, "size": each.size} for digest, each in pin.artifacts.items()
    }
    return {
        "address": pin.address,
        "file": pin.file,
        "version": pin.version,
        "digest": pin.digest,
        "signers": sorted(pin.signers),
        **{name: render_time(getattr(pin, name)) for name in _TIMES},
        "artifacts": artifacts,
    }


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise LockError(f"`{text}` is not a valid time") from error
    if render_time(time) != text:
        raise LockError(f"`{text}` is not written as a lock writes it")
    return time
