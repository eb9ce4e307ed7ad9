"""Services of Amazon's by aiobotocore, or of servers that speak as they do: deadlines, connections, errors by kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)
from botocore.loaders import create_loader

from oneiric import Secret
from oneiric.adapters._common.network import Faults, is_about_certificates, revealed, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.errors import AdapterError

Result = TypeVar("Result")
_REFUSED = {
    "AccessDenied": "access_key_id",
    "AccessDeniedException": "access_key_id",
    "ExpiredToken": "session_token",
    "ExpiredTokenException": "session_token",
    "IncompleteSignature": "secret_access_key",
    "InvalidClientTokenId": "access_key_id",
    "InvalidSignatureException": "secret_access_key",
    "InvalidToken": "session_token",
    "RequestTimeTooSkewed": "access_key_id",
    "SignatureDoesNotMatch": "secret_access_key",
    "UnrecognizedClientException": "access_key_id",
}
"""What services say of credentials, with the setting to look at; not all say it with the status 401 or 403."""


@dataclass(frozen=True)
class Account:
    """The settings that say where a service is and who asks."""

    region: str | None
    endpoint_url: str | None
    access_key_id: str | None
    secret_access_key: Secret | None
    session_token: Secret | None
    profile_name: str | None
    ca_file: Path | None
    where: str = field(init=False, default="region")
    """The setting to look at when nobody answers."""

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            object.__setattr__(self, "where", "endpoint_url")

    def check(self, faults: Faults) -> None:
        """Raise the port's error for settings that are malformed or contradict each other."""
        faults.check_text(
            region=self.region,
            access_key_id=self.access_key_id,
            secret_access_key=revealed(self.secret_access_key),
            session_token=revealed(self.session_token),
            profile_name=self.profile_name,
        )
        if self.endpoint_url is not None:
            _check_url(faults, self.endpoint_url)
        if self.ca_file is not None and not self.ca_file.is_file():
            raise faults.no_sense(f"{self.ca_file} is not a file", "ca_file")
        if self.access_key_id is not None and self.secret_access_key is None:
            raise faults.no_sense("is missing, and access_key_id is given", "secret_access_key")
        if self.access_key_id is None and (self.secret_access_key or self.session_token):
            raise faults.no_sense("is missing, and a secret of it is given", "access_key_id")
        if self.access_key_id is not None and self.profile_name is not None:
            raise faults.no_sense("is given, and access_key_id too: choose one", "profile_name")


