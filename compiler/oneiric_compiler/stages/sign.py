"""Signatures of wirings: `wiring.sig` beside each, which production can insist on (see `oneiric.trust.signature`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from oneiric.lines import generation_of
from oneiric.trust.signature import MAX_SERIAL, NAME, WITHOUT_SERIAL, Signed, parse

from oneiric_compiler.manifests.keys import BadKey, public_of, read_public_key, show_key, signature_of
from oneiric_compiler.model import Outputs


class BadSerial(ValueError):
    """A serial that the folders of runtimes would refuse."""


class Signer(NamedTuple):
    """A private key, and the serial that it signs (None: the one that follows from what is committed)."""

    seed: bytes
    serial: int | None = None


def signed(outputs: Outputs, signer: Signer | None = None) -> Outputs:
    """The outputs with the signatures on disk that are still of them, and with that of a private key.

    A signature of another wiring is left out, one of the same wiring by another key stays. Where there was a file of
    signatures there is one, since it has the serial. Raises `BadSerial`.
    """
    profiles: dict[str, tuple[str, dict[str, bytes]]] = {}
    for profile, (folder, files) in outputs.profiles.items():
        found = _found(outputs.root / folder)
        if found is None and signer is None:
            profiles[profile] = folder, files
            continue
        own = _own(files, profile, found)
        if signer is not None:
            own = _by(signer, own, found, f"{folder}/{NAME}")
        profiles[profile] = folder, {**files, NAME: _rendered(own)}
    return replace(outputs, profiles=profiles)


def _own(files: Mapping[str, bytes], profile: str, found: Signed | None) -> Signed:
    """What to write beside a wiring: the signatures that were found, where they hold, else its serial alone."""
    app: str = json.loads(files["explain.json"])["app"]
    generation = generation_of(files["wiring.py"], files.get("tenants.jsonl", b""))
    own = Signed(app, profile, generation, found.serial if found else 0, {})
    return found if found is not None and _fits(found, own) else own


def _by(signer: Signer, own: Signed, found: Signed | None, place: str) -> Signed:
    """Signed by a key as well: under the same serial while it is the same wiring, else under the next."""
    same = bool(own.signatures) and own.format != WITHOUT_SERIAL
    serial = own.serial if same else own.serial + 1
    if signer.serial is not None:
        least = serial if same or found is not None else 0
        if signer.serial < least:
            raise BadSerial(f"{place} has serial {own.serial}: {signer.serial} is too low, {least} is the least")
        serial = signer.serial
    if serial > MAX_SERIAL:
        raise BadSerial(f"{place}: the highest serial is {MAX_SERIAL}, there is none after it")
    own = Signed(own.app, own.profile, own.generation, serial, own.signatures if same and serial == own.serial else {})
    signature = show_key(signature_of(signer.seed, own.signed()))
    return own._replace(signatures={**own.signatures, show_key(public_of(signer.seed)): signature})


def _found(folder: Path) -> Signed | None:
    """What the file of signatures says; of one that cannot be used, as after a merge, the highest serial in it."""
    try:
        data = (folder / NAME).read_bytes()
    except OSError:
        return None
    try:
        return parse(data)
    except ValueError:
        serials = (int(text) for text in re.findall(rb'"serial": ?([0-9]{1,16})\b', data))
        return Signed("", "", "", max((each for each in serials if each <= MAX_SERIAL), default=0), {})


def _fits(found: Signed, own: Signed) -> bool:
    """Whether every signature is one of this wiring, by the key that it names."""
    if found._replace(signatures={}, format=own.format) != own:
        return False
    try:
        return all(found.by(read_public_key(key)) for key in found.signatures)
    except BadKey:
        return False


def _rendered(signed: Signed) -> bytes:
    signatures = [{"key": key, "signature": text} for key, text in sorted(signed.signatures.items())]
    return (json.dumps({**signed.head(), "signatures": signatures}, indent=1) + "\n").encode("ascii")
