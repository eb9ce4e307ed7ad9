"""A webhook: a secret URL that notices are posted to."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from oneiric import Secret
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, error_by_status
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.chat import ChatClosed, InvalidNotice, RateLimited, TooLong
from oneiric.errors import AdapterError

SETTING = "webhook_url"
KINDS = Kinds(InvalidNotice, TooLong, RateLimited)


class Limits(NamedTuple):
    """Seconds for a call and for a health check, and connections, of a provider."""

    timeout: float
    healthcheck_timeout: float
    max_connections: int


class Hook(Asking[Api]):
    """Posts JSON to the URL, of which no error shows anything.

    There is nothing to ask a webhook but to post, so its health is that of its host: it answers a HEAD for `/`, without
    anything of the URL that is secret, and does not say that it failed.
    """

    def __init__(self, faults: Faults, webhook_url: Secret, ca_file: Path | None, limits: Limits) -> None:
        faults.check_above_zero(timeout=limits.timeout, healthcheck_timeout=limits.healthcheck_timeout)
        origin, self._path = _parts(faults, webhook_url.reveal())
        self._faults = faults
        self._limits = limits
        self._api = Api(
            faults,
            ChatClosed,
            base_url=origin,
            setting=SETTING,
            ca_file=ca_file,
            max_connections=limits.max_connections,
            quiet=True,
        )

    async def post(self, body: object, headers: dict[str, str] | None = None) -> Answer:
        deadline = Deadline.within(self._limits.timeout)
        return await self._api.ask("POST", self._path.reveal(), body, deadline=deadline, headers=headers)

    def error(self, answer: Answer) -> AdapterError:
        """What its status says went wrong."""
        return error_by_status(self._faults, KINDS, answer, SETTING)

    async def _ask_health(self) -> None:
        answer = await self._api.ask("HEAD", "/", deadline=Deadline.within(self._limits.healthcheck_timeout))
        if answer.status >= 500:
            raise self.error(answer)


def _parts(faults: Faults, url: str) -> tuple[str, Secret]:
    """The origin of a URL, and the rest of it; none of it is shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise faults.no_sense("is not a URL", SETTING) from None
    if parts.scheme not in ("http", "https") or parts.fragment or "@" in parts.netloc:
        raise faults.no_sense("is not of the form https://HOST/PATH", SETTING)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise faults.no_sense("has characters that are to be escaped", SETTING)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}", Secret(f"{parts.path or '/'}{query}")
