"""Changes told: to a person as lines, to a pull request as Markdown, to a machine as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from oneiric.report import Json

from oneiric_compiler.questions.diff.compare import CLASSES, Class, Difference
from oneiric_compiler.questions.diff.drawn import mermaid
from oneiric_compiler.text.paint import Line, Style, columns, padded
from oneiric_compiler.text.plural import plural
from oneiric_compiler.text.redact import MASK, redacted
from oneiric_compiler.text.visible import visible

FORMAT = "oneiric.diff/1"
LONGEST_COMMENT = 60_000
"""Characters of a Markdown text; a comment on a pull request may have 65,536."""

_LONGEST_VALUE = 80
_COLOURS: dict[Class, Style] = {
    "winner": "red",
    "trust": "red",
    "moved": "yellow",
    "workflow": "yellow",
    "topic": "yellow",
    "subscription": "yellow",
    "schedule": "yellow",
    "queue": "yellow",
    "layer": "yellow",
    "port": "yellow",
    "need": "yellow",
    "setting": "yellow",
    "standby": "yellow",
}
_WORDS: dict[Class, str] = {
    "winner": "another component serves",
    "trust": "other trust",
    "moved": "the same component from another place in the code",
    "workflow": "another workflow",
    "topic": "another topic, or another way for its events",
    "subscription": "others are told of events, or otherwise",
    "schedule": "called at other times, or otherwise",
    "queue": "other limits",
    "layer": "other layers around it",
    "port": "another port",
    "need": "other needs",
    "setting": "other settings",
    "rule": "the same winner by another rule",
    "standby": "other settings of what a swap could bring in",
    "candidate": "other candidates, the same winner",
    "provenance": "stated elsewhere",
}

_LEFT_OUT = "\nThe rest is longer than a comment may be: `oneiric diff` shows it.\n"

Differences = Mapping[str, Sequence[Difference]]
"""By profile."""


def lines(changes: Differences) -> list[Line]:
    """A line for each change, by profile; those first that matter most."""
    told: list[Line] = []
    width = max((columns(_subject(each)) for found in changes.values() for each in found), default=0)
    kinds = max((len(each.kind) + 1 for found in changes.values() for each in found), default=0)
    for profile, found in changes.items():
        told.append([(f"{visible(profile)}: {_count(found)}", "bold")])
        for each in found:
            colour = _COLOURS.get(each.kind, "dim")
            told.append(
                [
                    (f"  {each.kind:<{max(kinds, 11)}}", colour),
                    (f"{padded(_subject(each), width)}  ", "plain"),
                    (_difference(each), "plain"),
                    _why(each),
                ]
            )
    return told


def markdown(changes: Differences) -> str:
    """For a comment on a pull request: a table of counts, a drawing of what moved, then the changes by class, folded
    where they matter less.

    All that is not ours stands in code, where it is neither markup nor a link, and mentions nobody.
    """
    total = sum(map(len, changes.values()))
    if not total:
        return "**Wiring**: no change.\n"
    groups: list[tuple[Class, str, list[Difference]]] = [
        (kind, profile, group)
        for kind in CLASSES
        for profile, found in changes.items()
        if (group := [each for each in found if each.kind == kind])
    ]
    counted = {kind: sum(len(group) for own, _, group in groups if own == kind) for kind in CLASSES}
    parts = [f"**Wiring**: {plural(total, 'change')}\n", "\n| class | changes |\n|---|---|\n"]
    parts += [f"| {kind}: {_WORDS[kind]} | {counted[kind]} |\n" for kind in CLASSES if counted[kind]]
    parts.append(mermaid(changes))
    room = LONGEST_COMMENT - sum(map(len, parts)) - len(_LEFT_OUT)
    for kind, profile, group in groups:
        details = _details(profile, kind, group, room)
        if details is None:
            parts.append(_LEFT_OUT)
            break
        parts.append(details)
        room -= len(details)
    return "".join(parts)


def _details(profile: str, kind: Class, group: list[Difference], room: int) -> str | None:
    """The changes of one class in one profile, as many as there is room for; None where there is none."""
    opened = " open" if kind in ("winner", "trust") else ""
    named = html.escape(visible(_cut(profile)))
    head = f"\n<details{opened}><summary><code>{named}</code>: {plural(len(group), f'{kind} change')}</summary>\n\n"
    foot, kept = "\n</details>\n", [f"- {_item(each)}\n" for each in group]
    room -= len(head) + len(foot) + 100
    if room <= 0:
        return None
    left = 0
    while kept and sum(map(len, kept)) > room:
        kept, left = kept[: len(kept) // 2], left + len(kept) - len(kept) // 2
    more = f"- and {left} more: `oneiric diff` shows them\n" if left else ""
    return head + "".join(kept) + more + foot


def document(changes: Differences) -> dict[str, Json]:
    """Format `oneiric.diff/1` (`schemas/diff.schema.json`)."""
    profiles: dict[str, Json] = {
        profile: [
            {
                "class": each.kind,
                "key": each.key or None,
                "tenant": each.tenant,
                "what": each.what,
                "how": each.how,
                "old": _public(each, each.old),
                "new": _public(each, each.new),
                "because": each.because,
            }
            for each in found
        ]
        for profile, found in changes.items()
    }
    return {"format": FORMAT, "profiles": profiles}


def stated(document: Mapping[str, Any]) -> Differences:
    """The changes that a document states."""
    return {
        profile: [
            Difference(
                each["class"],
                each["key"] or "",
                each["tenant"],
                each["what"],
                each["old"],
                each["new"],
                each["because"],
                each["how"],
            )
            for each in found
        ]
        for profile, found in document["profiles"].items()
    }


def _subject(each: Difference) -> str:
    return visible(f"{each.key or 'inputs'}{f' of {each.tenant}' if each.tenant else ''}")


def _difference(each: Difference) -> str:
    what = f"{each.what}: " if each.what else ""
    old, new = _written(_public(each, each.old)), _written(_public(each, each.new))
    if each.how != "changed":
        return visible(f"{what}{each.how} {_cut(old if each.how == 'removed' else new)}")
    if old != new:
        return visible(f"{what}{' -> '.join(_cut_alike(old, new))}")
    return visible(f"{what}{'changed (masked)' if MASK in new else _cut(new)}")


def _why(each: Difference) -> tuple[str, Style]:
    return (visible(f"  ({each.because})") if each.because else "", "dim")


def _item(each: Difference) -> str:
    subject, difference = _code(_subject(each)), _code(_difference(each))
    return f"{subject}: {difference}" + (f" ({_code(visible(each.because))})" if each.because else "")


def _code(text: str) -> str:
    text = text.replace("`", "'")
    return f"`{text}`"


def _public(change: Difference, value: Json) -> Json:
    """A side of a change without what is secret: the names of settings tell what may be, those of needs do not."""
    names = {"setting": change.what, "standby": change.what.rpartition(" ")[2]}
    return redacted(names.get(change.kind, ""), value)


def _written(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut_alike(old: str, new: str) -> tuple[str, str]:
    """Both, cut so that it is seen where they begin to differ."""
    begins = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), 0)
    if begins < _LONGEST_VALUE - 1:
        return _cut(old), _cut(new)
    start = begins - _LONGEST_VALUE // 2
    return _cut(f"…{old[start:]}"), _cut(f"…{new[start:]}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _count(found: Sequence[Difference]) -> str:
    return plural(len(found), "change") if found else "no change"
