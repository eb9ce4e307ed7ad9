"""A manifest's entries, held against `schemas/manifest.schema.json` and read into what a compile uses of them.

The fields are upstream's (domain, key, provider, factory, uri, sha256, requires, ...), besides those options of a
candidate that upstream does not have. Unknown fields are signed, and not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from oneiric_compiler.diagnostics.found import Diagnostics, Source
from oneiric_compiler.manifests.upstream import Said, said
from oneiric_compiler.settings.documents import Document, Path_
from oneiric_compiler.settings.schema import report, shortened, validator
from oneiric_compiler.tables.options import OPTIONS, UPSTREAM

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*\.whl|[A-Za-z_][A-Za-z0-9_]*\.py")


@dataclass(frozen=True, slots=True)
class Artifact:
    """The bytes that an entry's factory is in: their address, file name and SHA-256."""

    uri: str
    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.digest} {self.name}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One component, as far as a compile looks at it. `fields` are those of a declaration in settings.

    `index` counts the entries of its manifest; `said` is what it says of workflows, events and calls.
    """

    domain: str
    key: str
    provider: str
    factory: str
    fields: Mapping[str, Any]
    artifact: Artifact | None
    requires: tuple[Requirement, ...]
    conflicts_with: tuple[Requirement, ...]
    index: int
    said: Said

    @property
    def module(self) -> str:
        return self.factory.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry cannot be used: where in the document, what is wrong, what to do."""

    path: Path_
    message: str
    help: str


def read_entries(entries: Sequence[Mapping[str, Any]]) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """The entries, and what is wrong with them: a manifest with one problem is not used at all."""
    problems: list[Problem] = []
    found: list[Entry] = []
    for index, each in enumerate(entries):
        stated = {name: value for name, value in each.items() if value is not None}
        wrong = list(_problems(stated))
        named = f"{shortened(stated.get('key', '?'))}/{shortened(stated.get('provider', '?'))}"
        problems += [
            Problem(("entries", index, *problem.path), f"entry {index} ({named}): {problem.message}", problem.help)
            for problem in wrong
        ]
        if not wrong:
            found.append(_entry(index, stated))
    return tuple(found), tuple(problems)


def _problems(stated: Mapping[str, Any]) -> Iterator[Problem]:
    unfit: dict[Problem, None] = {}
    for error in validator("manifest", "entry").iter_errors(stated):
        told = Diagnostics()
        report(error, Document(Source("", "")), told)
        unfit |= {Problem(tuple(error.absolute_path), each.message, each.help or ""): None for each in told}
    if unfit:
        yield from unfit
        return
    if "uri" in stated and "sha256" not in stated:
        yield Problem(("uri",), "an artifact without digest", "add its `sha256`: without it any bytes would do")
    elif "sha256" in stated and "uri" not in stated:
        yield Problem(("sha256",), "the digest of an artifact without address", "add its `uri`")
    elif "uri" in stated and _file_name(stated["uri"]) is None:
        help = "artifacts are pure-Python wheels, `NAME-VERSION-py3-none-any.whl`, and single modules, `NAME.py`"
        yield Problem(("uri",), "an artifact that is neither a wheel nor a module", help)
    try:
        SpecifierSet(stated.get("python_version", ""))
    except InvalidSpecifier:
        yield Problem(("python_version",), "`python_version` is not a version specifier", 'PEP 440, such as ">=3.12"')
    for name in ("requires", "conflicts_with"):
        for index, text in enumerate(stated.get(name, ())):
            if _requirement(text) is None:
                help = "a distribution and its versions (PEP 508), without an address, such as `acme-base>=2`"
                yield Problem((name, index), f"an item of `{name}` is not a requirement", help)
    yield from _options(stated)
    for wrong in said(stated).wrong:
        yield Problem(wrong.path, wrong.message, wrong.help)


def _options(stated: Mapping[str, Any]) -> Iterator[Problem]:
    for spelled, name in UPSTREAM.items():
        if stated.get(spelled) and stated.get(name, True) is not True:
            what = f"`{name}` and `{spelled}` say different things"
            yield Problem((name,), what, f"write `{name}` alone")


def _entry(index: int, stated: Mapping[str, Any]) -> Entry:
    fields = {option.name: stated[option.name] for option in OPTIONS if option.name in stated}
    fields |= {name: True for spelled, name in UPSTREAM.items() if stated.get(spelled)}
    fields["capabilities"] = [
        each if isinstance(each, str) else each["name"] for each in stated.get("capabilities", ())
    ]
    name = _file_name(stated["uri"]) if "uri" in stated else None
    return Entry(
        domain=stated["domain"],
        key=stated["key"],
        provider=stated["provider"],
        factory=stated["factory"].replace(" ", ""),
        fields=fields,
        artifact=Artifact(stated["uri"], name, stated["sha256"].lower()) if name else None,
        requires=_requirements(stated, "requires"),
        conflicts_with=_requirements(stated, "conflicts_with"),
        index=index,
        said=said(stated),
    )


def _file_name(uri: str) -> str | None:
    """The last part of the address's path, when it can be that of an artifact."""
    try:
        name = unquote(urlsplit(uri).path).rpartition("/")[2]
    except ValueError:
        return None
    return name if _FILE.fullmatch(name) else None


def _requirements(stated: Mapping[str, Any], name: str) -> tuple[Requirement, ...]:
    return tuple(each for text in stated.get(name, ()) if (each := _requirement(text)))


def _requirement(text: str) -> Requirement | None:
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return None
    return None if found.url else found
