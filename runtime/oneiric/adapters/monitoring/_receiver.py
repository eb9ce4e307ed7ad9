"""Asking a receiver over HTTP whether it takes what a component sends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientSSLError, ClientTimeout

from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters.monitoring import MonitoringMisconfigured, MonitoringRefused, MonitoringUnavailable
from oneiric.secret import Secret


class Receiver(NamedTuple):
    """Where records go; `setting` says so, `credentials` and `certificates` are the settings of these names."""

    faults: Faults
    url: str
    setting: str
    credentials: str
    secret: Secret | None = None
    ca_file: Path | None = None
    certificates: str = "ca_file"

    async def ask(self, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
        """Post something that means nothing; raises the port's error unless it is taken."""
        place = urlsplit(self.url)
        at = f"{place.hostname}:{place.port or {'http': 80, 'https': 443}[place.scheme]}"
        context = self._context() if place.scheme == "https" else None
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=seconds), trust_env=True) as session,
                session.post(
                    self.url, data=body, headers=headers, ssl=context or True, allow_redirects=False
                ) as response,
            ):
                status = response.status
                await response.read()
        except (ClientError, OSError, ValueError) as error:
            what = f"{at}: {told(error, self.secret)}"
            if isinstance(error, ClientSSLError) or is_about_certificates(error):
                raise self.faults.no_entry(what, self.certificates) from None
            if isinstance(error, asyncio.TimeoutError):
                what = f"{at}: no answer in {seconds:g} s"
            raise self.faults.no_answer(what, self.setting) from None
        if status in (401, 403):
            raise self.faults.no_entry(f"{at} answers with status {status}", self.credentials)
        if not 200 <= status < 300:
            raise self.faults.no_answer(f"{at} answers with status {status}", self.setting)

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError):
            what = f"{self.ca_file} has no certificates"
            raise self.faults.no_sense(what, self.certificates) from None


def faults_of(provider: str) -> Faults:
    """The port's errors, as this provider raises them."""
    return Faults(provider, MonitoringUnavailable, MonitoringRefused, MonitoringMisconfigured)


def close_pools(manager: Any) -> None:
    """Close the connections at rest of a `PoolManager` of urllib3; by itself it waits for the garbage collector."""
    for key in list(manager.pools.keys()):
        pool = manager.pools.get(key)
        if pool is not None:
            pool.close()


def checked_url(url: str, setting: str, faults: Faults) -> str:
    """An `http://` or `https://` address without a slash at its end. Raises the port's error."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise faults.no_sense("is not a URL", setting) from None
    odd = parts.query or parts.fragment or not url.isprintable() or " " in url
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or odd:
        raise faults.no_sense("is not of the form http://HOST:PORT or https://HOST:PORT", setting)
    if parts.username or parts.password:
        raise faults.no_sense("holds a user or password", setting)
    return url.rstrip("/")
