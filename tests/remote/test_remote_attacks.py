"""What attacks over the wire is rejected, and changes nothing of what is pinned."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.remote.mirror import Answer, Mirror, endless, raw, redirect
from tests.remote.project import MODULE, Signer, Site, entry, pinned_once, rejected, signed, source, with_module

SECRET = "hunter2-hunter2"


# The manifest


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


def test_an_algorithm_of_none(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6).replace(b'"algorithm": "ed25519"', b'"algorithm": "none"'))
    rejected(site, "signature")
    mirror.put("/acme.json", signed(signer, version=6))
    assert site.sync().ok


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


BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(9)).encode()


@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"\xff\xfe", "not-a-manifest"), (b"[]", "not-a-manifest"), (b"", "not-a-manifest"), (b"<html>", "not-a-manifest"),
     (b"a: &a [*a]", "form"), (BOMB, "form"),
     (b'{"a": 1, "a": 2}', "duplicate-key"), (b"[" * 90_000, "limits"), (b"x: 1e400", "form")],
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


@pytest.mark.parametrize("key", ["k" * 100_000 + "!", {"k": ["k" * 100_000]}, ["k"] * 50_000, "\x1b[2J\u202e"])
def test_what_is_told_of_an_entry_is_short_and_harmless(site: Site, mirror: Mirror, signer: Signer, key: Any) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6, entries=[{**entry(), "key": key}]))
    rejected(site, "entries")
    done = site.run("remote-sync")
    told = done.stdout + done.stderr + site.run("remote-status").stdout
    assert "ONE622" in told
    assert len(told) < 3000
    assert not {"\x1b", "\u202e"} & {*told}


# Artifacts


def test_a_time_without_quotes_is_read_as_the_time_it_is(site: Site, mirror: Mirror, signer: Signer) -> None:
    pinned_once(site, mirror, signer)
    document = yaml.safe_load(signed(signer, version=6))
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    for expires, well in ((past, False), (document["expires_at"], True)):
        plain = {name: value for name, value in document.items() if name != "signatures"} | {"expires_at": expires}
        listed = [{"signature": signer.signature(plain), "algorithm": "ed25519"}]
        text = yaml.safe_dump({**plain, "signatures": listed}).replace(f"'{expires}'", expires)
        assert f"expires_at: {expires}\n" in text
        mirror.put("/acme.json", text.encode())
        if not well:
            rejected(site, "expired")
        else:
            assert site.sync().ok


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


@pytest.mark.parametrize(
    "uri",
    ["https://xn--/x.py", "https://localhost:99999/x.py", "https://localhost:0/x.py", "https://[v1.x]/x.py",
     "\x00/x.py", "https://ada:word@localhost/x.py", f"https://{'a.' * 200}b/x.py", "a" * 70_000 + "/x.py"],
)  # fmt: skip
def test_an_artifact_at_what_is_no_address(site: Site, mirror: Mirror, signer: Signer, uri: str) -> None:
    pinned_once(site, mirror, signer)
    mirror.put("/acme.json", signed(signer, version=6, entries=[with_module(uri=uri)]))
    rejected(site, "address")
    assert len(site.told[0].message) < 200


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


def test_a_manifest_that_repeats_the_secret_is_not_pinned(site: Site, mirror: Mirror, signer: Signer) -> None:
    """Comments are not signed: a mirror could put into one what it was asked with, to be committed and published."""
    site.environ["ONEIRIC_SECRET_ACME"] = SECRET
    mirror.put("/acme.json", f"# {SECRET}\n".encode() + signed(signer))
    site.state(authorized(mirror, signer))
    rejected(site, "echo")


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
