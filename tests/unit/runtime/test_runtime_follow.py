"""Runtimes that follow the state folder of another: they take what it commits, say so, and write nothing of its."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.errors import StateError
from oneiric.reload.followers import Following, followers
from oneiric.reload.state import stamp_of

from tests.unit.runtime.making import run
from tests.unit.runtime.test_runtime_swap import KEY, project

__all__ = ["project"]
WORKER = """
import asyncio, sys
import oneiric
from oneiric import Runtime
async def main():
    wiring = oneiric.load(sys.argv[1])
    calls = 0
    async with Runtime(wiring, follow=sys.argv[2], environ={}) as runtime:
        while True:
            await runtime.wiring.adapters.analytics.live.fetch("select 1")
            calls += 1
            await asyncio.sleep(0.005)
asyncio.run(main())
"""


async def until(what: Callable[[], object]) -> None:
    while not what():
        await asyncio.sleep(0.01)


def owned(project: Path) -> Runtime[Any]:
    return one_of_two(project, state=state(project), project=project)


def following(project: Path) -> Runtime[Any]:
    return one_of_two(project, follow=state(project))


def one_of_two(root: Path, **options: Any) -> Runtime[Any]:
    """A runtime beside another in this process, in which the engine of the project works once only."""
    loaded = oneiric.load(root / "generated" / "wiring.py")
    return Runtime(loaded, replace={"adapter:engine": InlineEngine()}, environ={}, **options)


def state(project: Path) -> Path:
    return project / ".oneiric" / "shop"


def only(project: Path) -> Following:
    (found,) = followers(state(project))
    return found


def test_a_follower_takes_what_the_owner_commits_and_what_it_takes_back(project: Path) -> None:
    async def story() -> None:
        async with owned(project) as owner, following(project) as follower:
            swapped = await owner.swap(KEY, "columnar")
            await until(lambda: follower.generation == swapped.generation)
            assert follower.wiring.adapters.analytics.binding.provider == "columnar"
            assert follower.overrides == owner.overrides
            await until(lambda: only(project).seen == swapped.generation)
            said = Following(os.getpid(), swapped.generation, swapped.generation, True, None, stamp_of(state(project)))
            await until(lambda: only(project) == said)
            back = await owner.rollback()
            await until(lambda: only(project).generation == back.generation)
        assert followers(state(project)) == []

    run(story(), within=60)


def test_a_follower_begins_on_the_generation_of_the_owner_and_outlives_it(project: Path) -> None:
    async def story() -> None:
        async with owned(project) as owner:
            swapped = await owner.swap(KEY, "columnar")
        async with following(project) as follower:
            assert follower.generation == swapped.generation
            async with owned(project) as owner:
                back = await owner.swap(KEY, None)
                await until(lambda: follower.generation == back.generation)

    run(story(), within=60)


def test_a_follower_of_another_baseline_keeps_its_own_until_the_owner_deploys(project: Path) -> None:
    async def story() -> None:
        wiring = project / "generated" / "wiring.py"
        async with owned(project) as owner:
            text = wiring.read_text()
            wiring.write_text(text + "\n# deployed\n")
            async with following(project) as follower:
                own = follower.generation
                assert own != owner.generation
                assert not only(project).accepted
                assert "deployed another baseline" in str(only(project).reason)
                swapped = await owner.swap(KEY, "columnar")
                await until(lambda: only(project).seen == swapped.generation)
                assert follower.generation == own
                assert (await owner.swap(KEY, None)).accepted
                assert (await owner.reload()).accepted
                await until(lambda: only(project).accepted and owner.generation == follower.generation == own)
            wiring.write_text(text)

    run(story(), within=60)


def test_a_follower_changes_nothing_by_itself(project: Path) -> None:
    async def story() -> None:
        async with following(project) as follower:
            for outcome in (await follower.swap(KEY, "columnar"), await follower.rollback(), await follower.reload()):
                assert (outcome.accepted, outcome.code) == (False, "no-state")
                assert "ask the process that owns it" in str(outcome.reason)
            with pytest.raises(StateError, match="already"):
                await following(project).__aenter__()
            assert only(project) == Following(os.getpid(), follower.generation, None, True, None)

    run(story(), within=60)
    with pytest.raises(StateError, match="not both"):
        run(Runtime(oneiric.load(project / "generated" / "wiring.py"), state="x", follow="y").__aenter__())


def test_what_is_damaged_is_not_taken_and_said(project: Path) -> None:
    async def story() -> None:
        async with owned(project) as owner, following(project) as follower:
            before = follower.generation
            current = state(project) / "current.json"
            current.write_text("{")
            await until(lambda: not only(project).accepted)
            assert "current.json cannot be used" in str(only(project).reason)
            assert follower.generation == before
            swapped = await owner.swap(KEY, "columnar")
            await until(lambda: only(project).accepted and follower.generation == swapped.generation)
            back = await owner.swap(KEY, None)
            await until(lambda: follower.generation == back.generation)
            edited = state(project) / "generations" / swapped.generation / "wiring.py"
            edited.write_text(edited.read_text() + "\n# edited\n")
            document = json.loads(current.read_text())
            current.write_text(json.dumps({**document, "generation": swapped.generation}))
            await until(lambda: not only(project).accepted)
            assert "is not what became current" in str(only(project).reason)
            assert follower.generation == back.generation
            own = state(project) / "followers" / f"{os.getpid()}.json"
            own.write_text("{")
            assert not only(project).accepted
            assert "cannot be used" in str(only(project).reason)

    run(story(), within=60)


def test_a_folder_that_others_can_write_is_not_followed(project: Path) -> None:
    state(project).mkdir(parents=True)
    state(project).chmod(0o777)
    with pytest.raises(StateError, match="written by other users"):
        run(following(project).__aenter__())


def test_a_follower_that_cannot_write_goes_on_and_says_so_when_it_can(project: Path) -> None:
    told: list[str] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with owned(project) as owner, following(project) as follower:
            own = state(project) / "followers" / f"{os.getpid()}.json"
            own.unlink()
            own.mkdir()
            swapped = await owner.swap(KEY, "columnar")
            await until(lambda: told)
            assert follower.generation == swapped.generation
            own.rmdir()
            await until(lambda: only(project).generation == swapped.generation)
            assert len(told) == 1
            assert "does not learn" in told[0]

    run(story(), within=60)


def test_workers_follow_one_owner_and_what_a_killed_one_left_is_swept(project: Path, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable, str(script), str(project / "generated" / "wiring.py"), str(state(project))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(project)])}

    async def story(workers: list[subprocess.Popen[bytes]]) -> None:
        async with owned(project) as owner:
            workers += [subprocess.Popen(command, env=environment) for _ in range(3)]
            await until(lambda: len(followers(state(project))) == 3)
            for provider in ("columnar", "embedded"):
                assert (await owner.swap(KEY, provider)).accepted
                await until(lambda: {each.generation for each in followers(state(project))} == {owner.generation})
            assert [each.poll() for each in workers] == [None, None, None]
            workers[0].kill()
            workers[0].wait()
            assert sorted(each.pid for each in followers(state(project))) == sorted(each.pid for each in workers[1:])
            left = {path.stem for path in (state(project) / "followers").iterdir()}
            assert left == {str(each.pid) for each in workers[1:]}

    started: list[subprocess.Popen[bytes]] = []
    try:
        run(story(started), within=60)
    finally:
        for each in started:
            each.kill()
            each.wait()
    shutil.rmtree(state(project))
