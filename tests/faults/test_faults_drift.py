"""Settings that are not those of the running wiring: no swap takes anything along that nobody asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Deadlines, Runtime
from oneiric.reload.outcome import Overrides
from oneiric.runtime import host_of

from tests.faults.compiler import LEDGER, Project
from tests.faults.reloading import closed_once, settled
from tests.unit.runtime.making import run

A, B = "adapter:a", "adapter:b"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    LEDGER.clear()
    yield Project(tmp_path, monkeypatch)
    closed_once(LEDGER)


def started(project: Project, **options: Any) -> Runtime[Any]:
    deadlines = Deadlines(factory=5, close=0.5, drain=0.5, hook=0.5, compile=10)
    return Runtime(oneiric.load(project.wiring), state=project.state, deadlines=deadlines, **options)


def history(runtime: Runtime[Any]) -> Any:
    changes: Any = host_of(runtime).changes
    return changes.history


def changes(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((project.state / "current.json").read_text())["changes"]
    return found


async def pings(runtime: Runtime[Any]) -> tuple[str, str]:
    adapters = runtime.wiring.adapters
    return await adapters.a.live.ping(), await adapters.b.live.ping()


def test_a_swap_takes_no_edited_settings_along(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            assert await pings(runtime) == ("a/1", "b/1")
            project.edit(b="99")
            record = (project.state / "current.json").read_bytes()
            outcome = await runtime.swap(A, "2")
            assert (outcome.accepted, outcome.code) == (False, "drift")
            assert "'b': '99'" in str(outcome.reason)
            assert await pings(runtime) == ("a/1", "b/1")
            assert not runtime.overrides.active
            assert (project.state / "current.json").read_bytes() == record
            project.edit()
            assert (await runtime.swap(A, "2")).accepted
            assert await pings(runtime) == ("a/2", "b/1")
            settled(runtime, LEDGER)

    run(story())


def test_settings_that_are_taken_along_are_the_baseline_until_the_next_reload(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            deployed = runtime.generation
            await pings(runtime)
            project.edit(b="99")
            outcome = await runtime.swap(A, "2", with_settings=True, note="for the sale")
            assert outcome.accepted
            assert set(outcome.plan.replace) == {(None, A), (None, B)}
            assert await pings(runtime) == ("a/2", "b/99")
            assert history(runtime).current.origin.accepted
            assert history(runtime).deployed == deployed
            assert (await runtime.swap(A, "3")).accepted, "no drift from what was accepted"
            cleared = await runtime.swap(A, None)
            assert await pings(runtime) == ("a/1", "b/99")
            assert cleared.generation == history(runtime).current.origin.baseline != deployed
            assert [(each["what"], each.get("note")) for each in changes(project)[1:2]] == [("swap", "for the sale")]
            assert (await runtime.reload()).generation == deployed
            assert await pings(runtime) == ("a/1", "b/1")
            assert (await runtime.swap(A, "4")).code == "drift"

    run(story())


def test_accepted_settings_outlive_a_restart_on_the_same_files_and_no_other(project: Project) -> None:
    told: list[str] = []

    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            project.edit(b="99")
            accepted = await runtime.swap(A, "2", with_settings=True)
        async with started(project) as runtime:
            assert runtime.generation == accepted.generation
            assert history(runtime).current.origin.accepted
            assert await pings(runtime) == ("a/2", "b/99")
            assert (await runtime.swap(A, "3")).accepted
            assert await pings(runtime) == ("a/3", "b/99")
        project.deploy(b="5")
        project.edit(b="99")
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with started(project) as runtime:
            assert await pings(runtime) == ("a/1", "b/5")
            assert history(runtime).dropped == Overrides({A: "3"}, {})
            assert history(runtime).current.origin == (runtime.generation, False)

    run(story())
    (message,) = told
    assert f"dropped ({A} -> 3)" in message
    assert "the settings are not those" in message
    last = changes(project)[-1]
    assert (last["what"], last["dropped"]) == ("start", {"overrides": {A: "3"}, "tenants": {}})
    assert "the settings are not those" in last["reason"]


def test_a_reload_compiles_no_swaps_onto_a_baseline_that_the_settings_are_not(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            assert (await runtime.swap(A, "2")).accepted
            project.edit(b="99")
            assert (await runtime.reload()).code == "unchanged", "nothing was deployed"
            project.deploy(b="5")
            project.edit(b="99")
            assert (await runtime.reload()).code == "drift"
            assert await pings(runtime) == ("a/2", "b/1")
            project.edit(b="5")
            assert (await runtime.reload()).accepted
            assert await pings(runtime) == ("a/2", "b/5")

    run(story())


def test_after_a_rollback_to_what_was_deployed_before_no_swap_brings_the_new_release_back(project: Project) -> None:
    """The settings are those of the release that was rolled back."""

    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            project.deploy(b="5")
            assert (await runtime.reload()).accepted
            assert await pings(runtime) == ("a/1", "b/5")
            assert (await runtime.rollback()).accepted
            assert await pings(runtime) == ("a/1", "b/1")
            assert (await runtime.swap(A, "2")).code == "drift"
            assert await pings(runtime) == ("a/1", "b/1")
        async with started(project) as runtime:
            assert await pings(runtime) == ("a/1", "b/1")
            assert (await runtime.swap(A, "2")).code == "drift"
            assert (await runtime.swap(A, "2", with_settings=True)).accepted
            assert await pings(runtime) == ("a/2", "b/5")
            assert not history(runtime).current.origin.accepted, "it is what is deployed"

    run(story())


def test_a_rollback_compiles_nothing(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            assert (await runtime.swap(A, "2")).accepted
            assert (await runtime.swap(A, "3")).accepted
            project.edit(b="99")
            project.behave("disk")
            assert (await runtime.rollback()).accepted
            assert await pings(runtime) == ("a/2", "b/1")

    run(story())


@pytest.mark.parametrize("left", ["wiring.py", "."])
def test_a_baseline_that_is_damaged_in_the_state_folder_is_drift(project: Project, left: str) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            path = project.state / "generations" / runtime.generation / left
            if path.is_dir():
                path.rename(project.state / "elsewhere")
            else:
                path.write_text(path.read_text() + "\n")
            assert (await runtime.swap(A, "2")).code in ("drift", "compile")
            assert await pings(runtime) == ("a/1", "b/1")

    run(story())


def test_a_plan_shows_what_a_swap_would_do_and_does_nothing(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            record = (project.state / "current.json").read_bytes()
            planned = await runtime.swap(A, "2", plan_only=True)
            assert (planned.accepted, planned.code, planned.generation) == (True, "planned", runtime.generation)
            assert planned.plan.replace == ((None, A),)
            assert planned.plan.providers == (((None, A), "1", "2"),)
            assert planned.diff == {"format": "oneiric.diff/1"}
            assert await pings(runtime) == ("a/1", "b/1")
            assert not runtime.overrides.active
            assert (project.state / "current.json").read_bytes() == record
            project.edit(b="99")
            assert (await runtime.swap(A, "2", plan_only=True)).code == "drift"
            both = await runtime.swap(A, "2", plan_only=True, with_settings=True)
            assert set(both.plan.providers) == {((None, A), "1", "2"), ((None, B), "1", "99")}
            assert (await runtime.swap(A, "2")).code == "drift", "a plan accepts nothing"

    run(story())


def test_a_rollback_goes_to_the_generation_that_is_named(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            swapped = [await runtime.swap(A, provider) for provider in ("2", "3", "4")]
            known = [swapped[0].previous, *(each.generation for each in swapped)]
            for wrong, why in (
                ("zz", "no generation before this one begins with zz"),
                (known[3], "no generation"),
                ("", "no"),
            ):
                refused = await runtime.rollback(wrong)
                assert (refused.accepted, refused.code) == (False, "no-previous")
                assert why in str(refused.reason)
                assert known[2][:12] in str(refused.reason)
            back = await runtime.rollback(known[1][:9])
            assert back.rolled_back_to == runtime.generation == known[1]
            assert runtime.overrides == Overrides({A: "2"}, {})
            assert await pings(runtime) == ("a/2", "b/1")
            assert (await runtime.rollback(known[2])).code == "no-previous"
            assert (await runtime.rollback(known[0])).accepted
            assert (await runtime.rollback()).code == "no-previous"
            assert [each["what"] for each in changes(project)] == ["start", *["swap"] * 3, *["rollback"] * 2]
            assert [each["generation"] for each in changes(project)][-2:] == [known[1], known[0]]

    run(story())


def test_a_name_that_several_generations_begin_with_is_refused(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await pings(runtime)
            for provider in ("2", "3"):
                await runtime.swap(A, provider)
            one, other = history(runtime).previous
            both = one._replace(digest=other.digest[:20] + "f" * 44)
            history(runtime).previous[:] = [both, other]
            assert "several generations" in str((await runtime.rollback(other.digest[:20])).reason)
            history(runtime).previous[:] = [one, other]

    run(story())


def test_starts_are_remembered_where_they_change_something_and_there_is_an_end_to_it(project: Project) -> None:
    async def story() -> None:
        for _ in range(3):
            async with started(project):
                pass
        assert [each["what"] for each in changes(project)] == ["start"]
        document = json.loads((project.state / "current.json").read_text())
        document["changes"] *= 120
        (project.state / "current.json").write_text(json.dumps(document))
        async with started(project) as runtime:
            await pings(runtime)
            await runtime.swap(A, "2")
        assert len(changes(project)) == 100
        assert changes(project)[-1]["by"] == "the application"

    run(story())
