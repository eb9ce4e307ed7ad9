"""What sends emails: the contracts, and what is each one's own, on a mail server and on services written here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from oneiric import Secret
from oneiric.adapters.email import (
    Email,
    EmailError,
    EmailMisconfigured,
    EmailRefused,
    Emails,
    EmailTooLarge,
    EmailUnavailable,
    InvalidEmail,
    RateLimited,
)
from oneiric.adapters.email.mailgun import MailgunEmails
from oneiric.adapters.email.sendgrid import SendGridEmails
from oneiric.adapters.email.smtp import SMTPEmails
from oneiric.testing.contracts import (
    NetworkedEmailContract,
    RefusalContract,
    ServiceEmailContract,
    started,
)
from oneiric.testing.contracts.email import CANARY, SENDER, an_email
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider, UnreachableCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.servers import Address
from tests.backends.mails import Answer, Mailbox, Mailgun, Reply, SendGrid, Service, told

SAYS = CANARY.encode()
STATUSES: Mapping[str, Answer | None] = {
    "limited": (429, SAYS, {"Retry-After": "7"}),
    "failing": (500, SAYS, {}),
    "moved": (302, SAYS, {"Location": "/" + CANARY}),
    "dropped": None,
    "refused": (403, SAYS, {}),
    "too large": (413, SAYS, {}),
    "not taken": (400, SAYS, {}),
}
LIMITS = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
SENSELESS: Sequence[tuple[str, Any]] = [
    ("sender", ""),
    ("sender", "shop"),
    ("sender", f"{SECRET}\r\nBcc: x@y <a@b>"),
    ("ca_file", Path("/no/such/ca.pem")),
    ("timeout", 0),
    ("healthcheck_timeout", float("nan")),
    ("max_connections", 0),
]


def named(**settings: Any) -> dict[str, Any]:
    return settings


class OnServer:
    """What the cases of all contracts need of a server, which is the fixture's."""

    make: Callable[..., Emails]
    of: Callable[[], Mailbox | Service]

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with self.of() as self.there:
            yield

    def fresh(self) -> AbstractAsyncContextManager[Emails]:
        return started(self.make(self.there))

    def received(self) -> list[Email]:
        return self.there.arrived

    def answer_with(self, fault: Any) -> None:
        self.there.faults.append(fault)

    def attempts(self) -> int:
        return self.there.attempts

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.there.host, self.there.port))

    @contextmanager
    def private(self) -> Generator[Any, None, None]:
        yield self.there


# a mail server


def smtp(of: Mailbox, **settings: Any) -> SMTPEmails:
    login = named(user="shop", password=Secret(of.wanted)) if of.wanted else {}
    return SMTPEmails(**named(sender=SENDER, host=of.host, port=of.port, tls=False) | login | settings)


class TestSMTP(OnServer, ServiceEmailContract):
    of = Mailbox
    make = staticmethod(smtp)
    waits = None
    faults: ClassVar[Mapping[str, Reply]] = {
        "limited": ("MAIL", f"451 4.7.1 {CANARY}"),
        "failing": ("DATA", f"451 4.3.0 {CANARY}"),
        "dropped": ("DATA", None),
        "refused": ("MAIL", f"550 5.7.1 {CANARY}"),
        "too large": ("MAIL", f"552 5.3.4 {CANARY}"),
        "not taken": ("DATA", f"554 5.6.0 {CANARY}"),
    }


class TestSMTPRecipients(OnServer, RefusalContract):
    of = Mailbox
    make = staticmethod(smtp)

    def refuse(self, address: str) -> None:
        assert isinstance(self.there, Mailbox)
        self.there.refused.add(address)


class TestSMTPFaults(OnServer, NetworkedEmailContract):
    of = staticmethod(partial(Mailbox, wants="pass word é"))
    make = staticmethod(smtp)

    def component(self, host: str, port: int) -> Emails:
        return self.make(self.there, host=host, port=port, connect_timeout=TIMEOUT, **LIMITS)

    @contextmanager
    def refused(self) -> Generator[Emails, None, None]:
        yield self.make(self.there, password=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Emails]]]:
        given: list[tuple[str, dict[str, Any]]] = [
            *((name, {name: value, "tls": True}) for name, value in SENSELESS),
            *(("host", {"host": host}) for host in ("", "a b", f"x\r\n{SECRET}")),
            *(("port", {"port": port}) for port in (0, 65536)),
            *(("client_name", {"client_name": name}) for name in ("", "a b", "x\r\ny")),
            ("password", {"password": None}),
            ("password", {"user": None}),
            ("password", {"password": Secret(f"{SECRET}\0")}),
            ("user", {"user": ""}),
            ("connect_timeout", {"connect_timeout": 0}),
            ("ca_file", {"ca_file": Path("/no/such")}),
        ]
        return [(name, partial(self.make, self.there, **settings)) for name, settings in given]


