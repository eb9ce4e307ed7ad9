"""What sends notices: the contracts, and what is each one's own, on services that are written here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from oneiric import Secret
from oneiric.adapters.chat import (
    ChatError,
    ChatMisconfigured,
    ChatRefused,
    ChatUnavailable,
    InvalidNotice,
    Notice,
    Notices,
    RateLimited,
    TooLong,
    UnknownChannel,
)
from oneiric.adapters.chat.slack import SlackNotices
from oneiric.adapters.chat.teams import TeamsNotices
from oneiric.adapters.chat.webhook import WebhookNotices
from oneiric.testing.contracts import NetworkedChatContract, ServiceChatContract, started
from oneiric.testing.contracts.chat import CANARY
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.chats import Answer, Chat, Hooks, Slack, Teams
from tests.backends.harness.servers import Address

SAYS = CANARY.encode()
STATUSES: dict[str, Answer | None] = {
    "limited": (429, SAYS, {"Retry-After": "7"}),
    "failing": (500, SAYS, {}),
    "moved": (302, SAYS, {"Location": "/" + CANARY}),
    "dropped": None,
    "refused": (403, SAYS, {}),
    "too long": (413, SAYS, {}),
    "not taken": (400, SAYS, {}),
}
LIMITS = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}


def hook(url: str) -> dict[str, Any]:
    return {"webhook_url": Secret(url)}


def webhook(of: Hooks, **settings: Any) -> WebhookNotices:
    given = {"token": Secret(of.token), "signing_secret": Secret(of.secret), **hook(of.url + of.path)}
    return WebhookNotices(**{**given, **settings})


class Service(ServiceChatContract):
    """The contract on a service of tests."""

    service: type[Chat]
    faults: ClassVar[dict[str, Answer | None]] = STATUSES
    make: Callable[[Any], Notices]

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with self.service() as self.chat:
            yield

    def fresh(self) -> AbstractAsyncContextManager[Notices]:
        return started(self.make(self.chat))

    def received(self) -> list[Notice]:
        return self.chat.posted

    def answer_with(self, fault: str) -> None:
        self.chat.faults.append(self.faults[fault])

    def attempts(self) -> int:
        return self.chat.attempts


class Faults(NetworkedChatContract):
    """The cases of a network on a service of tests; `path` is that of its webhook."""

    service: type[Chat]
    make: Callable[..., Notices]

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with self.service() as self.chat:
            yield

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.chat.host, self.chat.port))

    @contextmanager
    def private(self) -> Generator[Chat, None, None]:
        yield self.chat

    def received(self) -> list[Notice]:
        return self.chat.posted

    def component(self, host: str, port: int) -> Notices:
        return self.make(self.chat, **hook(f"http://{host}:{port}{self.chat.path}"), **LIMITS)

    @contextmanager
    def refused(self) -> Generator[Notices, None, None]:
        yield self.make(self.chat, **hook(f"{self.chat.url}/{SECRET}"))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Notices]]]:
        urls = ("", "chat.example", "ftp://x", "http://[::1", "http://x:99999999", f"http://u:{SECRET}@x/")
        given: list[tuple[str, Any]] = [
            *(("webhook_url", Secret(url)) for url in (*urls, f"http://x/#{SECRET}", "http://x/a b", "http://x/ü")),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("healthcheck_timeout", float("nan")),
            ("max_connections", 0),
        ]
        return [(name, partial(self.make, self.chat, **{name: value})) for name, value in given]


# any webhook


class TestWebhook(Service):
    service = Hooks
    make = staticmethod(webhook)


class TestWebhookFaults(Faults):
    service = Hooks
    make = staticmethod(webhook)

    def senseless(self) -> Sequence[tuple[str, Callable[[], Notices]]]:
        given: list[tuple[str, Any]] = [
            ("token", Secret("")),
            ("token", Secret(f"{SECRET}\n")),
            ("signing_secret", Secret(f"whsec_{SECRET}!")),
            ("signing_secret", Secret("")),
            ("channel", ""),
        ]
        return [*super().senseless(), *((name, partial(webhook, self.chat, **{name: value})) for name, value in given)]


class TestWebhookActivation(UnreachableCases):
    provider = Provider(
        "chat", "webhook", "", "webhook_url", {"webhook_url": "${PROBE_SECRET}"}, "http://127.0.0.1:PORT/hook"
    )


def test_a_notice_without_a_channel_has_the_one_of_the_settings_and_its_id_is_the_requests() -> None:
    async def main() -> None:
        with Hooks() as hooks:
            async with started(webhook(hooks, channel="ops")) as notices:
                accepted = await notices.send("Hello.")
                await notices.send("Hello.", channel="other")
            assert [seen.channel for seen in hooks.posted] == ["ops", "other"]
            assert accepted.id in hooks.ids

    run(main())


# Teams


def teams(of: Teams, **settings: Any) -> TeamsNotices:
    return TeamsNotices(**{**hook(of.url + of.path), **settings})


class TestTeams(Service):
    service = Teams
    make = staticmethod(teams)
    names_channels = False


class TestTeamsFaults(Faults):
    service = Teams
    make = staticmethod(teams)


class TestTeamsActivation(UnreachableCases):
    provider = Provider(
        "chat", "teams", "", "webhook_url", {"webhook_url": "${PROBE_SECRET}"}, "http://127.0.0.1:PORT/hook?sig=x"
    )


@pytest.mark.parametrize(("status", "code"), [(400, "WorkflowTriggerIsNotEnabled"), (404, "WorkflowNotFound")])
def test_a_flow_that_is_turned_off_or_gone_refuses(status: int, code: str) -> None:
    async def main() -> None:
        with Teams() as flow:
            async with started(teams(flow)) as notices:
                flow.faults.append((status, flow.error(code), {}))
                with pytest.raises(ChatRefused, match="turned off or gone"):
                    await notices.send("Hello.")
                assert (await notices.send("Hello.")).id == "08581"

    run(main())


# Slack, by a webhook and by a bot


def slack_hook(of: Slack, **settings: Any) -> SlackNotices:
    return SlackNotices(**{**hook(of.url + of.path), **settings})


def slack_bot(of: Slack, **settings: Any) -> SlackNotices:
    given = {"token": Secret(of.token), "channel": "C1", "base_url": f"{of.url}/api"}
    return SlackNotices(**{**given, **settings})


def says(code: str, status: int = 200, **headers: str) -> Answer:
    return status, f'{{"ok": false, "error": "{code}", "warning": "{CANARY}"}}'.encode(), headers


class TestSlackWebhook(Service):
    service = Slack
    make = staticmethod(slack_hook)
    names_channels = False


class TestSlackWebhookFaults(Faults):
    service = Slack
    make = staticmethod(slack_hook)

    def senseless(self) -> Sequence[tuple[str, Callable[[], Notices]]]:
        both: list[tuple[str, Any]] = [("webhook_url", {"token": Secret("x")}), ("channel", {"channel": "ops"})]
        return [*super().senseless(), *((name, partial(slack_hook, self.chat, **more)) for name, more in both)]


class TestSlackBot(Service):
    service = Slack
    make = staticmethod(slack_bot)
    faults: ClassVar[dict[str, Answer | None]] = {
        **STATUSES,
        "limited": says("ratelimited", 429, **{"Retry-After": "7"}),
        "failing": says("internal_error"),
        "refused": says("token_revoked"),
        "too long": says("msg_too_long"),
        "not taken": says("invalid_blocks"),
    }


class TestSlackBotFaults(Faults):
    service = Slack
    make = staticmethod(slack_bot)

    def component(self, host: str, port: int) -> Notices:
        return slack_bot(self.slack, base_url=f"http://{host}:{port}/api", **LIMITS)

    @property
    def slack(self) -> Slack:
        assert isinstance(self.chat, Slack)
        return self.chat

    @contextmanager
    def refused(self) -> Generator[Notices, None, None]:
        yield slack_bot(self.slack, token=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Notices]]]:
        given: list[tuple[str, Any]] = [
            *(("token", token) for token in (None, Secret(""), Secret(f"{SECRET}\n"))),
            ("channel", ""),
            ("base_url", "slack.example"),
            ("base_url", f"http://u:{SECRET}@x"),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("healthcheck_timeout", float("nan")),
            ("max_connections", 0),
        ]
        return [(name, partial(slack_bot, self.slack, **{name: value})) for name, value in given]


class TestSlackActivation(UnreachableCases):
    provider = Provider(
        "chat", "slack", "", "base_url", {"base_url": "http://127.0.0.1:PORT/api", "token": "${PROBE_SECRET}"}, "xoxb-1"
    )


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("not_in_channel", 200, UnknownChannel),
        ("is_archived", 200, UnknownChannel),
        ("missing_scope", 200, ChatRefused),
        ("of a new kind", 200, ChatRefused),
        ("service_unavailable", 503, ChatUnavailable),
        ("fatal_error", 200, ChatUnavailable),
        ("ratelimited", 200, RateLimited),
        ("msg_blocks_too_long", 200, TooLong),
        ("no_text", 200, InvalidNotice),
    ],
)
def test_what_the_web_api_says(code: str, status: int, error: type[ChatError]) -> None:
    async def main() -> None:
        with Slack() as slack:
            async with started(slack_bot(slack)) as notices:
                slack.faults.append(says(code, status))
                with pytest.raises(ChatError) as caught:
                    await notices.send("Hello.")
                assert type(caught.value) is error
                assert CANARY not in str(caught.value)

    run(main())


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("channel_is_archived", 410, UnknownChannel),
        ("channel_not_found", 404, UnknownChannel),
        ("no_service", 404, ChatRefused),
        ("action_prohibited", 403, ChatRefused),
        ("invalid_payload", 400, InvalidNotice),
        ("rollup_error", 500, ChatUnavailable),
    ],
)
def test_what_a_webhook_of_slack_says(code: str, status: int, error: type[ChatError]) -> None:
    async def main() -> None:
        with Slack() as slack:
            async with started(slack_hook(slack)) as notices:
                slack.faults.append((status, code.encode(), {}))
                with pytest.raises(ChatError) as caught:
                    await notices.send("Hello.")
                assert type(caught.value) is error

    run(main())


def test_a_bot_posts_where_the_notice_or_the_settings_say() -> None:
    async def main() -> None:
        with Slack() as slack:
            async with started(slack_bot(slack)) as notices:
                assert (await notices.send("Hello.")).id == "C1/1503435957.000247"
                with pytest.raises(UnknownChannel):
                    await notices.send("Hello.", channel="elsewhere")
            async with started(slack_bot(slack, channel=None)) as notices:
                with pytest.raises(InvalidNotice, match="names no channel"):
                    await notices.send("Hello.")
            assert [seen.channel for seen in slack.posted] == ["C1"]

    run(main())


def test_settings_that_exclude_each_other() -> None:
    with pytest.raises(ChatMisconfigured, match="exclude each other"):
        SlackNotices(token=Secret("x"), webhook_url=Secret("https://hooks.slack.example/x"))
