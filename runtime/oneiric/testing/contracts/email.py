"""The contract of the port `email`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from oneiric.adapters.email import (
    MAX_FILE_NAME,
    MAX_HEADER,
    MAX_NAME,
    MAX_RECIPIENTS,
    MAX_SIZE,
    MAX_SUBJECT,
    Attachment,
    Email,
    EmailClosed,
    EmailError,
    EmailMisconfigured,
    EmailRefused,
    Emails,
    EmailTooLarge,
    EmailUnavailable,
    InvalidEmail,
    RateLimited,
    RecipientsRefused,
)
from oneiric.testing.contracts.networked import NetworkedContract, chain
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, started

SENDER = "Shop, north <shop@example.org>"
"""The setting `sender` of adapters of the contracts."""
CANARY = "hunter2-canary"
"""What the emails of the cases have, and no error may."""
ADA = "ada@example.org"
_WILD = "Ærø \N{SNOWMAN} 日本語 \N{PILE OF POO}"
_NAMES = (
    "Ada Lovelace",
    "Lovelace, Ada (née Byron)",
    'The "Countess" \\ of; Lovelace:',
    "=?utf-8?q?not_a_word?=",
    "Ærøskøbing, Ådel",
    _WILD,
    "日本語" * 40,
)
_FILES = (
    Attachment("invoice.pdf", bytes(range(256)) * 9, "application/pdf"),
    Attachment('a "quoted"; name \\ (1).txt', b"line\nother\r\n.\r\nFrom me\r\n", "text/plain"),
    Attachment(f"{_WILD}.png", b"\x89PNG", "image/png"),
    Attachment("empty", b""),
    Attachment("long name, " * 20 + "end", b"x"),
)

EMAILS: dict[str, Email] = {
    "text alone": Email((ADA,), "Hello", "Hello."),
    "html alone": Email((ADA,), "Hello", html="<p>Hello &amp; ❄</p>"),
    "text and html": Email((ADA,), _WILD, f"{_WILD}\n\nsecond", f"<p>{_WILD}</p>"),
    "names": Email(tuple(f"{name} <{number}@example.org>" for number, name in enumerate(_NAMES)), "x", "x"),
    "people": Email(
        (ADA, "o'brien+tag=1@example.org"),
        "people",
        "x",
        sender="Ünï <other@example.org>",
        cc=("Cc <cc@example.org>", "cc2@sub.example.org"),
        bcc=("Secret <blind@example.org>", "hidden@example.org"),
        reply_to=f"{_WILD} <reply@example.org>",
    ),
    "headers": Email((ADA,), "x", "x", headers={"List-Unsubscribe": "<https://example.org/u?x=1&y=2>", "X-Id": _WILD}),
    "attachments": Email((ADA,), "x", "with files", "<p>with files</p>", attachments=_FILES),
    "lines": Email(
        (ADA,), "x", f".\n..\nFrom me\n\n{'long ' * 2000}\n{'é' * 2000}\n\ttab  \nend\n", f"<p>{'y' * 3000}"
    ),
    "subject": Email((ADA,), "s" * MAX_SUBJECT, "x"),
    "spaces": Email((ADA,), "  a  =?utf-8?b?eA==?=  ", "x"),
}
INJECTED = ("x\r\nBcc: eve@example.org", "x\nBcc: eve@example.org", "x\ry", "x\0y", "x\u2028y", "x\x85y", "x\ud800")
WRONG: list[tuple[dict[str, Any], type[InvalidEmail]]] = [
    *(({"subject": text}, InvalidEmail) for text in (*INJECTED, "", " ", None)),
    *(({"headers": {"X-Id": text}}, InvalidEmail) for text in (*INJECTED, 7)),
    *(
        ({"headers": {name: "x"}}, InvalidEmail)
        for name in ("", "X Y", "X\r\nY", "X:", "É", "Bcc", "to", "Content-Type")
    ),
    *(
        ({"headers": {name: "x"}}, InvalidEmail)
        for name in ("DATE", "Resent-To", "X-SMTPAPI", "X-Mailgun-Variables", 7)
    ),
    ({"headers": {"X-Id": "x", "x-id": "y"}}, InvalidEmail),
    ({"headers": [("X-Id", "x")]}, InvalidEmail),
    ({"headers": {"X-Id": "é" * (MAX_HEADER // 2 + 1)}}, EmailTooLarge),
    *(
        ({who: (address,)}, InvalidEmail)
        for who in ("to", "cc", "bcc")
        for address in (
            *(f"{text} <eve@example.org>" for text in INJECTED),
            *(
                "",
                "ada",
                "a@",
                "@b",
                "a b@c",
                "a@b c",
                "a@b,c@d",
                "a@-b",
                "a..b@c",
                "<a@b> <c@d>",
                "a@b>",
                "A <>",
                "é@b",
            ),
            *("a@é.org", "a@[127.0.0.1]", f"{'x' * 65}@b", f"a@{'b.' * 130}c", None, 7),
        )
    ),
    *(({who: "eve@example.org\r\nBcc: x"}, InvalidEmail) for who in ("to", "sender", "reply_to")),
    *(({who: ADA}, InvalidEmail) for who in ("to", "cc", "bcc")),
    ({"to": ()}, InvalidEmail),
    ({"to": (), "cc": (ADA,)}, InvalidEmail),
    ({"cc": ("ADA@Example.org",)}, InvalidEmail),
    ({"to": (f"{'x' * (MAX_NAME + 1)} <a@b>",)}, EmailTooLarge),
    ({"to": tuple(f"a{number}@b" for number in range(MAX_RECIPIENTS + 1))}, EmailTooLarge),
    ({"subject": "s" * (MAX_SUBJECT + 1)}, EmailTooLarge),
    *(({"text": text}, InvalidEmail) for text in ("", " \n", None, b"x", "x\0", "\ud800")),
    ({"html": "x\0"}, InvalidEmail),
    *(({"attachments": (Attachment(name, b""),)}, InvalidEmail) for name in (*INJECTED, "", " ")),
    ({"attachments": (Attachment("x" * (MAX_FILE_NAME + 1), b""),)}, EmailTooLarge),
    *(
        ({"attachments": (Attachment("x", b"", kind),)}, InvalidEmail)
        for kind in (
            "",
            "text",
            "text/",
            "a/b/c",
            "text/plain; x=y",
            "text/x\r\nBcc: y",
            "multipart/mixed",
            "message/rfc822",
        )
    ),
    ({"attachments": (Attachment("x", "text"),)}, InvalidEmail),  # type: ignore[arg-type]
    ({"attachments": Attachment("x", b"")}, InvalidEmail),
    ({"attachments": ("x",)}, InvalidEmail),
    ({"attachments": (Attachment("x", bytes(MAX_SIZE)),)}, EmailTooLarge),
]
FAULTS: list[tuple[str, type[EmailError]]] = [
    ("limited", RateLimited),
    ("failing", EmailUnavailable),
    ("moved", EmailUnavailable),
    ("dropped", EmailUnavailable),
    ("refused", EmailRefused),
    ("too large", EmailTooLarge),
    ("not taken", InvalidEmail),
]


class EmailContract(Contract[Emails]):
    """Cases for what sends emails: subclass it and override `fresh`, with the sender `SENDER`, and `received`."""

    def received(self) -> list[Email]:
        """What arrived, as its readers see it, first the first; `bcc` are those who got it and are in no header."""
        raise NotImplementedError("override received()")

    @pytest.mark.parametrize("email", EMAILS.values(), ids=EMAILS)
    def test_an_email_arrives_with_all_its_parts(self, email: Email) -> None:
        async def case(emails: Emails) -> None:
            assert await health(emails)
            sent = await emails.send(email)
            assert isinstance(sent.id, str) and not sent.refused
            [seen] = self.received()
            assert as_read(seen) == as_read(replace(email, sender=email.sender or SENDER))

        self.check(case)

    def test_the_largest_arrives_whole(self) -> None:
        async def case(emails: Emails) -> None:
            people = tuple(f"{'n' * MAX_NAME} <a{number}@example.org>" for number in range(MAX_RECIPIENTS))
            data = bytes(range(256)) * 4096
            files = Attachment("é" * MAX_FILE_NAME, data), Attachment("text", b"line\n" * 9999, "text/csv")
            email = Email(
                people[:40], "é" * MAX_SUBJECT, "x", "", SENDER, people[40:70], people[70:], attachments=files
            )
            await emails.send(replace(email, headers={"X-Long": "é" * (MAX_HEADER // 2), "X-Plain": "x" * MAX_HEADER}))
            [seen] = self.received()
            assert seen.headers["X-Long"] == "é" * (MAX_HEADER // 2)
            assert seen.headers["X-Plain"] == "x" * MAX_HEADER
            assert as_read(replace(seen, headers={})) == as_read(email)

        self.check(case)

    def test_what_is_no_email_is_not_sent(self) -> None:
        async def case(emails: Emails) -> None:
            for wrong, error in WRONG:
                given: dict[str, Any] = {"to": (ADA,), "subject": CANARY, "text": CANARY, **wrong}
                with pytest.raises(InvalidEmail) as caught:
                    await emails.send(Email(**given))
                assert type(caught.value) is error, wrong
                assert caught.value.provider
                assert not any(text in str(caught.value) for text in (CANARY, "eve@", "\n")), wrong
            assert self.received() == []

        self.check(case)

    def test_fifty_at_once_arrive_once_each(self) -> None:
        async def case(emails: Emails) -> None:
            subjects = [f"email {number}" for number in range(50)]
            sent = await asyncio.gather(*(emails.send(an_email(subject)) for subject in subjects))
            assert sorted(seen.subject for seen in self.received()) == sorted(subjects)
            ids = {each.id for each in sent}
            assert ids == {""} or len(ids) == 50

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def case(emails: Emails) -> None:
            async for _ in cancelled_at_every_step(lambda: twice(emails)):
                await emails.send(an_email("after"))
            assert {seen.subject for seen in self.received()} <= {"first", "second", "after"}

        async def twice(emails: Emails) -> None:
            await emails.send(an_email("first"))
            await asyncio.sleep(0)
            await emails.send(an_email("second"))

        self.check(case)

    def test_closed_it_refuses_every_call_and_closing_twice_is_fine(self) -> None:
        async def case(emails: Emails) -> None:
            await close(emails)
            await close(emails)
            with pytest.raises(EmailClosed):
                await emails.send(an_email("x"))
            assert not await health(emails)
            assert self.received() == []

        self.check(case)


class ServiceEmailContract(EmailContract):
    """The same for what hands emails to a server, and what that may answer: override `faults`, `answer_with` and
    `attempts`."""

    faults: Mapping[str, Any] = {}
    """Answers by the names of `FAULTS`: that it takes no more for now, that it failed, that it is elsewhere (where the
    server may say so), a connection that is closed, the component turned away, an email that is too large, and one that
    makes no sense. Their texts have `CANARY`."""
    waits: float | None = 7
    """The seconds to wait that `limited` asks for, if it does."""

    def answer_with(self, fault: Any) -> None:
        """Let the server answer the next email by one of these."""
        raise NotImplementedError("override answer_with()")

    def attempts(self) -> int:
        """How often an email was handed over, whatever became of it."""
        raise NotImplementedError("override attempts()")

    def test_what_the_server_says_is_the_error_for_it_and_nothing_is_sent_twice(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def case(emails: Emails) -> None:
            for number, (fault, error) in enumerate((name, error) for name, error in FAULTS if name in self.faults):
                before = self.attempts()
                self.answer_with(self.faults[fault])
                with pytest.raises(EmailError) as caught:
                    await emails.send(Email((f"{CANARY}@example.org",), CANARY, CANARY))
                assert type(caught.value) is error, fault
                assert caught.value.provider
                if isinstance(caught.value, RateLimited):
                    assert caught.value.retry_after == self.waits
                assert self.attempts() == before + 1
                shown = "".join(f"{each}{each!r}{vars(each)}" for each in chain(caught.value))
                assert CANARY not in shown + caplog.text
                await emails.send(an_email("again"))
                assert [seen.subject for seen in self.received()] == ["again"] * (number + 1)

        caplog.set_level("DEBUG")
        self.check(case)


class RefusalContract(Contract[Emails]):
    """Cases for what has the capability `recipients`: it tells which of them the server does not take."""

    def refuse(self, address: str) -> None:
        """Let the server take no emails for this address from now on."""
        raise NotImplementedError("override refuse()")

    def received(self) -> list[Email]:
        """What arrived, as in `EmailContract`, for those who were not refused."""
        raise NotImplementedError("override received()")

    def test_who_is_refused_is_told_and_the_others_get_it(self) -> None:
        async def case(emails: Emails) -> None:
            self.refuse("gone@example.org")
            self.refuse("blind@example.org")
            gone, hidden = "Gone, é <gone@example.org>", "blind@example.org"
            sent = await emails.send(Email((ADA, gone), "x", "x", bcc=(hidden, "b2@example.org")))
            assert set(sent.refused) == {gone, hidden}
            assert all(sent.refused.values()) and sent.id
            assert self.received()[0].bcc == ("b2@example.org",)
            await emails.send(an_email("after"))
            assert [seen.subject for seen in self.received()] == ["x", "after"]

        self.check(case)

    def test_where_all_are_refused_nothing_is_sent(self) -> None:
        async def case(emails: Emails) -> None:
            self.refuse("gone@example.org")
            self.refuse(ADA)
            with pytest.raises(RecipientsRefused) as caught:
                await emails.send(Email((ADA,), CANARY, "x", bcc=("gone@example.org",)))
            assert set(caught.value.refused) == {ADA, "gone@example.org"}
            assert not any(text in str(caught.value) for text in (CANARY, "@"))
            await emails.send(an_email("after", "bob@example.org"))
            assert [seen.subject for seen in self.received()] == ["after"]

        self.check(case)


class NetworkedEmailContract(NetworkedContract[Emails]):
    """Cases for a server that is away or talks badly, besides those of `ServiceEmailContract`."""

    base = EmailError
    unavailable = EmailUnavailable
    refusal = EmailRefused
    misconfigured = EmailMisconfigured

    def received(self) -> list[Email]:
        """What arrived at any of the servers."""
        raise NotImplementedError("override received()")

    async def use(self, component: Emails, number: int = 0) -> None:
        await component.send(an_email(f"number {number}"))
        assert f"number {number}" in [seen.subject for seen in self.received()]

    def test_an_email_that_broke_off_is_not_sent_again(self) -> None:
        async def case(component: Emails, proxy: Any) -> None:
            async with started(component):
                before = len(self.received())
                proxy.mood = "half"
                with suppress(EmailUnavailable):  # of an answer that is short, half may do
                    await component.send(an_email("once"))
                proxy.mood = "pass"
                assert [seen.subject for seen in self.received()[before:]] in ([], ["once"])

        self.behind(case)


def an_email(subject: str, to: str = ADA) -> Email:
    return Email((to,), subject, "Hello.")


def as_read(email: Email) -> Email:
    """An email with what is the same for its readers made the same: names and order of `bcc`, ends of lines."""
    bcc = tuple(sorted(each.rpartition("<")[2].rstrip(">") for each in email.bcc))
    text, html = ("\n".join(text.splitlines()) for text in (email.text, email.html))
    return replace(email, text=text, html=html, bcc=bcc, headers=dict(email.headers))
