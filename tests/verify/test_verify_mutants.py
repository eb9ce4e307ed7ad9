"""Reports and wirings altered at random: every one is caught by `--check` or by `verify`.

`python -m tests.verify.test_verify_mutants N` tries so many mutants and tells what catches them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import random
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.verify import verify
from oneiric_compiler.verify.decisions import TIERS

ROOT = Path(__file__).parent.parent.parent
Files = dict[str, str]


def compiled() -> list[Files]:
    """The outputs of this repository's own project, a folder each."""
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(ROOT, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    return [{name: data.decode() for name, data in files.items()} for _, files in outputs.profiles.values()]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from leaves(inner, (*path, name))


def altered(choose: random.Random, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + choose.choice((-100, -1, 1, 100))
    if isinstance(value, str):
        at = choose.randrange(len(value) + 1)
        return value[:at] + choose.choice("abcxyz") + value[at + choose.randrange(2) :]
    if isinstance(value, list):
        return value[1:] if value else ["added"]
    if isinstance(value, dict) and value:
        return dict(list(value.items())[1:])
    return {"added": 1}


def altered_report(choose: random.Random, files: Files, *, emitted: bool) -> tuple[str, Files]:
    """One place of the report is removed or says something else; with `emitted`, the wiring follows it."""
    report = json.loads(files["explain.json"])
    path = choose.choice(list(leaves(report)))
    inner = report
    for part in path[:-1]:
        inner = inner[part]
    before = inner[path[-1]]
    if choose.random() < 0.3:
        del inner[path[-1]]
    else:
        inner[path[-1]] = altered(choose, before)
    mutant = {**files, "explain.json": render_report(report)}
    if emitted:
        with contextlib.suppress(LookupError, TypeError, AttributeError, ValueError, RuntimeError):
            mutant.update(emit(report))
    return "/".join(str(part) for part in path), mutant


def altered_wiring(choose: random.Random, files: Files) -> tuple[str, Files]:
    """One token of the source is another, or gone."""
    text = files["wiring.py"]
    kinds = (tokenize.NAME, tokenize.STRING, tokenize.NUMBER, tokenize.OP)
    tokens = [each for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type in kinds]
    token = choose.choice(tokens)
    lines = text.splitlines(keepends=True)
    (row, start), (end_row, end) = token.start, token.end
    changed = "" if choose.random() < 0.3 else altered(choose, token.string)
    lines[row - 1 : end_row] = [lines[row - 1][:start] + changed + lines[end_row - 1][end:]]
    return f"wiring.py:{row} {token.string}", {**files, "wiring.py": "".join(lines)}


def altered_tenants(choose: random.Random, files: Files) -> tuple[str, Files]:
    lines = files["tenants.jsonl"].splitlines(keepends=True)
    at = choose.randrange(len(lines))
    lines[at] = "" if choose.random() < 0.3 else altered(choose, lines[at])
    return f"tenants.jsonl:{at + 1}", {**files, "tenants.jsonl": "".join(lines)}


def findings(files: Files) -> list[str]:
    tenants = files.get("tenants.jsonl", "").encode()
    return [*verify(json.loads(files["explain.json"]), files["wiring.py"].encode(), tenants)]


def found_by_verify(files: Files) -> bool:
    try:
        return any(findings(files))
    except (LookupError, TypeError, ValueError, AttributeError):
        return True


def same(mutant: Files, files: Files) -> bool:
    """Whether the mutant has the same bytes but for what does not matter to Python."""
    rest = all(mutant.get(name) == text for name, text in files.items() if name != "wiring.py")
    return rest and ast.dump(ast.parse(mutant["wiring.py"])) == ast.dump(ast.parse(files["wiring.py"]))


def trial(choose: random.Random, every: list[Files]) -> tuple[str, str, str]:
    """The kind of mutant, where it was altered, and what catches it."""
    files = choose.choice(every)
    kinds = ["report", "report and wiring", "wiring", *(["tenants"] if "tenants.jsonl" in files else [])]
    kind = choose.choice(kinds)
    if kind == "wiring":
        where, mutant = altered_wiring(choose, files)
    elif kind == "tenants":
        where, mutant = altered_tenants(choose, files)
    else:
        where, mutant = altered_report(choose, files, emitted=kind != "report")
    caught = "verify" if found_by_verify(mutant) else "nothing, being the same" if same(mutant, files) else "--check"
    return kind, where, caught


def test_what_is_compiled_holds() -> None:
    for files in compiled():
        assert findings(files) == []


@pytest.mark.parametrize("seed", range(4))
def test_altered_outputs_are_caught(seed: int) -> None:
    """`--check` compares bytes with a new compile, so it catches whatever differs. `verify` has the outputs alone, and
    catches what is altered in a wiring or in lines of tenants all the same."""
    choose, every = random.Random(seed), compiled()
    caught = Counter[tuple[str, str]]()
    for _ in range(250):
        kind, where, by = trial(choose, every)
        caught[kind, by] += 1
        assert by != "--check" or kind in ("report", "report and wiring"), where
    assert min(caught[kind, "verify"] for kind in ("report", "report and wiring")) > 10


def test_a_loser_that_would_win_is_caught() -> None:
    """Whatever fact of whichever loser is altered such that another would win, with the wiring as it was."""
    tried = 0
    for files in compiled():
        report = json.loads(files["explain.json"])
        for key, binding in report["bindings"].items():
            for loser in (each for each in binding["candidates"] if each.get("lost_by") in TIERS):
                before = loser[TIERS[loser["lost_by"]]]
                loser[TIERS[loser["lost_by"]]] = 10_000
                told = findings({**files, "explain.json": json.dumps(report)})
                assert any(f"{key}: `{loser['provider']}`" in each and "outranks" in each for each in told)
                loser[TIERS[loser["lost_by"]]] = before
                tried += 1
    assert tried > 5


def main(trials: int) -> None:
    choose, every, told = random.Random(0), compiled(), Counter[tuple[str, str]]()
    for _ in range(trials):
        kind, where, caught = trial(choose, every)
        told[kind, caught] += 1
        if caught == "--check":
            print(kind, where)
    for (kind, caught), count in sorted(told.items()):
        print(f"{kind}: {count} caught by {caught}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
