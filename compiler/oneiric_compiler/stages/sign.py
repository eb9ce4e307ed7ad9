"""Signatures of wirings: `wiring.sig` beside each, which production can insist on (see `oneiric.trust.signature`)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from oneiric.lines import generation_of
from oneiric.trust.signature import FORMAT, NAME, Signed, parse, signed_bytes

from oneiric_compiler.manifests.keys import BadKey, public_of, read_public_key, show_key, signature_of
from oneiric_compiler.model import Outputs


def signed(outputs: Outputs, seed: bytes | None = None) -> Outputs:
    """The outputs with the signatures on disk that are still of them, and with that of a private key.

    A signature of another wiring is left out, one of the same wiring by another key stays.
    """
    profiles: dict[str, tuple[str, dict[str, bytes]]] = {}
    for profile, (folder, files) in outputs.profiles.items():
        found = _found(outputs.root / folder)
        if found is None and seed is None:
            profiles[profile] = folder, files
            continue
        app: str = json.loads(files["explain.json"])["app"]
        own = Signed(app, profile, generation_of(files["wiring.py"], files.get("tenants.jsonl", b"")), {})
        if found is not None and _fits(found, own):
            own.signatures.update(found.signatures)
        if seed is not None:
            signature = signature_of(seed, signed_bytes(own.app, own.profile, own.generation))
            own.signatures[show_key(public_of(seed))] = show_key(signature)
        profiles[profile] = folder, {**files, NAME: _rendered(own)} if own.signatures else files
    return replace(outputs, profiles=profiles)


def _found(folder: Path) -> Signed | None:
    try:
        return parse((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return None


def _fits(found: Signed, own: Signed) -> bool:
    """Whether every signature is one of this wiring, by the key that it names."""
    if found._replace(signatures={}) != own:
        return False
    try:
        return all(found.by(read_public_key(key)) for key in found.signatures)
    except BadKey:
        return False


def _rendered(signed: Signed) -> bytes:
    signatures = [{"key": key, "signature": text} for key, text in sorted(signed.signatures.items())]
    document = {"format": FORMAT, "app": signed.app, "profile": signed.profile, "generation": signed.generation}
    return (json.dumps({**document, "signatures": signatures}, indent=1) + "\n").encode("ascii")
