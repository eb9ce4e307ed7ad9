"""What a change of the settings is told as: its class, its words, and what makes no difference."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import threading
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from oneiric.report import Report, parse_report
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.questions.diff.compare import CLASSES, Difference, compare, without
from oneiric_compiler.stages.write import write
from oneiric_compiler.text.paint import paint
from syrupy.assertion import SnapshotAssertion

from tests.snapshots import Markdown
from tests.unit.cli.running import COMPILER_EXTRA, run, session

pytestmark = pytest.mark.usefixtures("no_builtins")

ROOT = Path(__file__).parent.parent.parent
FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [busy]\n",
    "settings/services.yml": "selections: {payments: card}\nprovider_settings:\n  card: {fee: 1, password: abc}\n",
    "settings/profiles/busy.yml": "{}\n",
    "settings/tenants/acme.yml": "services:\n  provider_settings:\n    card: {fee: 7}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from typing import Protocol
from oneiric import component

class Payments(Protocol):
    def pay(self) -> int: ...

@component("service", "payments", provider="card", port="shop.parts:Payments")
class Card:
    def __init__(self, *, fee: int = 0, password: str = "") -> None: ...
    def pay(self) -> int: ...

@component("service", "payments", provider="cash", priority=3)
class Cash:
    def pay(self) -> int: ...

@component("service", "mail", provider="smtp", needs={"payments": "service:payments"})
class Smtp:
    def __init__(self, *, payments: Payments) -> None: ...

@component("service", "mail", provider="test", stack_level=-1)
class Test: ...
""",
}
EDITS: dict[str, tuple[dict[str, tuple[str, str]], list[tuple[str, str, str | None]]]] = {
    "another winner": (
        {"settings/services.yml": ("payments: card", "payments: cash")},
        [
            ("winner", "service:payments", None),
            ("setting", "service:payments", None),
            ("setting", "service:payments", None),
            ("setting", "service:payments", "acme"),
        ],
    ),
    "another winner of a tenant": (
        {"settings/tenants/acme.yml": ("services:\n", "services:\n  selections: {payments: cash}\n")},
        [
            ("winner", "service:payments", "acme"),
            ("setting", "service:payments", "acme"),
            ("setting", "service:payments", "acme"),
        ],
    ),
    "the winner's class has another name": (
        {"shop/parts.py": ("class Card:", "class Cards:")},
        [("moved", "service:payments", None)],
    ),
    "a loser's class has another name": (
        {"shop/parts.py": ("class Cash:", "class Coins:")},
        [("candidate", "service:payments", None)],
    ),
    "the winner is gone": (
        {
            "shop/parts.py": (
                '@component("service", "mail", provider="smtp", needs={"payments": "service:payments"})',
                "",
            )
        },
        [
            ("winner", "service:mail", None),
            ("port", "service:mail", None),
            ("need", "service:mail", None),
            ("candidate", "service:mail", None),
        ],
    ),
    "the winner is selected": (
        {"settings/services.yml": ("{payments: card}", "{payments: card, mail: smtp}")},
        [("rule", "service:mail", None)],
    ),
    "a setting": ({"settings/services.yml": ("fee: 1", "fee: 2")}, [("setting", "service:payments", None)]),
    "how a key is activated": (
        {"settings/services.yml": ("selections:", "eager: {mail: true}\nrestart: {payments: on-failure}\nselections:")},
        [("setting", "service:mail", None), ("setting", "service:payments", None)],
    ),
    "how a tenant's key is activated": (
        {"settings/tenants/acme.yml": ("services:\n", "services:\n  restart: {mail: on-failure}\n")},
        [("setting", "service:mail", "acme")],
    ),
    "a setting of a tenant": (
        {"settings/tenants/acme.yml": ("fee: 7", "fee: 8")},
        [("setting", "service:payments", "acme")],
    ),
    "a setting is stated elsewhere": (
        {
            "settings/services.yml": (
                "  card: {fee: 1, password: abc}",
                "  card: {password: abc}\n  payments/card: {fee: 1}",
            ),
            "settings/tenants/acme.yml": ("card: {fee: 7}", "payments/card: {fee: 7}"),
        },
        [("provenance", "service:payments", None), ("provenance", "service:payments", "acme")],
    ),
    "a candidate more": (
        {
            "shop/parts.py": (
                "class Test: ...\n",
                'class Test: ...\n@component("service", "mail", provider="x", stack_level=-2)\nclass X: ...\n',
            )
        },
        [("candidate", "service:mail", None)],
    ),
    "a loser's rank": (
        {"shop/parts.py": ("priority=3", "priority=4")},
        [("candidate", "service:payments", None)],
    ),
    "a key more": (
        {
            "shop/parts.py": (
                "class Test: ...\n",
                'class Test: ...\n@component("service", "new", provider="x")\nclass X: ...\n',
            )
        },
        [("winner", "service:new", None), ("port", "service:new", None)],
    ),
    "a port": (
        {"shop/parts.py": (', port="shop.parts:Payments"', "")},
        [("port", "service:payments", None)],
    ),
    "a need": (
        {"shop/parts.py": (', needs={"payments": "service:payments"}', ""), "x": ("", "")},
        [("need", "service:mail", None)],
    ),
    "lines move": ({"shop/parts.py": ("class Test: ...", "\n\n\nclass Test: ...")}, []),
    "files are written in another order": (
        {
            "settings/services.yml": (
                "selections: {payments: card}\nprovider_settings:\n  card: {fee: 1, password: abc}",
                "provider_settings:\n  card: {password: abc, fee: 1}\nselections: {payments: card}",
            )
        },
        [],
    ),
}


