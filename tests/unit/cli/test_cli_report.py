"""Reading a report: strict about the format, silent about fields of later releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oneiric.report import ReportError, parse_report, read_report
from oneiric_compiler.questions.explain.key import tell

from tests.unit.cli.reports import binding, candidate, report, shop

GOLDEN = Path(__file__).parent.parent.parent / "golden"


def read(document: Any) -> Any:
    return parse_report(json.dumps(document).encode())


def test_a_report_is_read_with_all_its_facts() -> None:
    cache = read(shop()).bindings["adapter:cache"]
    lost, excluded = cache.judged()
    assert (cache.provider, cache.decided_by) == ("redis", "selection")
    assert [(each.provider, each.lost_by, each.compared) for each in lost] == [
        ("memory", "selection", ("memory", "redis"))
    ]
    assert [each.excluded_by for each in excluded] == ["capability", "python-version"]
    assert cache.settings["password"].reference == "${ONEIRIC_SECRET_PW}"
    assert cache.settings["hidden"].masked


def test_needs_go_both_ways_and_secrets_need_the_secrets_component() -> None:
    known = read(shop())
    assert known.needs("adapter:cache") == {"adapter:secrets": ["the secret PW"]}
    assert known.users()["adapter:cache"] == {"service:orders": ["cache"], "service:stock": ["cache"]}
    assert "adapter:none" not in known.users()
    assert known.needs("adapter:none") == {}


def test_a_tenant_gets_its_own_bindings_and_shares_the_rest() -> None:
    known = read(shop()).for_tenant("acme")
    assert known.bindings["adapter:cache"].provider == "memory"
    assert known.bindings["service:orders"].rebuilt_for == ("adapter:cache",)
    assert known.bindings["service:stock"].shared
    assert not known.bindings["adapter:cache"].tenants


def test_a_tenants_binding_without_candidates_has_those_of_the_base() -> None:
    own = binding("redis")
    del own["candidates"]
    base = binding("redis", candidate("memory", lost_by="priority"), tenants={"acme": own})
    known = read(report(adapter__cache=base)).bindings["adapter:cache"]
    assert known.tenants["acme"].candidates == known.candidates


def test_unknown_fields_and_minor_formats_are_ignored() -> None:
    document = shop()
    document.update(format="oneiric.explain/1.7", later=[1])
    document["bindings"]["adapter:cache"]["candidates"][0]["later"] = {"a": 1}
    assert read(document).app == "shop"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000,
        b'{"format": 1}', b'{"format": "oneiric.explain/2"}', b'{"format": "oneiric.explain/10"}',
        b'{"format": "oneiric.explain"}', b'{"format": "other/1"}', b'{"format": "oneiric.explain/1"}',
    ],
)  # fmt: skip
def test_what_is_no_report_of_this_format_is_refused(text: bytes) -> None:
    with pytest.raises(ReportError):
        parse_report(text)


def test_a_report_that_git_could_not_merge_is_told_as_that() -> None:
    halves = b"<<<<<<< HEAD\n {},\n=======\n [],\n>>>>>>> one\n"
    with pytest.raises(ReportError, match="holds a merge conflict"):
        parse_report(b"{\n" + halves + b"}\n")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match=f"holds {text}, which is not a number"):
        parse_report(json.dumps(shop()).replace('"priority": 0', f'"priority": {text}').encode())


def test_of_a_name_that_is_there_twice_only_the_last_is_read_unless_strictly() -> None:
    data = json.dumps(shop()).replace('"app": "shop"', '"app": "one", "app": "other"').encode()
    assert parse_report(data).app == "other"
    with pytest.raises(ReportError, match="says 'app' twice"):
        parse_report(data, strict=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", None), ("provider", 3), ("decided_by", []), ("candidates", {}), ("candidates", [1]),
        ("settings", []), ("settings", {"a": 1}), ("settings", {"a": {"value": 1}}), ("needs", {"a": 1}),
        ("tenants", {"acme": 1}), ("tenants", {"acme": {}}), ("rebuilt_for", [1]), ("shared", "yes"),
        ("candidates", [{"provider": "x"}]), ("candidates", [candidate("x", priority="1")]),
        ("candidates", [candidate("x", priority=True)]), ("candidates", [candidate("x", wins_if=[{}])]),
        ("candidates", [candidate("x", wins_if=[[{"set": 1}]])]), ("candidates", [candidate("x", capabilities="ttl")]),
    ],
)  # fmt: skip
def test_a_field_of_another_shape_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ReportError, match=r"adapter:cache|tenants|settings|candidate"):
        _ = read(report(adapter__cache={**binding("redis"), field: value})).bindings["adapter:cache"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.json cannot be read: No such file"):
        read_report(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ReportError, match=r"bad\.json has no 'format'"):
        read_report(tmp_path / "bad.json")


def test_every_compiled_report_is_read_and_told() -> None:
    """Of every golden case, such as one with references within lists and mappings."""
    for path in sorted(GOLDEN.glob("*/want/**/explain.json")):
        report = read_report(path)
        for key in report.bindings:
            assert tell(report, key, str)
