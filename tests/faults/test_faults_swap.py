"""Swaps that fail, are cancelled, collide; restarts after them. A stand-in for the compiler misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Deadlines, LoadError, Outcome, Runtime, RuntimeClosed, StateError, UnknownKey
from oneiric.reload.outcome import Overrides
from oneiric.reload.state import KEPT
from oneiric.runtime import host_of

from tests.faults.compiler import LEDGER, Project
from tests.faults.reloading import SHORT, closed_once, settled, until
from tests.unit.runtime.making import run

A = "adapter:a"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    LEDGER.clear()
    yield Project(tmp_path, monkeypatch)
    closed_once(LEDGER)


def started(project: Project, *, compile: float = 10, **options: Any) -> Runtime[Any]:
    deadlines = Deadlines(factory=5, close=0.5, drain=0.5, hook=0.5, compile=compile)
    return Runtime(oneiric.load(project.wiring), state=project.state, deadlines=deadlines, **options)


def current(project: Project) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.state / "current.json").read_text())
    return document


def test_a_swap_is_kept_over_a_restart_and_cleared_again(project: Project) -> None:
    async def story() -> None:
        baseline = project.wiring.read_bytes()
        async with started(project) as runtime:
            live = runtime.wiring.adapters.a.live
            assert await live.ping() == "a/1"
            outcome = await runtime.swap(A, "2")
            assert outcome.accepted
            assert outcome.plan.replace == ((None, A),)
            assert await live.ping() == "a/2"
            assert runtime.overrides == Overrides({A: "2"}, {})
            assert current(project)["format"] == "oneiric.state/1"  # what states of earlier releases have
        async with started(project) as runtime:
            assert runtime.generation == outcome.generation == current(project)["generation"]
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"
            cleared = await runtime.swap(A, None)
            assert cleared.generation == current(project)["baseline"]
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            assert not runtime.overrides.active
            back = await runtime.rollback()
            assert back.rolled_back_to == outcome.generation
            assert runtime.overrides == Overrides({A: "2"}, {})
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        assert project.wiring.read_bytes() == baseline

    run(story())


def test_a_deploy_gets_the_swaps_compiled_onto_it_and_no_old_generation(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.swap(A, "2")
        project.deploy(b="7")
        async with started(project) as runtime:
            assert runtime.overrides == Overrides({A: "2"}, {})
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"
            assert await runtime.wiring.adapters.b.live.ping() == "b/7"
            assert (await runtime.rollback()).code == "no-previous"

    run(story())


def test_a_deploy_that_the_swaps_do_not_fit_drops_them_and_says_so(project: Project) -> None:
    told: list[str] = []

    async def story() -> None:
        async with started(project) as runtime:
            await runtime.swap(A, "2")
        project.deploy(b="7")
        project.behave("disk")
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with started(project) as runtime:
            assert not runtime.overrides.active
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            assert runtime.generation == current(project)["generation"] == current(project)["baseline"]

    run(story())
    (message,) = told
    assert "dropped" in message


def test_a_reload_compiles_the_swaps_onto_the_baseline_as_it_is_by_then(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            assert (await runtime.reload()).code == "unchanged"
            project.deploy(a="5")
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            assert (await runtime.reload(plan_only=True)).plan.replace == ((None, A),)
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            assert (await runtime.reload()).accepted
            assert await runtime.wiring.adapters.a.live.ping() == "a/5"
            assert (await runtime.swap("adapter:b", "2")).accepted
            assert (await runtime.reload()).code == "unchanged"
            assert runtime.overrides == Overrides({"adapter:b": "2"}, {})
            settled(runtime, LEDGER)

    run(story())


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("killed", "compile", "signal 9"),
        ("hanging", "compile", "longer than"),
        ("disk", "compile", "No space left"),
        ("silent", "compile", "it is empty"),
        ("babbling", "compile", "it is not JSON"),
        ("truncated", "shape", "is incomplete"),
    ],
)
def test_a_compiler_that_fails_withdraws_the_override(project: Project, how: str, code: str, says: str) -> None:
    async def story() -> None:
        async with started(project, compile=1.5) as runtime:
            live = runtime.wiring.adapters.a.live
            await live.ping()
            before = (project.state / "current.json").read_bytes()
            project.behave(how)
            outcome = await runtime.swap(A, "2")
            assert (outcome.accepted, outcome.code) == (False, code)
            assert says in str(outcome.reason)
            assert runtime.rejected is not None
            assert runtime.rejected.reason == outcome.reason
            assert not runtime.overrides.active
            assert (project.state / "current.json").read_bytes() == before
            assert await live.ping() == "a/1"
            assert not project.child_runs
            assert not list((project.state / "generations").glob(".part*"))
            project.behave("")
            assert (await runtime.swap(A, "3")).accepted
            assert await live.ping() == "a/3"

    run(story())


def test_a_rejected_generation_can_be_looked_at(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.wiring.adapters.a.live.ping()
            outcome = await runtime.swap(A, "sick")
            assert outcome.code == "health"
            assert (await runtime.swap("adapter:b", "4")).accepted
            assert runtime.rejected is not None
            assert "sick" in Path(runtime.rejected.source).read_text()
            assert Path(runtime.rejected.source).parent.name == runtime.rejected.generation
            assert (await runtime.swap(A, "sick", force=True)).accepted
            settled(runtime, LEDGER)

    run(story())


def test_a_state_folder_that_refuses_is_a_rejection_before_the_commit(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.wiring.adapters.a.live.ping()
            generations = project.state / "generations"
            generations.rename(project.state / "elsewhere")
            generations.write_text("")
            assert (await runtime.swap(A, "2")).code == "state"
            generations.unlink()
            (project.state / "elsewhere").rename(generations)
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"

    run(story())


def test_a_record_that_cannot_be_written_is_reported_and_undoes_nothing(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            live = runtime.wiring.adapters.a.live
            await live.ping()
            record = project.state / "current.json"
            written = record.read_bytes()
            record.unlink()
            record.mkdir()  # no file can take its place
            outcome = await runtime.swap(A, "2")
            assert outcome.accepted
            assert "a restart will not know" in outcome.reports[0]
            assert await live.ping() == "a/2"
            record.rmdir()
            record.write_bytes(written)
        async with started(project) as runtime:
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"

    run(story())


def test_twenty_swaps_of_a_key_at_once_are_done_in_turn(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.wiring.adapters.a.live.ping()
            outcomes = await asyncio.gather(*(runtime.swap(A, str(number)) for number in range(2, 22)))
            assert all(outcome.accepted for outcome in outcomes)
            assert await runtime.wiring.adapters.a.live.ping() == "a/21"
            assert current(project)["overrides"][runtime.generation]["overrides"] == {A: "21"}
            assert len(current(project)["previous"]) == KEPT
            assert len(list((project.state / "generations").iterdir())) <= KEPT + 3
            for number in range(20, 20 - KEPT, -1):
                assert (await runtime.rollback()).accepted
                assert await runtime.wiring.adapters.a.live.ping() == f"a/{number}"
            assert (await runtime.rollback()).code == "no-previous"
            settled(runtime, LEDGER)

    run(story(), within=30)


def test_rollbacks_asked_for_at_once_each_go_one_back(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            live = runtime.wiring.adapters.a.live
            assert await live.ping() == "a/1"
            for provider in ("2", "3", "4"):
                assert (await runtime.swap(A, provider)).accepted
            before = current(project)["previous"]
            outcomes = await asyncio.gather(*(runtime.rollback() for _ in range(4)))
            assert [each.rolled_back_to for each in outcomes] == [*before, None]
            assert outcomes[3].code == "no-previous"
            assert await live.ping() == "a/1"
            settled(runtime, LEDGER)

    run(story())


def test_a_swap_cancelled_while_its_compiler_hangs_ends_it(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.wiring.adapters.a.live.ping()
            project.behave("hanging")
            swapping = asyncio.ensure_future(runtime.swap(A, "2"))
            await until(lambda: project.child_runs)
            swapping.cancel()
            await until(lambda: not host_of(runtime).tasks)
            assert not project.child_runs
            assert not list((project.state / "generations").glob(".part*"))
            project.behave("")
            assert (await runtime.swap(A, "3")).accepted

    run(story())


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.06, 0.1])
def test_a_swap_during_a_shutdown_closes_everything(project: Project, wait: float) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            await runtime.wiring.adapters.b.live.ping()
            swaps = [asyncio.ensure_future(runtime.swap(A, str(number))) for number in range(2, 5)]
            await asyncio.sleep(wait)
        results = await asyncio.gather(*swaps, return_exceptions=True)
        assert all(isinstance(result, Outcome | RuntimeClosed) for result in results)
        assert not wait or not project.child_runs
        async with started(project) as runtime:
            assert (await runtime.wiring.adapters.a.live.ping()).startswith("a/")

    run(story())


def test_one_process_has_a_state_folder_at_a_time(project: Project) -> None:
    async def story() -> None:
        async with started(project):
            with pytest.raises(StateError, match="another process"):
                async with started(project):
                    pass
        async with started(project):
            pass

    run(story())


def test_without_a_state_folder_a_swap_is_refused_and_a_reload_is_not(project: Project) -> None:
    async def story() -> None:
        async with Runtime(oneiric.load(project.wiring), deadlines=SHORT) as runtime:
            with pytest.raises(UnknownKey):
                await runtime.swap("adapter:x", "2")
            assert (await runtime.swap(A, "2")).code == "no-state"
            project.deploy(a="5")
            assert (await runtime.reload()).accepted
            assert await runtime.wiring.adapters.a.live.ping() == "a/5"
            assert (await runtime.rollback()).accepted
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"

    run(story())


def test_a_damaged_record_is_named(project: Project) -> None:
    project.state.mkdir(parents=True)
    (project.state / "current.json").write_text("{")

    async def story() -> None:
        with pytest.raises(StateError, match=r"current\.json cannot be used: it is not JSON"):
            async with started(project):
                pass

    run(story())
    with pytest.raises(LoadError):
        oneiric.load(project.wiring.with_name("nothing.py"))


def test_a_generation_that_was_changed_is_not_used(project: Project) -> None:
    async def story() -> None:
        async with started(project) as runtime:
            outcome = await runtime.swap(A, "2")
        path = project.state / "generations" / outcome.generation / "wiring.py"
        path.write_text(path.read_text().replace("a/2", "a/evil"))
        async with started(project) as runtime:
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"

    run(story())


def test_a_component_that_turns_unhealthy_brings_the_previous_generation_back(project: Project) -> None:
    told: list[str] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with started(project, provisional=2.0) as runtime:
            live = runtime.wiring.adapters.a.live
            await live.ping()
            first = runtime.generation
            outcome = await runtime.swap(A, "2")
            sick = runtime.wiring.adapters.a.current
            sick.fault, sick.how = "health", "false"
            await until(lambda: runtime.generation == first)
            await until(lambda: not host_of(runtime).tasks)
            assert await live.ping() == "a/1"
            assert runtime.wiring.adapters.a.current is not sick
            assert not runtime.overrides.active
            assert runtime.rejected is not None
            assert runtime.rejected.generation == outcome.generation
            settled(runtime, LEDGER)

    run(story())
    (message,) = told
    assert "turned unhealthy" in message
    assert "rolled back to" in message
