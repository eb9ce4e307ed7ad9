"""Secrets provider `gcp-secret-manager`: Google Cloud Secret Manager, by its JSON API."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.google import ProjectTokens
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import (
    Names,
    SecretsClosed,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets._served import NoneThere, ServedEach

_PROVIDER = "gcp-secret-manager"
_FAULTS = Faults(_PROVIDER, SecretsUnavailable, SecretsRefused, SecretsMisconfigured)
_VERSION = re.compile(r"[A-Za-z0-9_-]+")


@component(
    "adapter",
    "secrets",
    provider="gcp-secret-manager",
    priority=0,
    stack_level=-20,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class GCPSecretManagerSecrets(ServedEach):
    """Reads secrets of a project, each by itself.

    Needs a project of Google Cloud; the extra `secrets-gcp-secret-manager`.

    `project`: the project that has the secrets; without it the one that the credentials are of.
    `credentials_file`: the key of a service account; without it the credentials of the environment: of
        `GOOGLE_APPLICATION_CREDENTIALS`, of gcloud, of the machine or the workload.
    `version`: which version is read: a number, an alias, or `latest`.
    `prefix`: what the name of a secret begins with there.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `url`: where the API is, for a region with an endpoint of its own.
    `ca_file`: a file of certificates to trust, instead of those the system trusts; for the API, not for who gives
        tokens.
    `timeout`: seconds for one call, with a new token where that is needed, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        credentials_file: Path | None = None,
        version: str = "latest",
        prefix: str = "",
        cache_ttl: float = 60.0,
        url: str = "https://secretmanager.googleapis.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout)
        if not _VERSION.fullmatch(version):
            raise _FAULTS.no_sense("is not a number, an alias or `latest`", "version")
        self._api = Api(
            _FAULTS,
            SecretsClosed,
            base_url=url,
            setting="url",
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )
        self._tokens = ProjectTokens(
            _FAULTS, project, credentials_file, "https://www.googleapis.com/auth/cloud-platform"
        )
        self._version = version
        self._timeout = timeout
        names = Names(_PROVIDER, prefix, lambda name: name.replace(".", "_"))
        super().__init__(_FAULTS, self._api, names, cache_ttl=cache_ttl, healthcheck_timeout=healthcheck_timeout)

    async def start(self) -> None:
        await self._tokens.load(Deadline.within(self._healthcheck_timeout))
        await super().start()

    async def _ask_health(self) -> None:
        """Who may read secrets may not list them: what counts is that the token is one."""
        answer = await self._ask("/secrets?pageSize=1", Deadline.within(self._healthcheck_timeout))
        if answer.status not in (200, 403):
            raise self._api.unusable(answer)

    async def _read(self, place: str) -> Secret:
        answer = await self._ask(f"/secrets/{place}/versions/{self._version}:access", Deadline.within(self._timeout))
        document: Any = answer.json()
        match answer.status, document:
            case 200, {"payload": {"data": str(data)}}:
                return _text(place, data)
            case 200, {"payload": {**others}} if not others:
                raise NoneThere(f"{place} is empty")
            case 404, {"error": {"status": "NOT_FOUND"}}:
                raise NoneThere(f"the project has no {place} of this version")
            case 400, {"error": {"status": "FAILED_PRECONDITION"}}:
                raise NoneThere(f"this version of {place} is disabled or destroyed")
            case 403, _:
                raise _FAULTS.no_entry(f"{place} may not be read with these credentials", "credentials_file")
            case _:
                raise self._api.unusable(answer)

    async def _ask(self, path: str, deadline: Deadline) -> Answer:
        """What the API answers about the project."""
        path = f"/v1/projects/{self._tokens.project}{path}"
        answer = await self._tokens.ask(self._api, "GET", path, deadline=deadline)
        if answer.status == 401:
            raise _FAULTS.no_entry("the credentials are refused", "credentials_file")
        return answer


def _text(place: str, data: str) -> Secret:
    found = None
    with suppress(binascii.Error, UnicodeDecodeError):
        found = base64.b64decode(data, validate=True).decode()
    if found is None:
        raise _FAULTS.no_answer(f"{place} is not text", "project")
    return Secret(found)
