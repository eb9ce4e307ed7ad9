"""An old signed wiring cannot be replayed where a state folder is: what it accepted is the least that it takes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, StateError, TrustError
from oneiric.reload.state import State
from oneiric.trust.signature import MAX_SERIAL, parse

from tests.unit.runtime.making import run
from tests.unit.runtime.signing import ONE, STRANGER, sign
from tests.unit.runtime.test_trust import TRUST, answer, refused, wiring


class Place:
    """An application's files and its state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "generated"
        self.state = folder / "state"
        self.path = self.folder / "wiring.py"

    def deploy(self, says: str, serial: object) -> None:
        sign(wiring(self.folder, says), ONE, serial=serial)

    def runtime(self) -> Runtime[Any]:
        return Runtime(oneiric.load(self.path, trust=TRUST), state=self.state)

    def current(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "current.json").read_text())
        return found

    def floor(self) -> int:
        serial: int = self.current()["floor"]["serial"]
        return serial

    def kept(self) -> list[str]:
        return sorted(path.relative_to(self.state).as_posix() for path in self.state.rglob("*") if path.is_file())

    def start(self, says: str) -> None:
        async def story() -> None:
            async with self.runtime() as runtime:
                assert await answer(runtime) == says

        run(story())

    def refuses(self, why: str) -> None:
        before = self.kept()
        with pytest.raises(TrustError, match=why) as caught:
            self.start("")
        assert caught.value.code == "trust"
        assert self.kept() == before


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("old", [1, None], ids=["serial-1", "without-serial"])
def test_an_old_signed_pair_is_refused_at_a_reload_and_a_start(place: Place, old: int | None) -> None:
    place.deploy("1", old)

    async def story() -> None:
        async with place.runtime() as runtime:
            place.deploy("2", 2)
            assert (await runtime.reload()).accepted
            place.deploy("1", old)
            (place.folder / "ran").unlink()
            for plan_only in (True, False):
                outcome = await runtime.reload(plan_only=plan_only)
                assert (outcome.accepted, outcome.code) == (False, "trust")
                assert f"serial {old or 0}; this state folder accepted 2" in str(outcome.reason)
                assert "--serial 3" in str(outcome.reason)
            assert not (place.folder / "ran").exists(), "nothing of it ran"
            assert await answer(runtime) == "2"

    run(story())
    place.refuses(f"serial {old or 0}; this state folder accepted 2")
    place.deploy("1", 3)
    place.start("1")
    assert place.floor() == 3


def test_an_equal_serial_with_another_generation_is_refused(place: Place) -> None:
    place.deploy("1", 4)
    place.start("1")
    place.deploy("2", 4)
    place.refuses("serial 4, as another generation has")
    place.deploy("1", 4)
    place.start("1")


def test_what_this_folder_accepted_can_be_returned_to_and_resumed(place: Place) -> None:
    place.deploy("1", 1)

    async def back() -> None:
        async with place.runtime() as runtime:
            place.deploy("2", 2)
            assert (await runtime.reload()).accepted
            assert (await runtime.rollback()).accepted
            assert await answer(runtime) == "1"

    run(back())
    assert place.floor() == 2, "going back does not open the way for what is older"
    place.start("1")
    assert [change["serial"] for change in place.current()["changes"]] == [1, 2, 1]
    place.deploy("1", 1)
    place.refuses("serial 1; this state folder accepted 2")


def test_the_floor_is_raised_by_what_became_current_alone(place: Place) -> None:
    place.deploy("1", 1)

    async def story() -> None:
        async with place.runtime() as runtime:
            place.deploy("2", 9)
            assert (await runtime.reload(plan_only=True)).accepted
            runtime.on("pre-swap", not_nine)
            assert (await runtime.reload()).code == "hook"
            nine.clear()
            place.deploy("3", 2)
            assert (await runtime.reload()).accepted
            assert await answer(runtime) == "3"

    nine = ["the first"]

    def not_nine(event: object) -> None:
        if nine:
            raise RuntimeError("not today")

    run(story())
    assert place.floor() == 2


def test_a_start_that_fails_leaves_the_floor(place: Place) -> None:
    place.deploy("1", 1)
    place.start("1")
    broken = wiring(place.folder, "2")
    broken.write_text(
        broken.read_text().replace('provider="p"', 'provider="p", eager=True').replace("Counted(", "int(")
    )
    sign(broken, ONE, serial=2)
    with pytest.raises(oneiric.ActivationError):
        place.start("2")
    assert place.floor() == 1
    place.deploy("1", 1)
    place.start("1")


def test_the_same_wiring_signed_again_raises_the_floor(place: Place) -> None:
    place.deploy("1", 1)

    async def story() -> None:
        async with place.runtime() as runtime:
            place.deploy("1", 5)
            assert (await runtime.reload()).code == "unchanged"

    run(story())
    assert place.floor() == 5
    place.deploy("1", 4)
    place.refuses("serial 4; this state folder accepted 5")


@pytest.mark.parametrize("serial", [True, -1, 1.0, "1", MAX_SERIAL + 1, 10**300, [1], {}])
def test_a_serial_is_a_whole_number_within_bounds(tmp_path: Path, serial: object) -> None:
    refused(sign(wiring(tmp_path), ONE, serial=serial), "its serial is not a whole number")


