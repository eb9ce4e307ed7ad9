"""Projects with many of one thing, right or wrong, compiled, told and asked about: `python projects.py NAME COUNT`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from oneiric.report import Report, parse_report
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif, as_text
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.questions.diff.compare import compare
from oneiric_compiler.questions.explain.key import tell as key_lines
from oneiric_compiler.questions.explain.keys import listing, summary
from oneiric_compiler.text.paint import paint

APP = "name: shop\npackages: [shop]\n"
PARTS = """
@component("adapter", "db", provider="p")
class P:
    def __init__(self, *, url: str = "", sizes: list[int] = [], names: dict[str, int] = {}) -> None: ...
"""
Files = dict[str, str]


def parts(text: str | Iterable[str]) -> Files:
    return {"shop/parts.py": "from typing import Protocol\nfrom oneiric import component\n" + "".join(text)}


def part(number: int, **more: str) -> str:
    options = "".join(f", {name}={value}" for name, value in more.items())
    return f'@component("adapter", "k{number}", provider="p{number}"{options})\nclass P{number}: ...\n'


def needing(number: int, need: str) -> str:
    made = f"class P{number}:\n    def __init__(self, *, a: object) -> None: ...\n"
    return f'@component("adapter", "k{number}", provider="p", needs={{"a": "{need}"}})\n{made}'


def nested(depth: int) -> str:
    return "list[" * depth + "int" + "]" * depth


def adapters(section: str, entries: Iterable[str]) -> Files:
    return {"settings/adapters.yml": f"{section}:\n" + "".join(f"  {each}\n" for each in entries)}


def excluded(number: int) -> str:
    return f"'!shop.q{number}'"


PROJECTS: dict[str, Callable[[int], Files]] = {
    "unknown keys": lambda n: {"settings/app.yml": APP + "".join(f"zz{i}: 1\n" for i in range(n))},
    "mistakes in one line": lambda n: {
        "settings/adapters.yml": f"selections: {{{','.join(f'k{i}: 1' for i in range(n))}}}"
    },
    "keys twice": lambda n: {"settings/app.yml": APP + "name: a\n" * n},
    "aliases": lambda n: {"settings/app.yml": APP + "x: &a 1\n" + "".join(f"k{i}: *a\n" for i in range(n))},
    "selections of no key": lambda n: {
        **adapters("selections", (f"key{i}: x" for i in range(n))),
        **parts(map(part, range(n))),
    },
    "settings of no provider": lambda n: {
        **adapters("provider_settings", (f"q{i}: {{a: 1}}" for i in range(n))),
        **parts(map(part, range(n))),
    },
    "settings of no provider of a key": lambda n: {
        **adapters("provider_settings", (f"k{i}/q{i}: {{a: 1}}" for i in range(n))),
        **parts(map(part, range(n))),
    },
    "settings that are no parameters": lambda n: {
        **adapters("provider_settings", ("p:", *(f"  other{i}: 1" for i in range(n)))),
        **parts(
            f'@component("adapter", "k", provider="p")\nclass P:\n'
            f"    def __init__(self, *, {', '.join(f'param{i}: int = 0' for i in range(n))}) -> None: ...\n"
        ),
    },
    "items of the wrong type": lambda n: adapters("provider_settings", ("p:", f"  sizes: [{'x, ' * n}]")),
    "values of the wrong type": lambda n: adapters(
        "provider_settings", ("p:", "  names:", *(f"    n{i}: x" for i in range(n)))
    ),
    "needs that nothing serves": lambda n: parts(needing(i, f"adapter:q{i}") for i in range(n)),
    "a chain of needs": lambda n: parts([*(needing(i, f"adapter:k{i + 1}") for i in range(n)), part(n)]),
    "a cycle of needs": lambda n: parts(needing(i, f"adapter:k{(i + 1) % n}") for i in range(n)),
    "needs of one key": lambda n: parts([*(needing(i, f"adapter:k{n}") for i in range(n)), part(n)]),
    "candidates of one key": lambda n: parts(part(i).replace(f'"k{i}"', '"k"') for i in range(n)),
    "keys of one provider": lambda n: {
        **adapters("provider_settings", ("p: {a: 1}",)),
        **parts(part(i).replace(f'"p{i}"', '"p"') for i in range(n)),
    },
    "a provider twice": lambda n: parts(part(0) for _ in range(n)),
    "keys of one attribute": lambda n: parts(
        part(i).replace(f'"k{i}"', f'"k{mark}{i}"') for i in range(n) for mark in ("-", "_")
    ),
    "declarations that cannot be read": lambda n: parts(part(i, priority="x") for i in range(n)),
    "factories that do not exist": lambda n: {
        **adapters("components", (f"- {{key: k{i}, provider: p, factory: 'shop.parts:X{i}'}}" for i in range(n))),
        **parts(f"class Y{i}: ...\n" for i in range(n)),
    },
    "profiles without a file": lambda n: {
        "settings/app.yml": f"{APP}profiles: [{','.join(f'p{i}' for i in range(n))}]"
    },
    "packages that are not found": lambda n: {
        "settings/app.yml": f"name: shop\npackages: [shop, {','.join(f'q{i}' for i in range(n))}]"
    },
    "exclusions of no module": lambda n: {"settings/app.yml": f"{APP[:-2]}, {', '.join(map(excluded, range(n)))}]"},
    "methods that a port misses": lambda n: parts(
        [
            "class Port(Protocol):\n",
            *(f"    def m{i}(self) -> None: ...\n" for i in range(n)),
            part(0, port='"shop.parts:Port"'),
        ]
    ),
    "tenants": lambda n: {
        f"settings/tenants/t{i}.yml": "adapters: {provider_settings: {p: {other: 1}}}\n" for i in range(n // 4)
    },
    "types within types": lambda n: parts(
        part(i)[:-4] + f"\n    def __init__(self, *, a: {nested(i)}): ...\n" for i in range(n // 50)
    ),
    "lines within lines": lambda n: parts("\n".join(" " * (i % 90) + "if x:" for i in range(n))),
}


def asked(root: Path) -> None:
    """Compiles, tells what was found in every format, and where nothing was wrong asks what came of it."""
    found = Diagnostics()
    outputs = compile_project(Project.at(root, {}), found)
    for form in (as_text, as_json, as_github):
        form(found)
    as_sarif(found, version="1")
    if outputs is not None:
        report = parse_report(outputs.profiles["default"][1]["explain.json"])
        changes = {"default": compare(Report("", "", {}, {}), report)}
        tell.lines(changes)
        tell.markdown(changes)
        paint([*summary(report, report.bindings), *listing(report.bindings)], styled=False)
        for key in report.bindings.keys() & {"adapter:k0", "adapter:k", "adapter:db"}:
            paint(key_lines(report, key, str), styled=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "settings/app.yml": APP,
            "shop/__init__.py": "",
            **parts(PARTS),
            **PROJECTS[sys.argv[1]](int(sys.argv[2])),
        }
        for name, text in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_text(text)
        asked(Path(folder))
