"""`remote-sync` and `remote-status` as their users see them: exit codes, what is told where, in text and in JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from tests.remote.codes import SYNC_CODES
from tests.remote.mirror import Mirror, status
from tests.remote.project import DEADLINE, MAIN, Signer, Site, signed
from tests.snapshots import masked
from tests.unit.cli.running import everything_on

VARIES = {
    r"localhost:\d+": "SERVER",
    r'"keys": \["[^"]*…': '"keys": ["KEY…',
    r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*": "TIME",
    r"\b[0-9a-f]{12,64}\b": "DIGEST",
}


def stated(mirror: Mirror, signer: Signer, name: str = "acme", **more: Any) -> dict[str, Any]:
    return {"name": name, "address": mirror.url(f"/{name}.json"), "keys": [signer.public], "allow": ["parts"], **more}


def test_a_project_without_sources(site: Site) -> None:
    for command in (("remote-sync",), ("remote-sync", "--check"), ("remote-status",)):
        done = site.run(*command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "settings/remote.yml names no source\n", "")
    assert not (site.root / "generated").exists()


def test_a_sync_says_what_it_pinned_and_nothing_else_when_piped(
    site: Site, mirror: Mirror, signer: Signer, snapshot: SnapshotAssertion
) -> None:
    mirror.put("/acme.json", signed(signer, version=3))
    site.state(stated(mirror, signer))
    told = [site.run("remote-sync") for _ in range(2)]
    assert [(done.returncode, done.stderr) for done in told] == [(0, "")] * 2
    assert masked("".join(done.stdout for done in told), VARIES) == snapshot


def test_json_is_one_document(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    mirror.put("/beta.json", signed(Signer(), source="beta"))
    site.state(stated(mirror, signer), stated(mirror, signer, "beta"))
    done = site.run("remote-sync", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], done.stderr) == (1, "failed", "")
    assert {name: each["outcome"] for name, each in told["sources"].items()} == {"acme": "accepted", "beta": "rejected"}
    assert [each["code"] for each in told["diagnostics"]] == ["ONE622"]
    status = json.loads(site.run("remote-status", "--json").stdout)
    assert [(each["name"], each["ok"]) for each in status["sources"]] == [("acme", False), ("beta", False)]


@pytest.mark.parametrize("code", sorted(SYNC_CODES))
def test_every_code_of_a_sync_has_its_place_and_a_help(
    site: Site, mirror: Mirror, signer: Signer, code: str, snapshot: SnapshotAssertion
) -> None:
    stated_as: dict[str, Any] = {}
    if code == "ONE622":
        mirror.put("/acme.json", b"{}")
    elif code == "ONE623":
        stated_as["auth"] = {"header": "X-Token", "value": "${ONEIRIC_SECRET_NOWHERE}"}
    else:
        mirror.behave("/acme.json", status(503))
        stated_as["required"] = code == "ONE620"
    site.state(stated(mirror, signer, **stated_as))
    done = site.run("remote-sync")
    assert done.returncode == {"ONE620": 1, "ONE621": 0, "ONE622": 1, "ONE623": 2}[code]
    assert masked(done.stderr, VARIES) == snapshot


def test_settings_with_errors_are_told_and_nothing_is_asked(site: Site, mirror: Mirror, signer: Signer) -> None:
    site.state({**stated(mirror, signer), "keys": ["nothing"], "sorce": 1})
    for command in (["remote-sync"], ["remote-sync", "--check"], ["remote-status"]):
        done = site.run(*command)
        assert done.returncode == 2
        assert "ONE602" in done.stderr or "ONE110" in done.stderr
    assert mirror.requests == []


@pytest.mark.parametrize("command", ["remote-sync", "remote-status"])
@pytest.mark.parametrize("missing", ["httpx", "tenacity", "cryptography", "yaml"])
def test_what_the_base_install_lacks_is_named(
    site: Site, mirror: Mirror, signer: Signer, command: str, missing: str
) -> None:
    site.state(stated(mirror, signer))
    code = f"import sys; sys.modules[{missing!r}] = None; {MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        cwd=site.root,
        env=site.environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    needed = command == "remote-sync" or missing == "yaml"
    assert not needed or (done.returncode == 2 and "needs the extra `compiler`" in done.stderr)


@pytest.mark.parametrize("command", [["remote-sync"], ["remote-sync", "--check"], ["compile"]])
def test_a_key_under_which_anyone_can_sign_is_an_error_of_the_settings(
    site: Site, mirror: Mirror, signer: Signer, command: list[str]
) -> None:
    site.state({**stated(mirror, signer), "keys": ["A" * 43 + "="]})
    done = site.run(*command)
    assert (done.returncode, "ONE602" in done.stderr) == (2, True)


@pytest.mark.parametrize("options", [[], ["--watch"]])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "gopher://ada:hunter2@localhost"),
        ("HTTPS_PROXY", "socks5://ada:hunter2@localhost:1"),
        ("NO_PROXY", "http://[:::"),
        ("SSL_CERT_FILE", "missing.pem"),
        ("SSL_CERT_FILE", "settings/app.yml"),
    ],
)
def test_proxies_and_certificates_that_cannot_be_used_are_told_by_their_variable(
    site: Site, mirror: Mirror, signer: Signer, variable: str, value: str, options: list[str]
) -> None:
    site.state(stated(mirror, signer))
    site.environ |= {"HTTPS_PROXY": "http://localhost:1", variable: value}
    done = site.run("remote-sync", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert variable in done.stderr
    assert "hunter2" not in done.stderr


def test_check_needs_no_server_and_writes_nothing(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(stated(mirror, signer))
    assert site.run("remote-sync").returncode == 0
    asked, before = len(mirror.requests), site.pinned()
    done = site.run("remote-sync", "--check")
    assert (done.returncode, done.stdout) == (0, "match\n")
    site.state(stated(mirror, Signer()))
    done = site.run("remote-sync", "--check", "--json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (1, "differs")
    assert (len(mirror.requests), site.pinned()) == (asked, before)


def test_watch_goes_with_nothing_else(site: Site) -> None:
    for other in ("--check", "--json"):
        assert site.run("remote-sync", "--watch", other).returncode == 2


def test_status_tells_what_is_pinned_and_until_when(
    site: Site, mirror: Mirror, signer: Signer, snapshot: SnapshotAssertion
) -> None:
    site.state(stated(mirror, signer))
    never = site.run("remote-status")
    assert never.returncode == 1
    expires = datetime.now(UTC) + timedelta(days=9, hours=1)
    mirror.put("/acme.json", signed(signer, version=3, expires_at=expires.isoformat()))
    site.run("remote-sync")
    mirror.answers["/acme.json"] = status(404)
    fine = site.run("remote-status")
    assert fine.returncode == 0
    assert signer.public in fine.stdout
    site.run("remote-sync")
    failing = site.run("remote-status")
    assert failing.returncode == 1
    pages = (never.stdout, fine.stdout, failing.stdout)
    assert masked("\n".join(pages).replace(signer.public, "KEY"), VARIES) == snapshot


def test_status_tells_of_what_has_expired(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(stated(mirror, signer))
    assert site.run("remote-sync").returncode == 0
    path = site.root / "generated/manifests/lock.json"
    lock = json.loads(path.read_text())
    lock["sources"]["acme"]["expires_at"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(lock))
    done = site.run("remote-status", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["sources"][0]["expires_in"] <= 0) == (1, True)


def test_a_terminal_shows_progress(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(stated(mirror, signer))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "remote-sync"],
        cwd=site.root,
        env={**site.environ, "TERM": "xterm-256color"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    written = everything_on(ours)
    assert process.wait(DEADLINE) == 0
    assert b"acme" in written


def test_a_process_called_remote_does_not_get_in_the_way(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(stated(mirror, signer))
    assert site.run("remote-sync").returncode == 0
    assert "no process has left anything here" in site.run("status").stdout


def test_the_lock_fits_its_schema(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer, signed_at=datetime.now(UTC).isoformat()))
    site.state(stated(mirror, signer))
    site.run("remote-sync")
    schema = json.loads((Path(__file__).parents[2] / "schemas/lock.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(site.pinned()["lock.json"]))


def test_a_source_by_its_address_as_upstream_names_it(site: Site, mirror: Mirror, signer: Signer) -> None:
    mirror.put("/acme.json", signed(signer))
    site.state(stated(mirror, signer))
    address = mirror.url("/acme.json")
    done = site.run("remote-sync", "--manifest", address)
    assert (done.returncode, done.stdout.split()[0]) == (0, "pinned"), done.stderr
    done = site.run("remote-sync", "--manifest", f"{address}.bak")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"lists no source at {address}.bak" in done.stderr
    assert f"{{name: NAME, address: {address}.bak, keys: [PUBLIC_KEY], allow: [PACKAGE]}}" in done.stderr
    done = site.run("remote-sync", "--manifest", address, "--refresh-interval", "60")
    assert (done.returncode, "write `refresh: 60` to it" in done.stderr) == (2, True), done.stderr
    assert site.run("remote-sync", "--refresh-interval", "60").returncode == 2