class TestSMTPActivation(ActivationCases):
    provider = Provider(
        "email",
        "smtp",
        "aiosmtplib",
        "host",
        {"sender": "a@b.example", "host": "127.0.0.1", "port": "PORT", "tls": False},
    )


@pytest.fixture(name="certificate", scope="module")
def by_an_authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A certificate for 127.0.0.1, its key, and what trusts it."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority()
    authority.write_for("127.0.0.1", folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", folder / "key.pem", authority.write(folder / "ca.pem")


@pytest.mark.parametrize("implicit", [False, True])
def test_with_tls_an_email_goes_encrypted_or_not_at_all(certificate: tuple[Path, Path, Path], implicit: bool) -> None:
    *served, trusted = certificate

    async def main() -> None:
        settings = {"tls": True, "starttls": not implicit, "connect_timeout": 2.0}
        async with started(smtp(mailbox, ca_file=trusted, **settings)) as emails:
            await emails.send(an_email("encrypted"))
        with pytest.raises(EmailRefused) as caught:
            async with started(smtp(mailbox, **settings)):
                pass
        assert caught.value.setting == "ca_file"
        with pytest.raises(EmailError):
            async with started(smtp(mailbox, tls=False, connect_timeout=0.3, healthcheck_timeout=0.3)) as emails:
                await emails.send(an_email("in clear"))
        assert [seen.subject for seen in mailbox.arrived] == ["encrypted"]

    with Mailbox(wants="pw", certificate=(served[0], served[1]), implicit=implicit) as mailbox:
        run(main())


def test_without_starttls_nothing_is_sent_in_clear(certificate: tuple[Path, Path, Path]) -> None:
    async def main() -> None:
        with pytest.raises(EmailRefused) as caught:
            async with started(smtp(mailbox, tls=True, ca_file=certificate[2])):
                pass
        assert caught.value.setting == "starttls"
        with pytest.raises(EmailError):
            async with started(smtp(mailbox, tls=True, starttls=False, ca_file=certificate[2])):
                pass

    with Mailbox(wants="pw") as mailbox:
        run(main())


def test_who_does_not_log_in_where_that_is_wanted_is_told() -> None:
    async def main() -> None:
        with Mailbox(wants="pw") as mailbox:
            async with started(smtp(mailbox, user=None, password=None)) as emails:
                with pytest.raises(EmailRefused) as caught:
                    await emails.send(an_email("x"))
                assert caught.value.setting == "user"

    run(main())


@pytest.mark.parametrize(
    ("command", "reply", "error", "setting"),
    [
        ("RCPT", "450 4.2.0 greylisted", EmailUnavailable, "host"),
        ("RCPT", "421 4.3.2 going down", EmailUnavailable, "host"),
        ("RCPT", None, EmailUnavailable, "host"),
        ("MAIL", "421 4.7.0 too many", RateLimited, "host"),
        ("MAIL", "553 5.7.1 not your address", EmailRefused, "sender"),
        ("DATA", "552 5.2.3 too long", EmailTooLarge, None),
        ("DATA", "550 5.7.1 spam", InvalidEmail, None),
        ("DATA", "x" * 2000, EmailUnavailable, "host"),
    ],
)
def test_what_a_mail_server_says(command: str, reply: str | None, error: type[EmailError], setting: str | None) -> None:
    async def main() -> None:
        with Mailbox() as mailbox:
            async with started(smtp(mailbox)) as emails:
                mailbox.faults.append((command, reply))
                with pytest.raises(EmailError) as caught:
                    await emails.send(an_email("x"))
                assert (type(caught.value), caught.value.setting) == (error, setting)
                assert not any(word in str(caught.value) for word in ("@", "spam", "address"))
                await emails.send(an_email("after"))
                assert [seen.subject for seen in mailbox.arrived] == ["after"]

    run(main())


def test_a_server_says_how_much_it_takes_before_it_is_sent() -> None:
    async def main() -> None:
        with Mailbox(limit=20_000) as mailbox:
            async with started(smtp(mailbox)) as emails:
                with pytest.raises(EmailTooLarge):
                    await emails.send(Email(("a@b",), "x", "long " * 5000))
                assert mailbox.attempts == 0
                await emails.send(an_email("x"))

    run(main())


def test_connections_are_kept() -> None:
    async def main() -> None:
        with Mailbox(wants="pw") as mailbox:
            async with started(smtp(mailbox, max_connections=2)) as emails:
                for number in range(5):
                    await emails.send(an_email(f"{number}"))
                assert mailbox.connections == 1
                await asyncio.gather(*(emails.send(an_email(f"{number}")) for number in range(20)))
                assert mailbox.connections == 2

    run(main())


# services


class ServiceFaults(OnServer, NetworkedEmailContract):
    """`version` is what comes before the paths of the API."""

    more: ClassVar[Sequence[tuple[str, Any]]] = ()

    def component(self, host: str, port: int) -> Emails:
        return self.make(self.there, base_url=f"http://{host}:{port}/v3", **LIMITS)

    @contextmanager
    def refused(self) -> Generator[Emails, None, None]:
        yield self.make(self.there, api_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Emails]]]:
        given: list[tuple[str, Any]] = [
            *SENSELESS,
            *(("api_key", Secret(key)) for key in ("", f"{SECRET}\n")),
            *(("base_url", url) for url in ("", "api.example", f"http://u:{SECRET}@x")),
            *self.more,
        ]
        return [(name, partial(self.make, self.there, **{name: value})) for name, value in given]