def compiled(root: Path, files: Mapping[str, str] = FILES) -> dict[str, Report]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, [each.message for each in diagnostics]
    write(outputs, diagnostics)
    reports = [parse_report(files["explain.json"]) for _, files in outputs.profiles.values()]
    return {report.profile: report for report in reports}


def edited(edits: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    files = dict(FILES)
    for name, (old, new) in edits.items():
        if name in files:
            assert old in files[name]
            files[name] = files[name].replace(old, new)
    if "x" in edits:
        files["shop/parts.py"] = files["shop/parts.py"].replace(
            "def __init__(self, *, payments: Payments) -> None: ...", "pass"
        )
    return files


@pytest.mark.parametrize("name", EDITS)
def test_what_an_edit_is_told_as(name: str, tmp_path: Path) -> None:
    edits, expected = EDITS[name]
    before, after = compiled(tmp_path / "before"), compiled(tmp_path / "after", edited(edits))
    changes = compare(before["default"], after["default"])
    assert [(each.kind, each.key, each.tenant) for each in changes] == expected
    back = compare(after["default"], before["default"])
    assert [(each.kind, each.key, each.tenant, each.old, each.new) for each in back] == [
        (each.kind, each.key, each.tenant, each.new, each.old) for each in changes
    ]


@pytest.fixture(scope="module")
def every_edit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Difference]]:
    """What each edit changes, as if each were a profile."""
    root = tmp_path_factory.mktemp("edits")
    before = compiled(root / "before")["default"]
    files = {name: edited(edits) for name, (edits, _) in EDITS.items()}
    return {name: compare(before, compiled(root / name, files[name])["default"]) for name in EDITS}


def test_edits_in_lines(every_edit: dict[str, list[Difference]], snapshot: SnapshotAssertion) -> None:
    assert paint(tell.lines(every_edit), styled=False) == snapshot


def test_edits_in_a_comment(every_edit: dict[str, list[Difference]], snapshot: SnapshotAssertion) -> None:
    assert tell.markdown(every_edit) == snapshot(extension_class=Markdown)


