"""Identity provider `cloudflare`: tokens of Cloudflare Access."""

from __future__ import annotations

from pathlib import Path

from oneiric import component
from oneiric.adapters.identity._verifier import Verifier


@component(
    "adapter",
    "identity",
    provider="cloudflare",
    priority=0,
    stack_level=-20,
    capabilities=("jwks", "jwt"),
    port="oneiric.adapters.identity:Identities",
)
class CloudflareIdentities(Verifier):
    """Checks tokens of Cloudflare Access: what the header `Cf-Access-Jwt-Assertion` of a request has.

    Needs a team of Cloudflare Zero Trust; the extra `identity-cloudflare`.

    `team_domain`: the team's domain: `shop.cloudflareaccess.com`.
    `audience`: whom tokens must be for, one of these: the AUD tag of an application.
    `leeway`: seconds by which clocks may differ.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `stale_ttl`: further seconds that keys are used while the issuer cannot be read.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to read the keys.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    """

    _provider = "cloudflare"
    _place = "team_domain"
    _keys_at = "/cdn-cgi/access/certs"
    _subjects = ("sub", "common_name")  # a service token has no subject, and is called by its client's id

    def __init__(
        self,
        *,
        team_domain: str,
        audience: str | tuple[str, ...],
        leeway: float = 30.0,
        cache_ttl: float = 300.0,
        stale_ttl: float = 3600.0,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 5.0,
    ) -> None:
        super().__init__(
            issuer=self._origin(team_domain),
            audience=audience,
            jwks_url=None,
            algorithms=("RS256",),
            leeway=leeway,
            cache_ttl=cache_ttl,
            stale_ttl=stale_ttl,
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
        )
