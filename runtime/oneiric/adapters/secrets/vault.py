"""Secrets provider `vault`: one document of a KV engine, version 2, of OpenBao or HashiCorp Vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from oneiric.adapters.secrets._served import NoneThere, Served
from oneiric.errors import AdapterError

_PROVIDER = "vault"
_FAULTS = Faults(_PROVIDER, SecretsUnavailable, SecretsRefused, SecretsMisconfigured)
_PATH = re.compile(r"[\w.~-]+(?:/[\w.~-]+)*", re.ASCII)


@component(
    "adapter",
    "secrets",
    provider="vault",
    priority=0,
    stack_level=-20,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class VaultSecrets(Served[Mapping[str, Secret | str]]):
    """Reads the fields of one document of a KV engine, version 2.

    Needs a server of OpenBao or HashiCorp Vault; the extra `secrets-vault`.

    `url`: where the server is: `https://vault.example:8200`.
    `path`: the document in the engine; its fields are the secrets.
    `mount`: where the engine is mounted.
    `token`: what the server is asked with; instead of `role_id` and `secret_id`.
    `role_id`: the role to log in with, at `auth/approle`; again whenever its token has expired.
    `secret_id`: the role's secret.
    `prefix`: what the name of a field begins with.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, with a log-in where that is needed, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        url: str,
        path: str,
        mount: str = "secret",
        token: Secret | None = None,
        role_id: str | None = None,
        secret_id: Secret | None = None,
        prefix: str = "",
        cache_ttl: float = 60.0,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout)
        for setting, text in (("path", path), ("mount", mount)):
            if not _PATH.fullmatch(text):
                raise _FAULTS.no_sense("is not names with slashes between them", setting)
        check_credentials(_FAULTS, token, role_id=role_id, secret_id=secret_id)
        self._place = f"/v1/{mount}/data/{path}"
        self._api = Api(
            _FAULTS,
            SecretsClosed,
            base_url=url,
            setting="url",
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )
        self._role_id = role_id
        self._secret_id = secret_id
        self._token = Token(token, self._log_in)
        self._timeout = timeout
        names = Names(_PROVIDER, prefix)
        super().__init__(_FAULTS, self._api, names, cache_ttl=cache_ttl, healthcheck_timeout=healthcheck_timeout)

    async def _ask_health(self) -> None:
        await self._document(Deadline.within(self._healthcheck_timeout))

    async def _secret(self, place: str) -> Secret:
        found = (await self._kept.get(self._place)).get(place)
        if found is not None and not isinstance(found, Secret):
            raise _FAULTS.no_answer(f"the field {place} has {found}, not a text", "path")
        if found is None or found == _EMPTY:
            none = "no field" if found is None else "an empty field"
            raise NoneThere(f"the document has {none} {place}")
        return found

    async def _read(self, place: str) -> Mapping[str, Secret | str]:
        return await self._document(Deadline.within(self._timeout))

    async def _document(self, deadline: Deadline) -> dict[str, Secret | str]:
        """The fields of the document, with what they are where they are no texts; none where there is no document."""
        token = await self._token.get(deadline)
        answer = await self._ask(self._place, token, deadline)
        if answer.status == 403 and not await self._is_alive(token, deadline):
            if self._token.is_given:
                raise _FAULTS.no_entry("has expired, or is not valid there", "token")
            answer = await self._ask(self._place, await self._token.get(deadline, instead_of=token), deadline)
        document: Any = answer.json()
        match answer.status, document:
            case 200, {"data": {"data": dict()}}:
                return {name: _field(value) for name, value in document["data"]["data"].items()}
            case 404, {"errors": [_, *_]}:
                raise _FAULTS.no_answer("the server has no engine there", "mount")
            case 404, dict():  # none, or none any more; an engine of version 1 says the same
                return {}
            case 403, _:
                raise _FAULTS.no_entry("may not be read with these credentials", "path")
            case _:
                raise self._unusable(answer)

    async def _ask(self, place: str, token: Secret, deadline: Deadline) -> Answer:
        return await self._api.ask("GET", place, deadline=deadline, headers={"x-vault-token": token.reveal()})

    async def _is_alive(self, token: Secret, deadline: Deadline) -> bool:
        """Whether the server knows the token still: what it may not do, and what it is too old for, look the same."""
        return (await self._ask("/v1/auth/token/lookup-self", token, deadline)).status != 403

    async def _log_in(self, deadline: Deadline) -> Secret:
        assert self._role_id is not None and self._secret_id is not None
        body = {"role_id": self._role_id, "secret_id": self._secret_id.reveal()}
        answer = await self._api.ask("POST", "/v1/auth/approle/login", body, deadline=deadline)
        match answer.status, answer.json():
            case 200, {"auth": {"client_token": str(token)}} if token:
                return Secret(token)
            case ((400 | 403), _):
                raise _FAULTS.no_entry("the role is refused", "secret_id")
            case _:
                raise self._unusable(answer)

    def _unusable(self, answer: Answer) -> AdapterError:
        if answer.status == 503:
            return self._api.unavailable("it is sealed, or not ready")
        return self._api.unusable(answer)


_EMPTY = Secret("")


def _field(value: object) -> Secret | str:
    return Secret(value) if isinstance(value, str) else f"a value of {type(value).__name__}"
