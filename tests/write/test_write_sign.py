"""`compile --sign`: signatures beside the wirings, by several people in turn, and none of what a wiring was before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Trust, TrustError
from oneiric.loading import digest_of
from oneiric.trust.signature import MAX_SERIAL
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.manifests.keys import show_key
from oneiric_compiler.stages.sign import BadSerial, Signer
from oneiric_compiler.stages.write import write

from tests.unit.cli.running import run as command
from tests.unit.runtime.signing import ONE, TWO, public, sign
from tests.write.small_project import compiled, make, outputs_of, set_fee, state, told

SEED, OTHER = bytes([1]) * 32, bytes([2]) * 32
SIGNATURES = ("generated/wiring.sig", "generated/busy/wiring.sig")


def signed_by(root: Path, seed: bytes, serial: int | None = None) -> None:
    assert write(outputs_of(root), Diagnostics(), Signer(seed, serial))


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
        assert list(document) == ["format", "app", "profile", "generation", "serial", "signatures"]
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


def test_a_compile_without_a_key_leaves_what_fits_and_keeps_the_serial_of_what_does_not(root: Path) -> None:
    signed_by(root, SEED)
    before = state(root)
    compiled(root)
    assert state(root) == before
    set_fee(root, 3)
    compiled(root)
    document = json.loads((root / SIGNATURES[0]).read_text())
    assert (document["serial"], document["signatures"]) == (1, [])
    assert document["generation"] == digest_of(oneiric.load(root / "generated/wiring.py"))
    assert told(root) == {}
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


def serial(root: Path, place: str = SIGNATURES[0]) -> int:
    found: int = json.loads((root / place).read_text())["serial"]
    return found


def test_the_serial_rises_with_each_signed_change_and_else_stays(root: Path) -> None:
    signed_by(root, SEED)
    signed_by(root, OTHER)
    assert (serial(root), len(keys(root))) == (1, 2), "a second signer signs the same"
    for fee in (2, 3):
        set_fee(root, fee)
        compiled(root)
        compiled(root)
        assert (serial(root), keys(root)) == (1, [])
    signed_by(root, SEED)
    assert (serial(root), serial(root, SIGNATURES[1])) == (2, 1), "the profile's wiring did not change"
    set_fee(root, 4)
    signed_by(root, SEED)
    assert serial(root) == 3
    oneiric.load(root / "generated/wiring.py", trust=Trust([public(ONE)]))


def test_a_change_and_its_revert_without_a_key_is_signed_as_another(root: Path) -> None:
    signed_by(root, SEED)
    set_fee(root, 2)
    compiled(root)
    set_fee(root, 1)
    compiled(root)
    assert keys(root) == []
    signed_by(root, SEED)
    assert serial(root) == 2


def test_a_stated_serial_is_above_what_is_committed(root: Path) -> None:
    signed_by(root, SEED, 0)
    assert serial(root) == 0
    signed_by(root, OTHER)
    signed_by(root, SEED, 7)
    assert (serial(root), keys(root)) == (7, [public(ONE)]), "the other one signed serial 0"
    signed_by(root, OTHER, 7)
    assert len(keys(root)) == 2
    before = state(root)
    with pytest.raises(BadSerial, match=r"generated/wiring.sig has serial 7: 6 is too low, 7 is the least"):
        signed_by(root, SEED, 6)
    assert state(root) == before
    set_fee(root, 3)
    compiled(root)
    before = state(root)
    for low in (0, 7):
        with pytest.raises(BadSerial, match="8 is the least"):
            signed_by(root, SEED, low)
    assert state(root) == before
    signed_by(root, SEED, MAX_SERIAL)
    set_fee(root, 4)
    with pytest.raises(BadSerial, match="there is none after it"):
        signed_by(root, SEED)


def test_signatures_without_serial_stay_until_the_wiring_is_signed_again(root: Path) -> None:
    sign(root / "generated/wiring.py", ONE, TWO, app="shop", serial=None)
    compiled(root)
    assert told(root) == {}
    oneiric.load(root / "generated/wiring.py", trust=Trust([public(ONE), public(TWO)], 2))
    with pytest.raises(BadSerial):
        signed_by(root, SEED, 0)
    signed_by(root, SEED)
    assert (serial(root), keys(root)) == (1, [public(ONE)])


@pytest.mark.parametrize("resolved", ["not", "ours", "theirs"])
def test_two_branches_that_were_both_signed_go_on_from_the_higher_serial(root: Path, resolved: str) -> None:
    def git(*arguments: str, check: bool = True) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *identity, *arguments], cwd=root, check=check, capture_output=True, timeout=60)

    signed_by(root, SEED)
    git("init")
    git("add", "-A")
    git("commit", "-m", "one")
    git("checkout", "-b", "change")
    set_fee(root, 2)
    signed_by(root, SEED, 5)
    git("commit", "-am", "two")
    git("checkout", "main")
    set_fee(root, 3)
    signed_by(root, SEED, 4)
    git("commit", "-am", "three")
    git("merge", "change", check=False)
    assert "<<<<<<<" in (root / SIGNATURES[0]).read_text()
    if resolved != "not":
        git("checkout", f"--{resolved}", "generated")
    set_fee(root, 6)
    compiled(root)
    assert told(root) == {}
    least = 4 if resolved == "ours" else 5
    assert (serial(root), keys(root)) == (least, [])
    signed_by(root, SEED)
    assert serial(root) == least + 1


@pytest.mark.parametrize("bad", [True, -1, 1.5, "1", None, MAX_SERIAL + 1])
def test_a_serial_that_is_none_is_not_taken_over(root: Path, bad: object) -> None:
    signed_by(root, SEED, 3)
    document = json.loads((root / SIGNATURES[0]).read_text())
    (root / SIGNATURES[0]).write_text(json.dumps({**document, "serial": bad}))
    assert told(root) == {SIGNATURES[0]: "ONE502"}
    compiled(root)
    assert told(root) == {}
    assert keys(root) == []
    assert serial(root) in (0, 1), "no more than its digits say"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--serial", "3"), "it goes with --sign KEY"),
        (("--sign", "release.key", "--serial", "-1"), "-1"),
        (("--sign", "release.key", "--serial", "1.5"), "1.5"),
        (("--sign", "release.key", "--serial", "4"), "4 is too low, 5 is the least"),
        (("--sign", "release.key", "--serial", str(MAX_SERIAL + 1)), "highest serial"),
    ],
)
def test_the_command_refuses_a_serial_that_cannot_be(root: Path, arguments: tuple[str, ...], why: str) -> None:
    (root / "release.key").write_text(show_key(SEED) + "\n")
    (root / "release.key").chmod(0o600)
    signed_by(root, SEED, 5)
    before = state(root)
    done = command("compile", *arguments, cwd=root)
    assert (done.returncode, state(root)) == (2, before)
    assert why in done.stderr
