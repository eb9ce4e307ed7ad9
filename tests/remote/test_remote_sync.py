"""What is pinned was verified, all of it or nothing, and what is down is not a failure of trust."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from aiohttp import web
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.manifests.lock import render_lock
from oneiric_compiler.model import Project
from oneiric_compiler.remote.fetch import Fetcher
from oneiric_compiler.remote.status import Remembered
from oneiric_compiler.remote.sync import sync
from oneiric_compiler.stages.read import read

from tests.remote.mirror import Mirror, status
from tests.remote.project import MODULE, Signer, Site, pinned_once, rejected, sha256, signed, source, with_module

# What is right


def test_a_source_is_pinned_as_it_came(site: Site, mirror: Mirror, signer: Signer) -> None:
    data = signed(signer, version=7, entries=[with_module()])
    mirror.put("/acme.json", data)
    mirror.put("/acme_parts.py", MODULE)
    site.state(source(mirror, signer))
    synced = site.sync()
    assert (synced.ok, synced.changed, synced.results["acme"].outcome, site.codes) == (True, True, "pinned", [])
    digest = sha256(MODULE)
    assert site.pinned() == {
        "acme.json": data,
        f"artifacts/{digest}.py": MODULE,
        "lock.json": render_lock(site.lock()),
    }
    pin = site.lock().sources["acme"]
    assert (pin.address, pin.version, pin.digest, pin.signers) == (
        mirror.url("/acme.json"), 7, sha256(data), (signer.public,),
    )  # fmt: skip
    assert (pin.artifacts[digest].uri, pin.artifacts[digest].size) == ("acme_parts.py", len(MODULE))
    assert site.check() == []


def test_an_unchanged_source_is_asked_conditionally_and_nothing_is_written(
    site: Site, mirror: Mirror, signer: Signer
) -> None:
    mirror.put("/acme.json", signed(signer, entries=[with_module()]))
    mirror.put("/acme_parts.py", MODULE)
    site.state(source(mirror, signer))
    site.sync()
    stamps = {path: path.stat().st_mtime_ns for path in (site.root / "generated").rglob("*")}
    synced = site.sync()
    assert (synced.ok, synced.changed, synced.results["acme"].outcome) == (True, False, "unchanged")
    assert "if-none-match" in mirror.asked("/acme.json")[1]
    assert len(mirror.asked("/acme_parts.py")) == 1
    assert {path: path.stat().st_mtime_ns for path in (site.root / "generated").rglob("*")} == stamps


@pytest.mark.parametrize(
    "harm",
    [
        {"artifacts": {}},
        {"file": "other.json"},
        {"version": 4},
        {"signers": ["A" * 42 + "E="]},
        {"address": "https://e/x"},
    ],
    ids=str,
)
def test_an_unchanged_source_mends_a_lock_that_was_edited(
    site: Site, mirror: Mirror, signer: Signer, harm: dict[str, Any]
) -> None:
    mirror.put("/acme_parts.py", MODULE)
    pinned_once(site, mirror, signer, entries=[with_module()])
    before, lock = site.pinned(), site.root / "generated/manifests/lock.json"
    document = json.loads(lock.read_bytes())
    document["sources"]["acme"] |= harm
    lock.write_text(json.dumps(document))
    assert site.check() != []
    assert site.sync().ok
    assert site.pinned() == before
    assert site.check() == []


@pytest.mark.parametrize("harm", [{"file": "artifacts/{}.whl"}, {"size": 1}], ids=str)
def test_an_unchanged_source_mends_what_the_lock_says_of_an_artifact(
    site: Site, mirror: Mirror, signer: Signer, harm: dict[str, Any]
) -> None:
    mirror.put("/acme_parts.py", MODULE)
    pinned_once(site, mirror, signer, entries=[with_module()])
    before, lock = site.pinned(), site.root / "generated/manifests/lock.json"
    document = json.loads(lock.read_bytes())
    (pinned,) = document["sources"]["acme"]["artifacts"].values()
    pinned |= {name: value.format("0" * 64) if name == "file" else value for name, value in harm.items()}
    (site.root / f"generated/manifests/artifacts/{'0' * 64}.whl").write_bytes(MODULE)
    lock.write_text(json.dumps(document))
    assert site.sync().ok
    assert {name: data for name, data in site.pinned().items() if "000" not in name} == before
    assert site.check() == []


def test_tags_are_of_the_bytes_that_are_pinned_and_of_no_others(site: Site, mirror: Mirror, signer: Signer) -> None:
    """Version control put the pins of before back, and this machine remembers what it asked since."""
    pinned_once(site, mirror, signer)
    saved = site.pins.saved()
    mirror.put("/acme.json", signed(signer, version=6))
    assert site.sync().ok
    site.pins.restore(saved)
    assert site.sync().ok
    assert site.lock().sources["acme"].version == 6


def test_tags_of_one_address_are_not_sent_to_another(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = "If-None-Match" in request.headers
        return web.Response(status=304) if asked else web.Response(body=signed(signer, version=6))

    mirror.behave("/elsewhere.json", answer)
    site.state({**source(mirror, signer), "address": mirror.url("/elsewhere.json")})
    assert site.sync().ok
    assert site.lock().sources["acme"].version == 6


def test_an_unchanged_source_is_still_held_against_the_keys(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme_parts.py", MODULE)
    pinned_once(site, mirror, signer, entries=[with_module()])
    site.state(source(mirror, Signer()))
    rejected(site, "signature")
    site.state(source(mirror, signer, Signer(), threshold=2))
    rejected(site, "threshold")


def test_a_new_version_takes_the_place_of_the_old_and_of_its_artifacts(
    site: Site, mirror: Mirror, signer: Signer
) -> None:
    mirror.put("/acme.json", signed(signer, entries=[with_module()]))
    mirror.put("/acme_parts.py", MODULE)
    site.state(source(mirror, signer))
    site.sync()
    newer = MODULE + b"# newer\n"
    mirror.put("/acme.json", signed(signer, version=2, entries=[with_module(newer)]))
    mirror.put("/acme_parts.py", newer)
    assert site.sync().results["acme"].outcome == "pinned"
    assert sorted(site.pinned()) == ["acme.json", f"artifacts/{sha256(newer)}.py", "lock.json"]
    assert site.check() == []


def test_an_artifact_that_a_wiring_names_stays_as_long_as_it_does(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer, entries=[with_module()]))
    mirror.put("/acme_parts.py", MODULE)
    site.state(source(mirror, signer))
    site.sync()
    wiring = site.root / "generated/wiring.py"
    wiring.write_text(f'artifact="{sha256(MODULE)} acme_parts.py"')
    mirror.put("/acme.json", signed(signer, version=2))
    site.sync()
    assert f"artifacts/{sha256(MODULE)}.py" in site.pinned()
    wiring.write_text("")
    site.sync()
    assert f"artifacts/{sha256(MODULE)}.py" not in site.pinned()


def test_a_source_that_is_no_longer_stated_is_no_longer_pinned(site: Site, mirror: Mirror, signer: Signer) -> None:
    for name in ("acme", "beta"):
        mirror.put(f"/{name}.json", signed(signer, source=name))
    site.state(source(mirror, signer), source(mirror, signer, name="beta"))
    site.sync()
    site.state(source(mirror, signer, name="beta"))
    assert site.check() == ["ONE606"]
    site.sync()
    assert sorted(site.pinned()) == ["beta.json", "lock.json"]
    assert site.check() == []


def test_one_artifact_of_two_sources_is_pinned_once(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme_parts.py", MODULE)
    for name in ("acme", "beta"):
        mirror.put(f"/{name}.json", signed(signer, source=name, entries=[with_module()]))
    site.state(source(mirror, signer), source(mirror, signer, name="beta"))
    assert site.sync().ok
    assert sorted(site.pinned()) == ["acme.json", f"artifacts/{sha256(MODULE)}.py", "beta.json", "lock.json"]
    assert site.check() == []


def test_yaml_is_pinned_as_yaml_and_takes_the_place_of_json(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(source(mirror, signer))
    site.sync()
    document = json.loads(signed(signer, version=2))
    mirror.put("/acme.json", "".join(f"{name}: {json.dumps(value)}\n" for name, value in document.items()).encode())
    assert site.sync().ok
    assert sorted(site.pinned()) == ["acme.yaml", "lock.json"]


def test_a_source_in_a_file(site: Site, signer: Signer) -> None:
    vendor = site.root / "vendor/acme"
    vendor.mkdir(parents=True)
    (vendor / "acme.json").write_bytes(signed(signer, entries=[with_module(uri="parts/acme_parts.py")]))
    (vendor / "parts").mkdir()
    (vendor / "parts/acme_parts.py").write_bytes(MODULE)
    auth = {"header": "Authorization", "value": "Bearer ${ONEIRIC_SECRET_NOT_SET}"}  # nobody asks a file with it
    stated = {"name": "acme", "address": "vendor/acme/acme.json", "keys": [signer.public], "auth": auth}
    site.state(stated, roots=["vendor/acme"])
    assert site.sync().ok
    assert site.check() == []
    (vendor / "acme.json").write_bytes(signed(signer, version=2, entries=[with_module(b"", "../../settings/x.py")]))
    rejected(site, "roots")


def test_keys_of_the_environment(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    stated = source(mirror, signer)
    del stated["keys"]
    site.state(stated)
    site.environ["ONEIRIC_TRUSTED_PUBLIC_KEYS"] = f"{Signer().public},{signer.public}"
    assert site.sync().ok


# All or none


def test_one_rejected_source_keeps_every_other_from_being_pinned(site: Site, mirror: Mirror, signer: Signer) -> None:
    for name in ("acme", "beta", "gamma"):
        mirror.put(f"/{name}.json", signed(signer, source=name))
    sources = [source(mirror, signer, name=name, required=name == "acme") for name in ("acme", "beta", "gamma")]
    site.state(*sources)
    assert site.sync().ok
    for name in ("acme", "gamma"):
        mirror.put(f"/{name}.json", signed(signer, source=name, version=2))
    mirror.put("/beta.json", signed(Signer(), source="beta", version=2))
    rejected(site, "signature", "beta")  # optional, and rejected all the same
    outcomes = {name: each.outcome for name, each in site.sync().results.items()}
    assert outcomes == {"acme": "accepted", "beta": "rejected", "gamma": "accepted"}


def test_all_that_is_wrong_is_told_at_once(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(Signer()))
    mirror.put("/gamma.json", b"?")
    site.state(*(source(mirror, signer, name=name) for name in ("acme", "beta", "gamma")))
    site.sync()
    assert site.codes == ["ONE620", "ONE622", "ONE622"]


@pytest.mark.parametrize("required", [True, False])
def test_a_mirror_that_is_down_is_no_failure_of_trust(
    site: Site, mirror: Mirror, other: Mirror, signer: Signer, required: bool
) -> None:
    mirror.put("/acme.json", signed(signer))
    other.put("/beta.json", signed(signer, source="beta"))
    site.state(source(mirror, signer, required=required), source(other, signer, name="beta"))
    site.sync()
    mirror.behave("/acme.json", status(503))
    other.put("/beta.json", signed(signer, source="beta", version=2))
    synced = site.sync()
    assert site.codes == (["ONE620"] if required else ["ONE621"])
    assert synced.results["acme"].outcome == ("unreachable" if required else "kept")
    assert site.lock().sources["acme"].version == 1
    assert site.lock().sources["beta"].version == (1 if required else 2)
    assert site.check() == []


def test_an_optional_source_that_never_answered_is_not_waited_for(
    site: Site, mirror: Mirror, other: Mirror, signer: Signer
) -> None:
    mirror.put("/acme.json", signed(signer))
    other.behave("/beta.json", status(503))
    site.state(source(mirror, signer), source(other, signer, name="beta", required=False))
    assert site.sync().ok
    assert list(site.lock().sources) == ["acme"]
    assert site.check() == []


def test_an_artifact_that_cannot_be_fetched_is_no_failure_of_trust_either(
    site: Site, mirror: Mirror, signer: Signer
) -> None:
    pinned_once(site, mirror, signer)
    mirror.behave("/acme_parts.py", status(503))
    mirror.put("/acme.json", signed(signer, version=6, entries=[with_module()]))
    site.state(source(mirror, signer, required=False))
    before = site.pinned()
    assert site.sync().results["acme"].outcome == "kept"
    assert site.pinned() == before


def test_an_open_breaker_does_not_hide_why(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.behave("/acme.json", status(503))
    before = site.remembered().sources["acme"]

    async def twice() -> None:
        project = Project.at(site.root, site.environ)
        settings = read(project, Diagnostics())
        assert settings
        async with Fetcher() as fetcher:
            remembered = Remembered({"acme": before})
            for _ in range(2):
                await sync(project, settings, fetcher, remembered, Diagnostics())
            look = remembered.sources["acme"]
            assert look.failure and (look.failure.rule, look.breaker) == ("status", "open")

    asyncio.run(twice())


def test_an_address_that_is_none_is_rejected_and_remembered(site: Site, mirror: Mirror, signer: Signer) -> None:
    for address in ("https://xn--/acme.json", "https://localhost:0/acme.json"):
        site.state({**source(mirror, signer), "address": address})
        rejected(site, "address")


def test_a_mirror_that_comes_back_leaves_no_failure(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.behave("/acme.json", status(503))
    site.sync()
    first = site.remembered().sources["acme"].failure
    site.sync()
    assert site.remembered().sources["acme"].failure == first  # since the first time
    mirror.answers.clear()
    site.sync()
    assert site.remembered().sources["acme"].failure is None


# What lies on disk


def test_a_lock_that_cannot_be_read_holds_off_every_version(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    (site.root / "generated/manifests/lock.json").write_text("{}")
    before = site.pinned()
    assert not site.sync().ok
    assert site.codes == ["ONE606"]
    assert site.pinned() == before
    assert site.check() == ["ONE606"]


@pytest.mark.parametrize("harm", ["altered", "missing", "a link"])
def test_a_pin_that_was_altered_is_told_and_fetched_anew(site: Site, mirror: Mirror, signer: Signer, harm: str) -> None:
    mirror.put("/acme_parts.py", MODULE)
    data = pinned_once(site, mirror, signer, entries=[with_module()])
    for path, content in (("acme.json", data), (f"artifacts/{sha256(MODULE)}.py", MODULE)):
        pin = site.root / "generated/manifests" / path
        pin.unlink()
        if harm == "altered":
            pin.write_bytes(content + b" ")
        elif harm == "a link":
            (site.root / "elsewhere").write_bytes(content + b" ")
            pin.symlink_to(site.root / "elsewhere")
        assert site.check() in (["ONE606"], ["ONE607"], ["ONE611"])
        assert site.sync().ok
        assert site.check() == []
        assert not pin.is_symlink()


def test_a_pin_that_is_a_link_becomes_a_file(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme_parts.py", MODULE)
    pinned_once(site, mirror, signer, entries=[with_module()])
    before = site.pinned()
    for path in before:
        pin = site.root / "generated/manifests" / path
        pin.rename(site.root / "elsewhere")
        pin.symlink_to(site.root / "elsewhere")
        assert site.sync().ok
        assert not pin.is_symlink()
        assert site.pinned() == before


def test_files_that_no_lock_names_are_told_and_removed(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    (site.root / "generated/manifests/evil.json").write_text("{}")
    assert site.check() == ["ONE606"]
    site.sync()
    assert site.check() == []


def test_settings_that_say_otherwise_than_the_lock_are_told(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    site.state(source(mirror, Signer()))
    assert site.check() == ["ONE607"]
    site.state(source(mirror, signer, Signer(), threshold=2))
    assert site.check() == ["ONE607"]
    site.state({**source(mirror, signer), "address": mirror.url("/elsewhere.json")})
    assert site.check() == ["ONE606"]
    site.state(source(mirror, signer), source(mirror, signer, name="beta"))
    assert site.check() == ["ONE604"]


def test_a_restored_state_is_the_saved_one(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme_parts.py", MODULE)
    pinned_once(site, mirror, signer, entries=[with_module()])
    before, saved = site.pinned(), site.pins.saved()
    mirror.put("/acme.json", b"# now in YAML\n" + signed(signer, version=6))
    mirror.put("/beta.json", signed(signer, source="beta"))
    site.state(source(mirror, signer), source(mirror, signer, name="beta"))
    pins = site.pins.remove_unnamed
    site.pins.remove_unnamed = lambda lock: None  # type: ignore[method-assign]
    assert site.sync().ok
    site.pins.remove_unnamed = pins  # type: ignore[method-assign]
    site.pins.restore(saved)
    assert site.pinned() == before
    assert os.listdir(site.root / "generated/manifests")
