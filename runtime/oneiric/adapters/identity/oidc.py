"""Identity provider `oidc`: tokens of an issuer of OpenID Connect."""

from __future__ import annotations

from pathlib import Path

from oneiric import component
from oneiric.adapters.identity._verifier import Verifier


@component(
    "adapter",
    "identity",
    provider="oidc",
    priority=0,
    stack_level=-20,
    capabilities=("jwks", "jwt"),
    port="oneiric.adapters.identity:Identities",
)
class OidcIdentities(Verifier):
    """Checks tokens of an issuer of OpenID Connect, such as Keycloak, Entra ID, Okta or Google.

    Needs such an issuer; the extra `identity-oidc`.

    `issuer`: the issuer's URL, as its tokens have it.
    `audience`: whom tokens must be for, one of these.
    `jwks_url`: where the issuer's keys are; it is asked if this is not set.
    `algorithms`: the algorithms that tokens may be signed by.
    `leeway`: seconds by which clocks may differ.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `stale_ttl`: further seconds that keys are used while the issuer cannot be read.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to read the keys.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    """

    _provider = "oidc"
    _place = "issuer"

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | tuple[str, ...],
        jwks_url: str | None = None,
        algorithms: tuple[str, ...] = ("RS256", "ES256"),
        leeway: float = 30.0,
        cache_ttl: float = 300.0,
        stale_ttl: float = 3600.0,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 5.0,
    ) -> None:
        super().__init__(
            issuer=issuer,
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
