"""The port `sms`: short texts to phones."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from oneiric.adapters._common.accepted import Accepted as Accepted
from oneiric.adapters._common.texts import is_plain
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_TEXT = 1600
"""Characters of a text, of which some count as two: what services take, in as many segments as that needs."""
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
"""A phone number as E.164 has it."""


class SmsError(AdapterError):
    """Anything an sms adapter raises. It shows nothing of a number or a text."""

    key = "sms"


class SmsClosed(SmsError, Closed):
    """It was closed, or not started yet."""


class SmsUnavailable(SmsError, Unavailable):
    """The service does not answer, or not in time, or says that it failed; the text may have been taken or not."""


class RateLimited(SmsUnavailable):
    """The service takes no more for now; `retry_after`: the seconds it asks to wait, if it says so."""

    retry_after: float | None = None


class SmsRefused(SmsError, Refused):
    """The service turns this component away: its token, its account or its sender."""


class SmsMisconfigured(SmsError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidNumber(SmsError, ValueError):
    """It is not a number of E.164, or none that texts can be sent to."""


class Unsubscribed(InvalidNumber):
    """Who has the number wants no texts of this sender any more: send no further ones."""


class InvalidText(SmsError, ValueError):
    """A text outside the limits of the port, or that the service does not take."""


class TooLong(InvalidText):
    """The text is longer than the service takes. Nothing is cut."""


class Sms(NamedTuple):
    """What was sent, for those who keep it; see `Texts.send`."""

    to: str
    text: str


class Texts(Protocol):
    """Sends texts to phones, each once: what fails is not tried again, as it may have been taken."""

    async def send(self, to: str, text: str) -> Accepted:
        """Hand a text to the service. `to` is a number as E.164 has it: `+4915112345678`.

        Raises `InvalidNumber`, `Unsubscribed`, `InvalidText`, `TooLong`, `RateLimited`, `SmsUnavailable`, `SmsRefused`.
        """
        ...


def checked_sms(to: str, text: str, provider: str) -> Sms:
    """What may be sent; raises `InvalidNumber`, `InvalidText`, `TooLong`. For providers."""
    if not isinstance(to, str) or not NUMBER.fullmatch(to):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidNumber("the number is not of the form `+` and 7 to 15 digits (E.164)", provider=provider)
    if not is_plain(text) or not text.strip():
        raise InvalidText("the text is empty, or not text without NUL", provider=provider)
    if len(text.encode("utf-16-le")) > 2 * MAX_TEXT:
        raise TooLong(f"the text has more than {MAX_TEXT} characters, of which some count as two", provider=provider)
    return Sms(to, text)
