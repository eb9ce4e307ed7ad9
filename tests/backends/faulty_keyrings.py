"""Keyrings that misbehave, as the library's `load_keyring` finds them."""

from __future__ import annotations

import threading

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringError, KeyringLocked


class Faulty(KeyringBackend):
    """Has one password, `there` of each service, which is `the text`, and says `raises` instead if it is given."""

    priority = 0.1  # type: ignore[assignment]
    raises: BaseException | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.raises is not None:
            raise self.raises
        return "the text" if username == "there" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class Locked(Faulty):
    raises = KeyringLocked("a keyring with hunter2-canary")


class Shut(Faulty):
    raises = InitError("a keyring with hunter2-canary")


class Broken(Faulty):
    raises = KeyringError("a keyring with hunter2-canary")


class Asking(Faulty):
    """Asks somebody, who does not answer before `answered`."""

    answered = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        if username != "/":
            self.answered.wait()
        return super().get_password(service, username)
