"""What providers behind a network have in common: their errors by kind, and texts without secrets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from oneiric.errors import AdapterError
from oneiric.secret import Secret


class Faults(NamedTuple):
    """The errors of one port, as one provider raises them."""

    provider: str
    unavailable: type[AdapterError]
    refused: type[AdapterError]
    misconfigured: type[AdapterError]

    def no_answer(self, what: str, setting: str) -> AdapterError:
        return self.unavailable(what, provider=self.provider, setting=setting)

    def no_entry(self, what: str, setting: str) -> AdapterError:
        return self.refused(what, provider=self.provider, setting=setting)

    def no_sense(self, what: str, setting: str) -> AdapterError:
        return self.misconfigured(what, provider=self.provider, setting=setting)

    def check_above_zero(self, **settings: float) -> None:
        """Raise the port's error for the first of these seconds or amounts that is not above 0."""
        for setting, value in settings.items():
            if not value > 0:
                raise self.no_sense(f"{value!r} is not above 0", setting)

    def check_text(self, **settings: str | None) -> None:
        """Raise the port's error for the first of these texts that is empty, has a NUL or cannot be UTF-8."""
        for setting, text in settings.items():
            if text is None:
                continue
            if not text or "\0" in text:
                raise self.no_sense("is empty or has a NUL", setting)
            try:
                text.encode()
            except UnicodeEncodeError:
                raise self.no_sense("has a lone surrogate", setting) from None

    def trusting(self, ca_file: Path | None) -> ssl.SSLContext:
        """TLS by these certificates, or those that the system trusts; takes milliseconds. Raises the port's error."""
        try:
            return ssl.create_default_context(cafile=ca_file)
        except OSError:
            raise self.no_sense(f"{ca_file} cannot be read as certificates", "ca_file") from None

    def trusting_if(self, tls: bool, ca_file: Path | None) -> ssl.SSLContext | None:
        """The same where settings ask for TLS; raises the port's error for certificates without it."""
        if ca_file is not None and not tls:
            raise self.no_sense("is given, but tls is off", "ca_file")
        return self.trusting(ca_file) if tls else None


def revealed(secret: Secret | None) -> str | None:
    """The text itself, for an SDK."""
    return None if secret is None else secret.reveal()


def told(error: BaseException, *secrets: Secret | None) -> str:
    """What an SDK's error says, in one line and without the secrets: servers may repeat what they were sent."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in secrets:
        if secret is not None and secret.reveal():
            text = text.replace(secret.reveal(), "****")
    return text


def cancellations() -> int:
    """How often the running task was asked to end.

    `asyncio.wait_for` of Python 3.11 forgets a cancellation that meets its result, and SDKs use it: who finds more
    after a call than before raises `CancelledError`.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def is_about_certificates(error: BaseException) -> bool:
    """Whether TLS failed at the root of this error: a certificate that is not trusted, or no TLS at all."""
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
