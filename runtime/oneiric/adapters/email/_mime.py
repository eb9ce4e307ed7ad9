"""An email as mail servers take it: headers and a body of ASCII, in lines that end with CRLF (RFC 5322, 2047, 2231)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from uuid import uuid4

from oneiric.adapters.email._letters import Address, Letter

_POLICY = SMTP.clone(cte_type="7bit")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_WORD = 45  # bytes in an encoded word, which has at most 75 characters


def message_of(letter: Letter) -> tuple[str, bytes]:
    """The id of the message, and the message itself; `bcc` is in no header of it."""
    id = f"<{uuid4().hex}@{letter.sender.email.partition('@')[2]}>"
    reply_to = () if letter.reply_to is None else (letter.reply_to,)
    people = {"From": (letter.sender,), "To": letter.to, "Cc": letter.cc, "Reply-To": reply_to}
    headers = {name: ",\r\n ".join(map(_mailbox, told)) for name, told in people.items() if told}
    headers |= {"Subject": encoded(letter.subject), "Date": formatdate(), "Message-ID": id}
    headers |= {name: encoded(value) for name, value in letter.headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return id, head.encode("ascii") + _body(letter)


def encoded(text: str, between: str = "\r\n ") -> str:
    """A text as it may stand in a header: as it is, or in encoded words with `between` between them."""
    if text.isascii() and "=?" not in text and text == text.strip():
        return text
    words = (base64.b64encode(piece).decode() for piece in _pieces(text))
    return between.join(f"=?utf-8?b?{word}?=" for word in words)


def _pieces(text: str) -> Iterator[bytes]:
    """Its bytes in UTF-8, cut between characters."""
    piece = b""
    for character in text:
        if len(piece) + len(more := character.encode()) > _WORD:
            yield piece
            piece = b""
        piece += more
    yield piece


def _mailbox(address: Address) -> str:
    name = encoded(address.name)
    if name == address.name and not _ATOMS.fullmatch(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address.email}>" if name else address.email


def _body(letter: Letter) -> bytes:
    """The body, and before it the headers that say what it is."""
    message = EmailMessage(policy=_POLICY)
    if letter.text:
        message.set_content(letter.text)
    if letter.html and letter.text:
        message.add_alternative(letter.html, subtype="html")
    elif letter.html:
        message.set_content(letter.html, subtype="html")
    for each in letter.attachments:
        kind, _, subtype = each.media_type.lower().partition("/")
        message.add_attachment(each.data, kind, subtype, filename=each.name)
    return message.as_bytes()
