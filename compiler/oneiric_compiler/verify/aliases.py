"""The aliases of a report, held against what it says that the settings state."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.places import places, unread
from oneiric_compiler.verify.wiring import handed


def aliases(report: Facts) -> Iterator[str]:
    """Where a key is said to be another one that is not bound, is bound itself, or is stated where it cannot be."""
    bindings, stated = report["bindings"], report.get("aliases", {})
    for key, each in stated.items():
        if key in bindings:
            yield f"{key}: is said to be {each['target']}, and is bound"
        if each["target"] not in bindings:
            yield f"{key}: is said to be {each['target']}, which is not bound"
        if each["from"] not in places(report, key, "aliases"):
            yield f"{key}: an alias cannot be stated at {each['from']}"
        yield from (f"{key}: {finding}" for finding in unread(report, each["from"]))
    for key, binding in bindings.items() if stated else ():
        for own in (binding, *binding["tenants"].values()):
            if named := [need for need in handed(own) if need in stated]:
                yield f"{key}: is handed {named[0]}, and not what that is"
