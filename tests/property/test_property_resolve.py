"""Resolution against a model written from the precedence rules alone: pairwise, without ranks, filters first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics, Place
from oneiric_compiler.model import (
    App,
    Candidate,
    Catalog,
    Decision,
    Gathered,
    Key,
    Level,
    Overrides,
    Section,
    Settings,
    Stated,
)
from oneiric_compiler.source.modules import Sources
from oneiric_compiler.source.signatures import Signature
from oneiric_compiler.stages.resolve import Filtered, resolve

KEY, OTHER = Key("service", "thing"), Key("service", "unrelated")
NOWHERE = Place("settings/services.yml#")
RUNS_ON = {None: "3.11 3.12 3.13", ">=3.12": "3.12 3.13", "<3.12": "3.11", "==3.12.*": "3.12"}
SCOPES = ("base", "profile", "tenant")


@dataclass(frozen=True)
class Part:
    """A candidate, as far as precedence looks at it."""

    provider: str
    source: str
    priority: int
    stack_level: int
    capabilities: frozenset[str]
    python: str | None
    os: tuple[str, ...]
    barred: bool = False


@dataclass(frozen=True)
class Case:
    """Everything that may decide a key: what each scope adds, chooses and requires, and the target."""

    added: Mapping[str, tuple[Part, ...]]
    selected: Mapping[str, str]
    overridden: Mapping[str, str]
    required: Mapping[str, frozenset[str]]
    python: str | None
    os: str | None
    unrelated: Mapping[str, str] = field(default_factory=dict)


# The model ---------------------------------------------------------------------------------------------------


def excluded_by(part: Part, required: frozenset[str], python: str | None, os: str | None) -> str | None:
    if part.barred:
        return "allowlist"
    if required - part.capabilities:
        return "capability"
    if python is not None and python not in RUNS_ON[part.python].split():
        return "python-version"
    return "os-platform" if os is not None and part.os and os not in part.os else None


def ahead(one: int, other: int, parts: list[Part], choices: list[tuple[str, str]]) -> tuple[bool, str]:
    """Whether candidate `one` goes before `other`, and the first rule that tells them apart."""
    a, b = parts[one], parts[other]
    for rule, provider in choices:
        if (a.provider == provider) != (b.provider == provider):
            return a.provider == provider, rule
    if a.priority != b.priority:
        return a.priority > b.priority, "priority"
    if a.stack_level != b.stack_level:
        return a.stack_level > b.stack_level, "stack-level"
    return one > other, "registration-order"


@dataclass(frozen=True)
class Expected:
    winner: int | None
    decided_by: str | None
    fates: dict[int, str]


def expected(case: Case, profile: bool, tenant: bool) -> Expected:
    active = ["base", *(["profile"] if profile else []), *(["tenant"] if tenant else [])]
    parts = [part for scope in active for part in case.added.get(scope, ())]
    required = next((case.required[scope] for scope in reversed(active) if scope in case.required), frozenset())
    stated = [
        ("tenant-override", case.overridden.get("tenant") if tenant else None),
        ("tenant-selection", case.selected.get("tenant") if tenant else None),
        ("override", case.overridden.get("base")),
        ("profile-selection", case.selected.get("profile") if profile else None),
        ("selection", case.selected.get("base")),
    ]
    choices = [(rule, provider) for rule, provider in stated if provider is not None]
    out = {i: why for i, part in enumerate(parts) if (why := excluded_by(part, required, case.python, case.os))}
    left = [i for i in range(len(parts)) if i not in out]
    if not left:
        return Expected(None, None, out)

    def first(of: list[int]) -> int:
        return next(i for i in of if all(i == j or ahead(i, j, parts, choices)[0] for j in of))

    winner = first(left)
    losers = [i for i in left if i != winner]
    decided_by = ahead(winner, first(losers), parts, choices)[1] if losers else "only-candidate"
    return Expected(winner, decided_by, {**out, **{i: ahead(winner, i, parts, choices)[1] for i in losers}})


# The compiler's answer, in the model's terms -----------------------------------------------------------------


def candidate(part: Part, key: Key = KEY) -> Candidate:
    return Candidate(
        key=key,
        provider=part.provider,
        factory="shop.parts:Part",
        source=part.source,
        place=NOWHERE,
        signature=Signature(NOWHERE, {}),
        priority=part.priority,
        priority_from="declared",
        priority_place=NOWHERE,
        stack_level=part.stack_level,
        capabilities=tuple(sorted(part.capabilities)),
        needs={},
        gathers={},
        optional=(),
        lazy=(),
        layer=False,
        port=None,
        python_version=part.python,
        os_platform=part.os,
        eager=False,
        blocking=True,
        barred=("allowlist", ("shop.parts", [])) if part.barred else None,
    )


def level(case: Case, scope: str) -> Level:
    section = Section()
    for name, provider in case.unrelated.items():
        section.selections[name] = Stated(provider, NOWHERE)
    if scope in case.selected:
        section.selections[KEY.name] = Stated(case.selected[scope], NOWHERE)
    if scope in case.required:
        section.requires[KEY.name] = Stated(tuple(sorted(case.required[scope])), NOWHERE)
    return {KEY.domain: section}


def answers(case: Case, profile: bool) -> tuple[Expected, Expected | None]:
    """The decision of the base or profile, and that of the tenant where it states anything."""
    overrides = Overrides(
        {KEY: Stated(case.overridden["base"], NOWHERE)} if "base" in case.overridden else {},
        {"acme": {KEY: Stated(case.overridden["tenant"], NOWHERE)}} if "tenant" in case.overridden else {},
    )
    settings = Settings(
        App(python=case.python, os=case.os),
        level(case, "base"),
        {"busy": level(case, "profile")},
        {"acme": level(case, "tenant")},
        overrides,
        {},
        {},
    )
    unrelated = {OTHER: (candidate(Part("x", "settings", 0, 0, frozenset(), None, ()), OTHER),)}
    added = {
        scope: {KEY: tuple(map(candidate, case.added[scope]))} if case.added.get(scope) else {} for scope in SCOPES
    }
    catalog = Catalog(
        {**added["base"], **(unrelated if case.unrelated else {})},
        {"busy": added["profile"]},
        {"acme": added["tenant"]},
        layers={},
        common={},
        plugins={},
    )
    resolution = resolve(
        Gathered(settings, catalog, Sources((), Diagnostics())), "busy" if profile else None, Diagnostics()
    )
    decided = resolution.tenants["acme"][1]
    return answer(resolution.decisions[KEY]), answer(decided[KEY]) if KEY in decided else None


def answer(decision: Decision | Filtered) -> Expected:
    fates = {each.order: why for each in decision.judgements if (why := each.lost_by or each.excluded_by) is not None}
    if isinstance(decision, Filtered):
        return Expected(None, None, fates)
    return Expected(decision.judgements[0].order, decision.decided_by, fates)


# Random cases ------------------------------------------------------------------------------------------------

PROVIDERS = st.sampled_from("abcd")
CAPABILITIES = st.frozensets(st.sampled_from(("ttl", "kv")))
parts = st.builds(
    Part,
    PROVIDERS,
    st.sampled_from(("builtin", "plugin:acme", "package:shop", "settings", "manifest:acme")),
    st.sampled_from((-1000, 0, 0, 0, 1, 50, 1000)),
    st.sampled_from((-100, -10, 0, 0, 0, 5, 100)),
    CAPABILITIES,
    st.sampled_from((None, None, *RUNS_ON)),
    st.sampled_from(((), (), ("linux",), ("darwin", "linux"), ("windows",))),
    st.sampled_from((False, False, False, True)),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    added = {
        "base": tuple(draw(st.lists(parts, min_size=1, max_size=5))),
        "profile": tuple(draw(st.lists(parts, max_size=2))),
        "tenant": tuple(draw(st.lists(parts, max_size=2))),
    }
    return Case(
        added,
        draw(st.dictionaries(st.sampled_from(SCOPES), PROVIDERS)),
        draw(st.dictionaries(st.sampled_from(("base", "tenant")), PROVIDERS)),
        draw(st.dictionaries(st.sampled_from(SCOPES), CAPABILITIES)),
        draw(st.sampled_from((None, "3.11", "3.12", "3.13"))),
        draw(st.sampled_from((None, "linux", "darwin", "windows"))),
    )


@given(case=cases(), profile=st.booleans())
def test_every_decision_is_the_models(case: Case, profile: bool) -> None:
    base, tenant = answers(case, profile)
    assert base == expected(case, profile, tenant=False)
    says_something = any("tenant" in each for each in (case.selected, case.overridden, case.required))
    assert (tenant is not None) == (says_something or bool(case.added["tenant"]))
    if tenant is not None:
        assert tenant == expected(case, profile, tenant=True)


@given(case=cases(), profile=st.booleans())
def test_an_unrelated_key_changes_nothing(case: Case, profile: bool) -> None:
    assert answers(replace(case, unrelated={OTHER.name: "x"}), profile) == answers(case, profile)


@given(case=cases(), profile=st.booleans(), data=st.data())
def test_the_order_that_levels_state_things_in_does_not_matter(case: Case, profile: bool, data: st.DataObject) -> None:
    def shuffled(mapping: Mapping[str, object]) -> dict[str, object]:
        return dict(data.draw(st.permutations(list(mapping.items()))))

    again = Case(*map(shuffled, (case.added, case.selected, case.overridden, case.required)), case.python, case.os)
    assert answers(again, profile) == answers(case, profile)


@given(case=cases(), data=st.data())
def test_only_the_last_tier_looks_at_registration_order(case: Case, data: st.DataObject) -> None:
    """Candidates in another order: the same winner, unless the winner and another were equal in all else."""
    base = answers(case, profile=False)[0]
    order = data.draw(st.permutations(range(len(case.added["base"]))))
    moved = replace(case, added={**case.added, "base": tuple(case.added["base"][i] for i in order)})
    again = answers(moved, profile=False)[0]
    if base.winner is None:
        assert again.winner is None
    elif base.decided_by != "registration-order":
        assert again.winner is not None
        assert (order[again.winner], again.decided_by) == (base.winner, base.decided_by)


@given(case=cases())
def test_what_is_excluded_never_decides(case: Case) -> None:
    """Without the candidates that the filters exclude, the winner and the rule are the same."""
    base = answers(case, profile=False)[0]
    filters = ("capability", "python-version", "os-platform", "allowlist")
    kept = [i for i in range(len(case.added["base"])) if base.fates.get(i) not in filters]
    if kept:
        fewer = replace(case, added={**case.added, "base": tuple(case.added["base"][i] for i in kept)})
        again = answers(fewer, profile=False)[0]
        assert again.winner is not None
        assert (kept[again.winner], again.decided_by) == (base.winner, base.decided_by)
