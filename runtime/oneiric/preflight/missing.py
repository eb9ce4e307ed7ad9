"""What an environment lacks, told so that it can be mended: what, why, and which settings want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

_KINDS = {
    "variable": "the environment variable ",
    "secret": "the secret ",
    "extra": "the extra ",
    "module": "the module ",
    "file": "the file ",
    "component": "",
}
_NAMED = 3
"""Tenants that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Want:
    """A key that wants something, its base or that of a `tenant`: for a `parameter` of what serves it, because of the
    setting or declaration at `place` (`file#/json/pointer`), where these are known."""

    key: str
    tenant: str | None = None
    parameter: str | None = None
    place: str | None = None

    def told(self, locate: Callable[[str], str]) -> str:
        of_tenant = f" of tenant {self.tenant}" if self.tenant is not None else ""
        known = (self.parameter, self.place and locate(self.place))
        why = ", ".join(each for each in known if each)
        return f"{self.key}{of_tenant}{f' ({why})' if why else ''}"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing, or is there and of no use: its `kind` (variable, secret, extra, module, file, or the
    component that would be asked), its `name`, the `reason` ("is not set"), and what wants it."""

    kind: str
    name: str
    reason: str
    wanted: tuple[Want, ...]

    def told(self, locate: Callable[[str], str] = str) -> str:
        """In one sentence; `locate` shows a place as it is today. It holds no value of a variable and no secret."""
        base = [each for each in self.wanted if each.tenant is None]
        tenants = [each for each in self.wanted if each.tenant is not None]
        wanted = [each.told(locate) for each in (*base, *tenants[:_NAMED])]
        if len(tenants) > _NAMED:
            wanted.append(f"and {len(tenants) - _NAMED} more of tenants")
        return f"{_KINDS.get(self.kind, '')}{self.name} {self.reason}; needed by {', '.join(wanted)}"


def gathered(missing: Iterable[Missing]) -> tuple[Missing, ...]:
    """The same thing once, with all that want it; by kind and name."""
    found: dict[tuple[str, str, str], Missing] = {}
    for each in missing:
        known = found.get(what := (each.kind, each.name, each.reason))
        wanted = dict.fromkeys((*(known.wanted if known else ()), *each.wanted))
        found[what] = replace(each, wanted=tuple(wanted))
    kinds = list(_KINDS)
    return tuple(sorted(found.values(), key=lambda each: (kinds.index(each.kind), each.name, each.reason)))
