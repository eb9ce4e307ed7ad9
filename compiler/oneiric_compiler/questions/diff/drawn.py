"""What moved, as a drawing for a comment: winners that are others, and needs that came or went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oneiric.report import Json

from oneiric_compiler.questions.diff.compare import Difference
from oneiric_compiler.text.visible import visible

_MOST = 40
"""Keys of a profile: what is larger cannot be read."""
_LONGEST = 60
_ROOM = 20_000
_PLAIN = frozenset(" .:-_/")
_MORE = 'more["and more: oneiric diff shows it"]'


def mermaid(changes: Mapping[str, Sequence[Difference]]) -> str:
    """A block of Mermaid; nothing where no winner and no need moved."""
    drawn, room = "", _ROOM
    for number, profile in enumerate(changes):
        lines = _profile(f"p{number}", profile, changes[profile])
        room -= len(lines)
        if room < 0:
            drawn += f"{_MORE}\n"
            break
        drawn += lines
    return f"\n```mermaid\nflowchart LR\n{drawn}```\n" if drawn else ""


def _profile(name: str, profile: str, found: Sequence[Difference]) -> str:
    labels: dict[str, str] = {}
    edges: list[tuple[str, str, str]] = []
    for each in found:
        key = f"{each.key} of {each.tenant}" if each.tenant else each.key
        if each.kind == "winner":
            sides = " to ".join(str(side) for side in (each.old, each.new) if side is not None)
            labels[key] = f"{_text(key)}<br/>{_text(sides)}"
        elif each.kind == "need":
            what = _text(each.what)
            edges += [(key, f'-.->|"removed: {what}"|', need) for need in _keys(each.old)]
            edges += [(key, f'==>|"{what}"|', need) for need in _keys(each.new)]
    for end in (end for user, _, need in edges for end in (user, need)):
        labels.setdefault(end, _text(end))
    nodes = {key: f"{name}n{number}" for number, key in enumerate([*labels][:_MOST])}
    lines = [f'{node}["{labels[key]}"]' for key, node in nodes.items()]
    lines += [f"{nodes[user]} {arrow} {nodes[need]}" for user, arrow, need in edges if {user, need} <= nodes.keys()]
    lines += [f"{name}{_MORE}"] if len(labels) > _MOST else []
    return "\n".join([f'subgraph {name}["{_text(profile)}"]', *lines, "end", ""]) if lines else ""


def _keys(value: Json) -> list[str]:
    members = value if isinstance(value, list) else [value]
    return [each for each in members if isinstance(each, str)]


def _text(text: str) -> str:
    """A text as a label: all but letters, digits and a few signs by their numbers, so that none of it is markup."""
    text = visible(text)
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(each if each.isalnum() or each in _PLAIN else f"#{ord(each)};" for each in shown)
