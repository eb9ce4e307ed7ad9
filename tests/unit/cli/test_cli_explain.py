"""A report told to a person and handed on to a machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from oneiric.report import Report, parse_report
from oneiric_compiler.questions import matrix, uses
from oneiric_compiler.questions.explain.documents import key_document, listing_document, report_document
from oneiric_compiler.questions.explain.key import tell, why_not
from oneiric_compiler.questions.explain.keys import listing, summary
from oneiric_compiler.questions.places import Locator
from oneiric_compiler.text.paint import Line, paint

from tests.unit.cli.reports import binding, report, shop


def known() -> Report:
    return parse_report(json.dumps(shop()).encode())


def told(key: str, *, tenant: str | None = None) -> str:
    report = known() if tenant is None else known().for_tenant(tenant)
    return paint(tell(report, key, str, tenant=tenant), styled=False)


def test_a_key_is_told_with_winner_losers_settings_needs_and_tenants() -> None:
    assert (
        told("adapter:cache")
        == """\
adapter:cache is served by redis
    because     settings/adapters.yml selects redis
    rule        selection: a selection outranks priority, stack level and order
    decided at  settings/adapters.yml#/selections/cache
    factory     shop.parts:Redis
    port        oneiric.adapters.cache:Cache
    declared    shop/parts.py#Redis (package:shop; priority 0, stack level 0)

  lost
    memory  by selection: redis is chosen, not memory
            shop/parts.py#Memory (package:shop; priority 0, stack level -10)

  filtered out
    plain  by capability: has kv, required: kv, ttl
           shop/parts.py#Plain (package:shop; priority 0, stack level 0)
    newer  by python-version: runs on Python >=3.13, the target is 3.12
           shop/parts.py#Newer (package:shop; priority 0, stack level 0)

  settings
    url       "redis://user:****@h/0"            settings/adapters.yml#/provider_settings/redis/url
    password  ${ONEIRIC_SECRET_PW}               settings/adapters.yml#/x
    token     "****"                             settings/adapters.yml#/x
    options   {"password": ["****"], "size": 3}  settings/adapters.yml#/x
    hidden    ****                               settings/adapters.yml#/x

  needs
    adapter:secrets (env) for the secret PW

  needed by
    service:orders (local) for cache
    service:stock (shelf) for cache
      service:orders (local) for stock

  tenants that differ
    acme  memory by tenant-selection  settings/tenants/acme.yml#/adapters/selections/cache
"""
    )


def test_each_rule_is_told_with_the_values_compared() -> None:
    text = told("adapter:secrets") + told("service:orders")
    assert "file   by stack-level: -15 is less than -10" in text
    assert "vault  by priority: 5 is less than 10" in text
    assert "other  by registration-order: declared as number 0, before number 1" in text


def test_a_need_reached_twice_is_expanded_once() -> None:
    assert (
        told("service:orders")
        .partition("  needs\n")[2]
        .startswith(
            "    adapter:cache (redis) for cache\n"
            "      adapter:secrets (env) for the secret PW\n"
            "    service:stock (shelf) for stock\n"
            "      adapter:cache (redis) for cache …\n"
        )
    )


def test_a_circle_in_a_report_ends() -> None:
    circle = report(
        service__a=binding("x", needs={"b": "service:b"}), service__b=binding("y", needs={"a": "service:a"})
    )
    text = paint(tell(parse_report(json.dumps(circle).encode()), "service:a", str), styled=False)
    assert "service:b (y) for b\n      service:a (x) for a …" in text


def test_a_tenant_is_told_what_it_gets() -> None:
    assert told("adapter:cache", tenant="acme").startswith("adapter:cache is served by memory for tenant acme\n")
    orders = told("service:orders", tenant="acme")
    assert "own instance  since it needs adapter:cache" in orders
    assert "adapter:cache (memory) for cache" in orders
    assert "instance    the base's, shared" in told("service:stock", tenant="acme")


def test_one_line_a_key() -> None:
    assert (
        paint(summary(known(), known().bindings), styled=False)
        == """\
adapter
     cache    redis  settings/adapters.yml selects redis (tenants that differ: 1)
     secrets  env    priority 10 beats 5 of vault

service
  s  orders   local  the only candidate (tenants that differ: 1)
  s  stock    shelf  the only candidate

  s  sole candidate
"""
    )
    theirs = known().for_tenant("acme")
    tenant = paint(summary(theirs, theirs.bindings), styled=False)
    assert "secrets  env     priority 10 beats 5 of vault (shared)" in tenant


def test_the_list_shows_what_stands_in_a_winners_shadow() -> None:
    assert paint(listing(known().bindings), styled=False).splitlines()[1] == (
        "  cache    redis  selection          before memory (selection), plain (filtered out by capability), "
        "newer (filtered out by python-version)"
    )


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
    """The value with a control sequence at the end of each text that is no rule, and of each name that is no fact's."""
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
