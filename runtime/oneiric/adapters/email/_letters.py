"""What may be sent: an email within the limits of the port, its addresses taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar, cast

from oneiric.adapters._common.finish import in_thread
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.texts import is_plain
from oneiric.adapters.email import (
    MAX_FILE_NAME,
    MAX_HEADER,
    MAX_NAME,
    MAX_RECIPIENTS,
    MAX_SIZE,
    MAX_SUBJECT,
    Attachment,
    Email,
    EmailTooLarge,
    InvalidEmail,
)

Made = TypeVar("Made")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN = re.compile(
    r"to|cc|bcc|from|sender|reply-to|subject|date|message-id|mime-version|received|return-path|dkim-signature"
    r"|(?:content|resent|arc|x-sg|x-mailgun)-.*|x-smtpapi",
    re.IGNORECASE,
)
_MEDIA_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LARGE = 256 * 1024  # bytes that take the loop too long to encode


class Address(NamedTuple):
    """`written` is how it stands in the email."""

    name: str
    email: str
    written: str


class Letter(NamedTuple):
    """An email that may be sent; `size` is in bytes, of texts and attachments."""

    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: Address | None
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]
    attachments: tuple[Attachment, ...]
    size: int

    @property
    def recipients(self) -> tuple[Address, ...]:
        return self.to + self.cc + self.bcc

    async def made(self, make: Callable[[Letter], Made]) -> Made:
        """What is made of it, in a thread where that takes long."""
        return make(self) if self.size < _LARGE else await in_thread(make, self)


class Letters:
    """Makes letters of emails for a provider; `sender` is its setting, for emails that name none."""

    def __init__(self, faults: Faults, sender: str) -> None:
        self._provider = faults.provider
        try:
            self._sender = self._address(sender, "sender")
        except InvalidEmail as error:
            raise faults.no_sense(f"is no address: {error.what}", "sender") from None

    def checked(self, email: Email) -> Letter:
        """Raises `InvalidEmail`, `EmailTooLarge`."""
        to, cc, bcc = (self._addresses(getattr(email, what), what) for what in ("to", "cc", "bcc"))
        if not to:
            raise self._invalid("to is empty")
        self._check_recipients([each.email.lower() for each in (*to, *cc, *bcc)])
        if not self._line(email.subject, "subject", MAX_SUBJECT).strip():
            raise self._invalid("the subject is empty")
        for what, text in (("text", email.text), ("html", email.html)):
            if not is_plain(text):
                raise self._invalid(f"the {what} is not text without NUL")
        if not (email.text.strip() or email.html.strip()):
            raise self._invalid("text and html are empty")
        return Letter(
            sender=self._sender if email.sender is None else self._address(email.sender, "sender"),
            to=to,
            cc=cc,
            bcc=bcc,
            reply_to=None if email.reply_to is None else self._address(email.reply_to, "reply_to"),
            subject=email.subject,
            text=email.text,
            html=email.html,
            headers=self._headers(email.headers),
            attachments=self._attachments(email.attachments),
            size=self._size(email),
        )

    def _addresses(self, written: object, what: str) -> tuple[Address, ...]:
        if not isinstance(written, tuple | list):
            raise self._invalid(f"{what} is not a tuple of addresses")
        return tuple(self._address(each, what) for each in cast("tuple[object, ...]", written))

    def _address(self, written: object, what: str) -> Address:
        text = self._line(written, f"address of {what}", MAX_NAME + 300)
        named = _NAMED.fullmatch(text)
        name, email = ("", text) if named is None else (named[1].strip(), named[2])
        if quoted := _QUOTED.fullmatch(name):
            name = re.sub(r"\\(.)", r"\1", quoted[1])
        if not _ADDRESS.fullmatch(email):
            raise self._invalid(f"an address of {what} is not of the form `a@example.org` or `Name <a@example.org>`")
        if len(name) > MAX_NAME:
            raise EmailTooLarge(f"a name of {what} has more than {MAX_NAME} characters", provider=self._provider)
        return Address(name, email, text)

    def _check_recipients(self, emails: list[str]) -> None:
        if len(emails) > MAX_RECIPIENTS:
            what = f"an email has at most {MAX_RECIPIENTS} recipients, this one has {len(emails)}"
            raise EmailTooLarge(what, provider=self._provider)
        if len(set(emails)) < len(emails):
            raise self._invalid("a recipient stands twice in to, cc and bcc")

    def _headers(self, headers: object) -> Mapping[str, str]:
        if not isinstance(headers, Mapping):
            raise self._invalid("headers are a mapping of names to texts")
        told: dict[str, str] = {}
        for name, value in cast("Mapping[object, object]", headers).items():
            if not isinstance(name, str) or not _HEADER.fullmatch(name):
                raise self._invalid("the name of a header is 1 to 64 ASCII letters, digits and `-`")
            if _TAKEN.fullmatch(name) or name.lower() in map(str.lower, told):
                raise self._invalid(f"the header {name} is not one that an email may have besides")
            told[name] = self._line(value, f"header {name}", MAX_HEADER)
            if len(told[name].encode()) > MAX_HEADER:
                raise EmailTooLarge(f"the header {name} has more than {MAX_HEADER} bytes", provider=self._provider)
        return told

    def _attachments(self, attachments: object) -> tuple[Attachment, ...]:
        if not isinstance(attachments, tuple | list):
            raise self._invalid("attachments are not a tuple")
        told: list[Attachment] = []
        for each in cast("tuple[object, ...]", attachments):
            if not isinstance(each, Attachment) or not isinstance(each.data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise self._invalid("an attachment is an Attachment, and its data are bytes")
            if not self._line(each.name, "name of an attachment", MAX_FILE_NAME).strip():
                raise self._invalid("the name of an attachment is empty")
            if not _MEDIA_TYPE.fullmatch(self._line(each.media_type, "media_type of an attachment", MAX_FILE_NAME)):
                raise self._invalid("the media_type of an attachment is of the form `application/pdf`")
            told.append(each)
        return tuple(told)

    def _size(self, email: Email) -> int:
        """The bytes of texts and attachments, which are right."""
        sizes: Iterator[int] = (len(each.data) for each in email.attachments)
        size = len(email.text.encode()) + len(email.html.encode()) + sum(sizes)
        if size > MAX_SIZE:
            raise EmailTooLarge(f"the email has {size} bytes, of at most {MAX_SIZE}", provider=self._provider)
        return size

    def _line(self, text: object, what: str, most: int) -> str:
        """Raise the error unless it is text of one line, so that nobody puts a header into it."""
        if not is_plain(text) or _CONTROL.search(text):
            raise self._invalid(f"the {what} is not text of one line without control characters")
        if len(text) > most:
            raise EmailTooLarge(f"the {what} has {len(text)} characters, of at most {most}", provider=self._provider)
        return text

    def _invalid(self, what: str) -> InvalidEmail:
        return InvalidEmail(what, provider=self._provider)
