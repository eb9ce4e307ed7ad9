"""What may be asked of decisions: why not, what if, who needs it, what is unused, what runs where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oneiric.report import Report, parse_report
from oneiric_compiler.questions import matrix, uses
from oneiric_compiler.questions.explain.key import why_not
from oneiric_compiler.questions.explain.keys import fragile
from oneiric_compiler.text.paint import paint
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.reports import binding, candidate, report, shop
from tests.unit.cli.running import run, session

PARTS = """\
from oneiric import component

@component("adapter", "store", provider="table", stack_level=2)
class Table:
    def __init__(self, *, size: int = 1) -> None: ...

@component("adapter", "store", provider="tree", stack_level=1)
class Tree:
    def __init__(self, *, depth: int) -> None: ...

@component("service", "desk", provider="plain", needs={"store": "adapter:store"})
class Plain:
    def __init__(self, *, store: object) -> None: ...

@component("service", "desk", provider="bare", priority=-1)
class Bare: ...
"""
FILES = {
    "shop/__init__.py": "",
    "shop/parts.py": PARTS,
    "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [busy]\nstack_order: {nobody: 3}\n",
    "settings/adapters.yml": "provider_settings:\n  table: {size: 2}\n  tree: {depth: 3}\n",
    "settings/profiles/busy.yml": "adapters:\n  selections: {store: tree}\nservices:\n  selections: {desk: bare}\n",
    "settings/tenants/acme.yml": "services:\n  selections: {desk: plain}\n",
    "settings/tenants/bolt.yml": "services:\n  selections: {desk: bare}\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two profiles and two tenants, compiled."""
    root = tmp_path_factory.mktemp("questions")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    done = run("compile", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def asked(project: Path, *arguments: str) -> str:
    """What the command answers; nothing is wrong, and no file is touched."""
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    done = run(*arguments, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    return done.stdout


def known(document: dict[str, Any]) -> Report:
    return parse_report(json.dumps(document).encode())


def test_why_not_tells_the_rule_the_places_and_the_edits(project: Path, snapshot: SnapshotAssertion) -> None:
    assert asked(project, "explain", "--why-not", "tree", "store") == snapshot
    facts = json.loads(asked(project, "explain", "--why-not", "tree", "store", "--json"))
    assert [each["lost_by"] for each in facts["candidates"]] == ["stack-level"]
    assert asked(project, "explain", "--why-not", "table", "store").startswith(
        "table (package:shop) serves adapter:store"
    )


def test_why_not_tells_what_it_would_be_made_with_and_no_secret(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    tree = "class Tree:\n    def __init__(self, *, depth: int, password: str = '') -> None: ..."
    files = {
        **FILES,
        "shop/parts.py": PARTS.replace("class Tree:\n    def __init__(self, *, depth: int) -> None: ...", tree),
        "settings/adapters.yml": "provider_settings:\n  tree: {depth: 3, password: hunter2}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run("compile", cwd=tmp_path).returncode == 0
    assert asked(tmp_path, "explain", "--why-not", "tree", "store") == snapshot
    for question in (("--why-not", "tree", "store"), ("store",), ("--tenant", "acme", "store"), ()):
        answered = asked(tmp_path, "explain", *question, "--json")
        assert "hunter2" not in answered
        assert '"depth"' in answered


def test_why_not_tells_what_is_filtered_out_and_what_no_edit_helps() -> None:
    helpless = candidate("far", source="plugin:acme", lost_by="priority", compared=[0, 1000], wins_if=[])
    asking = candidate("near", lost_by="priority", compared=[0, 1], wins_if=[[{"at": "settings/x.yml#/a/b"}]])
    of = known(report(adapter__x=binding("red", helpless, asking)))
    assert "no edit of this project's own files is enough" in paint(why_not(of, "adapter:x", "far", str), styled=False)
    assert "settings/x.yml#/a/b  is set, to a value of yours" in paint(
        why_not(of, "adapter:x", "near", str), styled=False
    )
    plain = paint(why_not(known(shop()), "adapter:cache", "plain", str), styled=False)
    assert "filtered out by capability: has kv, required: kv, ttl" in plain


def test_what_if_shows_what_would_change_in_every_profile(project: Path, snapshot: SnapshotAssertion) -> None:
    assert asked(project, "explain", "--what-if", "priority=bare:1", "service:desk") == snapshot
    changes = json.loads(asked(project, "explain", "--what-if", "provider=tree", "store", "--json"))
    first = changes["profiles"]["default"][0]
    assert (first["class"], first["old"], first["new"]) == ("winner", "table", "tree")
    assert changes["profiles"]["busy"] == []


def test_what_if_a_key_had_other_options(project: Path, snapshot: SnapshotAssertion) -> None:
    both = ("explain", "--what-if", "eager=true", "--what-if", "restart=on-failure", "store")
    assert asked(project, *both) == snapshot
    assert "restart: added on-failure" not in asked(project, *both[:3], "store")
    assert session([("explain", "--what-if", "restart=always", "store")], cwd=project, code=2) == snapshot


def test_options_of_keys_are_explained(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    files = {
        **FILES,
        "settings/services.yml": "restart: {desk: on-failure}\neager: {desk: true}\n",
        "settings/profiles/busy.yml": "services:\n  eager: {desk: false}\n",
        "settings/tenants/acme.yml": "services:\n  restart: {desk: never}\n",
        "settings/tenants/bolt.yml": "services:\n  restart: {desk: on-failure}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run("compile", cwd=tmp_path).returncode == 0
    assert asked(tmp_path, "explain", "service:desk") == snapshot
    facts = json.loads(asked(tmp_path, "explain", "service:desk", "--tenant", "acme", "--json"))["binding"]
    assert (facts["eager"], "restart" in facts, facts["options"]["restart"]["value"]) == (True, False, "never")


def test_what_if_of_a_tenant_or_a_profile_is_about_that_alone(project: Path) -> None:
    tenant = json.loads(
        asked(project, "explain", "--what-if", "provider=bare", "service:desk", "--tenant", "acme", "--json")
    )
    assert {each["tenant"] for each in tenant["profiles"]["default"] if each["class"] == "winner"} == {"acme"}
    profile = json.loads(
        asked(project, "explain", "--what-if", "provider=table", "store", "--profile", "busy", "--json")
    )
    assert list(profile["profiles"]) == ["busy"]
    assert [each["new"] for each in profile["profiles"]["busy"] if each["class"] == "winner"] == ["table"]


def test_what_would_not_compile_is_a_finding(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    root = tmp_path / "asking"
    for name, text in {**FILES, "settings/adapters.yml": ""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.replace("adapters:\n  selections: {store: tree}\n", ""))
    assert session([("explain", "--what-if", "provider=tree", "store")], cwd=root, code=1) == snapshot
    document = run("explain", "--what-if", "provider=tree", "store", "--json", cwd=root)
    assert document.returncode == 1
    assert {each["code"] for each in json.loads(document.stdout)["diagnostics"]} == {"ONE409"}


CANNOT_BE_ASKED = (
    ("--why-not", "tre", "store"),
    ("--what-if", "priority=much", "store"),
    ("--what-if", "stack_level=101", "store"),
    ("--what-if", "providr=tree", "store"),
    ("--what-if", "provider=none", "store"),
    ("--what-if", "provider=tree", "stor"),
    ("--what-if", "provider=tree", "store", "--profile", "bussy"),
    ("--what-if", "provider=tree", "store", "--tenant", "acm"),
    ("--what-if", "provider=tree", "store", "--from-report", "generated/explain.json"),
    ("--what-if", "provider=tree"),
    ("--uses", "--why-not", "tree", "store"),
)


def test_a_question_that_cannot_be_asked_says_why(project: Path, snapshot: SnapshotAssertion) -> None:
    assert session((("explain", *arguments) for arguments in CANNOT_BE_ASKED), cwd=project, code=2) == snapshot


def test_uses_tells_everything_that_breaks_in_each_profile_and_for_each_tenant(
    project: Path, snapshot: SnapshotAssertion
) -> None:
    assert asked(project, "explain", "--uses", "store") == snapshot
    document = json.loads(asked(project, "explain", "--uses", "store", "--json"))
    chain = {"service:desk": ["service:desk", "adapter:store"]}
    assert document["profiles"] == {"default": {"base": chain}, "busy": {"base": {}, "tenant:acme": chain}}


def test_uses_go_by_way_of_others_and_end_in_a_circle() -> None:
    circle = known(
        report(
            service__a=binding("x", needs={"b": "service:b"}),
            service__b=binding("y", needs={"c": "service:c", "a": "service:a"}),
            service__c=binding("z"),
        )
    )
    text = paint(uses.tell({"default": circle}, "service:c"), styled=False)
    assert "service:a  x  by way of service:b" in text
    assert "service:a is needed by 1 key\n" in paint(uses.tell({"default": circle}, "service:a"), styled=False)


def test_the_matrix_shows_where_winners_differ(project: Path, snapshot: SnapshotAssertion) -> None:
    assert asked(project, "matrix") == snapshot
    document = json.loads(asked(project, "matrix", "--json"))
    assert document["profiles"] == ["default", "busy"]
    assert document["keys"]["service:desk"]["tenants"]["bolt"] == {"default": "bare", "busy": "bare"}


def test_tenants_that_are_served_alike_share_a_row() -> None:
    own = {f"t{n}": binding("memory") for n in range(5)}
    of = {"default": known(report(adapter__cache=binding("redis", tenants=own), adapter__same=binding("x")))}
    rows = matrix.matrix(of)
    assert paint(matrix.tell(of, rows), styled=False).splitlines()[2] == "  t0, t1, t2 and 2 more  memory"
    assert [row.key for row in rows] == ["adapter:cache"]


def test_what_decides_nothing_is_unused(project: Path, snapshot: SnapshotAssertion) -> None:
    found = {
        (each["kind"], each["what"]): each["at"]
        for each in json.loads(asked(project, "list", "--unused", "--json"))["unused"]
    }
    assert found == {("stack order", "nobody"): "settings/app.yml#/stack_order/nobody"}
    assert asked(project, "list", "--unused") == snapshot


def test_losers_everywhere_and_what_is_set_for_them_are_unused(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    files = {name: text for name, text in FILES.items() if "profiles" not in name and "tenants" not in name}
    files["settings/app.yml"] = "name: shop\npackages: [shop]\n"
    files["settings/adapters.yml"] += "requires: {store: []}\nselections: {cache: memory}\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert asked(tmp_path, "list", "--unused") == snapshot


def test_profiles_that_differ_are_told_of_where_their_reports_lie_beside(
    project: Path, snapshot: SnapshotAssertion
) -> None:
    assert asked(project, "explain", "store") == snapshot
    assert "profiles that differ" not in asked(project, "explain", "store", "--from-report", "generated/explain.json")
    document = json.loads(asked(project, "explain", "store", "--json"))
    assert document["profiles"]["busy"]["provider"] == "tree"


def test_fragile_decisions_are_marked_with_a_legend(project: Path, snapshot: SnapshotAssertion) -> None:
    assert asked(project, "explain", "--domain", "service") == snapshot
    remote = binding("far")
    remote["candidates"][0]["source"] = "manifest:acme"
    above = binding("near", candidate("other", lost_by="registration-order"), decided_by="registration-order")
    of = known(report(adapter__x=remote, service__y={**above, "needs": {"x": "adapter:x"}}))
    assert fragile(of, of.bindings) == {"adapter:x": "sr", "service:y": "or"}
