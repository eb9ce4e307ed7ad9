"""Access tokens of Google's clouds by google-auth, which knows keys of service accounts, workload identity and servers
of metadata; it blocks, so threads ask it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import google.auth
from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials

from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.network import Faults
from oneiric.errors import AdapterError

_SETTING = "credentials_file"
_PROJECT = re.compile(r"[a-z0-9:.-]+")
_AUTH, _KEY, _REQUEST = cast("tuple[Any, Any, Any]", (google.auth, Credentials, Request))  # their types are half there


class Tokens:
    """Tokens for one `scope`, by a file with the key of a service account or else the credentials of the environment.

    `project` is the one that the credentials are of, if they tell, once they are loaded.
    """

    def __init__(self, faults: Faults, credentials_file: Path | None, scope: str) -> None:
        if credentials_file is not None and not credentials_file.is_file():
            raise faults.no_sense(f"{credentials_file} is not a file", _SETTING)
        self._faults = faults
        self._file = credentials_file
        self._scope = scope
        self._renewing = asyncio.Lock()
        self._credentials: Any = None
        self.project: str | None = None

    async def load(self, deadline: Deadline) -> None:
        """The credentials are read anew. Raises the port's errors."""
        await self._in_time(self._load, deadline)

    @property
    def key(self) -> Any:
        """What signs by itself, the key of a service account (`signer_email`, `sign_bytes`), if they are one."""
        return self._credentials if isinstance(self._credentials, Credentials) else None

    async def get(self, deadline: Deadline, *, instead_of: str | None = None) -> str:
        """A token that is valid still, and is another one than the one that was refused. Raises the port's errors."""

        async def renew() -> None:
            async with self._renewing:
                if not self._has_another_than(instead_of):
                    await asyncio.to_thread(self._credentials.refresh, partial(_REQUEST(), timeout=deadline.seconds))

        if not self._has_another_than(instead_of):
            await self._in_time(renew, deadline)
        return str(self._credentials.token)

    async def ask(
        self,
        api: Api,
        method: str,
        path: str,
        body: object = None,
        *,
        deadline: Deadline,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """What an API answers to a request with a token; to one with another where it takes the first for none, with
        which nothing was done. Raises the port's errors."""

        async def send(token: str) -> Answer:
            shown = {**headers, "authorization": f"Bearer {token}"}
            return await api.ask(method, path, body, deadline=deadline, headers=shown)

        token = await self.get(deadline)
        answer = await send(token)
        if answer.status == 401:
            answer = await send(await self.get(deadline, instead_of=token))
        return answer

    async def _load(self) -> None:
        self._credentials, self.project = await asyncio.to_thread(self._found)

    def _has_another_than(self, token: str | None) -> bool:
        return bool(self._credentials.valid) and self._credentials.token != token

    def _found(self) -> tuple[Any, str | None]:
        scopes = [self._scope]
        if self._file is None:
            found, project = _AUTH.default(scopes=scopes)
            return found, project or None
        made = _KEY.from_service_account_file(str(self._file), scopes=scopes)
        return made, made.project_id or None

    async def _in_time(self, what: Callable[[], Awaitable[None]], deadline: Deadline) -> None:
        """What goes wrong, or takes too long, is the port's error, which has no other as its context."""
        try:
            async with asyncio.timeout_at(deadline.at):
                return await what()
        except TimeoutError:
            failed = self._faults.no_answer(f"no token in {deadline.seconds:g} s", "timeout")
        except (exceptions.GoogleAuthError, ValueError, AttributeError, OSError) as error:  # of any file
            failed = self._of(error)
        raise failed

    def _of(self, error: Exception) -> AdapterError:
        """The port's error, with nothing of what was sent or came back."""
        if isinstance(error, exceptions.TransportError) or getattr(error, "retryable", False):
            return self._faults.no_answer("no token can be had: who gives them does not answer", _SETTING)
        if isinstance(error, exceptions.RefreshError):
            return self._faults.no_entry("the credentials are refused", _SETTING)
        if self._file is None:
            return self._faults.no_sense("is missing, and the environment has no credentials of Google's", _SETTING)
        return self._faults.no_sense(f"{self._file} has no key of a service account", _SETTING)


class ProjectTokens(Tokens):
    """Tokens for what a project has: the one that is named, or else the one that the credentials are of."""

    def __init__(self, faults: Faults, project: str | None, credentials_file: Path | None, scope: str) -> None:
        if project is not None and not _PROJECT.fullmatch(project):
            raise faults.no_sense("is not the name of a project", "project")
        super().__init__(faults, credentials_file, scope)
        self._named = project

    async def load(self, deadline: Deadline) -> None:
        await super().load(deadline)
        self.project = self._named or self.project
        if self.project is None:
            raise self._faults.no_sense("is missing, and the credentials are of none", "project")
