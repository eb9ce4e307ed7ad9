"""Signing a manifest file: by one person after another, with nothing of it changed but what signing adds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from oneiric_compiler.manifests.document import (
    MAX_BYTES,
    MAX_ENTRIES,
    NotAManifest,
    Rejected,
    canonical,
    is_json,
    parse,
)
from oneiric_compiler.manifests.keys import BadKey, holds, public_of, read_public_key, read_signature, show_key
from oneiric_compiler.manifests.keys import signature_of as sign_bytes
from oneiric_compiler.manifests.verify import ALGORITHM, Policy, stated_signatures, verify
from oneiric_compiler.settings.documents import Value

_PLACED = ("version", "signed_at", "expires_at")
"""The fields that signing may set, in the order that they are added in."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed manifest. Of the signatures it had, by key: the `stale` are gone, the `unchecked` kept on trust."""

    data: bytes
    version: int | None
    expires_at: datetime | None
    stale: tuple[str, ...]
    unchecked: tuple[str, ...]


@dataclass(slots=True)
class _Others:
    """The signatures of other keys: those that stay, and what there is to tell of them."""

    kept: list[Value] = field(default_factory=list[Value])
    stale: list[str] = field(default_factory=list[str])
    unchecked: list[str] = field(default_factory=list[str])


def sign(
    data: bytes,
    seed: bytes,
    *,
    now: datetime,
    version: int | None = None,
    expires_at: datetime | None = None,
    max_bytes: int = MAX_BYTES,
    max_entries: int = MAX_ENTRIES,
) -> Signed:
    """The manifest in `data` with the signature of `seed`, in the form it had (JSON or YAML).

    The signatures of others stay while what they signed does; `signed_at` is set when none stays. `key_id` is the
    public key itself, so that the next signer can check. Raises `NotAManifest`, and `Rejected` where nobody could
    accept the result.
    """
    document = parse(data, max_bytes=max_bytes)
    wanted: dict[str, Value] = dict(document)
    if version is not None:
        wanted["version"] = version
    if expires_at is not None:
        wanted["expires_at"] = _shown(expires_at)
    public = public_of(seed)
    others = _others(document, public, changed=canonical(wanted) != canonical(document))
    if not others.kept:
        wanted["signed_at"] = _shown(now)
    own: Value = {
        "signature": show_key(sign_bytes(seed, canonical(wanted))),
        "algorithm": ALGORITHM,
        "key_id": show_key(public),
    }
    wanted.pop("signature", None)
    wanted.pop("signature_algorithm", None)
    wanted["signatures"] = [*others.kept, own]
    written = _written(data, document, wanted)
    policy = Policy(
        keys=(show_key(public),), now=now, unversioned=True, max_bytes=len(written), max_entries=max_entries
    )
    accepted = verify(written, policy)
    return Signed(written, accepted.version, accepted.expires_at, tuple(others.stale), tuple(others.unchecked))


def _others(document: Mapping[str, Value], own: bytes, *, changed: bool) -> _Others:
    others = _Others()
    signed = canonical(document)
    for each in stated_signatures(document):
        name = each.get("key_id")
        key = _key(name)
        signature = read_signature(str(each["signature"]))
        if key == own or (signature and holds(own, signature, signed)):
            continue
        shown = str(name) if name is not None else "a key that is not named"
        if changed or signature is None or (key and not holds(key, signature, signed)):
            others.stale.append(shown)
            continue
        others.kept.append({name: value for name, value in each.items() if value is not None})
        if key is None:
            others.unchecked.append(shown)
    return others


def _key(name: Value) -> bytes | None:
    try:
        return read_public_key(name) if isinstance(name, str) else None
    except BadKey:
        return None


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _written(data: bytes, document: Mapping[str, Value], wanted: Mapping[str, Value]) -> bytes:
    if is_json(data):
        return (json.dumps(wanted, indent=2, ensure_ascii=False) + "\n").encode()
    edited = _edited(data.decode("utf-8-sig"), document, wanted).encode()
    if _reads_as(edited, wanted):
        return edited
    dumped: str = yaml.safe_dump(dict(wanted), sort_keys=False, width=120)
    if _reads_as(dumped.encode(), wanted):
        return dumped.encode()
    raise Rejected("form", "a YAML document that cannot be written as it is read", "write it as JSON")


def _reads_as(data: bytes, wanted: Mapping[str, Value]) -> bool:
    try:
        read = parse(data, max_bytes=len(data))
    except (NotAManifest, Rejected):
        return False
    return canonical(read) == canonical(wanted) and read["signatures"] == wanted["signatures"]


def _edited(text: str, document: Mapping[str, Value], wanted: Mapping[str, Value]) -> str:
    """The lines of a YAML text with those of changed fields replaced, the signatures last; comments stay."""
    lines = text.splitlines(keepends=True)
    changed = {name: _line(name, wanted[name]) for name in _PLACED if wanted.get(name) != document.get(name)}
    for name, first, end in reversed(list(_stretches(text))):
        if name in changed:
            lines[first:end] = [changed.pop(name)]
        elif name in ("signature", "signature_algorithm", "signatures"):
            del lines[first:end]
    if lines and not lines[-1].endswith("\n"):
        lines.append("\n")
    listed: Any = wanted["signatures"]
    lines.extend(changed.values())
    lines.append("signatures:\n")
    for each in listed:
        fields = [f"{_quoted(name)}: {_quoted(value)}\n" for name, value in each.items()]
        lines.extend(f"{'    ' if number else '  - '}{line}" for number, line in enumerate(fields))
    return "".join(lines)


def _stretches(text: str) -> Iterator[tuple[str, int, int]]:
    """Each top-level key with the lines that it and its value take: the first, and the one after the last."""
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            yield str(key.value), key.start_mark.line, _end(value)


def _end(node: Any) -> int:
    """The line after a node's last; a collection in lines ends with what is last in it."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        mark = node.end_mark
        return int(mark.line) + (1 if mark.column else 0)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _line(name: str, value: Value) -> str:
    return f"{name}: {_quoted(value)}\n"


def _quoted(value: Value) -> str:
    """JSON, which YAML reads as the same; names that need no quotes have none."""
    if isinstance(value, str) and value.isidentifier() and value in ("signature", "algorithm", "key_id", ALGORITHM):
        return value
    return json.dumps(value, ensure_ascii=False)
