"""Settings made otherwise by one who knows what they look like: values, names, sections, references, secrets."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import yaml

CANARY = "hunter2canary"
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        1001,
        10**30,
        1.5,
        -0.0,
        1e300,
        "",
        " ",
        "x",
        "\ud7ff",
        "\0",
        "..",
        "/",
        "a b",
        "é",
        "a" * 300,
    ),
    *(
        [],
        [[]],
        [None],
        {},
        {"": {}},
        {"a": {"b": []}},
        [1, "a", None],
        "${A}",
        "${A:-}",
        "${A:-b}",
        "a${A}b${B:-c}",
        "$${A}",
        "${",
        "${1}",
    ),
    *(
        "${ONEIRIC_SECRET_X}",
        "a${ONEIRIC_SECRET_X}",
        "${ONEIRIC_SECRET_X:-}",
        "${A:-${B}}",
        "${A:-${B:-${C:-1}} x}",
        "${A:-${B:-${A}}}",
        "${A:?why}",
        "${A:-${B:?}}",
        "${A:?${B}}",
        "${A:-${ONEIRIC_SECRET_X}}",
        "${A:-[a, 1, {b: null}]}",
        "${A:-{a: [1], x: y}}",
        "${A:-1, 2}",
        "${A:-null}",
        "a:b",
        "a.b:C",
        "a.b",
        "adapter:cache",
        "service:x",
    ),
    *(
        ">=3.12",
        "==3.*",
        "linux",
        "windows",
        "default",
        "manifests",
        "app",
        "class",
        "None",
        "self",
        "__init__",
        "0",
        "-",
        "_",
        "nan",
        "inf",
    ),
)
SECRETS: tuple[tuple[str, Any], ...] = (
    ("url", f"db://ada:{CANARY}@host/x"),
    ("dsn", f"host=a user=b password={CANARY}"),
    ("options", {"a": [f"Server=a;Password={CANARY}"]}),
    ("headers", {"Authorization": f"Bearer {CANARY}1"}),
    ("ca", f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"),
    ("address", f"https://host/?token={CANARY}&x=1"),
    ("password", CANARY),
    ("api_key", {"nested": [[CANARY]]}),
    ("passwort", f"a {CANARY} b"),
    ("key", f"${{ONEIRIC_SECRET_KEY:-{CANARY}}}"),
)
BY_SHAPE = 6
"""Settings that write out a secret: so many known by the shape of the text, the others by the name."""

DEEPEST = 100
"""Places that are changed lie at most so deep."""

Path = tuple[Any, ...]


def altered(choose: Random, tree: Any, others: Sequence[Any], words: Sequence[str]) -> Any:
    """A copy of the tree with one to four changes."""
    tree = copy.deepcopy(tree)
    for _ in range(choose.choice((1, 1, 1, 2, 2, 3, 4))):
        places = list(walk(tree))
        if places:
            tree = _changed(choose, tree, choose.choice(places), others, words)
    return tree


def walk(tree: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in it, but those that a change before put too deep to be changed again."""
    if path:
        yield path
    if len(path) == DEEPEST:
        return
    for name, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from walk(inner, (*path, name))


def at(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def plant(choose: Random, tree: Any) -> Any:
    """The tree with a secret among the settings of a provider, or wherever there is a mapping."""
    tree = copy.deepcopy(tree)
    mappings = [path for path in ((), *walk(tree)) if isinstance(at(tree, path), dict)]
    likely = [path for path in mappings if len(path) > 1 and path[-2] == "provider_settings"]
    if mappings:
        which = choose.randrange(len(SECRETS))
        name, value = SECRETS[which]
        into = at(tree, choose.choice(likely or mappings))
        into[choose.choice((name, *into)) if which < BY_SHAPE and choose.random() < 0.5 else name] = value
    return tree


def written(choose: Random, tree: Any) -> str:
    """The tree as YAML or JSON, as this or that program would write it."""
    try:
        if choose.random() < 0.7:
            return yaml.safe_dump(
                tree,
                sort_keys=False,
                allow_unicode=choose.random() < 0.5,
                default_flow_style=choose.choice((None, False, True)),
            )
    except (yaml.YAMLError, ValueError):
        pass
    try:
        return json.dumps(tree, indent=choose.choice((None, 2)), default=str)
    except ValueError:  # it holds itself, by an anchor
        return yaml.safe_dump(tree, sort_keys=False)


def _changed(choose: Random, tree: Any, path: Path, others: Sequence[Any], words: Sequence[str]) -> Any:
    holder, name = at(tree, path[:-1]), path[-1]
    way = choose.randrange(9)
    if way == 0:
        del holder[name]
    elif way <= 2:
        holder[name] = choose.choice(VALUES)
    elif way == 3:
        holder[name] = choose.choice(words)
    elif way == 4:
        other = choose.choice(list(walk(tree)))
        holder[name] = copy.deepcopy(at(tree, other))
    elif way == 5:
        holder[name] = copy.deepcopy(choose.choice(others))
    elif way == 6 and isinstance(holder, list):
        holder.insert(choose.randrange(len(holder) + 1), copy.deepcopy(holder[name]))
    elif way == 6 or way == 7:
        _renamed(choose, holder, name, words)
    else:
        inner = holder[name]
        holder[name] = choose.choice(([inner], {choose.choice(words): inner}, [inner, inner], str(inner)))
    return tree


def _renamed(choose: Random, holder: Any, name: Any, words: Sequence[str]) -> None:
    if isinstance(holder, list):
        choose.shuffle(holder)
        return
    items = list(holder.items())
    holder.clear()
    for each, value in items:
        if each == name:
            holder[each + choose.choice("sx_- /~.") if choose.random() < 0.3 else choose.choice(words)] = value
        else:
            holder[each] = value