TYPED = {
    "settings/app.yml": "name: shop\npackages: [shop]\n",
    "settings/services.yml": "provider_settings: {card: {fee: '${FEE:-1}'}}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from oneiric import component

class Card: ...
class Other: ...

@component("service", "payments", provider="card")
def card(*, fee: int = 0) -> Card: ...
""",
}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("fee: int = 0", "fee: float = 0", ("setting", "fee")),
        ("-> Card", "-> Other", ("port", "instances")),
        ("def card(", "async def card(", ("setting", "async")),
    ],
)
def test_what_a_factory_s_signature_makes_of_the_same_settings(
    old: str, new: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    before = compiled(tmp_path / "before", TYPED)
    after = compiled(tmp_path / "after", {**TYPED, "shop/parts.py": TYPED["shop/parts.py"].replace(old, new)})
    changes = compare(before["default"], after["default"])
    assert [(each.kind, each.what) for each in changes] == [expected]
    assert paint(tell.lines({"default": changes}), styled=False).count("\n") == 2


@pytest.mark.parametrize(
    ("one", "other"), [("1", "1.0"), ("1", "true"), ("[0]", "[false]"), ('{"a": 1}', '{"a": 1.0}')]
)
def test_values_that_python_takes_for_equal_differ(one: str, other: str) -> None:
    path = ROOT / "tests/golden/types_scalars/want/explain.json"
    report = json.loads(path.read_bytes())
    key, binding = next((key, each) for key, each in report["bindings"].items() if each["settings"])
    setting = next(iter(binding["settings"].values()))
    reports: list[Report] = []
    for value in (one, other):
        setting.clear()
        setting.update({"value": json.loads(value), "from": "settings/app.yml#/x"})
        binding["fingerprint"] = value
        reports.append(parse_report(json.dumps(report).encode()))
    assert [(each.kind, each.key) for each in compare(*reports)] == [("setting", key)]
    assert compare(reports[0], reports[0]) == []


def test_no_other_instance_goes_untold() -> None:
    """Of any fact that a fingerprint is made of: where one differs, `diff` has a change.

    What is unbound has no instance.
    """
    made = ("provider", "factory", "async", "result", "port", "eager", "python", "os", "artifact")
    tried = 0
    for path in ROOT.glob("tests/golden/*/want/**/explain.json"):
        report = json.loads(path.read_bytes())
        old = parse_report(path.read_bytes())
        for binding in report["bindings"].values():
            for facts in (binding, *binding["tenants"].values()):
                for name in ("unbound",) if facts.get("unbound") else made:
                    if name in facts:
                        told = {**facts}
                        facts[name] = ["x"] if name == "os" else not facts[name] if facts[name] is True else "x:x"
                        new = parse_report(json.dumps(report).encode())
                        assert compare(old, new), (path, name)
                        facts[name] = told[name]
                        tried += 1
    assert tried > 500


def test_a_report_does_not_differ_from_itself() -> None:
    for path in ROOT.glob("tests/golden/*/want/**/explain.json"):
        report = parse_report(path.read_bytes())
        assert compare(report, report) == []


def test_every_pair_of_reports_can_be_compared_and_told() -> None:
    """Reports that have nothing to do with each other: told in every form, the comment within its limit."""
    reports = [parse_report(path.read_bytes()) for path in sorted(ROOT.glob("tests/golden/*/want/**/explain.json"))]
    choose = random.Random(0)
    schema = json.loads((ROOT / "schemas/diff.schema.json").read_text())
    for _ in range(200):
        old, new = choose.choice(reports), choose.choice(reports)
        changes = {"default": compare(old, new)}
        Draft202012Validator(schema).validate(json.loads(json.dumps(tell.document(changes))))
        assert len(tell.markdown(changes)) <= tell.LONGEST_COMMENT
        assert len(tell.lines(changes)) == 1 + len(changes["default"])


def test_a_comment_stays_within_its_limit_and_says_what_it_leaves_out() -> None:
    changes = {
        f"p{number}": [
            Difference(kind, f"adapter:{'k' * 40}-{i}", None, "url", "a" * 70, "b" * 70)
            for kind in CLASSES
            for i in range(400)
        ]
        for number in range(3)
    }
    text = tell.markdown(changes)
    assert len(text) <= tell.LONGEST_COMMENT
    assert "more: `oneiric diff` shows them" in text
    assert text.count("<details") == text.count("</details>")
    assert "| winner: another component serves | 1200 |" in text


TWICE = {
    "settings/app.yml": "name: shop\npackages: [shop, pay]\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from oneiric import component

@component("service", "payments", provider="card", stack_level=2)
class Card:
    def __init__(self, *, fee: int = 0) -> None: ...
""",
    "pay/__init__.py": "",
    "pay/parts.py": """\
from oneiric import component

@component("service", "payments", provider="card", stack_level=1)
class Card:
    def __init__(self, *, fee: int = 0) -> None: ...
""",
}


def kinds(old: Mapping[str, str], new: Mapping[str, str], root: Path) -> list[tuple[str, str]]:
    before, after = compiled(root / "before", old), compiled(root / "after", new)
    return [(each.kind, each.what) for each in compare(before["default"], after["default"])]


def test_another_candidate_of_the_winner_s_name_has_not_moved(tmp_path: Path) -> None:
    other = {**TWICE, "pay/parts.py": TWICE["pay/parts.py"].replace("stack_level=1", "stack_level=3")}
    assert kinds(TWICE, other, tmp_path)[0] == ("winner", "")


