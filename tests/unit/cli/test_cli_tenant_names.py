"""What a tenant may be called, and what is answered to others: files that cannot be in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from oneiric_compiler.stages.read import tenant_fault

from tests.unit.cli.running import run

GOOD = ("acme", "acme-corp", "42", "a b", "a.b", "été", "日本", "x" * 128, "é" * 100, "default", "wiring")
BAD = {
    "a:b": "one of `/`",
    "a#b": "one of `/`",
    "a\\b": "one of `/`",
    " lead": "not printable",
    "trail ": "not printable",
    "control\x01": "not printable",
    "e\u0301te\u0301": "NFC",
    "x" * 129: "1 to 128 characters",
    "é" * 101: "200 bytes",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_good(name: str, tmp_path: Path) -> None:
    assert tenant_fault(name) is None


@pytest.mark.parametrize("name", ["", "_a", ".a", "a/b", *BAD])
def test_a_name_is_bad(name: str) -> None:
    assert tenant_fault(name)


def test_every_bad_name_is_told_of_at_once(tmp_path: Path) -> None:
    tenants = tmp_path / "settings/tenants"
    tenants.mkdir(parents=True)
    (tmp_path / "settings/app.yml").write_text("name: demo\n")
    for name in BAD:
        (tenants / f"{name}.yml").write_text("adapters: {}\n")
    done = run("compile", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("error[ONE114]: a tenant cannot be called") == len(BAD)
    assert all(why in done.stderr for why in BAD.values())
