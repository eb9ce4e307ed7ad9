"""What is made from something else is in step with it, and is mended by making it."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import oneiric.testing.contracts
import pytest
from oneiric_compiler.pages.__main__ import made, main, stale

CHECKOUT = Path(__file__).resolve().parents[2]


def test_nothing_that_is_made_is_stale() -> None:
    assert [path.relative_to(CHECKOUT).as_posix() for path in stale(CHECKOUT)] == [], "run `just generate`"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the maker reads and writes, and nothing else."""
    for path in made(CHECKOUT):
        copy = tmp_path / path.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    contracts = "runtime/oneiric/testing/contracts"
    shutil.copytree(CHECKOUT / contracts, tmp_path / contracts, dirs_exist_ok=True)
    return tmp_path


def spoil(checkout: Path) -> set[str]:
    (checkout / "schemas/settings/cache/gone.schema.json").write_text("{}")
    (checkout / "schemas/settings/cache/redis.schema.json").unlink()
    for name, old, new in (
        ("docs/ports/cache.md", "| `enable_client_cache` |", "| `near` |"),
        ("docs/settings.md", "| `tls` |", "| `ssl` |"),
        ("docs/precedence.md", "| 3 | stack level", "| 3 | level"),
        ("docs/components.md", "| `eager` |", "| `lazy` |"),
        ("schemas/explain.schema.json", '"stack-level",', '"level",'),
        ("schemas/overlay.schema.json", '"minimum": -1000', '"minimum": -1001'),
        ("README.md", "[queue](", "[q]("),
        ("docs/diagnostics.md", "ONE110", "ONE1100"),
        ("pyproject.toml", "cache-redis,", ""),
        ("runtime/oneiric/testing/contracts/__init__.py", '    "CacheContract",\n', ""),
    ):
        text = (checkout / name).read_text("utf-8")
        assert old in text
        (checkout / name).write_text(text.replace(old, new), "utf-8")
    return {path.relative_to(checkout).as_posix() for path in stale(checkout)}


def test_a_check_names_what_is_stale_and_writes_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(checkout, check=True), capsys.readouterr().out) == (0, "")
    spoilt = spoil(checkout)
    assert len(spoilt) == 12
    assert main(checkout, check=True) == 1
    assert capsys.readouterr().out == "".join(f"stale: {name}\n" for name in sorted(spoilt))
    assert {path.relative_to(checkout).as_posix() for path in stale(checkout)} == spoilt


def test_making_mends_all_of_it(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoilt = spoil(checkout)
    assert main(checkout, check=False) == 0
    assert {line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()} == spoilt
    assert stale(checkout) == {}
    assert not (checkout / "schemas/settings/cache/gone.schema.json").exists()
    for path in made(CHECKOUT):
        assert (checkout / path.relative_to(CHECKOUT)).read_bytes() == path.read_bytes()


def test_a_new_extra_and_a_new_contract_are_listed(checkout: Path) -> None:
    pyproject = checkout / "pyproject.toml"
    pyproject.write_text(re.sub(r"(?m)^dev = \[", 'a-new-one = ["a"]\n\\g<0>', pyproject.read_text("utf-8")), "utf-8")
    contracts = checkout / "runtime/oneiric/testing/contracts"
    (contracts / "lock.py").write_text("class LockContract:\n    pass\n\n\nclass Helper:\n    pass\n")
    assert main(checkout, check=False) == 0
    extras = tomllib.loads(pyproject.read_text("utf-8"))["project"]["optional-dependencies"]
    bundles = {name for name, brought in extras.items() if name != "dev" and str(brought).startswith("['oneiric[")}
    assert extras["cache"] == ["oneiric[cache-redis]"]
    assert set(re.findall(r"[a-z][a-z0-9_-]+", extras["dev"][0])) == {"oneiric", *extras} - bundles - {
        "dev",
        "embedding-sentence-transformers",
    }
    text = (contracts / "__init__.py").read_text("utf-8")
    assert "from oneiric.testing.contracts.lock import LockContract  # noqa: E402\n" in text
    assert "Helper" not in text


def test_every_contract_is_exported() -> None:
    exported = oneiric.testing.contracts.__all__
    assert all(hasattr(oneiric.testing.contracts, name) for name in exported)
    assert {"CacheContract", "NetworkedContract", "close", "started"} <= set(exported)
