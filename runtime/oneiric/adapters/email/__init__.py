"""The port `email`: messages to people, by a mail server or a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_RECIPIENTS = 100
"""Of `to`, `cc` and `bcc` together: what every mail server takes (RFC 5321, 4.5.3.1.8)."""
MAX_SUBJECT = 255
"""Characters of a subject."""
MAX_NAME = 128
"""Characters of the name before an address."""
MAX_HEADER = 800
"""Bytes of UTF-8 of the value of a header."""
MAX_FILE_NAME = 255
"""Characters of the name of an attachment."""
MAX_SIZE = 18_000_000
"""Bytes of texts and attachments together: services take 25 MB, and base64 makes a third more of them."""


class EmailError(AdapterError):
    """Anything an email adapter raises. Its text shows nothing of what was sent."""

    key = "email"


class EmailClosed(EmailError, Closed):
    """It was closed, or not started yet."""


class EmailUnavailable(EmailError, Unavailable):
    """The server does not answer, or not in time, or says that it failed; the email may have been taken or not."""


class RateLimited(EmailUnavailable):
    """The server takes no more for now; `retry_after`: the seconds it asks to wait, if it says so."""

    retry_after: float | None = None


class EmailRefused(EmailError, Refused):
    """The server turns this component away: its password or key, its certificate, its sender."""


class EmailMisconfigured(EmailError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidEmail(EmailError, ValueError):
    """An email outside the limits of the port, or that the server does not take."""


class EmailTooLarge(InvalidEmail):
    """A text of the email, or all of it, is larger than servers take. Nothing is cut."""


class RecipientsRefused(EmailError):
    """The server takes none of the recipients; `refused` has its reason for each. Nothing was sent."""

    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file: its name, its bytes, and what they are: `application/pdf`."""

    name: str
    data: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Email:
    """An address is `ada@example.org` or `Ada Lovelace <ada@example.org>`: the name is text, the address ASCII.

    `text` and `html` say the same, one of them will do. `sender`: instead of the one of the settings. Who is in `bcc`
    gets the email and is in no header of it. `headers`: further ones, texts of one line.
    """

    to: tuple[str, ...]
    subject: str
    text: str = ""
    html: str = ""
    sender: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took it; not that it arrived. `id`: the server's name for it, or empty.

    `refused`: the recipients that it did not take, as they stand in the email, with its reason; the others have it.
    """

    id: str
    refused: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


class Emails(Protocol):
    """Sends emails, each once: what fails is not tried again, as it may have been taken."""

    async def send(self, email: Email) -> Sent:
        """Hand an email to the server.

        Raises `InvalidEmail`, `EmailTooLarge`, `RecipientsRefused`, `RateLimited`, `EmailUnavailable`, `EmailRefused`.
        """
        ...