def sendgrid(of: SendGrid, **settings: Any) -> SendGridEmails:
    return SendGridEmails(**named(sender=SENDER, api_key=Secret(of.key), base_url=f"{of.url}/v3") | settings)


class TestSendGrid(OnServer, ServiceEmailContract):
    of = SendGrid
    make = staticmethod(sendgrid)
    faults = STATUSES


class TestSendGridFaults(ServiceFaults):
    of = SendGrid
    make = staticmethod(sendgrid)


class TestSendGridActivation(UnreachableCases):
    provider = Provider(
        "email",
        "sendgrid",
        "",
        "base_url",
        {"sender": "a@b.example", "api_key": "${PROBE_SECRET}", "base_url": "http://127.0.0.1:PORT/v3"},
        "SG.x",
    )


def test_a_key_that_may_not_send_is_told_at_the_start() -> None:
    async def main() -> None:
        with SendGrid() as service:
            service.scopes = ("mail.batch.read",)
            with pytest.raises(EmailRefused, match=r"mail\.send"):
                async with started(sendgrid(service)):
                    pass

    run(main())


def mailgun(of: Mailgun, **settings: Any) -> MailgunEmails:
    given = named(sender=SENDER, domain="mg.example.org", api_key=Secret(of.key), base_url=f"{of.url}/v3")
    return MailgunEmails(**given | settings)


class TestMailgun(OnServer, ServiceEmailContract):
    of = Mailgun
    make = staticmethod(mailgun)
    faults = STATUSES


class TestMailgunFaults(ServiceFaults):
    of = Mailgun
    make = staticmethod(mailgun)
    more = tuple(("domain", domain) for domain in ("", "a/b", f"{SECRET}@x"))


class TestMailgunActivation(UnreachableCases):
    provider = Provider(
        "email",
        "mailgun",
        "",
        "base_url",
        {
            "sender": "a@b.example",
            "domain": "b.example",
            "api_key": "${PROBE_SECRET}",
            "base_url": "http://127.0.0.1:PORT/v3",
        },
        "key-x",
    )


def test_another_domain_and_an_answer_without_an_id() -> None:
    async def main() -> None:
        with Mailgun() as service:
            with pytest.raises(EmailRefused) as caught:
                async with started(mailgun(service, domain="other.example.org")):
                    pass
            assert caught.value.setting == "domain"
            async with started(mailgun(service)) as emails:
                service.faults.append(told(200, {"message": CANARY}))
                with pytest.raises(EmailUnavailable) as unavailable:
                    await emails.send(an_email("x"))
                assert CANARY not in str(unavailable.value)

    run(main())


def test_a_sender_of_the_settings_is_an_address() -> None:
    with pytest.raises(EmailMisconfigured, match="sender"):
        SMTPEmails(sender="Shop <shop>")
