"""The public keys of an issuer, as its JWKS (RFC 7517) has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

ALGORITHMS: Mapping[str, str] = {
    **{f"{family}{bits}": "RSA" for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
"""The algorithms of signatures, each with the kind of key it takes: none that signs with what verifies."""
MAX_KEYS = 100
MIN_BITS, MAX_BITS = 2048, 8192

PublicKey: TypeAlias = RSAKey | ECKey | OKPKey


class Key(NamedTuple):
    """A public key. `algorithms` are those that it may be used for."""

    kid: str | None
    algorithms: frozenset[str]
    key: PublicKey


class Keys:
    """The keys that can be used of a JWKS: those for signatures, public, and not too small. The others are left out."""

    def __init__(self, members: Sequence[object]) -> None:
        found = (_imported(each) for each in members[:MAX_KEYS])
        self._keys = [key for key in found if key is not None]
        self._kids = {key.kid for key in self._keys}

    def __len__(self) -> int:
        return len(self._keys)

    def has(self, kid: str | None) -> bool:
        """Whether there may be a key of that name; where none is named, there always may."""
        return kid is None or kid in self._kids

    def fitting(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        """The keys of that name, of which issuers have several now and then, or all where none is named."""
        return [each.key for each in self._keys if algorithm in each.algorithms and (kid is None or each.kid == kid)]


def _imported(member: object) -> Key | None:
    """The key of one member of a set, or None: one that cannot be used must not spoil the others."""
    if not isinstance(member, dict):
        return None
    jwk = cast("dict[str, Any]", member)
    kid, use, operations = jwk.get("kid"), jwk.get("use", "sig"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str | None) or use != "sig" or not isinstance(operations, list):
        return None
    if "verify" not in cast("list[object]", operations):
        return None
    try:
        kind, key = _public(jwk)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    algorithms = frozenset(name for name, of in ALGORITHMS.items() if of == kind and jwk.get("alg", name) == name)
    return Key(kid, algorithms, key) if algorithms else None


def _public(jwk: dict[str, Any]) -> tuple[str, PublicKey]:
    """The kind of a key, and its public part alone, where a set tells the private one as well."""
    kty: object = jwk["kty"]
    if kty == "RSA":
        modulus = jwk["n"]
        # RSA warns of small keys on import, and takes long over large ones: 6 bits are a character
        if not isinstance(modulus, str) or len(modulus) * 6 > MAX_BITS + 64 or len(modulus) * 6 < MIN_BITS:
            raise ValueError("a modulus that is too small or too large")
        rsa = RSAKey.import_key({"kty": "RSA", "n": modulus, "e": jwk["e"]})
        if not MIN_BITS <= rsa.public_key.key_size <= MAX_BITS:
            raise ValueError("a modulus that is too small or too large")
        return "RSA", rsa
    if kty == "EC":
        return str(jwk["crv"]), ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
    if kty == "OKP":
        return str(jwk["crv"]), OKPKey.import_key({name: jwk[name] for name in ("kty", "crv", "x")})
    raise ValueError("a key of another kind")
