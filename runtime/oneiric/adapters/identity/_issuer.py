"""An issuer that is asked for its documents, over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from oneiric.adapters._common.api import in_general
from oneiric.adapters._common.network import Faults, is_about_certificates
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.identity import IdentityClosed

_LARGEST = 1024 * 1024


class Issuer:
    """Gives documents of JSON. Its errors blame the setting that led there, and hold nothing of what came back."""

    def __init__(self, faults: Faults, *, ca_file: Path | None) -> None:
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        self._faults = faults
        self._ca_file = ca_file
        self._timeouts = Timeouts()
        self._session: aiohttp.ClientSession | None = None

    @property
    def is_open(self) -> bool:
        return self._session is not None

    async def open(self) -> None:
        await self.aclose()
        context = await asyncio.to_thread(self._faults.trusting, self._ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )

    async def aclose(self) -> None:
        session, self._session = self._session, None
        self._timeouts.end_all()
        if session is not None:
            await session.close()

    def check_open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise IdentityClosed("it is not open", provider=self._faults.provider)
        return self._session

    async def document(self, url: str, setting: str, seconds: float) -> dict[str, Any]:
        """The object there. No redirect is followed."""
        session = self.check_open()
        try:
            with self._timeouts.within(seconds):
                async with session.get(
                    URL(url, encoded=True), headers={"accept": "application/json"}, allow_redirects=False
                ) as response:
                    read = b""
                    while (more := await response.content.readany()) and len(read) <= _LARGEST:
                        read += more
        except Exception as error:
            raise self._translated(error, setting) from None
        if response.status in (401, 403):
            raise self._faults.no_entry(f"it answered {response.status}", setting)
        found = _object(read) if response.status == 200 and len(read) <= _LARGEST else None
        if found is None:
            what = "what came back is no JSON object" if response.status == 200 else f"it answered {response.status}"
            raise self._faults.no_answer(what, setting)
        return found

    def _translated(self, error: Exception, setting: str) -> Exception:
        if self._session is None:
            return IdentityClosed("it was closed meanwhile", provider=self._faults.provider)
        if isinstance(error, TimeoutError):
            return self._faults.no_answer("no answer in time", "timeout")
        if is_about_certificates(error):
            return self._faults.no_entry(in_general(error), "ca_file")
        return self._faults.no_answer(in_general(error), setting)


def check_url(faults: Faults, url: str, setting: str) -> None:
    """Raise the port's error unless documents can be asked there."""
    faults.check_text(**{setting: url})
    if (wrong := wrong_with(url)) is not None:
        raise faults.no_sense(wrong, setting)


def wrong_with(url: str) -> str | None:
    """What keeps a URL from being asked."""
    try:
        parts = urlsplit(url)
        sound = parts.port is None or parts.port > 0
    except ValueError:
        return "is malformed"
    if parts.scheme not in ("http", "https") or not parts.hostname or not sound:
        return "is not of the form https://HOST"
    if parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        return "has a user, a fragment, or characters that are to be escaped"
    return None


def _object(content: bytes) -> dict[str, Any] | None:
    """The object in the text, or None: an error of `json` would carry the text along."""
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
