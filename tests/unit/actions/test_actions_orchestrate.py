"""workflow.orchestrate and workflow.notify: what they make the application do, and what they say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured, ActionUnavailable, InvalidPayload
from oneiric.actions.notify import Notifier
from oneiric.actions.orchestrate import Orchestrator
from oneiric.flows.model import Unserved
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE
from tests.unit.runtime.projects import made, of


class App:
    """An application that echoes calls; `action:fail` fails, `action:flaky` does once, `action:hang` hangs."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.emitted: list[tuple[str, Any]] = []
        self.at_once = self.most_at_once = 0

    async def call(self, call: str, payload: Mapping[str, Any] | None = None) -> Any:
        self.calls.append((call, dict(payload or {})))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(60 if call == "action:hang" else 0)
        finally:
            self.at_once -= 1
        if call == "action:fail" or (call == "action:flaky" and len(self.calls) == 1):
            raise RuntimeError("no")
        if call == "action:nobody":
            raise Unserved("the wiring has no key action:nobody")
        return {"called": call, **(payload or {})}

    async def emit(self, topic: str, event: object) -> Any:
        if topic == "none":
            raise Unserved("the settings have no topic none")
        self.emitted.append((topic, event))


STEPS: list[dict[str, Any]] = [
    {"step_id": "b.c", "action": "echo", "payload": {"of": "${a.n}", "who": "${input.who}"}, "tags": ["t"]},
    {"step_id": "a", "action": "task:echo", "payload": {"n": 1}, "metadata": {"m": [1]}},
]


class TestOrchestrate(ActionContract):
    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Orchestrator(application=App()))  # type: ignore[arg-type]

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"workflow_id": "w", "steps": STEPS, "input": {"who": "x"}},
            {"workflow_id": "w", "steps": [{"step_id": "a"}], "dry_run": True},
            {"workflow_id": "w", "steps": [{"step_id": "a", "action": "fail"}]},
        ]

    def refused(self) -> list[dict[str, Any]]:
        one = {"step_id": "a", "action": "x"}
        return [
            {"workflow_id": "", "steps": [one]},
            {"workflow_id": "w", "steps": []},
            {"workflow_id": "w", "steps": {}},
            {"workflow_id": "w", "steps": [one, one]},
            {"workflow_id": "w", "steps": [{"step_id": "input", "action": "x"}]},
            {"workflow_id": "w", "steps": [{"step_id": "a"}]},
            {"workflow_id": "w", "steps": [{**one, "depends_on": ["b"]}]},
            {"workflow_id": "w", "steps": [{**one, "depends_on": ["a"]}]},
            {"workflow_id": "w", "steps": [{**one, "payload": {"x": "${b.y}"}}]},
            {"workflow_id": "w", "steps": [{**one, "payload": {"x": "${"}}]},
            {"workflow_id": "w", "steps": [{**one, "retry_attempts": 0}]},
            {"workflow_id": "w", "steps": [{**one, "timeout_seconds": float("nan")}]},
            {"workflow_id": "w", "steps": [{**one, "retries": 1}]},
        ]


class TestNotify(ActionContract):
    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Notifier(application=App(), channels={"ops": "topic:alerts"}))  # type: ignore[arg-type]

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"message": "m"},
            {"message": "m", "channel": "ops", "level": "ERROR", "recipients": ["a"], "context": {"x": [1]}},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {"message": ""},
            {"message": 1},
            {"message": "m", "level": "fatal"},
            {"message": "m", "channel": ""},
            {"message": "m", "recipients": [1]},
            {"message": "m", "context": []},
        ]


def orchestrated(app: App, steps: list[dict[str, Any]], settings: Mapping[str, Any] | None = None, **more: Any) -> Any:
    action = Orchestrator(application=app, **(settings or {}))  # type: ignore[arg-type]
    return asyncio.run(action(workflow_id="w", steps=steps, **more))  # type: ignore[arg-type]


