"""Settings and sources of real projects, damaged: whatever they are, there is an answer, and the same one again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.attacks import compiling, python_sources, texts, trees
from tests.attacks.campaign import Campaign
from tests.attacks.projects import Start, snippets, starts, tree_of, words
from tests.attacks.projects import trees as all_trees


@dataclass(frozen=True)
class Damaged:
    start: Start
    changes: tuple[tuple[str, bytes | None], ...]
    canaries: bool
    """Whether secrets in it are known by their shape, since nothing broke it."""

    def shown(self) -> str:
        """The changed files whole."""
        parts = [f"from {self.start.name}"]
        for path, data in self.changes:
            parts += [f"--- {path}", "no file" if data is None else data.decode("utf-8", "backslashreplace")]
        return "\n".join(parts)


class Files(Campaign[Damaged]):
    """What is common to both: a project in a folder, compiled twice."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        compiling.remember_installed(stack)

    def attack(self, case: Damaged) -> str:
        root = self.folder / "project"
        case.start.made(root, dict(case.changes))
        return compiling.hold(root, Random(len(case.changes)), canaries=case.canaries)

    def smaller(self, case: Damaged) -> Iterator[Damaged]:
        for at, (path, data) in enumerate(case.changes):
            others = case.changes[:at] + case.changes[at + 1 :]
            yield Damaged(case.start, others, case.canaries)
            damaged = data if data and not case.canaries else b""
            for less in texts.smaller_bytes(case.start.files.get(path), damaged):
                yield Damaged(case.start, (*others, (path, less)), case.canaries)
        for path in case.start.files:
            if path not in dict(case.changes):
                files = {each: data for each, data in case.start.files.items() if each != path}
                yield Damaged(Start(case.start.name, files), case.changes, case.canaries)

    def shown(self, case: Damaged) -> str:
        return case.shown()


class Settings(Files):
    name, cases, few = "settings", 100_000, 250

    def case(self, choose: Random) -> Damaged:
        start = choose.choice([each for each in starts() if each.settings])
        if choose.random() < 0.05:
            return self._moved(choose, start)
        path = choose.choice(start.settings)
        text = start.files[path].decode("utf-8", "replace")
        found, canaries = tree_of(text), False
        if found is not None and choose.random() < 0.7:
            tree = trees.altered(choose, found, all_trees(), words())
            if choose.random() < 0.3 and isinstance(tree, dict):
                tree, canaries = trees.plant(choose, tree), True
            text = trees.written(choose, tree)
            if canaries or choose.random() < 0.8:
                return Damaged(start, ((path, text.encode("utf-8", "surrogatepass")),), canaries)
        return Damaged(start, ((path, texts.damaged(choose, text, words())),), False)

    def _moved(self, choose: Random, start: Start) -> Damaged:
        """A file is gone, under another name, or what another project has there."""
        path, other = choose.choice(start.settings), choose.choice(starts())
        if choose.random() < 0.4:
            return Damaged(start, ((path, None),), False)
        if choose.random() < 0.5:
            folder = choose.choice(("settings", "settings/profiles", "settings/tenants"))
            name = choose.choice((*words()[:200], "app", "remote", "services"))
            name = "".join(sign for sign in name if sign not in "/\0")[:50].strip(".") or "x"
            return Damaged(start, ((f"{folder}/{name}.yml", start.files[path]),), False)
        if path in other.files:
            return Damaged(start, ((path, other.files[path]),), False)
        return Damaged(start, ((path, b""),), False)


class Sources(Files):
    name, cases, few = "sources", 40_000, 200

    def case(self, choose: Random) -> Damaged:
        start = choose.choice([each for each in starts() if each.sources])
        path = choose.choice(start.sources)
        data = start.files[path]
        if choose.random() < 0.7:
            try:
                data = python_sources.altered(choose, ast.parse(data), snippets()).encode("utf-8", "surrogatepass")
            except (SyntaxError, ValueError, RecursionError):
                data = start.files[path]
        if data == start.files[path] or choose.random() < 0.1:
            data = texts.damaged(choose, data.decode("utf-8", "replace"), words())
        return Damaged(start, ((path, data),), False)
