"""Wirings that nobody trusted signed are refused before a byte of them runs, at load and at every reload."""

from __future__ import annotations

import importlib.util
import json
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oneiric
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric import Runtime, Trust, TrustError
from oneiric.trust.signature import parse

from tests.unit.runtime.listed import with_tenants
from tests.unit.runtime.making import run
from tests.unit.runtime.signing import ONE, STRANGER, TWO, public, sign
from tests.unit.runtime.wheels import write_wiring

ROOT = Path(__file__).parents[3]
BLOCK = """\
    @bind("adapter:a", "{fingerprint}", provider="p", port="tests.faults.reloading:Pinging")
    def a(self):
        from tests.faults.reloading import Counted
        return Counted([], "{says}")
"""
TRUST = Trust([public(ONE)])


def wiring(folder: Path, says: str = "1") -> Path:
    """A wiring that leaves `ran` beside it when any of it runs, with a tenant of its own."""
    path = write_wiring(folder, BLOCK.format(fingerprint=says, says=says))
    side_effect = f"open({str(folder / 'ran')!r}, 'w').close()\n"
    path.write_text(path.read_text().replace("from oneiric", f"{side_effect}from oneiric", 1))
    return with_tenants(path, line(f"tenant {says}"))


def line(says: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"tenant": "t", "key": "adapter:a", "provider": "p", "fingerprint": says}
    entry |= {"factory": "tests.unit.runtime.test_trust:Says", "port": "tests.faults.reloading:Pinging"}
    return {**entry, "arguments": {"says": {"value": says}}, "needs": []}


class Says:
    def __init__(self, *, says: str) -> None:
        self.says = says

    async def ping(self) -> str:
        return self.says


async def answer(runtime: Runtime[Any], tenant: str | None = None) -> str:
    said: str = await (await runtime.use("adapter", "a", tenant=tenant)).ping()
    return said


def refused(path: Path, why: str, trust: Trust = TRUST) -> None:
    with pytest.raises(TrustError, match=why) as caught:
        oneiric.load(path, trust=trust)
    assert caught.value.code == "trust"
    assert not path.with_name("ran").exists()


def test_what_was_signed_runs(tmp_path: Path) -> None:
    loaded: Any = oneiric.load(sign(wiring(tmp_path), ONE), trust=TRUST)
    assert (tmp_path / "ran").exists()

    async def story() -> None:
        async with Runtime(loaded) as runtime:
            assert (await answer(runtime), await answer(runtime, "t")) == ("1", "tenant 1")

    run(story())