class Service:
    """A client of one service of an account, with at most `max_connections` connections; no request is sent twice.

    `said` gives the port's error for what the service answered about something, or None where all services answer so.
    `options` are of botocore's configuration.
    """

    def __init__(
        self,
        name: str,
        account: Account,
        faults: Faults,
        closed: type[AdapterError],
        said: Callable[[ClientError, str], Exception | None],
        *,
        timeout: float,
        max_connections: int,
        **options: Any,
    ) -> None:
        faults.check_above_zero(timeout=timeout, max_connections=max_connections)
        account.check(faults)
        self._name = name
        self._account = account
        self._faults = faults
        self._closed = closed
        self._said = said
        self._timeout = timeout
        self._max_connections = max_connections
        self._options = options
        self._client: Any = None
        self._closing: AsyncExitStack | None = None
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()

    async def open(self) -> None:
        await self.aclose()
        self._timeouts = Timeouts()  # those that are ended may not be these
        self._closing = AsyncExitStack()
        try:
            self._client = await self._closing.enter_async_context(self._made())
        except Exception as error:
            raise self._translated(error, "") from None

    async def aclose(self) -> None:
        closing, self._closing, self._client = self._closing, None, None
        self._timeouts.end_all()
        if closing is not None:
            await closing.aclose()

    def check_open(self) -> None:
        """Raise the port's error unless it can be asked."""
        if self._client is None:
            raise self._closed("it is not open", provider=self._faults.provider)

    async def ask(self, operation: str, about: str = "", *, seconds: float | None = None, **options: Any) -> Any:
        """What the service answers to an operation about something, in so many seconds or those of a call."""
        return await self.call(lambda client: getattr(client, operation)(**options), about, seconds=seconds)

    async def call(
        self, work: Callable[[Any], Awaitable[Result]], about: str = "", *, seconds: float | None = None
    ) -> Result:
        """The same for what is done with the client of botocore, one request after the other."""
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", self._timeout)
        try:
            self.check_open()
            with self._timeouts.within(seconds or self._timeout):
                return await work(self._client)
        except AdapterError:
            raise
        except Exception as error:
            failed = self._translated(error, about)
        finally:
            self._permits.give_back()
        raise failed  # which has no other as its context: that would have all that came back

    def _made(self) -> Any:
        """A client of botocore, to be entered."""
        account = self._account
        config = AioConfig(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            max_pool_connections=self._max_connections,
            retries={"total_max_attempts": 1},
            http_session_cls=_Session,
            **self._options,
        )
        session: Any = AioSession(profile=account.profile_name)
        session.register_component("data_loader", _LOADER)
        return session.create_client(
            self._name,
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=revealed(account.secret_access_key),
            aws_session_token=revealed(account.session_token),
            verify=None if account.ca_file is None else str(account.ca_file),
            config=config,
        )

    def _translated(self, error: Exception, about: str) -> Exception:
        """The port's error for what botocore raised."""
        if self._closing is None:
            return self._closed("it was closed meanwhile", provider=self._faults.provider)
        account, faults = self._account, self._faults
        if isinstance(error, ClientError):
            return self._said(error, about) or self._answered(error)
        if isinstance(error, TimeoutError):
            return faults.no_answer("no answer in time", "timeout")
        if isinstance(error, ProfileNotFound):
            return faults.no_sense(f"there is no profile {account.profile_name!r}", "profile_name")
        if isinstance(error, NoRegionError):
            return faults.no_sense("is missing, and neither the environment nor the profile has one", "region")
        if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            return faults.no_entry("neither the environment nor the machine has a key", "access_key_id")
        what = told(error, account.secret_access_key, account.session_token)
        if isinstance(error, SSLError) or is_about_certificates(error):
            return faults.no_entry(what, "ca_file")
        return faults.no_answer(what, account.where)

    def _answered(self, error: ClientError) -> Exception:
        """The same for what any service answers. Only the code is told: its text may repeat what it was sent."""
        what, code = answer_of(error), code_of(error)
        if code == "RequestTimeTooSkewed":
            what = f"{what}: the clock of this machine is wrong"
        if status_of(error) in (401, 403) or code in _REFUSED:
            return self._faults.no_entry(what, _REFUSED.get(code, "access_key_id"))
        return self._faults.no_answer(what, self._account.where)


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def answer_of(error: ClientError) -> str:
    """What a service answered, in a sentence."""
    return f"the server answered {status_of(error)} {code_of(error)}"


_LARGE = 1024 * 1024  # bytes of a body that aiohttp would keep the loop with, were they not a file
_LOADER = create_loader()  # of descriptions of services, which take longer to read than anything else of a start
_Base: Any = AIOHTTPSession  # its stub lacks what is overridden


class _Session(_Base):  # type: ignore[misc]
    async def send(self, request: Any) -> Any:
        if isinstance(request.body, bytes | bytearray) and len(request.body) >= _LARGE:
            request.body = BytesIO(request.body)
        base: Any = super()
        return await base.send(request)

    async def _get_session(self, proxy_url: Any) -> Any:
        base: Any = super()
        session: Any = await base._get_session(proxy_url)
        session._retry_connection = False  # what is sent twice meets its own condition
        return session


def _check_url(faults: Faults, url: str) -> None:
    try:
        parts = urlsplit(url)
        wrong = not parts.hostname or parts.scheme not in ("http", "https") or parts.query or parts.username
        _ = parts.port
    except ValueError:
        raise faults.no_sense("is not a URL", "endpoint_url") from None
    if wrong or parts.password or parts.fragment or parts.path.strip("/"):
        raise faults.no_sense("is not of the form https://HOST:PORT", "endpoint_url")
