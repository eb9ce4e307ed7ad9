"""The tiers of precedence, strongest first, and the filters before them.

The second opinion (`verify`) has its own: a mistake here is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Rule: TypeAlias = Literal[
    "only-candidate",
    "tenant-override",
    "tenant-selection",
    "override",
    "profile-selection",
    "selection",
    "priority",
    "stack-level",
    "registration-order",
]
Filter: TypeAlias = Literal["capability", "python-version", "os-platform", "allowlist", "requires", "conflicts"]
LevelName: TypeAlias = Literal["base", "profile", "tenant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Tells two candidates apart that every stronger tier leaves equal.

    `about` is what it compares, `why` says that it decides. `won` and `lost` are formats, for the winner and for
    whoever loses by it: `high` and `low` are what the two bring, `winner` and `loser` their names, `file` is where a
    choice stands.
    """

    rule: Rule
    about: str
    why: str
    won: str
    lost: str

    @property
    def words(self) -> str:
        return self.rule.replace("-", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByChoice(Tier):
    """Somebody chose the provider: settings at a level, or an operator by a swap there."""

    level: LevelName
    swapped: bool = False
    about: str = ""
    won: str = "{file} selects {winner}"
    lost: str = "{high} is chosen, not {low}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank(Tier):
    """A number, from -`bound` to `bound`: the candidate's `fact`, here and in a report. The higher one wins.

    It is an option of a candidate as well. One without a `default` is inferred: `origin` is the fact that says from
    what, `place` where that stands. A manifest's has at most its source's `ceiling`, if that states no other.
    """

    fact: str
    bound: int
    ceiling: int
    default: int | None = 0
    origin: str | None = None
    place: str = "place"
    won: str = "{words} {high} beats {low} of {loser}"
    lost: str = "{low} is less than {high}"

    def of(self, candidate: object) -> int:
        """The candidate's number."""
        number: int = getattr(candidate, self.fact)
        return number


CHOICES = (
    ByChoice(
        rule="tenant-override",
        level="tenant",
        swapped=True,
        why="an operator's swap for the tenant outranks all else",
        won="an operator's override selects {winner}",
    ),
    ByChoice(
        rule="tenant-selection",
        level="tenant",
        why="a tenant's selection outranks overrides and selections of the base",
    ),
    ByChoice(
        rule="override",
        level="base",
        swapped=True,
        why="an operator's swap outranks selections",
        won="an operator's override selects {winner}",
    ),
    ByChoice(rule="profile-selection", level="profile", why="a profile's selection outranks the base's"),
    ByChoice(rule="selection", level="base", why="a selection outranks priority, stack level and order"),
)
RANKS = (
    Rank(
        rule="priority",
        fact="priority",
        bound=1000,
        ceiling=0,
        default=None,
        origin="priority_from",
        place="priority_place",
        about="priority",
        why="nothing is selected, so the highest priority wins",
    ),
    Rank(
        rule="stack-level",
        fact="stack_level",
        bound=100,
        ceiling=-5,
        about="stack level, default 0",
        why="nothing is selected and priorities are equal, so the highest stack level wins",
    ),
)
ORDER = Tier(
    rule="registration-order",
    about="registration order, the last",
    why="all else is equal, so the last declaration wins",
    won="declared after {loser}, equal in all else",
    lost="declared as number {low}, before number {high}",
)
AMONG_EQUALS = (*RANKS, ORDER)
"""The tiers where nobody chose, or the provider that was chosen is there more than once."""
TIERS: dict[str, Tier] = {tier.rule: tier for tier in (*CHOICES, *AMONG_EQUALS)}
ALONE: Rule = "only-candidate"
"""The rule where the filters leave nothing to beat."""
WHY: dict[str, str] = {ALONE: "nothing else could serve it", **{tier.rule: tier.why for tier in TIERS.values()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """A filter, and what is told of a candidate that it excludes, by a compile and by a report.

    They are formats: `has` is what the candidate brings, `wanted` what it was held against, `missing` what it lacks of
    that, `source` where it is from; `nothing` stands for a `wanted` that is not there.
    """

    code: Filter
    told: str
    reported: str
    nothing: str = "nothing"
    of_manifests: bool = False


FILTERS: dict[str, Sieve] = {
    sieve.code: sieve
    for sieve in (
        Sieve(code="capability", told="lacks the capability {missing}", reported="has {has}, required: {wanted}"),
        Sieve(
            code="python-version",
            told="runs on {has}, and the target is Python {wanted}",
            reported="runs on Python {has}, the target is {wanted}",
        ),
        Sieve(
            code="os-platform",
            told="runs on {has}, and the target is the platform {wanted}",
            reported="runs on {has}, the target is {wanted}",
        ),
        Sieve(
            code="allowlist",
            of_manifests=True,
            told="is outside the allowlist of {source}",
            reported="{has} is outside what its source may bring: {wanted}",
        ),
        Sieve(
            code="requires",
            of_manifests=True,
            nothing="nothing of it",
            told="requires {has}, and {wanted} is there",
            reported="needs {has}, and {wanted} is there",
        ),
        Sieve(
            code="conflicts",
            of_manifests=True,
            nothing="nothing of it",
            told="conflicts with {has}, and {wanted} is there",
            reported="cannot be with {has}, and {wanted} is there",
        ),
    )
}
