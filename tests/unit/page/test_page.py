"""`report --html`: one file that a browser shows under its own policy, whatever texts the reports hold."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from oneiric.report import parse_report
from oneiric_compiler.questions.diff.compare import compare
from oneiric_compiler.questions.page.document import document
from oneiric_compiler.questions.page.html import page

from tests.unit.cli.reports import binding, candidate, report, shop
from tests.unit.cli.running import COMPILER_EXTRA, fits, run
from tests.unit.page.browser import Tab, axe, tab

HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'`&lt;\u2028"""
MANY = 10_000
CHECKOUT = Path(__file__).parents[3]


def shown(*raws: Any, changed: Any = None) -> dict[str, Any]:
    """The document of reports, with what changed from the first to another."""
    reports = {each.profile: each for raw in raws for each in [parse_report(json.dumps(raw).encode())]}
    first = next(iter(reports.values()))
    then = None if changed is None else parse_report(json.dumps(changed).encode())
    changes = None if then is None else {first.profile: compare(first, then)}
    found: dict[str, Any] = document(reports, changes)
    fits(found)
    return found


def hostile() -> dict[str, Any]:
    key = f"service:{HOSTILE}"
    settings = {HOSTILE: {"value": HOSTILE, "from": HOSTILE}}
    served = binding(HOSTILE, because=HOSTILE, settings=settings, needs={HOSTILE: key})
    flow: Any = {
        "from": HOSTILE,
        "levels": [[HOSTILE]],
        "nodes": {HOSTILE: {"call": HOSTILE, "after": [], "from": HOSTILE}},
    }
    return {**report(), "app": HOSTILE, "bindings": {key: served}, "workflows": {HOSTILE: flow}}


def many() -> dict[str, Any]:
    loser = candidate("other", lost_by="stack-level", compared=[-15, -10])
    names = [f"service:component-{number}" for number in range(MANY)]
    needs = [{"next": each} if number % 10 else {} for number, each in enumerate(names[1:], 1)]
    bindings = {name: binding("one", loser, needs=each) for name, each in zip(names, [*needs, {}], strict=True)}
    return {**report(), "bindings": bindings}


def test_the_page_is_a_function_of_the_reports() -> None:
    assert page(shown(shop())) == page(shown(shop()))


def test_it_loads_nothing_and_allows_its_own_style_and_script_alone() -> None:
    text = page(shown(shop()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r"\s(style|on\w+|href|src)=", text.partition('id="data"')[0])


def test_no_text_of_a_report_can_end_the_element_it_is_in() -> None:
    text = page(shown(hostile()))
    assert "<img" not in text
    assert text.count("</script>") == 2


def test_what_looks_secret_is_masked() -> None:
    assert "hunter2" in json.dumps(shop())
    assert "hunter2" not in page(shown(shop(), changed=report()))


def test_the_command_writes_a_page_or_a_document_on_the_base_install() -> None:
    done = run("report", "--html", cwd=CHECKOUT, blocked=COMPILER_EXTRA)
    assert (done.returncode, done.stderr, done.stdout[:15]) == (0, "", "<!DOCTYPE html>")
    assert json.loads(run("report", "--json", cwd=CHECKOUT).stdout)["diff"] is None
    both = run("report", "--html", "--json", cwd=CHECKOUT)
    assert (both.returncode, "--html or --json" in both.stdout) == (2, True)
    assert run("report", cwd=CHECKOUT).returncode == 2


def in_browser(tmp_path: Path, found: dict[str, Any], seen: Callable[[Tab], Awaitable[None]]) -> None:
    """What is seen of the page in a browser, whose console has to stay empty."""
    (tmp_path / "page.html").write_text(page(found), "utf-8")

    async def look() -> None:
        async with tab(tmp_path / "browser") as browser:
            await browser.open(tmp_path / "page.html")
            await seen(browser)
            assert browser.told == []

    asyncio.run(look())


def test_texts_are_shown_as_they_are_and_run_nothing(tmp_path: Path) -> None:
    async def seen(browser: Tab) -> None:
        for text in ("detail h2", "detail dd", "title"):
            parent, _, inside = text.partition(" ")
            found = await browser.evaluate(f"document.querySelector('#{parent} {inside or ''}'.trim()).textContent")
            assert HOSTILE in found
        assert await browser.evaluate("document.querySelectorAll('img, main script').length") == 0

    in_browser(tmp_path, shown(hostile(), changed=report()), seen)


def test_views_are_perceivable_and_operable_in_both_colours(tmp_path: Path) -> None:
    checks = axe()
    other: dict[str, Any] = {**shop(), "profile": "other", "bindings": {}}

    async def seen(browser: Tab) -> None:
        await browser.evaluate(checks + ";0")
        for scheme in ("light", "dark"):
            await browser.colours(scheme)
            for view in ("keys", "matrix", "workflows", "changes"):
                await browser.evaluate(f"document.querySelector('[data-view={view}]').click()")
                found = await browser.evaluate("axe.run().then(({violations}) => JSON.stringify(violations))")
                assert json.loads(found) == [], (scheme, view)

    in_browser(tmp_path, shown(shop(), other, changed=other), seen)


def test_thousands_of_keys_are_searched_by_keyboard_and_printed_in_part(tmp_path: Path) -> None:
    async def seen(browser: Tab) -> None:
        assert await browser.evaluate("document.getElementById('count').textContent") == f"{MANY} of {MANY} keys"
        assert await browser.evaluate("document.querySelectorAll('.row').length") < 100
        await browser.press("/")
        for letter in "t-1234":
            await browser.press(letter)
        assert await browser.evaluate("document.getElementById('count').textContent") == f"1 of {MANY} keys"
        await browser.press("Escape")
        await browser.press("ArrowDown")
        chosen = await browser.evaluate("document.querySelector('[aria-selected=true]').textContent")
        assert chosen.startswith(await browser.evaluate("document.querySelector('#detail h2').textContent"))
        await browser.press("End")
        last = await browser.evaluate("document.querySelector('[aria-selected=true]').getAttribute('aria-posinset')")
        assert last == str(MANY)
        await browser.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert await browser.evaluate("document.querySelectorAll('#print tbody tr').length") == 1000
        assert await browser.evaluate("document.querySelector('#print .left-out').textContent") == (
            f"{MANY - 1000} more are left out."
        )

    in_browser(tmp_path, shown(many()), seen)