def test_a_component_moves_to_another_package_and_has_another_setting(tmp_path: Path) -> None:
    """It is the same component: what it is given is told beside, and its rank is not told as a loser's."""
    here = {name: text for name, text in TWICE.items() if name != "pay/parts.py"}
    there = {
        **here,
        "shop/parts.py": "",
        "pay/parts.py": TWICE["shop/parts.py"],
        "settings/services.yml": "provider_settings: {card: {fee: 3}}\n",
    }
    assert kinds(here, there, tmp_path) == [("moved", ""), ("setting", "fee")]


def test_a_component_that_settings_declare_where_code_did_is_another_winner(tmp_path: Path) -> None:
    here = {name: text for name, text in TWICE.items() if name != "pay/parts.py"}
    there = {
        **here,
        "shop/parts.py": "class Card2: ...",
        "settings/services.yml": "components: [{key: payments, provider: card, factory: 'shop.parts:Card2'}]\n",
    }
    assert kinds(here, there, tmp_path)[0] == ("winner", "")


def test_what_a_new_winner_brings_is_told_and_stops_a_gate(tmp_path: Path) -> None:
    """Behind another winner stands all that it is given: no gate lets it pass because the winner changed too."""
    before, after = tmp_path / "before", tmp_path / "after"
    compiled(before)
    compiled(after, edited({"settings/services.yml": ("payments: card}", "payments: card, mail: test}")}))
    for kind, code in {"need": 1, "winner": 1, "port": 1, "setting": 0, "trust": 0, "moved": 0}.items():
        done = run("diff", before / "generated", after / "generated", "--fail-on", kind, cwd=tmp_path)
        assert done.returncode == code, (kind, done.stdout)
        assert "payments: removed service:payments" in done.stdout


def report_with(**settings: Any) -> dict[str, Any]:
    """A report whose one key has these settings, each as the report states it."""
    path = ROOT / "tests/golden/types_scalars/want/explain.json"
    report: dict[str, Any] = json.loads(path.read_bytes())
    key, binding = next((key, each) for key, each in report["bindings"].items() if each["settings"])
    binding["settings"] = {name: {**each, "from": "settings/app.yml#/x"} for name, each in settings.items()}
    return {**report, "bindings": {key: binding}}


def told_between(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, list[Any], str]:
    """The one change of two reports as a line, as JSON without what names it, and as Markdown."""
    changes = {"default": compare(*(parse_report(json.dumps(each).encode()) for each in (old, new)))}
    line = paint(tell.lines(changes), styled=False).splitlines()[1]
    document: Any = tell.document(changes)
    change = document["profiles"]["default"][0]
    return line.split(maxsplit=2)[2], [change["how"], change["old"], change["new"]], tell.markdown(changes)


@pytest.mark.parametrize(
    ("old", "new", "line", "document"),
    [
        ({"value": 3}, {"value": None}, "limit: 3 -> null", ["changed", 3, None]),
        ({"value": None}, {"value": 3}, "limit: null -> 3", ["changed", None, 3]),
        (None, {"value": None}, "limit: added null", ["added", None, None]),
        ({"value": None}, None, "limit: removed null", ["removed", None, None]),
    ],
)
def test_null_is_a_value(old: Any, new: Any, line: str, document: list[Any]) -> None:
    sides = [report_with(**({"limit": each} if each else {})) for each in (old, new)]
    assert told_between(sides[0], sides[1])[:2] == (line, document)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "document"),
    [
        ("password", "short", "much longer", "password: changed (masked)", ["changed", "****", "****"]),
        ("password", "short", None, "password: **** -> null", ["changed", "****", None]),
        ("url", "db://u:one@h/x", "db://u:three@h/x", "url: changed (masked)", ["changed"] + ["db://u:****@h/x"] * 2),
        ("url", "db://u:one@h/x", "db://u:one@h/y", "url: db://u:****@h/x -> db://u:****@h/y", None),
        (
            "options",
            {"token": "one"},
            {"token": "two"},
            "options: changed (masked)",
            ["changed"] + [{"token": "****"}] * 2,
        ),
    ],
)
def test_a_change_of_what_is_masked_is_told_without_it(
    name: str, old: Any, new: Any, line: str, document: list[Any] | None
) -> None:
    shown, change, comment = told_between(report_with(**{name: {"value": old}}), report_with(**{name: {"value": new}}))
    assert shown == line
    assert document is None or change == document
    assert f"`{line}`" in comment
    assert not any(each in comment for each in ("short", "longer", "one@", "three"))


