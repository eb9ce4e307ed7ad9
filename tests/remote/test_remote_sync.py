"""What is pinned was verified, all of it or nothing; what attacks is rejected; what is down is no failure of trust."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from oneiric_compiler.manifests.lock import render_lock

from tests.remote.mirror import Answer, Mirror, endless, raw, redirect, status
from tests.remote.project import MODULE, Signer, Site, entry, sha256, signed, with_module

SECRET = "hunter2-hunter2"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


@pytest.fixture
def signer() -> Signer:
    return Signer()


def source(mirror: Mirror, *signers: Signer, name: str = "acme", **more: Any) -> dict[str, Any]:
    keys = [each.public for each in signers]
    stated = {"name": name, "address": mirror.url(f"/{name}.json"), "keys": keys, "allow": ["acme_parts"]}
    return {**stated, "deadlines": {"total": 10, "minimum_rate": 1000}, **more}


def rejected(site: Site, rule: str, name: str = "acme") -> None:
    """A sync rejects that source by that rule, and leaves everything as it was."""
    before = site.pinned()
    synced = site.sync()
    assert (synced.results[name].outcome, synced.results[name].rule) == ("rejected", rule), synced.results[name].reason
    assert (synced.ok, synced.changed, "ONE622" in site.codes) == (False, False, True)
    assert site.pinned() == before
    failure = site.remembered().sources[name].failure
    assert failure and failure.rule == rule


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
    stated = {"name": "acme", "address": "vendor/acme/acme.json", "keys": [signer.public]}
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


# Attacks on the manifest, over the wire


def pinned_once(site: Site, mirror: Mirror, signer: Signer, **fields: Any) -> bytes:
    """Version 5 is pinned."""
    data = signed(signer, version=5, **fields)
    mirror.put("/acme.json", data)
    site.state(source(mirror, signer))
    assert site.sync().ok
    return data


def test_a_body_tampered_with_in_flight(site: Site, mirror: Mirror, signer: Signer) -> None:
    data = pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6).replace(b"acme_parts:Cache", b"acme_parts:Other"))
    rejected(site, "signature")
    mirror.put("/acme.json", data.replace(b'"cache"', b'"c\\u0061che"'))  # the same document in other bytes
    rejected(site, "version")


def test_a_signature_stripped(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(version=6))
    rejected(site, "signature")


def test_a_wrong_key(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(Signer(), version=6))
    rejected(site, "signature")


def test_one_signature_twice_for_a_threshold_of_two(site: Site, mirror: Mirror, signer: Signer) -> None:
    other = Signer()
    mirror.put("/acme.json", signed(signer, signer))
    site.state(source(mirror, signer, other, threshold=2))
    rejected(site, "threshold")
    mirror.put("/acme.json", signed(signer, other))
    assert site.sync().ok


def test_a_rollback(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=4))
    rejected(site, "version")
    site.memory.write(type(site.remembered())())  # what the machine remembers is not what holds it off
    rejected(site, "version")


def test_two_contents_of_one_version(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=5, entries=[]))
    rejected(site, "version")


def test_a_replay_after_expiry(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    mirror.put("/acme.json", signed(signer, version=6, expires_at=past))
    rejected(site, "expired")


@pytest.mark.parametrize("freeze", ["same bytes", "not modified"])
def test_a_freeze_ends_with_the_expiry(site: Site, mirror: Mirror, signer: Signer, freeze: str) -> None:
    """A mirror that goes on to serve the old one is found out when that expires."""
    expires = datetime.now(UTC) + timedelta(hours=1)
    data = pinned_once(site, mirror, signer, expires_at=expires.isoformat())
    assert site.sync().results["acme"].outcome == "unchanged"

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data) if freeze == "same bytes" else web.Response(status=304)

    mirror.behave("/acme.json", answer)
    site.evaluated_at = expires
    rejected(site, "expired")
    assert site.check() == ["ONE608"]


def test_signed_in_the_future(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    mirror.put("/acme.json", signed(signer, version=6, signed_at=ahead))
    rejected(site, "signed-at")


def test_a_fast_forward_and_the_recovery_by_another_key(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=2**53 - 1))
    assert site.sync().ok
    mirror.put("/acme.json", signed(signer, version=6))
    rejected(site, "version")
    fresh = Signer()
    mirror.put("/acme.json", signed(fresh, version=6))
    site.state(source(mirror, fresh))
    assert site.sync().ok
    assert site.lock().sources["acme"].version == 6
    assert site.check() == []


def test_a_manifest_of_another_source(site: Site, mirror: Mirror, signer: Signer) -> None:
    """Mix and match: the same keys sign for both, and one is served in the place of the other."""
    for name in ("acme", "beta"):
        mirror.put(f"/{name}.json", signed(signer, source=name))
    site.state(source(mirror, signer), source(mirror, signer, name="beta"))
    assert site.sync().ok
    mirror.put("/beta.json", signed(signer, source="acme", version=2))
    rejected(site, "source", "beta")
    assert site.lock().sources["beta"].version == 1


@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"\xff\xfe", "not-a-manifest"), (b"[]", "not-a-manifest"), (b"", "not-a-manifest"), (b"<html>", "not-a-manifest"),
     (b"a: &a [*a]", "form"), (b'{"a": 1, "a": 2}', "duplicate-key"), (b"[" * 90_000, "limits"), (b"x: 1e400", "form")],
)  # fmt: skip
def test_what_is_no_manifest(site: Site, mirror: Mirror, signer: Signer, body: bytes, rule: str) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", body)
    before = site.pinned()
    synced = site.sync()
    assert synced.results["acme"].outcome == "rejected"
    assert synced.results["acme"].rule in (rule, "not-a-manifest")
    assert site.pinned() == before


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (endless(), "size"),
        (redirect("http://localhost/acme.json"), "redirect"),
        (redirect("https://localhost:1/"), "redirect"),
    ],
)
def test_what_may_not_be_fetched(site: Site, mirror: Mirror, signer: Signer, answer: Answer, rule: str) -> None:
    pinned_once(site, mirror, signer)
    mirror.behave("/acme.json", answer)
    rejected(site, rule)


def test_an_entry_that_cannot_be(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6, entries=[entry(), entry("other", factory="no factory")]))
    rejected(site, "entries")


# Artifacts


def test_an_artifact_without_digest(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme_parts.py", MODULE)
    mirror.put("/acme.json", signed(signer, version=6, entries=[entry(uri="acme_parts.py")]))
    rejected(site, "entries")
    assert mirror.asked("/acme_parts.py") == []


def test_a_wrong_digest_in_a_later_entry_keeps_nothing_of_the_manifest(
    site: Site, mirror: Mirror, signer: Signer
) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme_parts.py", MODULE)
    mirror.put("/later.py", b"changed = True\n")
    entries = [with_module(), with_module(b"other = 1\n", "later.py", key="later", factory="later:X")]
    mirror.put("/acme.json", signed(signer, version=6, entries=entries))
    rejected(site, "digest")
    assert len(mirror.asked("/acme_parts.py")) + len(mirror.asked("/later.py")) >= 1


def wheel(**files: bytes) -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [("acme-1-py3-none-any.whl", wheel(**{"../../evil.py": b""})), ("acme-1-py3-none-any.whl", b"no zip"),
     ("os.py", b""), ("oneiric.py", b""), ("acme-1-py3-none-any.whl", wheel(**{"acme.so": b""}))],
)  # fmt: skip
def test_an_artifact_that_may_not_be_unpacked(
    site: Site, mirror: Mirror, signer: Signer, name: str, data: bytes
) -> None:
    pinned_once(site, mirror, signer)
    mirror.put(f"/{name}", data)
    mirror.put("/acme.json", signed(signer, version=6, entries=[with_module(data, name)]))
    rejected(site, "artifact")


def test_an_artifact_larger_than_its_cap(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme_parts.py", MODULE)
    mirror.put("/acme.json", signed(signer, version=6, entries=[with_module()]))
    site.state(source(mirror, signer, caps={"artifact_bytes": len(MODULE) - 1}))
    rejected(site, "size")


@pytest.mark.parametrize("uri", ["http://localhost/x.py", "file:/x.py", "ftp://localhost/x.py"])
def test_an_artifact_from_elsewhere_than_https(site: Site, mirror: Mirror, signer: Signer, uri: str) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6, entries=[with_module(uri=uri)]))
    rejected(site, "scheme")


def authorized(mirror: Mirror, signer: Signer, **more: Any) -> dict[str, Any]:
    auth = {"header": "Authorization", "value": "Bearer ${ONEIRIC_SECRET_ACME}"}
    return source(mirror, signer, auth=auth, **more)


def test_the_auth_header_goes_to_no_other_host_by_an_artifacts_address(
    site: Site, mirror: Mirror, other: Mirror, signer: Signer
) -> None:
    site.environ["ONEIRIC_SECRET_ACME"] = SECRET
    other.put("/acme_parts.py", MODULE)
    mirror.put("/near.py", MODULE)
    entries = [with_module(uri=other.url("/acme_parts.py")), with_module(MODULE, "near.py", key="near")]
    mirror.put("/acme.json", signed(signer, entries=entries[:1]))
    site.state(authorized(mirror, signer))
    assert site.sync().ok
    assert mirror.asked("/acme.json")[0]["authorization"] == f"Bearer {SECRET}"
    assert len(other.requests) == 1
    assert SECRET not in str(other.requests)


def test_the_auth_header_goes_to_no_other_host_by_a_redirect(
    site: Site, mirror: Mirror, other: Mirror, signer: Signer
) -> None:
    site.environ["ONEIRIC_SECRET_ACME"] = SECRET
    mirror.behave("/acme.json", redirect(other.url("/acme.json")))
    site.state(authorized(mirror, signer))
    rejected(site, "redirect")
    assert other.requests == []
    other.put("/acme.json", signed(signer))
    site.state(authorized(mirror, signer, redirects=[f"localhost:{other.port}"]))
    assert site.sync().ok
    assert SECRET not in str(other.requests)


def test_a_missing_secret_is_told_and_nothing_is_asked(site: Site, mirror: Mirror, signer: Signer) -> None:
    site.environ.pop("ONEIRIC_SECRET_ACME", None)
    site.state(authorized(mirror, signer, required=False))
    assert not site.sync().ok
    assert (site.codes, mirror.requests) == (["ONE623"], [])


ECHOES: list[Callable[[str], Answer]] = [
    lambda secret: raw(
        f"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{{{secret}: 1, {secret}: 2}}".ljust(142).encode()
    ),
    lambda secret: redirect(f"https://{secret}.example/"),
    lambda secret: raw(f"{secret}\r\n".encode()),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_a_secret_that_a_server_repeats_is_shown_and_stored_nowhere(
    site: Site, mirror: Mirror, signer: Signer, echo: Callable[[str], Answer]
) -> None:
    site.environ["ONEIRIC_SECRET_ACME"] = SECRET
    mirror.behave("/acme.json", echo(SECRET))
    site.state(authorized(mirror, signer))
    done = site.run("remote-sync", "--json")
    told = done.stdout + done.stderr + site.run("remote-status").stdout
    assert done.returncode == 1
    assert SECRET not in told
    assert not [path for path in site.root.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


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
