"""Secrets provider `infisical`: a folder of a project and environment in Infisical, by its JSON API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import (
    Names,
    SecretsClosed,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets._login import Token, check_credentials
from oneiric.adapters.secrets._served import NoneThere, ServedEach

_PROVIDER = "infisical"
_FAULTS = Faults(_PROVIDER, SecretsUnavailable, SecretsRefused, SecretsMisconfigured)
_PATH = re.compile(r"/|(?:/[\w-]+)+", re.ASCII)
_SLUG = re.compile(r"[\w-]+", re.ASCII)
_PREFIX = re.compile(r"[\w.-]*", re.ASCII)


@component(
    "adapter",
    "secrets",
    provider="infisical",
    priority=0,
    stack_level=-20,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class InfisicalSecrets(ServedEach):
    """Reads the secrets of one folder, each by itself.

    Needs a project of Infisical; the extra `secrets-infisical`.

    `project`: the id of the project.
    `environment`: the environment's slug: `prod`.
    `path`: the folder that has the secrets.
    `client_id`: the machine identity to log in as, by universal auth; again whenever its token has expired.
    `client_secret`: a client secret of that identity.
    `token`: an access token, instead of `client_id` and `client_secret`.
    `prefix`: what the name of a secret begins with there.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `url`: where the server is; `https://eu.infisical.com` and those of one's own are others.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, with a log-in where that is needed, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        project: str,
        environment: str,
        path: str = "/",
        client_id: str | None = None,
        client_secret: Secret | None = None,
        token: Secret | None = None,
        prefix: str = "",
        cache_ttl: float = 60.0,
        url: str = "https://app.infisical.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout)
        for setting, text, form, what in (
            ("project", project, _SLUG, "is not the id of a project"),
            ("environment", environment, _SLUG, "is not the slug of an environment"),
            ("path", path, _PATH, "is not of the form `/FOLDER/FOLDER`"),
            ("prefix", prefix, _PREFIX, "has other characters than letters, digits and `_.-`"),
        ):
            if not form.fullmatch(text):
                raise _FAULTS.no_sense(what, setting)
        check_credentials(_FAULTS, token, client_id=client_id, client_secret=client_secret)
        self._api = Api(
            _FAULTS,
            SecretsClosed,
            base_url=url,
            setting="url",
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )
        self._client_id = client_id
        self._client_secret = client_secret
        self._token = Token(token, self._log_in)
        self._folder = {"projectId": project, "environment": environment, "secretPath": path}
        self._timeout = timeout
        names = Names(_PROVIDER, prefix)
        super().__init__(_FAULTS, self._api, names, cache_ttl=cache_ttl, healthcheck_timeout=healthcheck_timeout)

    async def _ask_health(self) -> None:
        """Who may read secrets may not list them: what counts is that the token is one, and the project there."""
        answer = await self._ask("", Deadline.within(self._healthcheck_timeout), viewSecretValue="false")
        match answer.status, answer.json():
            case (200, {"secrets": list()}) | (403, _):
                pass
            case 404, {"error": "NotFound"}:
                raise _FAULTS.no_sense("there is no such project, environment and folder", "project")
            case _:
                raise self._api.unusable(answer)

    async def _read(self, place: str) -> Secret:
        answer = await self._ask(f"/{place}", Deadline.within(self._timeout), expandSecretReferences="true")
        document: Any = answer.json()
        match answer.status, document:
            case (200, {"secret": {"secretValueHidden": True}}) | (403, _):
                raise _FAULTS.no_entry(f"{place} may not be read with these credentials", "project")
            case 200, {"secret": {"secretValue": str(text)}}:
                if not text:
                    raise NoneThere(f"{place} is empty")
                return Secret(text)
            case 404, {"error": "NotFound"}:
                raise NoneThere(f"the folder has no {place}")
            case _:
                raise self._api.unusable(answer)

    async def _ask(self, path: str, deadline: Deadline, **options: str) -> Answer:
        """What the API answers about the folder; with another token where the first has expired."""
        path = f"/api/v4/secrets{path}?{urlencode({**self._folder, **options})}"

        async def send(token: Secret) -> Answer:
            shown = {"authorization": f"Bearer {token.reveal()}"}
            return await self._api.ask("GET", path, deadline=deadline, headers=shown)

        token = await self._token.get(deadline)
        answer = await send(token)
        if _is_about_the_token(answer) and not self._token.is_given:
            answer = await send(await self._token.get(deadline, instead_of=token))
        if _is_about_the_token(answer):
            raise _FAULTS.no_entry(
                "has expired, or is not valid there", "token" if self._token.is_given else "client_id"
            )
        return answer

    async def _log_in(self, deadline: Deadline) -> Secret:
        assert self._client_id is not None and self._client_secret is not None
        body = {"clientId": self._client_id, "clientSecret": self._client_secret.reveal()}
        answer = await self._api.ask("POST", "/api/v1/auth/universal-auth/login", body, deadline=deadline)
        match answer.status, answer.json():
            case 200, {"accessToken": str(token)} if token:
                return Secret(token)
            case ((400 | 401 | 403 | 404 | 422), _):
                raise _FAULTS.no_entry("the log-in is refused", "client_secret")
            case _:
                raise self._api.unusable(answer)


def _is_about_the_token(answer: Answer) -> bool:
    """One that has expired is answered with 403, as is what the identity may not do; one that was revoked with 401."""
    match answer.status, answer.json():
        case (401, _) | (403, {"error": "TokenError"}):
            return True
        case _:
            return False