def test_of_what_a_report_masks_itself_the_fingerprint_tells() -> None:
    old, new = report_with(password={"masked": True}), report_with(password={"masked": True})
    next(iter(new["bindings"].values()))["fingerprint"] = "00000000"
    shown, change, _ = told_between(old, new)
    assert shown.startswith("password: changed (masked)  (the fingerprint of the binding differs")
    assert change == ["changed", "****", "****"]
    new["bindings"] = {key: {**each, "eager": True} for key, each in new["bindings"].items()}
    changes = compare(*(parse_report(json.dumps(each).encode()) for each in (old, new)))
    assert [each.what for each in changes] == ["eager"], "what else changed may be all that did"


def test_a_need_of_a_secret_s_name_is_no_secret() -> None:
    old, new = report_with(), report_with()
    next(iter(new["bindings"].values()))["needs"] = {"tokens": "service:tokens"}
    assert told_between(old, new)[0] == "tokens: added service:tokens"


def test_values_are_cut_where_they_differ() -> None:
    shown, _, _ = told_between(report_with(x={"value": "a" * 200 + "b"}), report_with(x={"value": "a" * 200 + "c"}))
    assert shown == f"x: …{'a' * 40}b -> …{'a' * 40}c"


def test_a_tenant_s_change_to_the_base_s_new_value_is_its_own(tmp_path: Path) -> None:
    edits = {"settings/services.yml": ("fee: 1", "fee: 2"), "settings/tenants/acme.yml": ("fee: 7", "fee: 2")}
    before, after = compiled(tmp_path / "before"), compiled(tmp_path / "after", edited(edits))
    changes = compare(before["default"], after["default"])
    assert [(each.kind, each.tenant, each.old, each.new) for each in changes if each.kind == "setting"] == [
        ("setting", None, 1, 2),
        ("setting", "acme", 7, 2),
    ]


def test_a_new_key_is_told_with_what_its_tenants_have_of_their_own(tmp_path: Path) -> None:
    after = compiled(tmp_path)["default"]
    empty = Report("", "", {}, {})
    changes = [
        (each.kind, each.tenant, each.what, each.new) for each in compare(empty, after) if "payments" in each.key
    ]
    assert changes == [
        ("winner", None, "", "card"),
        ("port", None, "port", "shop.parts:Payments"),
        ("setting", None, "fee", 1),
        ("setting", None, "password", "abc"),
        ("setting", "acme", "fee", 7),
    ]


def test_no_secret_is_told(tmp_path: Path) -> None:
    before = compiled(tmp_path / "before")
    after = compiled(tmp_path / "after", edited({"settings/services.yml": ("abc", "hunter2")}))
    changes = {"default": compare(before["default"], after["default"])}
    assert [each.what for each in changes["default"]] == ["password"]
    told = json.dumps([tell.lines(changes), tell.markdown(changes), tell.document(changes)])
    assert "hunter2" not in told
    assert "abc" not in told


