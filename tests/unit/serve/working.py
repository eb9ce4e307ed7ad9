"""A project with workflows, whose tasks write down what they do; its wiring as the compiler would have it, by hand."""

from __future__ import annotations

from pathlib import Path

TASKS = '''
from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol


class Note(Protocol):
    async def __call__(self, *, name: str) -> str: ...


def written(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text + "\\n")


class Writer:
    """Notes a name in the file `done`; fails while there is a file `NAME.fails`; waits while there is `NAME.waits`."""

    async def __call__(self, *, name: str) -> str:
        written("begun", name)
        while Path(f"{name}.waits").exists():
            await asyncio.sleep(0.01)
        if Path(f"{name}.fails").exists():
            raise RuntimeError(f"{name} fails")
        written("done", name)
        return name.upper()
'''

WIRING = '''
# fmt: off
from __future__ import annotations

from oneiric.declared import flow
from oneiric.wiring import Domain, Wiring as BaseWiring, bind


class Adapters(Domain):
    @bind("adapter:engine", "e1", provider="ENGINE", port="oneiric.adapters.engine:Engine")
    def engine(self):
        """ENGINE: settings/adapters.yml selects it"""
        FACTORY


class Tasks(Domain):
    @bind("task:note", "n1", provider="writer", port="works.tasks:Note")
    def note(self):
        """writer: the only candidate"""
        from works.tasks import Writer
        return Writer()


class Workflows(Domain):
    __engine__ = "oneiric.engines.workflows:Workflows"

    @flow("workflow:two", "f1", needs=("task:note",),
          flow={
              "nodes": {
                  "first": {"call": "task:note", "after": [], "with": {"name": "${input.name}-1"}},
                  "second": {"call": "task:note", "after": ["first"], "with": {"name": "${input.name}-2"}},
              },
              "result": {"heard": ["${first}", "${second}"]},
              "queue": "few",
          })
    async def two(self, input):
        """two: 2 nodes in 2 levels; settings/workflows.yml declares it"""
        first = await self._wiring.tasks.note.live(name=f"{input['name']}-1")
        second = await self._wiring.tasks.note.live(name=f"{input['name']}-2")
        return {"heard": [first, second]}


class Wiring(BaseWiring, app="works", profile="default"):
    __queues__ = {"few": {"at_once": 2}}
    adapters: Adapters
    tasks: Tasks
    workflows: Workflows


Wiring.domains(adapters=Adapters, tasks=Tasks, workflows=Workflows)
'''
INLINE = "from oneiric.adapters.engine.inline import InlineEngine\n        return InlineEngine()"


def make_works(root: Path, *, provider: str = "inline", factory: str = INLINE) -> Path:
    """The project, with this engine."""
    for path, text in {
        "settings/app.yml": "name: works\npackages: [works]\n",
        "works/__init__.py": "",
        "works/tasks.py": TASKS,
        "generated/__init__.py": "",
        "generated/wiring.py": WIRING.replace("ENGINE", provider).replace("FACTORY", factory),
        "generated/explain.json": REPORT,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


REPORT = '{"bindings": {"task:note": {}, "workflow:two": {}, "adapter:engine": {}}, "queues": {"few": {"at_once": 2}}}'


def lines(root: Path, name: str) -> list[str]:
    """What was noted in a file."""
    path = root / name
    return path.read_text().split() if path.exists() else []
