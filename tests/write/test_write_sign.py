"""`compile --sign`: signatures beside the wirings, by several people in turn, and none of what a wiring was before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Trust, TrustError
from oneiric.loading import digest_of
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.manifests.keys import show_key
from oneiric_compiler.stages.write import write

from tests.unit.cli.running import run as command
from tests.unit.runtime.signing import ONE, TWO, public
from tests.write.small_project import compiled, make, outputs_of, set_fee, state, told

SEED, OTHER = bytes([1]) * 32, bytes([2]) * 32
SIGNATURES = ("generated/wiring.sig", "generated/busy/wiring.sig")


def signed_by(root: Path, seed: bytes) -> None:
    assert write(outputs_of(root), Diagnostics(), seed)


def keys(root: Path, place: str = SIGNATURES[0]) -> list[str]:
    return [each["key"] for each in json.loads((root / place).read_text())["signatures"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return compiled(make(tmp_path))


def test_every_profile_is_signed_and_the_runtime_takes_it(root: Path) -> None:
    signed_by(root, SEED)
    for profile, place in zip(("default", "busy"), SIGNATURES, strict=True):
        loaded = oneiric.load((root / place).with_name("wiring.py"), trust=Trust([public(ONE)]))
        document: dict[str, Any] = json.loads((root / place).read_text())
        assert list(document) == ["format", "app", "profile", "generation", "signatures"]
        assert (document["app"], document["profile"]) == ("shop", profile)
        assert document["generation"] == digest_of(loaded)
    (root / SIGNATURES[1]).write_bytes((root / SIGNATURES[0]).read_bytes())
    with pytest.raises(TrustError):
        oneiric.load(root / "generated/busy/wiring.py", trust=Trust([public(ONE)]))


def test_signing_again_adds_a_signature_and_changes_nothing_else(root: Path) -> None:
    signed_by(root, OTHER)
    signed_by(root, SEED)
    both = state(root)
    assert keys(root) == sorted([public(ONE), public(TWO)])
    oneiric.load(root / "generated/wiring.py", trust=Trust([public(ONE), public(TWO)], 2))
    signed_by(root, OTHER)
    assert state(root) == both


def test_a_compile_without_a_key_leaves_what_fits_and_removes_what_does_not(root: Path) -> None:
    signed_by(root, SEED)
    before = state(root)
    compiled(root)
    assert state(root) == before
    set_fee(root, 3)
    compiled(root)
    assert not (root / SIGNATURES[0]).exists()
    assert keys(root, SIGNATURES[1]) == [public(ONE)], "the profile's wiring is what it was"


def test_signing_a_changed_wiring_drops_the_signatures_of_others(root: Path) -> None:
    signed_by(root, OTHER)
    set_fee(root, 3)
    signed_by(root, SEED)
    assert keys(root) == [public(ONE)]


@pytest.mark.parametrize("how", ["other-key", "damaged", "of-a-profile", "not-json"])
def test_check_reports_a_signature_that_does_not_hold(root: Path, how: str) -> None:
    signed_by(root, SEED)
    assert told(root) == {}
    path = root / SIGNATURES[0]
    text = path.read_text()
    if how == "other-key":
        path.write_text(text.replace(public(ONE), public(TWO)))
    elif how == "damaged":
        path.write_text(text.replace(json.loads(text)["signatures"][0]["signature"], show_key(bytes(64))))
    elif how == "of-a-profile":
        path.write_bytes((root / SIGNATURES[1]).read_bytes())
    else:
        path.write_text("{")
    assert told(root) == {SIGNATURES[0]: "ONE502"}
    compiled(root)
    assert told(root) == {}


def test_the_command_signs_and_shows_nothing_of_the_key(root: Path) -> None:
    key = root / "release.key"
    key.write_text(show_key(SEED) + "\n")
    key.chmod(0o600)
    done = command("compile", "--sign", "release.key", cwd=root)
    assert done.returncode == 0, done.stderr
    assert keys(root) == [public(ONE)]
    assert show_key(SEED) not in done.stdout + done.stderr
    assert command("compile", "--check", cwd=root).returncode == 0
    set_fee(root, 4)
    key.write_text(show_key(SEED)[:-8])
    for arguments in (("--sign", "release.key"), ("--sign", "none.key"), ("--sign", "release.key", "--check")):
        done = command("compile", *arguments, cwd=root)
        assert done.returncode == 2
        assert done.stderr.startswith("error:"), done.stderr
        assert show_key(SEED)[:20] not in done.stderr
    assert keys(root) == [public(ONE)], "nothing was written"
