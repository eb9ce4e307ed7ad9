"""Where the settings can state something of a key, and whether a report says that they do."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts, escaped


def places(report: Facts, key: str, what: str, tenant: str | None = None) -> list[str]:
    """The places that hold for the key: the domain's file, the profile's, and for a tenant its own."""
    domain, _, name = key.partition(":")
    section, entry = report["domains"][domain], f"{what}/{escaped(name)}"
    files = [f"settings/profiles/{report['profile']}.yml"]
    if tenant is not None:
        files.append(f"settings/tenants/{tenant}.yml")
    return [f"settings/{section}.yml#/{entry}", *(f"{file}#/{section}/{entry}" for file in files)]


def unread(report: Facts, place: str) -> Iterator[str]:
    """That a place lies in a file which the compile did not read."""
    if (file := place.partition("#")[0]) not in report["inputs"]["settings"]:
        yield f"{file} is not among the inputs"
