"""An issuer of tokens whose documents a server of files has, with keys that are made here."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

AUDIENCE = "shop"
DISCOVERY = ".well-known/openid-configuration"
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
KEYS: dict[str, Any] = {
    **{f"rsa-{number}": RSAKey.generate_key(2048, {"kid": f"rsa-{number}"}) for number in range(3)},
    "p256": ECKey.generate_key("P-256", {"kid": "p256"}),
    "p384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}


def public(name: str, **members: Any) -> dict[str, Any]:
    """A key as a JWKS has it; members of None are left out."""
    jwk = {**KEYS[name].as_dict(private=False), "use": "sig", **members}
    return {member: value for member, value in jwk.items() if value is not None}


def sign(claims: Mapping[str, Any] | bytes, key: Any = "rsa-0", alg: str = "RS256", **header: Any) -> str:
    """A token. Members of its header that are None are left out, and `crit` and the like are not checked."""
    made = KEYS[key] if isinstance(key, str) else key
    told = {"alg": alg, "kid": getattr(made, "kid", None), **header}
    head = {name: value for name, value in told.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    begin = b".".join(_encoded(each) for each in (json.dumps(head).encode(), payload))
    algorithm = jws.JWSRegistry.algorithms[alg]
    return (begin + b"." + _encoded(algorithm.sign(begin, made))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Files:
    """An issuer at `url`, in the folder that the server has its files in, with a log of requests."""

    def __init__(self, url: str, folder: Path, log: Path) -> None:
        self.url = url
        self.folder = folder
        self._log = log
        self.write(DISCOVERY, {"issuer": url, "jwks_uri": f"{url}/jwks.json"})
        self.have(public("rsa-0"))

    def write(self, path: str, document: object) -> None:
        """A file, changed at once."""
        target = self.folder / path
        target.parent.mkdir(exist_ok=True, parents=True)
        new = target.with_suffix(".new")
        new.write_text(document if isinstance(document, str) else json.dumps(document))
        new.replace(target)

    def have(self, *keys: object, path: str = "jwks.json") -> None:
        self.write(path, {"keys": keys})

    def requests(self, path: str = "/jwks.json") -> int:
        """How often that was asked for."""
        return len(re.findall(f'"GET {re.escape(path)} ', self._log.read_text()))

    def claims(self, **claims: Any) -> dict[str, Any]:
        now = time.time()
        return {"iss": self.url, "aud": AUDIENCE, "sub": "user-1", "exp": int(now + 600), "iat": int(now), **claims}

    def token(self, key: Any = "rsa-0", alg: str = "RS256", **header: Any) -> str:
        return sign(self.claims(), key, alg, **header)


def pem(name: str) -> bytes:
    found: bytes = KEYS[name].public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found
