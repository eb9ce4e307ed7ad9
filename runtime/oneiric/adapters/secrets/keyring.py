"""Secrets provider `keyring`: the keyring of the user or the machine, by the library of that name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import keyring
from keyring.backends import fail, null
from keyring.core import load_keyring
from keyring.errors import InitError, KeyringError, KeyringLocked

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import Names, SecretsClosed, SecretsMisconfigured, SecretsRefused, SecretsUnavailable
from oneiric.adapters.secrets._served import NoneThere, ServedEach

T = TypeVar("T")
_PROVIDER = "keyring"
_FAULTS = Faults(_PROVIDER, SecretsUnavailable, SecretsRefused, SecretsMisconfigured)


@component(
    "adapter",
    "secrets",
    provider="keyring",
    priority=0,
    stack_level=-20,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class KeyringSecrets(ServedEach):
    """Reads passwords of a keyring: macOS Keychain, Secret Service, KWallet, or another that the library knows.

    Needs a keyring that can be opened without asking; the extra `secrets-keyring`.

    `service`: whose passwords these are: `keyring set SERVICE NAME` has put them there.
    `backend`: the class of the keyring, `keyring.backends.SecretService.Keyring`; by default the one that the library
        is configured for, or finds best.
    `prefix`: what the name of a secret begins with there.
    `cache_ttl`: seconds that what was read is kept; 0 for not at all.
    `timeout`: seconds for one reading, and for the keyring to be found at the start.
    """

    def __init__(
        self,
        *,
        service: str = "oneiric",
        backend: str | None = None,
        prefix: str = "",
        cache_ttl: float = 60.0,
        timeout: float = 10.0,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout)
        _FAULTS.check_text(service=service, backend=backend)
        self._service = service
        self._ring = _Ring(backend, timeout)
        super().__init__(
            _FAULTS, self._ring, Names(_PROVIDER, prefix), cache_ttl=cache_ttl, healthcheck_timeout=timeout
        )

    async def _ask_health(self) -> None:
        """What is not there has no name that a secret can have, so that no password is asked for."""
        await self._ring.ask(self._service, "/")

    async def _read(self, place: str) -> Secret:
        text = await self._ring.ask(self._service, place)
        if not text:
            none = "none" if text is None else "an empty one"
            raise NoneThere(f"the keyring has {none} of the name {place} for {self._service}")
        return Secret(text)


class _Ring:
    """The keyring, which blocks: threads ask it, in time."""

    def __init__(self, backend: str | None, timeout: float) -> None:
        self._backend = backend
        self._timeout = timeout
        self._ring: Any = None

    async def open(self) -> None:
        self._ring = await self._in_time(self._found)

    async def aclose(self) -> None:
        self._ring = None

    def check_open(self) -> None:
        if self._ring is None:
            raise SecretsClosed("the secrets adapter is not open", provider=_PROVIDER)

    async def ask(self, service: str, name: str) -> str | None:
        self.check_open()
        return await self._in_time(self._ring.get_password, service, name)

    def _found(self) -> Any:
        try:
            ring: Any = keyring.get_keyring() if self._backend is None else load_keyring(self._backend)
        except (ImportError, AttributeError, ValueError, TypeError, RuntimeError):
            raise _FAULTS.no_sense(f"{self._backend} is not a keyring that can be used here", "backend") from None
        if isinstance(ring, (fail.Keyring, null.Keyring)):
            raise _FAULTS.no_sense("is missing, and there is no keyring here that the library finds", "backend")
        return ring

    async def _in_time(self, work: Callable[..., T], *arguments: str) -> T:
        """What a thread gives; what goes wrong is the port's error, which has nothing of what the keyring says."""
        try:
            async with asyncio.timeout(self._timeout):
                return await _in_thread(work, *arguments)
        except TimeoutError:
            failed = _FAULTS.no_answer(
                f"no answer in {self._timeout:g} s: it may be locked, and ask somebody", "timeout"
            )
        except (KeyringLocked, InitError):
            failed = _FAULTS.no_entry("it is locked", "backend")
        except (KeyringError, OSError, ValueError, RuntimeError) as error:
            failed = _FAULTS.no_answer(f"it cannot be read: {type(error).__name__}", "backend")
        raise failed


async def _in_thread(work: Callable[..., T], *arguments: str) -> T:
    """What a daemon thread gives: a keyring that waits for somebody to unlock it must not hold the process."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="oneiric keyring", daemon=True).start()
    return await asyncio.wrap_future(future)
