"""People who sign, as upstream's rules tell them to: written from those rules alone, with nothing of ours in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from oneiric_compiler.manifests.verify import Manifest, Policy, verify

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENTRY = {"domain": "adapter", "key": "cache", "provider": "acme", "factory": "acme.cache:Cache", "stack_level": 2}


class Signer:
    """A key pair."""

    def __init__(self, number: int) -> None:
        self.seed = bytes([number]) * 32
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = base64.b64encode(self.private.public_key().public_bytes_raw()).decode()

    def sign(self, document: Mapping[str, Any]) -> str:
        return base64.b64encode(self.private.sign(canonical_form(document))).decode()

    def listed(self, document: Mapping[str, Any], **others: Any) -> dict[str, Any]:
        """An item of `signatures`."""
        return {"signature": self.sign(document), "algorithm": "ed25519", "key_id": "theirs", **others}


ADA, BOB, EVE = Signer(1), Signer(2), Signer(3)


def canonical_form(document: Mapping[str, Any]) -> bytes:
    signed = {name: value for name, value in document.items() if name not in _SIGNATURES}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("utf-8")


_SIGNATURES = ("signature", "signature_algorithm", "signatures")


def document(**fields: Any) -> dict[str, Any]:
    """A manifest of acme, version 3, not signed yet; a field given as None is left out."""
    stated = {"source": "acme", "version": 3, "entries": [ENTRY], **fields}
    return {name: value for name, value in stated.items() if value is not None}


def signed(*signers: Signer, **fields: Any) -> dict[str, Any]:
    """The same, with the signatures of these in `signatures`."""
    plain = document(**fields)
    return {**plain, "signatures": [each.listed(plain) for each in signers]}


def as_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def policy(*trusted: Signer, **others: Any) -> Policy:
    return Policy(**{"keys": tuple(each.public for each in trusted), "source": "acme", "now": NOW, **others})


def accepted(document: Mapping[str, Any] | bytes, *trusted: Signer, **others: Any) -> Manifest:
    data = document if isinstance(document, bytes) else as_bytes(document)
    return verify(data, policy(*(trusted or (ADA,)), **others))


def upstream_accepts(document: Mapping[str, Any], public: str) -> bool:
    """Whether a reader by upstream's rules finds a signature of the key in `signatures`."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))
    for each in document["signatures"]:
        try:
            key.verify(base64.b64decode(each["signature"]), canonical_form(document))
        except InvalidSignature:
            continue
        return bool(each["algorithm"] == "ed25519")
    return False
