"""Changes told: to a person as lines, to a pull request as Markdown, to a machine as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from oneiric.report import Json

from oneiric_compiler.diff.compare import CLASSES, Change, Class
from oneiric_compiler.paint import Line, Style
from oneiric_compiler.redact import mask, mask_urls, secret_name, visible

FORMAT = "oneiric.diff/1"
LONGEST_COMMENT = 60_000
"""Characters of a Markdown text; a comment on a pull request may have 65,536."""

_LONGEST_VALUE = 80
_COLOURS: dict[Class, Style] = {
    "winner": "red",
    "trust": "red",
    "port": "yellow",
    "need": "yellow",
    "setting": "yellow",
}
_WORDS: dict[Class, str] = {
    "winner": "another component serves",
    "trust": "other trust",
    "port": "another port",
    "need": "other needs",
    "setting": "other settings",
    "rule": "the same winner by another rule",
    "candidate": "other candidates, the same winner",
    "provenance": "stated elsewhere",
}

Changes = Mapping[str, Sequence[Change]]
"""By profile."""


def lines(changes: Changes) -> list[Line]:
    """A line for each change, by profile; those first that matter most."""
    told: list[Line] = []
    width = max((len(_subject(each)) for found in changes.values() for each in found), default=0)
    for profile, found in changes.items():
        told.append([(f"{profile}: {_count(found)}", "bold")])
        for each in found:
            colour = _COLOURS.get(each.kind, "dim")
            told.append(
                [
                    (f"  {each.kind:<11}", colour),
                    (f"{_subject(each):<{width}}  ", "plain"),
                    (_difference(each), "plain"),
                    _why(each),
                ]
            )
    return told


def markdown(changes: Changes) -> str:
    """For a comment on a pull request: a table of counts, then the changes by class, folded where they matter less."""
    total = sum(map(len, changes.values()))
    if not total:
        return "**Wiring**: no change.\n"
    counted = {kind: sum(each.kind == kind for found in changes.values() for each in found) for kind in CLASSES}
    parts = [
        f"**Wiring**: {_plural(total, 'change')} in {', '.join(name for name, found in changes.items() if found)}\n"
    ]
    parts += ["\n| class | changes |\n|---|---|\n"]
    parts += [f"| {kind}: {_WORDS[kind]} | {counted[kind]} |\n" for kind in CLASSES if counted[kind]]
    room = LONGEST_COMMENT - sum(map(len, parts))
    for profile, found in changes.items():
        for kind in CLASSES:
            if group := [each for each in found if each.kind == kind]:
                parts.append(_details(profile, kind, group, room))
                room -= len(parts[-1])
    return "".join(parts)


def _details(profile: str, kind: Class, group: list[Change], room: int) -> str:
    opened = " open" if kind in ("winner", "trust") else ""
    head = f"\n<details{opened}><summary>{profile}: {_plural(len(group), f'{kind} change')}</summary>\n\n"
    foot, kept = "\n</details>\n", [f"- {_item(each)}\n" for each in group]
    room -= len(head) + len(foot) + 100
    left = 0
    while kept and sum(map(len, kept)) > room:
        kept, left = kept[: len(kept) // 2], left + len(kept) - len(kept) // 2
    more = f"- and {left} more: `oneiric diff` shows them\n" if left else ""
    return head + "".join(kept) + more + foot if room > 0 else ""


def document(changes: Changes) -> dict[str, Json]:
    """Format `oneiric.diff/1` (`schemas/diff.schema.json`)."""
    profiles: dict[str, Json] = {
        profile: [
            {
                "class": each.kind,
                "key": each.key or None,
                "tenant": each.tenant,
                "what": each.what,
                "old": _public(each.what, each.old),
                "new": _public(each.what, each.new),
                "because": each.because,
            }
            for each in found
        ]
        for profile, found in changes.items()
    }
    return {"format": FORMAT, "profiles": profiles}


def _subject(each: Change) -> str:
    return visible(f"{each.key or 'inputs'}{f' of {each.tenant}' if each.tenant else ''}")


def _difference(each: Change) -> str:
    old, new = _shown(each.what, each.old), _shown(each.what, each.new)
    what = f"{each.what}: " if each.what else ""
    if each.old is None and each.new is not None:
        return visible(f"{what}added {new}")
    if each.new is None and each.old is not None:
        return visible(f"{what}removed {old}")
    return visible(f"{what}{old} -> {new}")


def _why(each: Change) -> tuple[str, Style]:
    return (visible(f"  ({each.because})") if each.because else "", "dim")


def _item(each: Change) -> str:
    subject, difference = _subject(each), _difference(each)
    return f"`{_code(subject)}`: `{_code(difference)}`" + (f" ({_escaped(each.because)})" if each.because else "")


def _code(text: str) -> str:
    return text.replace("`", "'")


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in visible(text))


def _public(what: str, value: Json) -> Json:
    """A value without what a secret-looking name holds."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return mask(value) if secret_name(what) else mask_urls(value)
    if isinstance(value, Mapping):
        return {name: _public(what if secret_name(what) else name, each) for name, each in value.items()}
    return [_public(what, each) for each in value]


def _shown(what: str, value: Json) -> str:
    public = _public(what, value)
    text = public if isinstance(public, str) else json.dumps(public, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _count(found: Sequence[Change]) -> str:
    return _plural(len(found), "change") if found else "no change"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
