"""The emails of this process, and messages as mail servers take them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as some
from oneiric.adapters._common.network import Faults
from oneiric.adapters.email import (
    Email,
    EmailMisconfigured,
    EmailRefused,
    Emails,
    EmailUnavailable,
    InvalidEmail,
)
from oneiric.adapters.email._letters import Letters
from oneiric.adapters.email._mime import message_of
from oneiric.adapters.email.memory import MemoryEmails
from oneiric.testing.contracts import EmailContract, started
from oneiric.testing.contracts.email import SENDER, an_email
from oneiric.testing.contracts.running import run

LETTERS = Letters(Faults("tests", EmailUnavailable, EmailRefused, EmailMisconfigured), SENDER)


class TestMemoryEmails(EmailContract):
    def fresh(self) -> AbstractAsyncContextManager[Emails]:
        self.emails = MemoryEmails(sender=SENDER)
        return started(self.emails)

    def received(self) -> list[Email]:
        return self.emails.sent


def test_it_keeps_the_last_ones_for_as_long_as_it_is_there() -> None:
    async def main() -> None:
        async with started(MemoryEmails(keep=2)) as emails:
            ids = [(await emails.send(an_email(f"email {number}"))).id for number in range(3)]
        assert [each.subject for each in emails.sent] == ["email 1", "email 2"]
        assert ids == ["1", "2", "3"]
        assert emails.sent[0].sender == "app@localhost"
        for wrong in ({"keep": 0}, {"sender": "nobody"}):
            with pytest.raises(EmailMisconfigured):
                MemoryEmails(**wrong)  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada"),
        (r'"The \"C\\ountess\"" <ada@example.org>', r'The "C\ountess"'),
        ("  Ada  <ada@example.org>", "Ada"),
        ("<ada@example.org>", ""),
        ("ada@example.org", ""),
    ],
)
def test_a_name_may_be_quoted(written: str, name: str) -> None:
    [address] = LETTERS.checked(Email((written,), "x", "x")).to
    assert address == (name, "ada@example.org", written)


@given(some.text(min_size=1, max_size=120), some.text(max_size=200), some.text(min_size=1, max_size=99))
def test_any_texts_are_refused_or_arrive_as_they_are_in_no_other_header(name: str, subject: str, text: str) -> None:
    email = Email((f"{name} <ada@example.org>",), subject, text, bcc=("blind@example.org",), headers={"X-Id": subject})
    try:
        letter = LETTERS.checked(email)
    except InvalidEmail:
        return
    _, raw = message_of(letter)
    message = message_from_bytes(raw, policy=default)
    assert raw.isascii()
    assert [*message.keys()][:6] == ["From", "To", "Subject", "Date", "Message-ID", "X-Id"]
    assert (message["Subject"], message["X-Id"]) == (subject, subject)
    [read] = message["To"].addresses
    assert read.addr_spec == "ada@example.org"
    # Python's reader leaves the spaces between the encoded words of a long name, which RFC 2047 has it drop
    assert read.display_name.replace(" ", "") == letter.to[0].name.replace(" ", "")
    assert message.get_content().splitlines() == text.replace("\r\n", "\n").replace("\r", "\n").splitlines()  # type: ignore[attr-defined]
    assert b"blind@" not in raw