def altered_code(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


def altered_tenants(path: Path) -> None:
    lines = path.with_name("tenants.jsonl")
    lines.write_text(lines.read_text().replace("tenant 1", "evil"))


def without_tenants(path: Path) -> None:
    path.with_name("tenants.jsonl").unlink()


def unsigned(path: Path) -> None:
    path.with_name("wiring.sig").unlink()


def of_another(path: Path) -> None:
    other = sign(write_wiring(path.parent / "other", BLOCK.format(fingerprint="o", says="other")), ONE, app="other")
    os.replace(other.with_name("wiring.sig"), path.with_name("wiring.sig"))


def edited(field: str, value: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        file = path.with_name("wiring.sig")
        document = json.loads(file.read_text())
        document[field] = value
        file.write_text(json.dumps(document))

    return edit


def by_a_stranger(path: Path) -> None:
    sign(path, STRANGER)


def under_anothers_name(path: Path) -> None:
    """A stranger's signature that says it is by a trusted key."""
    file = sign(path, STRANGER).with_name("wiring.sig")
    file.write_text(file.read_text().replace(public(STRANGER), public(ONE)))


def not_json(path: Path) -> None:
    path.with_name("wiring.sig").write_bytes(b"\xff{")


def too_deep(path: Path) -> None:
    path.with_name("wiring.sig").write_text("[" * 30_000)


def a_folder(path: Path) -> None:
    path.with_name("wiring.sig").unlink()
    path.with_name("wiring.sig").mkdir()


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (unsigned, "is not signed"),
        (altered_code, "not what was signed"),
        (altered_tenants, "not what was signed"),
        (without_tenants, "not what was signed"),
        (of_another, "not what was signed"),
        (by_a_stranger, "signed by 0 trusted keys"),
        (under_anothers_name, "signed by 0 trusted keys"),
        (edited("app", "other"), "signed by 0 trusted keys"),
        (edited("profile", "busy"), "signed by 0 trusted keys"),
        (edited("signatures", []), "has no signatures"),
        (edited("format", "oneiric.signature/1"), "signed by 0 trusted keys"),
        (edited("serial", 2), "signed by 0 trusted keys"),
        (edited("serial", None), "its serial is not"),
        (edited("signatures", {}), "not a signature"),
        (edited("signatures", [{"key": "x", "signature": "y"}]), "signed by 0 trusted keys"),
        (edited("signatures", ["x"]), "not a signature"),
        (edited("format", "oneiric.signature/3"), "not of format"),
        (edited("generation", None), "not a signature"),
        (not_json, "not a signature"),
        (too_deep, "not a signature"),
        (a_folder, "cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_anything_else_is_refused_before_it_runs(tmp_path: Path, attack: Callable[[Path], None], why: str) -> None:
    path = sign(wiring(tmp_path), ONE)
    attack(path)
    refused(path, why)


def test_as_many_keys_as_the_threshold_have_to_sign(tmp_path: Path) -> None:
    both = Trust([public(ONE), public(TWO)], threshold=2)
    path = wiring(tmp_path)
    refused(sign(path, ONE), "by 1 trusted keys; 2 have to", both)
    refused(sign(path, ONE, ONE), "by 1 trusted keys", both)
    refused(sign(path, ONE, STRANGER), "by 1 trusted keys", both)
    oneiric.load(sign(path, TWO, STRANGER, ONE), trust=both)


def test_trust_is_in_keys_that_are_keys_and_thresholds_that_can_be_met(tmp_path: Path) -> None:
    for keys, threshold in (([], 1), ([public(ONE)], 0), ([public(ONE), public(ONE)], 2), (["x"], 1), (["A" * 44], 1)):
        with pytest.raises(ValueError):
            Trust(keys, threshold)
    file = tmp_path / "keys"
    file.write_text(f"# release managers\n\n{public(ONE)}\n {public(TWO)}\n")
    assert Trust.read(file, 2) == Trust([public(TWO), public(ONE)], 2)
    for text in ("", "no key\n", f"{public(ONE)[:-4]}AAAA=\n"):
        file.write_text(text)
        with pytest.raises(TrustError):
            Trust.read(file)
    with pytest.raises(TrustError, match="cannot be read"):
        Trust.read(tmp_path / "none")


def test_planted_bytecode_is_not_what_runs(tmp_path: Path) -> None:
    """A `.pyc` whose head says it is of exactly these bytes, with other code in it."""
    path, evil = sign(wiring(tmp_path), ONE), tmp_path / "evil.py"
    evil.write_text(path.read_text() + "import sys\nsys.modules['planted'] = sys\n")
    cached = Path(importlib.util.cache_from_source(str(path)))
    py_compile.compile(str(evil), str(cached), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    cached.write_bytes(
        cached.read_bytes()[:8] + importlib.util.source_hash(path.read_bytes()) + cached.read_bytes()[16:]
    )
    oneiric.load(path)
    assert sys.modules.pop("planted", None) is sys, "the planted bytecode is good enough for a load without trust"
    oneiric.load(path, trust=TRUST)
    assert "planted" not in sys.modules


def test_what_is_executed_is_what_was_read_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wiring is a symbolic link that leads elsewhere as soon as it was read, as in a race with a deploy."""
    from oneiric.trust import signature as trust

    good, evil, link = sign(wiring(tmp_path / "good"), ONE), wiring(tmp_path / "evil", "evil"), tmp_path / "current"
    link.symlink_to(good.parent)
    verify = trust.verify

    def swap_then_verify(*arguments: Any) -> Any:
        found = verify(*arguments)
        link.unlink()
        link.symlink_to(evil.parent)
        return found

    monkeypatch.setattr(trust, "verify", swap_then_verify)
    loaded: Any = oneiric.load(link / "wiring.py", trust=TRUST)

    async def story() -> None:
        async with Runtime(loaded) as runtime:
            assert (await answer(runtime), await answer(runtime, "t")) == ("1", "tenant 1")

    run(story())
    assert not (evil.parent / "ran").exists()


def test_tenants_that_are_changed_in_place_after_the_load_stay_as_they_were(tmp_path: Path) -> None:
    path = sign(wiring(tmp_path), ONE)
    loaded: Any = oneiric.load(path, trust=TRUST)
    lines = path.with_name("tenants.jsonl").read_bytes()
    with open(path.with_name("tenants.jsonl"), "r+b") as file:
        file.write(lines.replace(b"tenant 1", b"tenant 6"))

    async def story() -> None:
        async with Runtime(loaded) as runtime:
            assert await answer(runtime, "t") == "tenant 1"

    run(story())


@pytest.mark.parametrize("state", [False, True])
def test_a_reload_to_what_nobody_signed_is_refused_before_it_runs(tmp_path: Path, state: bool) -> None:
    folder = tmp_path / "generated"
    path = sign(wiring(folder), ONE)
    options: dict[str, Any] = {"state": tmp_path / "state"} if state else {}

    async def story() -> None:
        async with Runtime(oneiric.load(path, trust=TRUST), **options) as runtime:
            before = runtime.generation
            (folder / "ran").unlink()
            wiring(folder, "2")
            refusal = await runtime.reload()
            assert (refusal.accepted, refusal.code, refusal.generation) == (False, "trust", before)
            assert not (folder / "ran").exists()
            assert await answer(runtime) == "1"
            sign(path, ONE, serial=2)
            assert (await runtime.reload()).accepted
            assert (await answer(runtime), await answer(runtime, "t")) == ("2", "tenant 2")
            sign(wiring(folder, "3"), STRANGER)
            assert (await runtime.reload()).code == "trust"
            assert (await runtime.rollback()).accepted
            assert (await answer(runtime), await answer(runtime, "t")) == ("1", "tenant 1")

    run(story())


def test_a_class_without_that_trust_is_no_way_around_it(tmp_path: Path) -> None:
    path = sign(wiring(tmp_path), ONE, TWO)

    async def story() -> None:
        async with Runtime(oneiric.load(path, trust=TRUST)) as runtime:
            for other in (oneiric.load(path), oneiric.load(path, trust=Trust([public(TWO)]))):
                assert (await runtime.reload(other)).code == "trust"
            assert (await runtime.reload(oneiric.load(path, trust=TRUST))).code == "unchanged"

    run(story())


def test_restarts_and_swaps_under_trust(tmp_path: Path) -> None:
    """What a swap compiles nobody signs; a state folder that somebody wrote into starts nothing."""
    path = sign(wiring(tmp_path / "generated"), ONE)

    async def story() -> None:
        for _ in range(2):
            async with Runtime(oneiric.load(path, trust=TRUST), state=tmp_path / "state") as runtime:
                swap = await runtime.swap("adapter:a", "other")
                assert (swap.code, swap.accepted) == ("trust", False)
                assert await answer(runtime) == "1"
        sign(path, TWO)
        both = Trust([public(TWO)])
        async with Runtime(oneiric.load(path, trust=both), state=tmp_path / "state") as runtime:
            assert await answer(runtime) == "1"
        planted = next((tmp_path / "state/generations").glob("*/wiring.py"))
        planted.write_text("raise SystemExit('planted')\n")
        async with Runtime(oneiric.load(path, trust=both), state=tmp_path / "state") as runtime:
            assert await answer(runtime) == "1"

    run(story())


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    path = sign(wiring(tmp_path), ONE)
    code = (
        "import sys; sys.modules['cryptography'] = None; import oneiric\n"
        "try: oneiric.load(sys.argv[1], trust=oneiric.Trust([sys.argv[2]]))\n"
        "except oneiric.TrustError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path), public(ONE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert "extra `trust`" in done.stdout
    assert not (tmp_path / "ran").exists()


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: json.dumps({"format": text}).encode()))
def test_no_bytes_get_more_out_of_a_signature_file_than_a_refusal(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse(data)
