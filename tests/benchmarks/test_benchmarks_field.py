"""The harness of `python -m benchmarks.field`, on the floors and this project alone: nothing is installed.

What a figure is, is not asserted; that the checks notice who does other work, is.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from math import nan
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.field import access, swap, transient
from benchmarks.field.cache import Cache
from benchmarks.field.chain import A, B, C
from benchmarks.field.contenders import floor_attribute
from benchmarks.field.known import found, is_floor
from benchmarks.field.plot import plotted
from benchmarks.field.results import Table
from benchmarks.field.rounds import shuffled

CHECKOUT = Path(__file__).resolve().parents[2]
FLOORS = {"plain attribute", "dict", "function"}
ROWS = {"access", "transient", "start", "START", "swap", "tenant"}
PEERS = {
    "clean-ioc", "dependency-injector", "dishka", "dynaconf", "hydra-core", "injector", "lagom", "modern-di", "pluggy",
    "punq", "rodi", "stevedore", "svcs", "that-depends", "wireup",
}  # fmt: skip
DEADLINE = 180  # seconds


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the short form wrote."""
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "benchmarks.field", "--short", "--results", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text())["title"] in done.stdout
    return folder


def table(results: Path, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return read


def figures(read: dict[str, Any], contender: str) -> dict[str, Any]:
    (row,) = [row for row in read["rows"] if row["contender"] == contender]
    return {each["what"]: each for each in row["figures"]}


def test_every_table_has_its_figures_and_its_plot(results: Path) -> None:
    names = {"access", "transient", "start-30", "swap", "tenants", "compile"}
    assert {path.name for path in results.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("json", "svg")}
    for name in names:
        read = table(results, name)
        bars = ElementTree.parse(results / f"{name}.svg").iter("{http://www.w3.org/2000/svg}path")
        assert len(list(bars)) == len(read["rows"]) > 0
        assert all(row["figures"][0]["low"] <= row["figures"][0]["high"] for row in read["rows"])


def test_the_machine_is_described_without_its_name(results: Path) -> None:
    for path in results.glob("*.json"):
        text = path.read_text()
        assert set(json.loads(text)["machine"]) == {"python", "system", "cores", "processor", "memory"}
        assert socket.gethostname() not in text
        assert str(CHECKOUT) not in text


def test_a_process_that_has_more_to_import_has_more_modules(results: Path) -> None:
    start = table(results, "start-30")
    modules = {row["contender"]: row["figures"][3]["median"] for row in start["rows"]}
    assert set(modules) == {"bare Python", "dict", "function", "oneiric"}
    assert modules["bare Python"] < modules["function"] < modules["dict"]


def test_calls_fail_where_the_old_one_is_closed_under_its_users(results: Path) -> None:
    read = table(results, "swap")
    assert figures(read, "plain attribute")["failed, asked once"]["low"] > 0
    assert figures(read, "plain attribute")["calls around a swap"]["samples"] == []
    ours = figures(read, "oneiric")
    assert ours["failed, asked each time"]["high"] == ours["failed, asked once"]["high"] == 0
    assert ours["calls around a swap"]["samples"]


def test_access_to_a_new_instance_each_time_is_noticed() -> None:
    with pytest.raises(AssertionError, match="another instance"):
        asyncio.run(access.check("it", "make()", {"make": object}))


def test_a_shared_part_is_noticed_in_what_should_be_new() -> None:
    shared = B(C())
    with pytest.raises(AssertionError, match="twice"):
        transient.check("it", "A(shared)", {"A": A, "shared": shared})
    transient.check("it", "A(B(C()))", {"A": A, "B": B, "C": C})


def test_a_swap_that_does_nothing_is_noticed() -> None:
    def forgetful(first: Cache) -> tuple[Any, Any]:
        ask, _ = floor_attribute.swap(first)
        return ask, lambda other: None

    with pytest.raises((AssertionError, ConnectionError)):
        asyncio.run(asyncio.wait_for(swap.run(forgetful, 2, again=True), 30))


def test_calls_around_a_swap_are_those_under_way_during_it() -> None:
    seen = swap.Seen(calls=[(0.0, 1.0), (1.5, 2.5), (3.0, 4.0)], failed=1, swaps=[(2.0, 2.1)])
    assert seen.latencies() == ([1000.0], [1000.0, 1000.0])
    assert seen.failures == 250


def test_every_round_takes_everyone_once_in_an_order_of_its_own() -> None:
    order: list[int] = []
    actions = {str(number): lambda number=number: order.append(number) for number in range(6)}
    taken = shuffled(5, Random(1), actions)
    rounds = [tuple(order[start : start + 6]) for start in range(0, 30, 6)]
    assert all(sorted(each) == list(range(6)) for each in rounds)
    assert len(set(rounds)) > 1
    assert {len(samples) for samples in taken.values()} == {5}


def test_what_is_not_measured_is_shown_as_nothing() -> None:
    shown = Table("t", "A title", "How.", [("a", "ns"), ("b", "ms")], {"x": [[2.0], [nan]], "y": [[1.0], [3.0]]}, {})
    lines = shown.as_text().splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["y", "x"]
    assert lines[-1].split()[-1] == "-"
    assert "NaN" not in json.dumps(shown.as_json({}))


def test_a_plot_shows_figures_of_zero() -> None:
    shown = Table("t", "A < B", "How.", [("failed", "")], {"x": [[0.0]], "y": [[50.0]]}, {})
    assert "<rect" in plotted(shown)
    ElementTree.fromstring(plotted(shown))


def test_every_contender_is_in_a_table_and_pinned() -> None:
    contenders = found(peers=True)
    assert set(contenders) == {*FLOORS, *PEERS, "oneiric"}
    assert all(ROWS & vars(module).keys() for module in contenders.values())
    assert {name for name, module in contenders.items() if is_floor(module)} == FLOORS
    pins = dict(line.split("==") for line in lines_of("benchmarks/requirements.txt"))
    assert set(pins) >= PEERS
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins.values())


def lines_of(name: str) -> list[str]:
    return [line for line in (CHECKOUT / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]