def test_steps_run_in_the_order_of_what_they_refer_to_and_get_its_results() -> None:
    app = App()
    found = orchestrated(app, STEPS, input={"who": "x"})
    assert app.calls == [("task:echo", {"n": 1}), ("action:echo", {"of": 1, "who": "x"})]
    assert (found["status"], found["schedule"], found["ordered_steps"]) == ("completed", [["a"], ["b.c"]], ["a", "b.c"])
    assert found["graph"] == {"b.c": ["a"], "a": []}
    assert [(each["step_id"], each["state"], each["result"]["called"]) for each in found["steps"]] == [
        ("b.c", "completed", "action:echo"),
        ("a", "completed", "task:echo"),
    ]
    assert found["stats"] == {"levels": 2, "widest": 1, "completed": 2, "failed": 0}


def test_nothing_begins_after_a_failure_and_every_error_is_told() -> None:
    steps = [
        {"step_id": "a", "action": "fail"},
        {"step_id": "b", "action": "nobody"},
        {"step_id": "c", "action": "echo", "depends_on": ["a"]},
    ]
    found = orchestrated(App(), steps)
    assert found["status"] == "failed"
    assert [each["state"] for each in found["steps"]] == ["failed", "failed", "pending"]
    assert [(each["node"], each["type"]) for each in found["errors"]] == [("a", "RuntimeError"), ("b", "Unserved")]
    assert found["stats"]["failed"] == 2


def test_a_step_is_called_again_and_given_up_as_it_says() -> None:
    app = App()
    assert orchestrated(app, [{"step_id": "a", "action": "flaky", "retry_attempts": 2}])["status"] == "completed"
    assert len(app.calls) == 2
    late = orchestrated(App(), [{"step_id": "a", "action": "hang", "timeout_seconds": 0.05}])
    assert late["errors"][0]["type"] == "TimeoutError"


def test_so_many_calls_are_made_at_once_and_no_more() -> None:
    app = App()
    steps = [{"step_id": f"s{number}", "action": "echo"} for number in range(9)]
    assert orchestrated(app, steps, {"max_parallel_steps": 3})["stats"]["widest"] == 9
    assert app.most_at_once == 3


def test_a_plan_calls_nothing() -> None:
    app = App()
    found = orchestrated(app, [{"step_id": "a"}, *STEPS[:1]], dry_run=True)
    assert (found["status"], app.calls, found["step_count"]) == ("planned", [], 2)
    assert {each["state"] for each in found["steps"]} == {"planned"}


def test_a_circle_is_told_with_its_path() -> None:
    steps = [
        {"step_id": "a", "action": "x", "depends_on": ["b"]},
        {"step_id": "b", "action": "x", "payload": {"y": "${a}"}},
    ]
    with pytest.raises(InvalidPayload, match=r"wait for each other: (a -> b -> a|b -> a -> b)"):
        orchestrated(App(), steps)


