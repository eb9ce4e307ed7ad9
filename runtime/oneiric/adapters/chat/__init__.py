"""The port `chat`: notices to people, in a channel of a chat or to a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from oneiric.adapters._common.accepted import Accepted as Accepted
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

Level: TypeAlias = Literal["info", "warning", "error"]

LEVELS: tuple[Level, ...] = ("info", "warning", "error")
MAX_TEXT = 2900
"""Characters of a text: a block of Slack has 3000, with a sign for the level."""
MAX_TITLE = 140
"""Characters of a title, and of the name of a field."""
MAX_FIELDS = 10
MAX_VALUE = 1800
"""Characters of the value of a field."""
MAX_SIZE = 16 * 1024
"""Bytes of UTF-8 of all texts of a notice together: Teams takes 28 KB, with what is around them."""
MAX_CHANNEL = 255
"""Characters of a channel's name."""


class ChatError(AdapterError):
    """Anything a chat adapter raises. It shows nothing of what was sent."""

    key = "chat"


class ChatClosed(ChatError, Closed):
    """It was closed, or not started yet."""


class ChatUnavailable(ChatError, Unavailable):
    """The service does not answer, or not in time, or says that it failed; the notice may have been posted or not."""


class RateLimited(ChatUnavailable):
    """The service takes no more for now; `retry_after`: the seconds it asks to wait, if it says so."""

    retry_after: float | None = None


class ChatRefused(ChatError, Refused):
    """The service turns this component away: its token, its webhook, its certificate or what it may do."""


class ChatMisconfigured(ChatError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class UnknownChannel(ChatError, LookupError):
    """There is no such channel, it is archived, or this component is not in it."""


class InvalidNotice(ChatError, ValueError):
    """A notice outside the limits of the port, or that the service does not take."""


class TooLong(InvalidNotice):
    """A text of the notice, or all of them, is longer than the service takes. Nothing is cut."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What was sent, for those who keep it; see `Notices.send`."""

    text: str
    title: str = ""
    level: Level = "info"
    channel: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


class Notices(Protocol):
    """Tells people of something. Texts are plain: nothing in them is markup or a mention.

    A notice is sent once: what fails is not tried again, as it may have been posted.
    """

    async def send(
        self,
        text: str,
        *,
        title: str = "",
        level: Level = "info",
        channel: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Accepted:
        """Send a notice; `fields` are names and values that are shown below the text.

        `channel`: where it goes, instead of where the settings say; `InvalidNotice` where the service gives no choice.
        Raises `InvalidNotice`, `TooLong`, `UnknownChannel`, `RateLimited`, `ChatUnavailable`, `ChatRefused`.
        """
        ...


def checked_notice(
    text: str, title: str, level: Level, channel: str | None, fields: Mapping[str, str] | None, provider: str
) -> Notice:
    """The notice; raises `InvalidNotice`, `TooLong`. For providers."""
    texts = {"text": (text, MAX_TEXT), "title": (title, MAX_TITLE)}
    if channel is not None:
        texts["channel"] = (channel, MAX_CHANNEL)
    if not isinstance(fields or {}, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidNotice("fields are a mapping of names to values", provider=provider)
    for number, (name, value) in enumerate((fields or {}).items(), 1):
        texts |= {f"name of field {number}": (name, MAX_TITLE), f"value of field {number}": (value, MAX_VALUE)}
    size = sum(_checked(what, told, most, provider) for what, (told, most) in texts.items())
    if level not in LEVELS:
        raise InvalidNotice(f"a level is one of {', '.join(LEVELS)}", provider=provider)
    if len(fields or ()) > MAX_FIELDS:
        raise TooLong(f"a notice has at most {MAX_FIELDS} fields, this one has {len(fields or ())}", provider=provider)
    if size > MAX_SIZE:
        raise TooLong(f"the notice has {size} bytes of text, of at most {MAX_SIZE}", provider=provider)
    return Notice(text, title, level, channel, MappingProxyType(dict(fields or {})))


def _checked(what: str, text: str, most: int, provider: str) -> int:
    """The bytes of a text of a notice."""
    if not isinstance(text, str) or "\0" in text:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidNotice(f"the {what} is not text without NUL", provider=provider)
    if what.startswith(("title", "name")) and len(text.splitlines()) > 1:
        raise InvalidNotice(f"the {what} has several lines", provider=provider)
    if not text.strip() and not (what == "title" and not text):
        raise InvalidNotice(f"the {what} is empty", provider=provider)
    if len(text) > most:
        raise TooLong(f"the {what} has {len(text)} characters, of at most {most}", provider=provider)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidNotice(f"the {what} has a lone surrogate", provider=provider) from None
