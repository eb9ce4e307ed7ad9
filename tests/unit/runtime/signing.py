"""Signing wirings by hand, so that the runtime is not tested by the code that it is tested with."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ONE, TWO, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(
    wiring: Path,
    *keys: Ed25519PrivateKey,
    app: str = "test",
    profile: str = "default",
    serial: object = 1,
) -> Path:
    """Write the `wiring.sig` of a wiring as it lies there; the wiring's path again. Without a serial (None) it is of
    the format that had none."""
    tenants = wiring.with_name("tenants.jsonl")
    generation = sha256(wiring.read_bytes() + b"\0" + (tenants.read_bytes() if tenants.exists() else b"")).hexdigest()
    form, numbered = ("oneiric.signature/1", "") if serial is None else ("oneiric.signature/2", json.dumps(serial))
    head: dict[str, object] = {"format": form, "app": app, "profile": profile, "generation": generation}
    head |= {} if serial is None else {"serial": serial}
    last = f',"serial":{numbered}' if numbered else ""
    text = f'{{"app":"{app}","format":"{form}","generation":"{generation}","profile":"{profile}"{last}}}'.encode()
    signatures = [{"key": public(key), "signature": base64.b64encode(key.sign(text)).decode()} for key in keys]
    wiring.with_name("wiring.sig").write_text(json.dumps({**head, "signatures": signatures}))
    return wiring
