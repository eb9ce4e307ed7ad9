"""The tables of tiers, filters and options: what cannot be made from them is in step with them."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from oneiric import component, wiring
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import App, Candidate, Key, Overrides, Project, Settings
from oneiric_compiler.stages.catalog import catalog
from oneiric_compiler.tables import builtins
from oneiric_compiler.tables.options import EMITTED, OPTIONS, Option
from oneiric_compiler.tables.tiers import ALONE, AMONG_EQUALS, CHOICES, FILTERS, RANKS, TIERS, Filter, Rule
from oneiric_compiler.verify.decisions import EXPLICIT
from oneiric_compiler.verify.decisions import TIERS as AMONG_EQUALS_BY_ITSELF
from oneiric_compiler.verify.wiring import OPTIONS as EMITTED_BY_ITSELF

from tests.builtins import builtins_below


def test_every_code_has_its_row() -> None:
    assert list(get_args(Rule)) == [ALONE, *TIERS]
    assert list(get_args(Filter)) == list(FILTERS)
    assert len(TIERS) == len(CHOICES) + len(AMONG_EQUALS)


def test_the_decorator_takes_every_option_and_no_other() -> None:
    taken = inspect.signature(component).parameters
    assert sorted(taken) == sorted(["domain", "key", "provider", *(option.name for option in OPTIONS)])
    for option in OPTIONS:
        default = taken[option.name].default
        assert (list(default) if isinstance(default, tuple) else default or option.default) == option.default

    @component("service", "thing", provider="one")
    class Thing:
        pass

    (declared,) = getattr(Thing, "__oneiric__")  # noqa: B009
    assert set(declared.arguments) == {option.name for option in OPTIONS}


def test_a_candidate_has_every_option_and_rank() -> None:
    names = {field.name for field in fields(Candidate)}
    assert names >= {option.name for option in OPTIONS}
    for rank in RANKS:
        assert names >= {rank.fact, rank.place, rank.origin or rank.fact}
        assert -rank.bound <= rank.ceiling <= 0, "a manifest would outrank what the project declares"


@pytest.mark.parametrize("option", EMITTED, ids=lambda option: option.emitted)
def test_a_wiring_takes_what_is_emitted(option: Option) -> None:
    assert option.emitted in inspect.signature(wiring.bind).parameters
    assert option.emitted in EMITTED_BY_ITSELF
    assert not option.targeted or option.emitted in {field.name for field in fields(App)}


@pytest.mark.parametrize(
    ("declared", "read", "stated"),
    [({}, (), None), ({"os_platform": ["b", "a"]}, ("a", "b"), ["a", "b"])],
)
def test_a_list_is_a_set_to_a_candidate(declared: dict[str, Any], read: object, stated: object) -> None:
    (option,) = (each for each in OPTIONS if each.name == "os_platform")
    assert option.read(declared) == read

    class Some:
        os_platform = read

    assert option.stated(Some()) == stated


def test_the_second_opinion_knows_every_tier_by_itself() -> None:
    assert tuple(choice.rule for choice in CHOICES) == EXPLICIT
    assert list(AMONG_EQUALS_BY_ITSELF) == [tier.rule for tier in AMONG_EQUALS]


def test_built_ins_are_read_below_every_root_that_is_there(tmp_path: Path) -> None:
    declared = "from oneiric import component\n\n\n@component({domain!r}, 'x', provider='x')\nclass X:\n    pass\n"
    for root, domain in (("adapters", "adapter"), ("actions", "action")):
        (tmp_path / "oneiric" / root).mkdir(parents=True)
        (tmp_path / "oneiric" / root / "__init__.py").write_text(declared.format(domain=domain))
    nothing = Settings(App(source_roots=()), {}, {}, {}, Overrides(), {}, {})
    with builtins_below(tmp_path):
        found = catalog(Project(tmp_path, tmp_path, {}), nothing, Diagnostics())[0].base
    assert not (tmp_path / "oneiric/layers").exists()
    assert [str(key) for key in found] == ["adapter:x", "action:x"]
    (candidate,) = found[Key("action", "x")]
    assert candidate.is_builtin
    assert builtins.is_builtin(candidate.factory)
    assert not builtins.is_builtin("oneiric.actionsx:X")
