"""What running processes serve otherwise than the committed wiring says, by an operator's swaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oneiric.errors import OneiricError
from oneiric.report import Json, Report

from oneiric_compiler.questions.explain.rows import section
from oneiric_compiler.text.paint import Line

if TYPE_CHECKING:
    from oneiric.reload.outcome import Overrides


class Override(NamedTuple):
    """A swap of a process, for all or for a tenant."""

    process: str
    key: str
    tenant: str | None
    provider: str

    def document(self) -> dict[str, Json]:
        return {"process": self.process, "tenant": self.tenant, "provider": self.provider}


def overrides(root: Path, report: Report, tenant: str | None) -> list[Override]:
    """Those of the processes that run the report's profile, as each recorded them before it answered: none is asked.
    With `tenant` without those of other tenants."""
    from oneiric.reload.outcome import Overrides
    from oneiric.reload.state import recorded
    from oneiric.serve.client import running
    from oneiric.serve.folder import StateFolder

    found: list[Override] = []
    for folder in StateFolder.all(root):
        try:
            left = folder.left() if running(folder) else None
            record = recorded(folder.path)
        except (OneiricError, OSError):  # of another user, or damaged: `status` tells
            continue
        if left is not None and record is not None and left["profile"] == report.profile:
            found += _stated(folder.name, record.overrides.get(record.generation, Overrides()))
    return [each for each in found if tenant is None or each.tenant in (None, tenant)]


def _stated(process: str, overrides: Overrides) -> Iterator[Override]:
    yield from (Override(process, key, None, provider) for key, provider in overrides.base.items())
    for tenant, keys in overrides.tenants.items():
        yield from (Override(process, key, tenant, provider) for key, provider in keys.items())


def tell(found: Sequence[Override], *, named: bool) -> list[Line]:
    """A row for each, with the key where it is `named`."""
    rows = [
        (each.process, f"{f'{each.key} ' if named else ''}swapped to {each.provider}", _whose(each)) for each in found
    ]
    return section("running", rows)


def _whose(each: Override) -> str:
    return f"for tenant {each.tenant}" if each.tenant else ""
