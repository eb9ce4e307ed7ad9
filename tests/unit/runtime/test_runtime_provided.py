"""Instances that the application hands in: told of before anything starts, never started, checked or closed here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from oneiric import NotProvided, ReplacementError, UnknownKey

from tests.unit.cli.running import run as command
from tests.unit.runtime.making import run
from tests.unit.runtime.projects import compiled, made, of

PARTS = """
from typing import Protocol

from oneiric import component

STARTED = []


class Phases(Protocol):
    async def now(self) -> str: ...


class Moons(Protocol):
    def count(self, *, bright: bool = False) -> int: ...


@component("service", "phases", provider="fixed", stack_level=-1)
class Fixed:
    async def now(self) -> str:
        return "fixed"

    def close(self) -> None:
        STARTED.append("closed")


@component(
    "service", "tide", provider="std", needs={"phases": "service:phases"}, port="provides.parts:Phases", eager=True
)
class Tide:
    def __init__(self, *, phases: Phases) -> None:
        self.phases = phases
        STARTED.append("tide")

    async def now(self) -> str:
        return "tide at " + await self.phases.now()
"""
SERVICES = """components:
  - {key: phases, provided: true, port: "provides.parts:Phases"}
  - {key: moons, provided: true, port: "provides.parts:Moons"}
"""


class Phases:
    """What an application has already."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def now(self) -> str:
        return "full"

    def start(self) -> None:
        self.told.append("start")

    def health(self) -> bool:
        self.told.append("health")
        return False

    def close(self) -> None:
        self.told.append("close")


class Moons:
    def count(self, *, bright: bool = False) -> int:
        return 1 if bright else 2


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "settings/app.yml": "name: provides\npackages: [provides]\n",
        "settings/services.yml": SERVICES,
        "settings/tenants/acme.yml": "services: {selections: {phases: fixed}}\n",
        "provides/__init__.py": "",
        "provides/parts.py": PARTS,
    }
    return made(tmp_path, monkeypatch, "provides", files)


def started() -> list[str]:
    parts: Any = sys.modules.get("provides.parts")
    return [] if parts is None else parts.STARTED


def test_what_is_handed_in_serves_and_is_left_alone(project: Path) -> None:
    phases = Phases()

    async def story() -> None:
        async with of(project, provide={"service:phases": phases, "service:moons": Moons()}) as runtime:
            assert runtime.wiring.services.phases.current is phases
            assert await runtime.wiring.services.tide.live.now() == "tide at full"
            assert runtime.wiring.services.moons.live.count(bright=True) == 1
            assert await (await runtime.use("service", "tide", tenant="acme")).now() == "tide at fixed"
            assert [each.key for each in await runtime.health() if "phases" in each.key and each.tenant is None] == []

    run(story(), within=120)
    assert phases.told == []


def test_all_that_is_missing_is_told_before_anything_starts(project: Path) -> None:
    async def story() -> None:
        with pytest.raises(
            NotProvided, match="service:moons, service:phases are provided by the application"
        ) as raised:
            await of(project).__aenter__()
        assert raised.value.keys == ("service:moons", "service:phases")
        with pytest.raises(NotProvided) as raised:
            await of(project, provide={"service:moons": Moons()}).__aenter__()
        assert raised.value.keys == ("service:phases",)

    run(story(), within=120)
    assert started() == []


def test_what_does_not_fit_its_port_is_told_before_anything_starts(project: Path) -> None:
    class Sync:
        def now(self) -> str:
            return "now"

    async def story() -> None:
        with pytest.raises(ReplacementError) as raised:
            await of(project, provide={"service:phases": Sync(), "service:moons": object()}).__aenter__()
        assert [each.partition(":")[2].partition(":")[0] for each in raised.value.mistakes] == ["moons", "phases"]

    run(story(), within=120)
    assert started() == []


def test_a_key_that_the_wiring_does_not_have_is_a_mistake(project: Path) -> None:
    with pytest.raises(UnknownKey, match="did you mean service:phases"):
        of(project, provide={"service:phase": Phases()})


def test_a_replacement_takes_its_place(project: Path) -> None:
    async def story() -> None:
        fakes = {"service:phases": Phases(), "service:moons": Moons()}
        async with of(project, replace=fakes) as runtime:
            assert await runtime.wiring.services.tide.live.now() == "tide at full"

    run(story(), within=120)


def test_what_the_settings_no_longer_take_from_the_application_is_not_used(project: Path) -> None:
    phases = Phases()

    async def story() -> None:
        async with of(project, provide={"service:phases": phases, "service:moons": Moons()}) as runtime:
            live = runtime.wiring.services.phases.live
            compiled(project, services=SERVICES + "selections: {phases: fixed}\n")
            outcome = await runtime.reload()
            assert outcome.accepted, outcome.reason
            assert await live.now() == "fixed"
            compiled(project, services=SERVICES)
            outcome = await runtime.reload()
            assert outcome.accepted, outcome.reason
            assert await live.now() == "full"
            assert runtime.wiring.services.phases.current is phases

    run(story(), within=120)
    assert phases.told == []
    assert started().count("closed") == 1


def test_a_wiring_that_wants_what_was_not_handed_in_is_rejected_and_changes_nothing(project: Path) -> None:
    async def story() -> None:
        async with of(project, provide={"service:phases": Phases(), "service:moons": Moons()}) as runtime:
            more = '  - {key: stars, provided: true, port: "provides.parts:Phases"}\n'
            compiled(project, services=SERVICES + more + more.replace("stars", "suns"))
            outcome = await runtime.reload()
            assert (outcome.accepted, outcome.code) == (False, "provided")
            assert "service:stars, service:suns" in str(outcome.reason)
            assert await runtime.wiring.services.tide.live.now() == "tide at full"

    run(story(), within=120)


def test_explain_says_who_makes_it(project: Path) -> None:
    assert "the application hands it in" in command("explain", "service:phases", cwd=project).stdout
    assert "the application hands it in" not in command("explain", "service:tide", cwd=project).stdout


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("wiring.py", ",\n          provided=True", ""),
        ("wiring.py", 'raise NotProvided("service:moons")', "return NotProvided()"),
        ("explain.json", '   "provided": true,\n', ""),
        ("explain.json", '"factory": "oneiric.errors:NotProvided",\n', '"factory": "provides.parts:Fixed",\n'),
    ],
)
def test_an_edited_wiring_does_not_verify(project: Path, file: str, before: str, after: str) -> None:
    path = project / "generated" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert command("verify", cwd=project).returncode == 1
