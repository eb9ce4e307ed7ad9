"""A report told to a person and handed on to a machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oneiric.report import Report, parse_report
from oneiric_compiler.questions import matrix, uses
from oneiric_compiler.questions.explain.documents import key_document, listing_document, report_document
from oneiric_compiler.questions.explain.key import tell, why_not
from oneiric_compiler.questions.explain.keys import listing, summary
from oneiric_compiler.questions.places import Locator
from oneiric_compiler.text.paint import Line, paint
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.reports import binding, report, shop


def known() -> Report:
    return parse_report(json.dumps(shop()).encode())


def told(key: str, *, tenant: str | None = None) -> str:
    report = known() if tenant is None else known().for_tenant(tenant)
    return paint(tell(report, key, str, tenant=tenant), styled=False)


TOLD = {
    "selected": ("adapter:cache", None),
    "by priority and stack level": ("adapter:secrets", None),
    "by order with a need reached twice": ("service:orders", None),
    "selected by a tenant": ("adapter:cache", "acme"),
    "rebuilt for a tenant": ("service:orders", "acme"),
    "shared with a tenant": ("service:stock", "acme"),
}


@pytest.mark.parametrize(("key", "tenant"), TOLD.values(), ids=TOLD)
def test_a_key_is_told(key: str, tenant: str | None, snapshot: SnapshotAssertion) -> None:
    assert told(key, tenant=tenant) == snapshot


def test_what_no_type_was_read_for_is_marked() -> None:
    whole = {"value": 1, "from": "settings/services.yml#/provider_settings/x/a", "unchecked": True}
    settings = {"whole": whole, "read": {**whole, "value": [2], "unchecked_at": ["/0", "/b~1c"]}}
    settings["asked"] = {"ref": "${X}", "from": "settings/services.yml#/provider_settings/x/b", "unchecked": True}
    text = report(service__a={**binding("x"), "settings": settings})
    lines = paint(tell(parse_report(json.dumps(text).encode()), "service:a", str), styled=False)
    assert "1 (unchecked)" in lines
    assert "[2] (unchecked: /0, /b~1c)" in lines
    assert "${X} (unchecked)" in lines


def test_what_another_level_states_of_a_setting_is_told() -> None:
    setting = {"value": {"size": 1, "hosts": ["a"]}, "from": "settings/profiles/p.yml#/services/x/pool"}
    setting["from_at"] = {"/hosts": "settings/services.yml#/provider_settings/x/pool/hosts"}
    text = report(service__a={**binding("x"), "settings": {"pool": setting}})
    lines = paint(tell(parse_report(json.dumps(text).encode()), "service:a", str), styled=False)
    told = next(line for line in lines.splitlines() if "/hosts" in line and "profiles" not in line)
    assert told.endswith("settings/services.yml#/provider_settings/x/pool/hosts")


def test_a_circle_in_a_report_ends() -> None:
    circle = report(
        service__a=binding("x", needs={"b": "service:b"}), service__b=binding("y", needs={"a": "service:a"})
    )
    text = paint(tell(parse_report(json.dumps(circle).encode()), "service:a", str), styled=False)
    assert "service:b (y) for b\n      service:a (x) for a …" in text


@pytest.mark.parametrize("tenant", [None, "acme"], ids=["base", "acme"])
def test_one_line_a_key(tenant: str | None, snapshot: SnapshotAssertion) -> None:
    of = known() if tenant is None else known().for_tenant(tenant)
    assert paint(summary(of, of.bindings), styled=False) == snapshot


def test_the_list_shows_what_stands_in_a_winners_shadow(snapshot: SnapshotAssertion) -> None:
    assert paint(listing(known().bindings), styled=False) == snapshot


def test_documents_are_json_without_secrets() -> None:
    report = known()
    one = key_document(report, "adapter:cache")
    everything = report_document(report, report.bindings)
    rows = listing_document(report, report.bindings)
    assert "hunter2" not in json.dumps([one, everything, rows])
    assert one["needed_by"] == {"service:orders": ["cache"], "service:stock": ["cache"]}
    assert json.loads(json.dumps(one))["binding"]["settings"]["token"] == {
        "masked": True,
        "from": "settings/adapters.yml#/x",
    }
    assert everything["format"] == "oneiric.explain/1"


def test_nothing_of_a_report_reaches_a_terminal_raw() -> None:
    evil = binding("re\x1b[2Jdis", because="\u202eyes\n\x07", decided_at="\x9b")
    text = paint(tell(parse_report(json.dumps(report(adapter__x=evil)).encode()), "adapter:x", str), styled=False)
    assert all(char.isprintable() or char == "\n" for char in text)


def test_no_text_of_a_report_at_all_reaches_a_terminal_raw() -> None:
    """Every name and every value of it, in all that is told."""
    raw = hostile(shop())
    raw["format"] = "oneiric.explain/1"
    read = parse_report(json.dumps(raw).encode())
    tenants = {tenant for each in read.bindings.values() for tenant in each.tenants}
    told: list[Line] = []
    for seen, tenant in ((read, None), *((read.for_tenant(each), each) for each in tenants)):
        told += [*summary(seen, seen.bindings), *listing(seen.bindings)]
        reports = {"\x1b": seen, "other": replace(seen, bindings={})}
        told += matrix.tell(reports, matrix.matrix(reports))
        for key, each in seen.bindings.items():
            told += [*tell(seen, key, str, tenant=tenant, profiles={"\x1b": read}), *uses.tell({"\x1b": seen}, key)]
            for loser in each.candidates:
                told += why_not(seen, key, loser.provider, str)
    assert all(char.isprintable() or char == "\n" for char in paint(told, styled=False))


def hostile(value: Any) -> Any:
    """The value with a control sequence at the end of each text but rules, and of each name but those of facts."""
    if isinstance(value, str):
        return f"{value}\x1b[2J\u202e"
    if isinstance(value, list):
        return [hostile(each) for each in value]
    if not isinstance(value, dict):
        return value
    facts = {"bindings", "tenants", "settings", "needs"}
    return {
        name: {hostile(own): hostile(each) for own, each in inner.items()}
        if name in facts and isinstance(inner, dict)
        else hostile(inner)
        for name, inner in value.items()
    }


def test_places_are_found_in_the_files_as_they_are_today(tmp_path: Path) -> None:
    settings = tmp_path / "conf"
    settings.mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "src" / "lib").mkdir(parents=True)
    (tmp_path / "shop" / "parts.py").write_text("import os\n\n@deco\nclass Redis: ...\n")
    (tmp_path / "src" / "lib" / "made.py").write_text("async def make(): ...\n")
    (tmp_path / "shop" / "broken.py").write_text("class Redis(:\n")
    (settings / "adapters.yml").write_text(
        "selections:\n  a/b: redis\ncomponents:\n  - {key: cache, provider: x}\n  - {key: cache, provider: y}\n"
    )
    locate = Locator(tmp_path, settings)
    assert locate("settings/adapters.yml#/selections/a~1b") == "settings/adapters.yml:2:8"
    assert locate("settings/adapters.yml#/components/cache~1y") == "settings/adapters.yml:5:5"
    assert locate("shop/parts.py#Redis") == "shop/parts.py:4:1"
    assert locate("lib/made.py#make") == "lib/made.py:1:1"
    assert locate("oneiric/secret.py#Secret").startswith("oneiric/secret.py:")
    for unknown in (
        "settings/adapters.yml#/selections/gone", "settings/none.yml#/a", "shop/parts.py#Gone", "shop/broken.py#Redis",
        "gone.py#A", "ONEIRIC_STACK_ORDER", "settings/adapters.yml#/components/7", "shop#Redis", "",
    ):  # fmt: skip
        assert locate(unknown) == unknown
