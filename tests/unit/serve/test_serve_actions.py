"""Actions called by command: in a process and without one, bound or not, with payloads that are taken or are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.running import fits, run_here
from tests.unit.serve.serving import Served

ACTIONS = """
from __future__ import annotations

from typing import Protocol, TypedDict

from oneiric import component


class Greeting(TypedDict):
    said: str


class Greet(Protocol):
    async def __call__(self, *, name: str, often: int = 1) -> Greeting: ...


@component("action", "greet", provider="std", port="lab.actions:Greet")
class Greeter:
    def __init__(self, *, word: str = "Hello") -> None:
        self._word = word

    async def __call__(self, *, name: str, often: int = 1) -> Greeting:
        if name == "nobody":
            raise LookupError("nobody is there")
        return {"said": f"{self._word} {name}" * often}
"""
TEXT = ("--payload", '{"text": "a"}')
DIGEST = hashlib.sha256(b"a").hexdigest()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, text in {
        "settings/app.yml": "name: lab\npackages: [lab]\nprofiles: [loud]\n",
        "settings/profiles/loud.yml": "actions:\n  provider_settings: {std: {word: HELLO}}\n",
        "settings/tenants/acme.yml": "actions:\n  provider_settings: {std: {word: Hi}}\n",
        "lab/__init__.py": "",
        "lab/actions.py": ACTIONS,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run_here(tmp_path, ["compile"]).returncode == 0
    return tmp_path


def invoked(root: Path, *call: str, code: int = 0) -> Any:
    """What the command answers, as its schema has it."""
    done = run_here(root, ["action", "invoke", *call, "--json"])
    assert done.returncode == code, (call, done.stdout, done.stderr)
    document = json.loads(done.stdout)
    fits(document)
    return document


def test_a_bound_action_is_called_in_the_view_that_is_named(lab: Path) -> None:
    name = ("--payload", '{"name": "a"}')
    document = invoked(lab, "greet", *name)
    assert document == {
        "format": "oneiric.action-invoke/1",
        "key": "action:greet",
        "state": "completed",
        "result": {"said": "Hello a"},
        "error": None,
    }
    assert invoked(lab, "action:greet", *name, "--tenant", "acme")["result"] == {"said": "Hi a"}
    assert invoked(lab, "greet", *name, "--profile", "loud")["result"] == {"said": "HELLO a"}
    (lab / "payload.json").write_text('{"name": "b", "often": 2}')
    done = run_here(lab, ["action-invoke", "greet", "--payload", "@payload.json"])
    assert (done.returncode, json.loads(done.stdout)) == (0, {"said": "Hello bHello b"})


def test_a_builtin_that_is_not_bound_is_linked_for_the_call(lab: Path) -> None:
    before = {path: path.read_bytes() for path in (lab / "generated").rglob("*.*")}
    assert invoked(lab, "compression.hash", *TEXT)["result"]["digest"] == DIGEST
    assert invoked(lab, "compression.hash", *TEXT, "--profile", "loud")["result"]["digest"] == DIGEST
    assert {path: path.read_bytes() for path in (lab / "generated").rglob("*.*")} == before


def test_settings_that_have_errors_link_nothing(lab: Path) -> None:
    (lab / "settings/actions.yml").write_text("selections: {greet: nope}\n")
    done = run_here(lab, ["action", "invoke", "compression.hash", *TEXT, "--json"])
    assert done.returncode == 2
    assert json.loads(done.stdout)["format"] == "oneiric.diagnostics/1"
    assert invoked(lab, "greet", "--payload", '{"name": "a"}')["state"] == "completed"


def test_an_action_that_fails_ends_with_1(lab: Path) -> None:
    document = invoked(lab, "greet", "--payload", '{"name": "nobody"}', code=1)
    assert document["error"] == {"type": "LookupError", "message": "nobody is there", "faults": []}
    done = run_here(lab, ["action", "invoke", "greet", "--payload", '{"name": "nobody"}'])
    assert (done.returncode, done.stdout.split("\n")[1]) == (1, "  LookupError: nobody is there")


MISTAKES = [
    (("gret",), "there is no action `gret`"),
    (("task:greet",), "`task:greet` is not the key of an action"),
    (("greet#run",), "is not the key of an action"),
    (("greet", "--payload", "{"), "--payload is not JSON"),
    (("greet", "--payload", "[]"), "--payload is not an object of JSON"),
    (("greet", "--payload", '{"name": NaN}'), "NaN"),
    (("greet",), "action:greet: `name` is missing"),
    (
        ("greet", "--payload", '{"naem": "a", "often": true}'),
        "`naem` is not taken; did you mean `name`?; `name` is missing; `often` is wrong: expected `int`, got `bool`",
    ),
    (("greet", "--payload", '{"name": "a"}', "--tenant", "nope"), "there is no tenant 'nope'"),
    (("compression.hash", "--payload", '{"text": "a", "data": "b"}'), "`data` is given and `text` too"),
    (("compression.hash", *TEXT, "--profile", "nope"), "there is no wiring of profile `nope`"),
]


@pytest.mark.parametrize(("call", "says"), MISTAKES)
def test_a_mistake_ends_with_2_and_a_sentence(lab: Path, call: tuple[str, ...], says: str) -> None:
    assert says in invoked(lab, *call, code=2)["error"]["message"]


def test_the_nearest_names_and_the_page_of_a_payload_are_the_help(lab: Path) -> None:
    assert invoked(lab, "compression.hsh", code=2)["error"]["help"] == "did you mean `compression.hash`?"
    assert (
        invoked(lab, "compression.hash", code=2)["error"]["help"] == "docs/actions/compression.hash.md has its payload"
    )


def test_a_running_process_is_asked_and_what_it_has_not_is_linked_here(lab: Path) -> None:
    with Served(lab, name="lab"):
        assert invoked(lab, "greet", "--payload", '{"name": "b"}')["result"] == {"said": "Hello b"}
        (lab / "lab/actions.py").write_text(ACTIONS.replace('"Hello"', '"Bye"'))
        assert invoked(lab, "greet", "--payload", '{"name": "a"}')["result"] == {"said": "Hello a"}
        assert invoked(lab, "greet", "--payload", '{"name": "a"}', "--tenant", "acme")["result"] == {"said": "Hi a"}
        assert invoked(lab, "greet", "--payload", '{"name": "nobody"}', code=1)["error"]["type"] == "LookupError"
        assert "`name` is missing" in invoked(lab, "greet", code=2)["error"]["message"]
        assert invoked(lab, "compression.hash", *TEXT)["result"]["digest"] == DIGEST
        assert "there is no action" in invoked(lab, "gret", code=2)["error"]["message"]


def test_actions_are_completed_bound_or_not(lab: Path) -> None:
    from oneiric_compiler.cli import complete

    class Context:
        params: dict[str, Any] = {"project": str(lab)}  # noqa: RUF012

        def find_root(self) -> Context:
            return self

    found = complete.ACTIONS(Context(), "")
    assert "greet" in found
    assert "compression.hash" in found
    assert complete.ACTIONS(Context(), "compression.h") == ["compression.hash"]