class Elements(HTMLParser):
    """The elements of a rendered comment, and the text that stands outside of code."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: set[str] = set()
        self.outside = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.found.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.outside += "" if "code" in self.open else data


@pytest.mark.parametrize(
    "text",
    [
        "[x](y) </details>",
        "`</details>|",
        "<img src=x>",
        "</code></summary><b>",
        "@octocat #1 https://example.org",
        "``a```",
        "a\n\n# b\n- c\n```\n",
        "\\`<b>\\",
        "<!-- ",
        "&lt;b&gt;",
        "\x1b[2J\u202e",
    ],
)
def test_text_of_others_is_no_markup_no_link_and_mentions_nobody(text: str) -> None:
    changes = {text: [Difference("setting", text, text, text, text, f"{text}!", because=text)]}
    rendered = Elements(MarkdownIt("commonmark").enable("table").render(tell.markdown(changes)))
    allowed = {"details", "summary", "code", "ul", "li", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert rendered.open == []
    assert rendered.found <= allowed
    assert not any(each in rendered.outside for each in ("@", "://", "#1", "[x]", "<", "\x1b", "\u202e"))
    assert not any(each in paint(tell.lines(changes), styled=False) for each in ("\x1b", "\u202e", "a\n"))


def test_a_comment_tells_of_winners_before_all_else_in_every_profile() -> None:
    many = [Difference("setting", f"adapter:{'k' * 40}-{i}", None, "url", "a" * 70, "b" * 70) for i in range(2_000)]
    text = tell.markdown({"a": many, "z": [Difference("winner", "adapter:cache", None, "", "redis", "memory")]})
    assert text.index("`redis -> memory`") < text.index("setting change")
    assert len(text) <= tell.LONGEST_COMMENT


@pytest.mark.parametrize(("keys", "profiles"), [("k" * 70_000, 1), ("k", 3_000), ("k" * 500, 300)])
def test_no_comment_is_longer_than_a_comment_may_be(keys: str, profiles: int) -> None:
    changes = {
        f"{'p' * 200}{number}": [Difference("winner", f"adapter:{keys}", None, "", "a", "b")]
        for number in range(profiles)
    }
    text = tell.markdown(changes)
    assert len(text) <= tell.LONGEST_COMMENT
    assert "`oneiric diff` shows" in text
    assert text.count("<details") == text.count("</details>")


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        (["setting"], 0),
        (["*:service:*"], 0),
        (["setting:adapter:*"], 1),
        (["winner"], 1),
        (["setting:service:mail"], 0),
    ],
)
def test_what_is_ignored(ignored: list[str], left: int) -> None:
    change = Difference("setting", "service:mail", None, "url", "a", "b")
    assert len(without([change], ignored)) == left


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, timeout=60)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project with a commit, and on a branch another that selects another provider in one profile."""
    root = tmp_path / "shop"
    compiled(root)
    git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "one")
    git(root, "checkout", "-b", "change")
    files = edited({"settings/profiles/busy.yml": ("{}", "services: {selections: {payments: cash}}")})
    compiled(root, files)
    git(root, "commit", "-am", "two")
    return root


def test_what_a_branch_changes(repository: Path) -> None:
    done = run("diff", "--base", "main", cwd=repository, blocked=COMPILER_EXTRA)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0] == "default: no change"
    assert "winner     service:payments" in done.stdout
    assert "card -> cash  (settings/profiles/busy.yml selects cash)" in done.stdout


def test_commits_of_the_base_since_then_are_not_the_branch_s(repository: Path) -> None:
    git(repository, "checkout", "main")
    compiled(repository, edited({"settings/services.yml": ("fee: 1", "fee: 2")}))
    git(repository, "commit", "-am", "three")
    git(repository, "checkout", "change")
    changes = json.loads(run("diff", "--base", "main", "--format", "json", cwd=repository).stdout)
    assert changes["profiles"]["default"] == []


def test_what_is_not_committed_is_told_of(repository: Path) -> None:
    compiled(repository, edited({"settings/services.yml": ("fee: 1", "fee: 2")}))
    done = run("diff", "--base", "main", cwd=repository)
    assert "not committed" in done.stderr
    assert "default: no change" in done.stdout


