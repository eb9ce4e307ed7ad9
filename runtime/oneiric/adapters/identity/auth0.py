"""Identity provider `auth0`: tokens of a tenant of Auth0."""

from __future__ import annotations

from pathlib import Path

from oneiric import component
from oneiric.adapters.identity._verifier import Verifier


@component(
    "adapter",
    "identity",
    provider="auth0",
    priority=0,
    stack_level=-20,
    capabilities=("jwks", "jwt"),
    port="oneiric.adapters.identity:Identities",
)
class Auth0Identities(Verifier):
    """Checks tokens of a tenant of Auth0.

    Needs a tenant of Auth0; the extra `identity-auth0`.

    `domain`: the tenant's domain: `shop.eu.auth0.com`, or its custom one.
    `audience`: whom tokens must be for, one of these: the identifier of an API, or the id of a client.
    `jwks_url`: where the keys are, if not at the domain.
    `algorithms`: the algorithms that tokens may be signed by.
    `leeway`: seconds by which clocks may differ.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `stale_ttl`: further seconds that keys are used while the issuer cannot be read.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to read the keys.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    """

    _provider = "auth0"
    _place = "domain"
    _keys_at = "/.well-known/jwks.json"

    def __init__(
        self,
        *,
        domain: str,
        audience: str | tuple[str, ...],
        jwks_url: str | None = None,
        algorithms: tuple[str, ...] = ("RS256",),
        leeway: float = 30.0,
        cache_ttl: float = 300.0,
        stale_ttl: float = 3600.0,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 5.0,
    ) -> None:
        super().__init__(
            issuer=f"{self._origin(domain)}/",
            audience=audience,
            jwks_url=jwks_url,
            algorithms=algorithms,
            leeway=leeway,
            cache_ttl=cache_ttl,
            stale_ttl=stale_ttl,
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
        )
