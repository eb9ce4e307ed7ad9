"""Secrets provider `vault`: one document of a KV engine, version 2, of OpenBao or HashiCorp Vault."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import (
    Names,
    SecretNotFound,
    SecretsClosed,
    SecretsError,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets._kept import Kept
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
class VaultSecrets:
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
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        if not cache_ttl >= 0:
            raise _FAULTS.no_sense(f"{cache_ttl!r} is below 0", "cache_ttl")
        for setting, text in (("path", path), ("mount", mount)):
            if not _PATH.fullmatch(text):
                raise _FAULTS.no_sense("is not names with slashes between them", setting)
        _check_credentials(token, role_id, secret_id)
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
        self._token = token
        self._logging_in = asyncio.Lock()
        self._names = Names(_PROVIDER, prefix)
        self._kept = Kept(cache_ttl, self._read)
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        self._kept.forget()
        await self._api.open()
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except SecretsError:
            return False
        return True

    async def aclose(self) -> None:
        self._kept.forget()
        await self._api.aclose()

    async def refresh(self) -> None:
        self._api.check_open()
        self._kept.forget()

    async def get(self, name: str) -> Secret:
        self._api.check_open()
        field = self._names.place(name)
        fields = await self._kept.get(self._place)
        self._api.check_open()
        found = fields.get(field)
        if found is not None and not isinstance(found, Secret):
            raise _FAULTS.no_answer(f"the field {field} has {found}, not a text", "path")
        if found is None or found == _EMPTY:
            none = "no field" if found is None else "an empty field"
            raise SecretNotFound(name, f"the document has {none} {field}", provider=_PROVIDER)
        self._names.found(name)
        return found

    async def _ask_health(self) -> None:
        await self._document(Deadline.within(self._healthcheck_timeout))

    async def _read(self, _: str) -> Mapping[str, Secret | str]:
        return await self._document(Deadline.within(self._timeout))

    async def _document(self, deadline: Deadline) -> dict[str, Secret | str]:
        """The fields of the document, with what they are where they are no texts; none where there is no document."""
        token = self._token or await self._log_in(None, deadline)
        answer = await self._ask(self._place, token, deadline)
        if answer.status == 403 and not await self._is_alive(token, deadline):
            if self._role_id is None:
                raise _FAULTS.no_entry("has expired, or is not valid there", "token")
            answer = await self._ask(self._place, await self._log_in(token, deadline), deadline)
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
            case status, _:
                raise _unusable(status)

    async def _ask(self, place: str, token: Secret, deadline: Deadline) -> Answer:
        return await self._api.ask("GET", place, deadline=deadline, headers={"x-vault-token": token.reveal()})

    async def _is_alive(self, token: Secret, deadline: Deadline) -> bool:
        """Whether the server knows the token still: what it may not do, and what it is too old for, look the same."""
        return (await self._ask("/v1/auth/token/lookup-self", token, deadline)).status != 403

    async def _log_in(self, expired: Secret | None, deadline: Deadline) -> Secret:
        """A token in place of one that has expired, for all who had that."""
        async with self._logging_in:
            if self._token is not None and self._token is not expired:
                return self._token
            assert self._role_id is not None and self._secret_id is not None
            body = {"role_id": self._role_id, "secret_id": self._secret_id.reveal()}
            answer = await self._api.ask("POST", "/v1/auth/approle/login", body, deadline=deadline)
            match answer.status, answer.json():
                case 200, {"auth": {"client_token": str(token)}} if token:
                    self._token = Secret(token)
                    return self._token
                case ((400 | 403), _):
                    raise _FAULTS.no_entry("the role is refused", "secret_id")
                case status, _:
                    raise _unusable(status)


_EMPTY = Secret("")


def _unusable(status: int) -> AdapterError:
    if status == 503:
        return _FAULTS.no_answer("it is sealed, or not ready", "url")
    what = "what came back is not JSON that makes sense" if status == 200 else f"it answered {status}"
    return _FAULTS.no_answer(what, "url")


def _field(value: object) -> Secret | str:
    return Secret(value) if isinstance(value, str) else f"a value of {type(value).__name__}"


def _check_credentials(token: Secret | None, role_id: str | None, secret_id: Secret | None) -> None:
    if token is not None and (role_id is not None or secret_id is not None):
        raise _FAULTS.no_sense("is given, and role_id or secret_id too: log in one way", "token")
    if token is None and role_id is None:
        raise _FAULTS.no_sense("is missing, and role_id too", "token")
    if token is None and secret_id is None:
        raise _FAULTS.no_sense("is missing: role_id needs it", "secret_id")
    _FAULTS.check_text(role_id=role_id)
    for setting, secret in (("token", token), ("secret_id", secret_id)):
        text = None if secret is None else secret.reveal()
        if text is not None and not (text and text.isascii() and text.isprintable()):
            raise _FAULTS.no_sense("is empty, or not printable ASCII", setting)
