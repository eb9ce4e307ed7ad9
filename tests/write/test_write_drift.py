"""A swap is compiled from what was reviewed: whatever else was edited since is told, by what it means."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.questions import swapped as module
from oneiric_compiler.questions.swapped import Swapped, compiled

from tests.write.small_project import compiled as compile_all
from tests.write.small_project import make, outputs_of, project, set_fee


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose baseline lies in `baseline`, as a state folder has it, with an operator's swap."""
    root = compile_all(make(tmp_path / "project"))
    shutil.copytree(root / "generated", root / "baseline")
    (root / "swaps.json").write_text(json.dumps({"overrides": {"service:payments": "cash"}, "tenants": {}}))
    return root


def swapped(root: Path, *, profile: str = "default", baseline: str = "baseline", **environ: str) -> Swapped:
    diagnostics = Diagnostics()
    asked = replace(project(root, **environ), overrides=root / "swaps.json")
    found = compiled(asked, profile, root / baseline, root / baseline, diagnostics)
    assert found is not None, [each.message for each in diagnostics]
    return found


def told(found: Swapped) -> list[tuple[str, str, object, object]]:
    return [(each.kind, each.what, each.old, each.new) for each in found.drift]


def append(file: str, text: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        path = root / file
        path.write_text(path.read_text() + text if path.exists() else text)

    return edit


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return edit


def gone(file: str) -> Callable[[Path], None]:
    return lambda root: (root / file).unlink()


def test_what_is_compiled_is_what_compile_would_write_with_and_without_the_swaps(root: Path) -> None:
    found = swapped(root)
    assert (found.drifted, found.drift) == ((), [])
    assert found.plain == {n: data for n, data in outputs_of(root).profiles["default"][1].items() if n != "choose.py"}
    assert b'provider="cash"' in found.swapped["wiring.py"]
    winner, *_ = found.changes
    assert (winner.kind, winner.key, winner.old, winner.new) == ("winner", "service:payments", "card", "cash")
    busy = swapped(root, profile="busy", baseline="baseline/busy")
    assert (busy.drifted, busy.plain) == ((), outputs_of(root).profiles["busy"][1])


EXTRA = """from oneiric import component

@component({0}, provider="extra"{1})
class Extra:
    pass
"""


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda root: set_fee(root, 99), ("setting", "fee", 1, 99)),
        (replaced("settings/tenants/acme.yml", "7", "70"), ("setting", "fee", 7, 70)),
        (gone("settings/tenants/acme.yml"), ("setting", "fee", 7, 1)),
        (append("settings/tenants/evil.yml", "services: {selections: {payments: cash}}\n"), None),
        (append("settings/adapters.yml", "selections: {cache: redis}\n"), ("winner", "", "memory", "redis")),
        (replaced("shop/parts.py", '"card")', '"card", eager=True)'), ("setting", "eager", None, True)),
        (replaced("shop/parts.py", '"cash")', '"cash", capabilities=("x",))'), None),
        (replaced("shop/parts.py", '"cash")', '"cash", stack_level=3)'), None),
        (append("shop/more.py", EXTRA.format('"task", "miner"', ", eager=True")), ("winner", "", None, "extra")),
        (append("shop/more.py", EXTRA.format('"service", "payments"', "")), None),
        (append("settings/app.yml", "stack_order: {shop: 7}\n"), None),
    ],
)
def test_every_edit_since_is_drift(
    root: Path, edit: Callable[[Path], None], expected: tuple[str, str, object, object] | None
) -> None:
    edit(root)
    found = swapped(root)
    assert found.drifted
    assert found.drift
    if expected is not None:
        assert expected in told(found)
    compile_all(root)
    assert not swapped(root, baseline="generated").drifted, "compiled, reviewed and deployed"


def test_the_environment_is_the_one_that_was_recorded(root: Path) -> None:
    assert not swapped(root, ONEIRIC_STACK_ORDER="shop:7").drifted
    compile_all(root, ONEIRIC_STACK_ORDER="shop:7")
    shutil.copytree(root / "generated", root / "other")
    assert not swapped(root, baseline="other").drifted
    assert swapped(root, ONEIRIC_STACK_ORDER="shop:7").drifted == ()
    assert swapped(root, baseline="other", ONEIRIC_STACK_ORDER="shop:9").plain["wiring.py"] == (
        (root / "other/wiring.py").read_bytes()
    )


def test_other_settings_folders_drift(root: Path) -> None:
    shutil.copytree(root / "settings", root / "elsewhere")
    assert not swapped(root, ONEIRIC_CONFIG="elsewhere").drifted
    (root / "elsewhere/services.yml").write_text("selections: {payments: card}\n")
    assert swapped(root, ONEIRIC_CONFIG="elsewhere").drifted


def test_the_profile_alone_counts_that_runs(root: Path) -> None:
    (root / "settings/profiles/busy.yml").write_text("services:\n  selections: {payments: card}\n")
    assert not swapped(root).drifted
    assert swapped(root, profile="busy", baseline="baseline/busy").drifted


@pytest.mark.parametrize("name", ["explain.json", "tenants.jsonl", "wiring.py"])
@pytest.mark.parametrize("how", ["edited", "gone", "half"])
def test_a_baseline_that_nobody_compiled_drifts(root: Path, name: str, how: str) -> None:
    path = root / "baseline" / name
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(data + b"\n" if how == "edited" else data[: len(data) // 2])
    assert name in swapped(root).drifted


def test_a_report_whose_bindings_are_of_another_shape_drifts(root: Path) -> None:
    path = root / "baseline/explain.json"
    document = json.loads(path.read_bytes())
    document["bindings"]["service:payments"] = [1]
    path.write_text(json.dumps(document))
    assert swapped(root).drifted == ("explain.json",)


def test_settings_with_errors_are_no_drift(root: Path) -> None:
    (root / "shop/parts.py").unlink()
    diagnostics = Diagnostics()
    asked = replace(project(root), overrides=root / "swaps.json")
    assert compiled(asked, "default", root / "baseline", root / "baseline", diagnostics) is None
    assert diagnostics.failed


def test_an_edit_while_both_are_compiled_reaches_neither_or_both(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are read once: what is compared with the baseline is what the swap is compiled from."""
    outputs, times = module.outputs, []

    def then_edited(*arguments: Any) -> Any:
        times.append(1)
        found = outputs(*arguments)
        set_fee(root, 99)
        (root / "settings/tenants/acme.yml").unlink(missing_ok=True)
        (root / "shop/parts.py").write_text("")
        return found

    before = swapped(root)
    monkeypatch.setattr(module, "outputs", then_edited)
    found = swapped(root)
    assert len(times) == 2
    assert (found.plain, found.swapped, found.drifted) == (before.plain, before.swapped, ())
