"""What `--check` says: fresh, stale and edited by hand are told apart, file by file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.stages.report import render_report
from small_project import FILES, OUTPUTS, compiled, make, outputs_of, set_fee, state, told

pytestmark = pytest.mark.usefixtures("no_builtins")

STALE, EDITED = "ONE502", "ONE503"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return compiled(make(tmp_path))


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that a test may spoil again and again."""
    return compiled(make(tmp_path_factory.mktemp("spoiled")))


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and index or name in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield value, name
        yield from nodes(item)


def test_what_was_just_compiled_is_fresh(root: Path) -> None:
    assert told(root) == {}


def test_nothing_compiled_yet_is_stale_everywhere(tmp_path: Path) -> None:
    wanted = [*OUTPUTS, "generated/choose.py", "generated/tenants.jsonl", "generated/busy/tenants.jsonl"]
    found = told(make(tmp_path))
    assert set(found.values()) == {STALE}
    assert set(OUTPUTS) <= set(found) <= set(wanted)


def test_changed_settings_make_the_files_that_depend_on_them_stale(root: Path) -> None:
    set_fee(root, 2)
    stale = ("generated/busy/explain.json", "generated/explain.json", "generated/wiring.py")
    assert told(root) == dict.fromkeys(
        stale, STALE
    )  # in `busy` another one wins: its report has what a swap would bring in
    compiled(root)
    assert told(root) == {}


def test_a_changed_source_makes_them_stale(root: Path) -> None:
    source = root / "shop/parts.py"
    source.write_text(source.read_text().replace('provider="cash"', 'provider="cash", stack_level=3'))
    assert told(root)["generated/explain.json"] == STALE


def test_a_comment_in_the_settings_changes_nothing(root: Path) -> None:
    services = root / "settings/services.yml"
    services.write_text("# about payments\n\n" + services.read_text())
    assert told(root) == {}


def test_an_edited_wiring_is_told_as_edited_and_alone(root: Path) -> None:
    wiring = root / "generated/wiring.py"
    wiring.write_text(wiring.read_text() + "# harmless\n")
    assert told(root) == {"generated/wiring.py": EDITED}


def test_an_edited_report_is_told_as_edited(root: Path) -> None:
    report = root / "generated/explain.json"
    report.write_text(report.read_text().replace('"provider": "card"', '"provider": "gold"'))
    assert told(root) == {"generated/explain.json": EDITED}


def test_a_report_that_is_only_formatted_anew_is_told_as_edited(root: Path) -> None:
    report = root / "generated/explain.json"
    report.write_text(json.dumps(json.loads(report.read_text())))
    assert told(root) == {"generated/explain.json": EDITED}


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "oneiric.explain/2"}', b"[" * 5000]
)
def test_a_report_of_junk_is_told_as_edited(root: Path, junk: bytes) -> None:
    (root / "generated/explain.json").write_bytes(junk)
    assert told(root) == {"generated/explain.json": EDITED}


@settings(max_examples=40)
@given(data=st.data())
def test_whatever_an_edit_made_of_the_report_it_is_told(data: st.DataObject, spoiled: Path) -> None:
    path = spoiled / "generated/explain.json"
    fresh = outputs_of(spoiled).profiles["default"][1]["explain.json"]
    report = json.loads(fresh)
    node, name = data.draw(st.sampled_from(list(nodes(report))))
    if data.draw(st.booleans()):
        node[name] = data.draw(st.sampled_from((None, 0, "x", [], {}, [1], {"a": {}}, True, "${", "a:b")))
    else:
        del node[name]
    path.write_text(render_report(report))
    found = told(spoiled).get("generated/explain.json")
    assert found in ((None,) if path.read_bytes() == fresh else (EDITED, STALE))


def test_edited_tenants_are_told_as_edited(root: Path) -> None:
    tenants = root / "generated/tenants.jsonl"
    tenants.write_text(tenants.read_text().replace('"value": 7', '"value": 8'))
    assert told(root) == {"generated/tenants.jsonl": EDITED}


def test_tenants_that_nothing_compiled_are_told_as_edited(root: Path) -> None:
    (root / "settings/tenants/acme.yml").unlink()
    compiled(root)
    assert not (root / "generated/tenants.jsonl").exists()
    (root / "generated/tenants.jsonl").write_text("{}\n")
    assert told(root) == {"generated/tenants.jsonl": EDITED}


@pytest.mark.parametrize("name", [*OUTPUTS, "generated/tenants.jsonl"])
def test_a_missing_file_is_told_and_compiled_again(root: Path, name: str) -> None:
    before = state(root)
    (root / name).unlink()
    assert set(told(root)) == {name}
    assert state(compiled(root)) == before


def test_an_edit_and_a_change_of_the_settings_are_both_seen_as_an_edit(root: Path) -> None:
    set_fee(root, 2)
    wiring = root / "generated/wiring.py"
    wiring.write_text(wiring.read_text() + "# by hand\n")
    assert told(root)["generated/wiring.py"] == EDITED


def test_a_new_profile_is_missing_until_compiled(root: Path) -> None:
    (root / "settings/app.yml").write_text(FILES["settings/app.yml"].replace("[busy]", "[busy, calm]"))
    (root / "settings/profiles/calm.yml").write_text("")
    assert told(root)["generated/calm/wiring.py"] == STALE
    compiled(root)
    assert told(root) == {}


def test_a_profile_that_is_no_more_is_told_until_its_folder_is_deleted(root: Path) -> None:
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    (root / "settings/profiles/busy.yml").unlink()
    compiled(root)
    assert told(root) == {"generated/busy/wiring.py": STALE, "generated/choose.py": STALE}
    for path in (*(root / "generated/busy").rglob("*.*"), root / "generated/choose.py"):
        path.unlink()
    assert told(root) == {}


def test_one_profile_is_checked_alone(root: Path) -> None:
    (root / "generated/wiring.py").unlink()
    assert told(root, profile="busy") == {}
    assert told(root, profile="default") == {"generated/wiring.py": STALE}


def test_a_compile_that_changes_nothing_touches_nothing(root: Path) -> None:
    for name in OUTPUTS:
        os.utime(root / name, (1_000_000_000, 1_000_000_000))
    compiled(root)
    assert {(root / name).stat().st_mtime for name in OUTPUTS} == {1_000_000_000.0}


def test_check_writes_nothing(root: Path) -> None:
    set_fee(root, 2)
    before = state(root)
    told(root)
    assert state(root) == before


def test_the_stack_order_of_the_environment_is_recorded_and_used_by_check(tmp_path: Path) -> None:
    root = make(tmp_path)
    (root / "settings/services.yml").unlink()
    compiled(root, ONEIRIC_STACK_ORDER="shop:70,vendor:5")
    report = json.loads((root / "generated/explain.json").read_text())
    assert report["inputs"]["environment"] == {"ONEIRIC_STACK_ORDER": "shop:70,vendor:5"}
    candidates = report["bindings"]["service:payments"]["candidates"]
    assert {(each["priority"], each["priority_from"]) for each in candidates} == {(70, "stack-order")}
    assert told(root) == {}
    assert told(root, ONEIRIC_STACK_ORDER="shop:1") == {}


def test_a_stack_order_that_was_not_recorded_does_not_count(root: Path) -> None:
    assert told(root, ONEIRIC_STACK_ORDER="shop:70") == {}


def test_the_bytes_of_a_compile_are_those_on_disk(root: Path) -> None:
    for folder, files in outputs_of(root).profiles.values():
        for name, data in files.items():
            assert (root / folder / name).read_bytes() == data