@given(st.data())
def test_any_graph_without_circles_runs_each_step_once_after_what_it_depends_on(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    after = [data.draw(st.sets(st.integers(0, number - 1))) if number else set() for number in range(count)]
    steps = [
        {"step_id": f"s{number}", "action": f"s{number}", "depends_on": [f"s{each}" for each in after[number]]}
        for number in range(count)
    ]
    app = App()
    found = orchestrated(app, data.draw(st.permutations(steps)))
    order = [call.removeprefix("action:") for call, _ in app.calls]
    assert sorted(order) == sorted(each["step_id"] for each in steps)
    assert all(order.index(f"s{each}") < order.index(f"s{number}") for number in range(count) for each in after[number])
    assert found["status"] == "completed"


def test_hostile_steps_are_refused() -> None:
    for value in HOSTILE:
        for field in ("step_id", "name", "action", "depends_on", "payload", "timeout_seconds", "metadata", "tags"):
            try:
                orchestrated(App(), [{"step_id": "a", "action": "echo", field: value}])
            except InvalidPayload as error:
                assert error.field is not None and error.field.startswith("steps[0]")


def test_a_channel_leads_to_a_topic_or_a_call_or_to_the_log_alone() -> None:
    async def story() -> None:
        app = App()
        action = Notifier(
            application=app,  # type: ignore[arg-type]
            channels={"ops": "topic:alerts", "mail": "service:mail#send", "gone": "topic:none", "off": "action:fail"},
            default_recipients=["all@example.org"],
        )
        found = await action(message="m", channel="ops", level="error", context={"a": 1})
        told = {
            "message": "m",
            "channel": "ops",
            "level": "error",
            "recipients": ["all@example.org"],
            "context": {"a": 1},
        }
        assert app.emitted == [("alerts", told)]
        assert (found["status"], found["delivered_by"]) == ("delivered", "topic:alerts")
        await action(message="m", channel="mail", recipients=["b"])
        assert app.calls == [
            (
                "service:mail#send",
                {"message": "m", "channel": "mail", "level": "info", "recipients": ["b"], "context": {}},
            )
        ]
        only = await action(message="m")
        assert (only["status"], only["delivered_by"], len(app.calls)) == ("logged", None, 1)
        with pytest.raises(ActionMisconfigured, match="which the application does not have"):
            await action(message="m", channel="gone")
        with pytest.raises(ActionUnavailable, match="could not deliver through action:fail: RuntimeError"):
            await action(message="m", channel="off")

    asyncio.run(story())


def test_channels_of_settings_are_looked_at() -> None:
    for channels in ({"a": "mail"}, {"a": 1}, {"a": ":x"}, []):
        with pytest.raises(ActionMisconfigured):
            Notifier(application=App(), channels=channels)  # type: ignore[arg-type]


SETTINGS = """
selections:
  workflow.orchestrate: builtin-workflow-orchestrator
  workflow.notify: builtin-workflow-notify
  compression.hash: builtin-hash
  security.signature: builtin-security-signature
provider_settings:
  builtin-workflow-notify: {channels: {digest: action:compression.hash, ops: topic:alerts}}
"""


def test_they_use_the_keys_and_topics_of_a_real_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "settings/app.yml": "name: shop\npackages: [shop]\n",
        "settings/actions.yml": SETTINGS,
        "settings/events.yml": "topics: {alerts: {}}\nsubscriptions: {seen: {topics: [alerts]}}\n",
        "shop/__init__.py": "",
        "shop/seen.py": HANDLER,
    }
    root = made(tmp_path, monkeypatch, "shop", files)

    async def story() -> None:
        async with of(root) as runtime:
            steps = [
                {"step_id": "digest", "action": "compression.hash", "payload": {"text": "a"}},
                {"step_id": "again", "action": "compression.hash", "payload": {"text": "${digest.digest}"}},
                {"step_id": "bad", "action": "compression.hash", "payload": {"txt": "a"}, "depends_on": ["again"]},
            ]
            action = await runtime.use("action", "workflow.orchestrate")
            found = await action(workflow_id="w", steps=steps)
            assert [each["state"] for each in found["steps"]] == ["completed", "completed", "failed"]
            assert found["errors"][0]["type"] == "PayloadError"
            notify = await runtime.use("action", "workflow.notify")
            assert (await notify(message="m", channel="ops"))["status"] == "delivered"
            with pytest.raises(ActionUnavailable, match="PayloadError"):
                await notify(message="m", channel="digest")
            assert [each["message"] for each in import_module("shop.seen").SEEN] == ["m"]

    asyncio.run(story())


HANDLER = """
from oneiric import component

SEEN: list[dict[str, object]] = []


@component("event", "seen", provider="std")
class Seen:
    async def __call__(self, *, event: dict[str, object]) -> None:
        SEEN.append(event)
"""