def test_a_serial_of_more_digits_than_python_reads_is_refused(tmp_path: Path) -> None:
    path = sign(wiring(tmp_path), ONE)
    file = path.with_name("wiring.sig")
    file.write_text(file.read_text().replace('"serial": 1', f'"serial": {"9" * 5000}'))
    refused(path, "is not a signature")
    assert parse(sign(path, ONE, serial=MAX_SERIAL).with_name("wiring.sig").read_bytes()).serial == MAX_SERIAL


@pytest.mark.parametrize("other", [{"app": "other"}, {"profile": "busy"}])
def test_a_signature_that_names_another_app_or_profile_than_the_wiring(place: Place, other: dict[str, str]) -> None:
    sign(wiring(place.folder), ONE, **other)
    with pytest.raises(TrustError, match="its signature is of"):
        oneiric.load(place.path, trust=TRUST)


def test_another_profile_does_not_start_on_the_state_folder_of_this_one(place: Place) -> None:
    place.deploy("1", 1)
    place.start("1")
    path = wiring(place.folder, "2")
    path.write_text(path.read_text().replace('profile="default"', 'profile="busy"'))
    sign(path, ONE, profile="busy", serial=2)
    place.refuses("of test, profile busy; this state folder is of test, profile default")


@pytest.mark.parametrize(
    "floor", ["x", 1, [], {}, {"serial": True}, {"serial": "9"}, {"serial": 1.5}, {"app": None}], ids=repr
)
def test_a_damaged_floor_is_said_and_nothing_starts(place: Place, floor: object) -> None:
    place.deploy("1", 1)
    place.start("1")
    document = place.current()
    document["floor"] = {**document["floor"], **floor} if isinstance(floor, dict) and floor else floor
    (place.state / "current.json").write_text(json.dumps(document))
    with pytest.raises(StateError, match="floor"):
        place.start("1")


def test_nothing_that_is_not_verified_gets_into_the_state_folder(place: Place) -> None:
    place.deploy("1", 1)
    cached = Path(importlib.util.cache_from_source(str(place.path)))
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(b"planted")
    for name in ("explain.json", "sitecustomize.py", "json.py"):
        (place.folder / name).write_text("planted")
    place.start("1")

    async def story() -> None:
        async with place.runtime() as runtime:
            before = place.kept()
            for keys in ((), (STRANGER,)):
                sign(wiring(place.folder, "evil"), *keys, serial=9)
                assert (await runtime.reload()).code == "trust"
            place.deploy("1", 1)
            file = place.folder / "wiring.sig"
            file.write_bytes(file.read_bytes().replace(b'"serial": 1', b'"serial": 9'))
            assert (await runtime.reload()).code == "trust"
            assert place.kept() == before
            assert await answer(runtime) == "1"

    run(story())
    (generation,) = (place.state / "generations").iterdir()
    assert sorted(each.name for each in generation.iterdir()) == ["tenants.jsonl", "wiring.py", "wiring.sig"]
    assert b"planted" not in b"".join((place.state / name).read_bytes() for name in place.kept())


def test_the_signature_that_is_verified_is_the_one_that_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is replaced as soon as it was read, as in a race with who may write beside the wiring."""
    from oneiric.trust import signature

    place.deploy("1", 1)
    good = (place.folder / "wiring.sig").read_bytes()
    verify = signature.verify

    def verify_then_replace(*arguments: Any) -> Any:
        found = verify(*arguments)
        if arguments[1] == str(place.path):
            (place.folder / "wiring.sig").write_text("planted")
            wiring(place.folder, "evil")
        return found

    loaded: Any = oneiric.load(place.path, trust=TRUST)
    monkeypatch.setattr(signature, "verify", verify_then_replace)

    async def story() -> None:
        async with Runtime(loaded, state=place.state) as runtime:
            assert await answer(runtime) == "1"
            (kept,) = (place.state / "generations").glob("*/wiring.sig")
            assert kept.read_bytes() == good

    run(story())


def test_what_is_planted_in_the_state_folder_is_not_what_runs(place: Place) -> None:
    """A generation that nobody signed, named as current with everything that a swap leaves."""
    place.deploy("1", 1)
    place.start("1")
    evil = wiring(place.folder.parent / "evil", "evil")
    digest = State(place.state).adopt(evil, deployed=False)
    swapped = {"overrides": {"adapter:a": "evil"}, "tenants": {}}
    document = place.current() | {"generation": digest, "overrides": {digest: swapped}}
    (place.state / "current.json").write_text(json.dumps(document))
    (place.state / "overrides.json").write_text(json.dumps(swapped))
    place.start("1")
    assert not (evil.parent / "ran").exists()


def test_without_a_state_folder_a_replay_is_not_noticed(place: Place) -> None:
    """As the documentation says."""
    place.deploy("2", 2)

    async def story() -> None:
        async with Runtime(oneiric.load(place.path, trust=TRUST)) as runtime:
            place.deploy("1", 1)
            assert (await runtime.reload()).accepted

    run(story())


def test_a_folder_without_trust_has_no_floor(place: Place) -> None:
    place.deploy("1", 1)

    async def story() -> None:
        async with Runtime(oneiric.load(place.path), state=place.state):
            pass

    run(story())
    assert "floor" not in place.current()
    assert "serial" not in place.current()["changes"][0]