STANDING_BY = {
    "settings/app.yml": "name: shop\npackages: [shop]\n",
    "settings/services.yml": """\
selections: {pay: card}
provider_settings:
  cash: {till: '${TILL:-1}', password: abc}
""",
    "settings/tenants/acme.yml": "services:\n  provider_settings:\n    cash: {till: 5}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from oneiric import component

@component("service", "pay", provider="card")
class Card:
    def __init__(self, *, fee: int = 0) -> None: ...

@component("service", "pay", provider="cash")
class Cash:
    def __init__(self, *, till: int = 0, password: str = "") -> None: ...
""",
}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("services", "abc", "xyz", [("standby", None, "cash password")]),
        ("services", "TILL:-1", "TILL:-2", [("standby", None, "cash till")]),
        ("services", ", password: abc", "", [("standby", None, "cash password")]),
        ("tenants/acme", "till: 5", "till: 6", [("standby", "acme", "cash till")]),
        ("tenants/acme", "cash:", "pay/cash:", [("provenance", "acme", "cash till stated at")]),
        ("services", "{pay: card}", "{pay: cash}", ["winner", "port", "setting", "setting", "rule"]),
    ],
)
def test_settings_of_what_serves_nothing(file: str, old: str, new: str, expected: list[Any], tmp_path: Path) -> None:
    name = f"settings/{file}.yml"
    assert old in STANDING_BY[name]
    files = {**STANDING_BY, name: STANDING_BY[name].replace(old, new)}
    before, after = compiled(tmp_path / "before", STANDING_BY), compiled(tmp_path / "after", files)
    changes = compare(before["default"], after["default"])
    if "winner" in expected:
        assert "standby" not in {each.kind for each in changes}, "told as settings of the winner"
    else:
        assert [(each.kind, each.tenant, each.what) for each in changes] == expected
    told = paint(tell.lines({"default": changes}), styled=False) + str(tell.document({"default": changes}))
    assert "abc" not in told
    assert "xyz" not in told


def test_what_serves_nothing_converts_its_settings_otherwise(tmp_path: Path) -> None:
    other = {**STANDING_BY, "shop/parts.py": STANDING_BY["shop/parts.py"].replace("till: int", "till: float")}
    before, after = compiled(tmp_path / "before", STANDING_BY), compiled(tmp_path / "after", other)
    changes = compare(before["default"], after["default"])
    assert [(each.kind, each.what, each.because) for each in changes] == [
        ("standby", "cash till", "converted otherwise")
    ]


def test_options_of_keys_that_are_stated_elsewhere(tmp_path: Path) -> None:
    stated = {**FILES, "settings/services.yml": "restart: {mail: on-failure}\n" + FILES["settings/services.yml"]}
    moved = {**stated, "settings/profiles/busy.yml": "services: {restart: {mail: on-failure}}\n"}
    changes = compare(compiled(tmp_path / "old", stated)["busy"], compiled(tmp_path / "new", moved)["busy"])
    found = [(each.kind, each.key, each.what, each.new) for each in changes]
    at = "settings/profiles/busy.yml#/services/restart/mail"
    assert found == [("provenance", "service:mail", "restart stated at", at)]


def test_exit_codes_and_gates(repository: Path) -> None:
    assert run("diff", "--base", "HEAD", cwd=repository).returncode == 0
    assert run("diff", "--base", "main", "--fail-on", "trust,need", cwd=repository).returncode == 0
    assert run("diff", "--base", "main", "--fail-on", "winner", cwd=repository).returncode == 1
    assert run("diff", "--base", "main", "--ignore", "*:service:payments", cwd=repository).returncode == 0
    assert run("diff", "--base", "main", "--ignore", "winner:service:payments", cwd=repository).returncode == 1


def test_the_working_tree_against_the_index(repository: Path) -> None:
    assert run("diff", cwd=repository).returncode == 0
    compiled(repository, edited({"settings/services.yml": ("fee: 1", "fee: 2")}))
    done = run("diff", cwd=repository, blocked=COMPILER_EXTRA)
    assert (done.returncode, done.stderr) == (1, "")
    assert "fee: 1 -> 2\n" in done.stdout
    git(repository, "add", "-A")
    assert run("diff", cwd=repository).returncode == 0, "what is staged is not told, committed or not"
    git(repository, "rm", "--cached", "-r", "generated")
    done = run("diff", cwd=repository)
    assert (done.returncode, "git has no report in generated/, not even in its index" in done.stderr) == (2, True)


def test_a_drawing_shows_what_moved_and_holds_no_markup_of_others() -> None:
    """A label has no sign that ends it, the block, or the line, and none that Mermaid reads as markup."""
    hostile = '"]\n```<b>&#60;|{}()%%end'
    changes = {hostile: [Difference("winner", hostile, hostile, "", hostile, hostile)]}
    changes[hostile] += [Difference("need", hostile, None, hostile, hostile, [hostile, "adapter:cache"])]
    drawn = tell.markdown(changes).partition("```mermaid\n")[2].partition("```")[0]
    assert drawn.splitlines()[0] == "flowchart LR"
    assert drawn.splitlines()[-1] == "end"
    label = r'"[\w .:/#;-]*(?:<br/>[\w .:/#;-]*)?"'
    shapes = rf"subgraph \w+\[{label}\]|\w+\[{label}\]|\w+ (?:-\.->|==>)\|{label}\| \w+|end"
    assert all(re.fullmatch(shapes, line) for line in drawn.splitlines()[1:]), drawn


MISTAKES = (
    ("--base", "nowhere"),
    ("--base", "--output=x"),
    ("generated",),
    ("generated", "generated/explain.json"),
    ("settings", "settings"),
    ("settings/app.yml", "settings/app.yml"),
    ("gone.json", "gone.json"),
    ("--base", "main", "--fail-on", "winer"),
    ("--base", "main", "generated"),
    ("--base", "main", "--ignore", ":x"),
    ("--base", "main", "--ignore", "setting:"),
    ("--base", "main", "--fail-on", ""),
    ("--base", "main", "--ignore", "provenence:x"),
)


def test_mistakes(repository: Path, snapshot: SnapshotAssertion) -> None:
    assert session((("diff", *arguments) for arguments in MISTAKES), cwd=repository, code=2) == snapshot


def test_outside_of_git(tmp_path: Path) -> None:
    compiled(tmp_path / "shop")
    done = run("diff", "--base", "main", cwd=tmp_path / "shop")
    assert done.returncode == 2
    assert "is not in a repository of git" in done.stderr


def test_a_folder_that_no_commit_has_says_so(tmp_path: Path) -> None:
    """A gate that finds nothing to compare has not passed."""
    compiled(tmp_path)
    (tmp_path / ".gitignore").write_text("generated/\n")
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    done = run("diff", "--base", "HEAD", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "git has no report in generated/" in done.stderr


def test_the_first_report_is_all_new(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "one")
    git(tmp_path, "branch", "before")
    compiled(tmp_path)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "two")
    done = run("diff", "--base", "before", cwd=tmp_path)
    assert done.returncode == 1
    assert "added card" in done.stdout


@pytest.mark.parametrize("blocked", [(), COMPILER_EXTRA])
def test_an_output_folder_of_another_name_is_no_change(blocked: tuple[str, ...], repository: Path) -> None:
    git(repository, "checkout", "main")
    git(repository, "checkout", "-b", "renamed")
    git(repository, "rm", "-r", "generated")
    compiled(repository, edited({"settings/app.yml": ("name: shop\n", "name: shop\noutput: 'wired/here'  # moved\n")}))
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "renamed")
    done = run("diff", "--base", "main", cwd=repository, blocked=blocked)
    assert (done.returncode, done.stdout, done.stderr) == (0, "default: no change\nbusy: no change\n", "")
    assert run("explain", "service:mail", cwd=repository, blocked=blocked).returncode == 0


def test_a_shallow_clone_says_what_it_lacks(repository: Path, tmp_path: Path) -> None:
    """As a checkout in CI is by default."""
    git(repository, "checkout", "main")
    git(repository, "commit", "--allow-empty", "-m", "three")
    git(tmp_path, "clone", "--depth", "1", "--branch", "change", f"file://{repository}", "clone")
    clone = tmp_path / "clone"
    for base in ("origin/main", "main"):
        done = run("diff", "--base", base, cwd=clone)
        assert (done.returncode, done.stdout) == (2, "")
        assert "git fetch --unshallow" in done.stderr
        git(clone, "fetch", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    git(clone, "fetch", "--unshallow", "origin", "main:refs/remotes/origin/main")
    assert "card -> cash" in run("diff", "--base", "origin/main", cwd=clone).stdout


def test_a_project_below_the_root_in_a_folder_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / "a b" / "größe [*]"
    compiled(root)
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    compiled(root, edited({"settings/services.yml": ("fee: 1", "fee: 2")}))
    git(tmp_path, "commit", "-am", "two")
    done = run("diff", "--base", "HEAD~1", cwd=root)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == run("--project", root, "diff", "--base", "HEAD~1", cwd=tmp_path).stdout
    assert "fee: 1 -> 2" in done.stdout


def test_reports_may_come_through_a_pipe(repository: Path) -> None:
    """As in `oneiric diff <(git show main:generated/explain.json) generated/explain.json`."""
    pipe = repository / "pipe"
    os.mkfifo(pipe)
    data = (repository / "generated/busy/explain.json").read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    done = run("diff", "pipe", "generated/explain.json", cwd=repository)
    writer.join(60)
    assert done.returncode == 1
    assert "cash -> card" in done.stdout


def test_two_folders_are_compared_by_profile(tmp_path: Path) -> None:
    compiled(tmp_path / "one")
    compiled(tmp_path / "two", edited({"settings/services.yml": ("fee: 1", "fee: 2")}))
    done = run("diff", "one/generated", "two/generated", cwd=tmp_path)
    told: list[Any] = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line for line in told if not line.startswith(" ")] == ["default: 1 change", "busy: 1 change"]
