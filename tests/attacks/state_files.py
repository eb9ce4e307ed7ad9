"""What a process left, changed: the next start, `status` and the others name what is wrong with it, or work."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import oneiric
from oneiric.errors import OneiricError
from oneiric.runtime import host_of

from tests.attacks import texts, trees
from tests.attacks.campaign import Campaign
from tests.attacks.commands import answer
from tests.attacks.projects import words
from tests.unit.serve.damage import WHOLE
from tests.unit.serve.serving import Served, copy_project, make_project, until
from tests.unit.serve.test_serve_damage import STATE, _notes, _record

COMMANDS = (
    "status",
    "status --json",
    "list",
    "health",
    "history",
    "history --json",
    "reload",
    "swap service:greeter loud",
)
WAYS = {name: damage for name, damage in WHOLE.items() if name not in ("huge", "fifo")}


@dataclass(frozen=True)
class Damage:
    file: str
    whole: str
    """What the file is afterwards; else it is `data`."""
    data: bytes


@dataclass(frozen=True)
class Left:
    damages: tuple[Damage, ...]
    command: str
    serve: bool


class StateFiles(Campaign[Left]):
    name, cases, few = "state", 6_000, 40

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.left = make_project(folder / "left")
        with Served(self.left) as served:
            served.swap("service:greeter", "loud")
            served.swap("service:greeter", "plain", tenant="acme")
            served.swap("service:greeter", "broken")
            served.note("pause", "service:lazy", "disks")
        self.host = host_of(oneiric.Runtime(oneiric.load(self.left / "generated/wiring.py")))
        state = self.left / STATE
        self.files = sorted(
            path.relative_to(self.left).as_posix()
            for path in (*state.rglob("*"), *(self.left / "generated").rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        )
        self.whole = {name: (self.left / name).read_bytes() for name in self.files}

    def case(self, choose: Random) -> Left:
        own = [name for name in self.files if name.startswith(STATE.as_posix())]
        chosen = [
            choose.choice(own if choose.random() < 0.85 else self.files) for _ in range(choose.choice((1, 1, 2, 3)))
        ]
        damages = tuple(self._damage(choose, name) for name in dict.fromkeys(chosen))
        return Left(damages, choose.choice(COMMANDS), choose.random() < 0.05)

    def attack(self, case: Left) -> str:
        root = self.folder / "lab"
        shutil.rmtree(root, ignore_errors=True)
        copy_project(self.left, root)
        for damage in case.damages:
            path = root / damage.file
            if damage.whole == "gone":
                path.unlink()
            elif damage.whole:
                WAYS[damage.whole](path)
            else:
                path.write_bytes(damage.data)
        for read in (_record, _notes):
            with contextlib.suppress(OneiricError, OSError):  # as they say they raise
                read(root, self.host)
        done = answer(root, *case.command.split())
        return f"served and {_served(root)}" if case.serve else f"answered {done.returncode}"

    def smaller(self, case: Left) -> Iterator[Left]:
        for at, damage in enumerate(case.damages):
            others = case.damages[:at] + case.damages[at + 1 :]
            yield Left(others, case.command, case.serve)
            if not damage.whole:
                for less in texts.smaller_bytes(self.whole[damage.file], damage.data):
                    yield Left((*others, Damage(damage.file, "", less)), case.command, case.serve)

    def shown(self, case: Left) -> str:
        told = "\n".join(f"{each.file}: {each.whole or repr(each.data)}" for each in case.damages)
        return f"{told}\n$ oneiric {'serve' if case.serve else case.command}"

    def _damage(self, choose: Random, name: str) -> Damage:
        way, data = choose.random(), self.whole[name]
        if way < 0.15:
            return Damage(name, choose.choice((*WAYS, "gone")), b"")
        if way < 0.4:
            return Damage(name, "", texts.flipped(choose, data))
        with contextlib.suppress(ValueError):
            lines = data.decode().splitlines()
            at = choose.randrange(len(lines)) if lines else 0
            tree = json.loads(data) if len(lines) < 2 or not name.endswith(".jsonl") else json.loads(lines[at])
            if isinstance(tree, (dict, list)) and way < 0.85:
                changed = trees.altered(choose, tree, [tree], words())
                text = json.dumps(changed)
                text = "\n".join((*lines[:at], text, *lines[at + 1 :])) if name.endswith(".jsonl") else text
                return Damage(name, "", text.encode("utf-8", "surrogatepass"))
        return Damage(name, "", texts.damaged(choose, data.decode("utf-8", "replace"), words()))


def _served(root: Path) -> str:
    """Whether it starts; then whether it can be rolled back, or says why not."""
    served = Served(root)
    ended = until(lambda: _running(served) or served.process.poll() is not None, within=60)
    assert ended
    if served.process.poll() is not None:
        assert served.process.returncode in (1, 2), served.text()
        assert served.text().strip(), "ends without a word"
        assert "Traceback" not in served.text(), served.text()
        return "refused"
    with served:
        for operation in ("rollback", "status"):
            with contextlib.suppress(OneiricError):
                served.ask(operation)
    assert "Traceback" not in served.text(), served.text()
    return "ran"


def _running(served: Served) -> bool:
    try:
        return served.runs()
    except (ValueError, LookupError, TypeError, OSError):
        return False
