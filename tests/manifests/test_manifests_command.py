"""`oneiric manifest`: what it writes, says and exits with, run as its users run it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from tests.manifests.signers import ADA, BOB, Signer, as_bytes, document, signed
from tests.unit.cli.running import run, session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme.json").write_bytes(as_bytes(document()))
    for name, signer in (("ada", ADA), ("bob", BOB)):
        (tmp_path / f"{name}.key").write_text(_seed(signer))
        (tmp_path / f"{name}.key").chmod(0o600)
    return tmp_path


def _seed(signer: Signer) -> str:
    from base64 import b64encode

    return b64encode(signer.seed).decode() + "\n"


class TestKeygen:
    def test_the_seed_goes_into_a_file_of_ones_own(self, tmp_path: Path) -> None:
        done = run("manifest", "keygen", "--out", "mine.key", cwd=tmp_path)
        seed = (tmp_path / "mine.key").read_text()
        assert done.returncode == 0
        assert stat.S_IMODE((tmp_path / "mine.key").stat().st_mode) == 0o600
        assert seed.strip() not in done.stdout + done.stderr
        (tmp_path / "acme.yaml").write_text(yaml.safe_dump(document()))
        assert run("manifest", "sign", "acme.yaml", "--key", "mine.key", cwd=tmp_path).returncode == 0
        assert run("manifest", "verify", "acme.yaml", "--key", done.stdout.strip(), cwd=tmp_path).returncode == 0

    def test_a_key_is_never_written_over(self, folder: Path) -> None:
        done = run("manifest", "keygen", "--out", "ada.key", cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert (folder / "ada.key").read_text() == _seed(ADA)

    def test_the_seed_is_written_out_where_that_is_asked_for(self, tmp_path: Path) -> None:
        done = run("manifest", "keygen", "--out", "-", cwd=tmp_path)
        assert len(done.stdout) == 45 and "public key" in done.stderr
        assert list(tmp_path.iterdir()) == []


class TestSign:
    def test_two_people(self, folder: Path) -> None:
        first = run(
            *("manifest", "sign", "acme.json", "--key", "ada.key", "--version", "4", "--expires-at", "2099-01-01"),
            cwd=folder,
        )
        second = run("manifest", "sign", "acme.json", "--key", "bob.key", cwd=folder)
        assert (first.stderr, second.stderr, second.stdout) == ("", "", "signed acme.json\n")
        keys = ("--key", ADA.public, "--key", BOB.public, "--threshold", "2")
        done = run("manifest", "verify", "acme.json", *keys, cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert "version    4" in done.stdout and "2099-01-01T00:00:00Z" in done.stdout

    def test_a_stale_signature_is_removed_and_told(self, folder: Path) -> None:
        run("manifest", "sign", "acme.json", "--key", "ada.key", cwd=folder)
        done = run("manifest", "sign", "acme.json", "--key", "bob.key", "--version", "9", cwd=folder)
        assert f"removed the signature of {ADA.public}" in done.stderr
        assert len(json.loads((folder / "acme.json").read_text())["signatures"]) == 1

    def test_what_is_left_open_is_told(self, folder: Path) -> None:
        (folder / "acme.json").write_bytes(as_bytes(document(version=None)))
        done = run("manifest", "sign", "acme.json", "--key", "ada.key", cwd=folder)
        assert done.returncode == 0
        assert "no version" in done.stderr and "never expires" in done.stderr

    def test_a_key_that_others_can_read_is_told(self, folder: Path) -> None:
        (folder / "ada.key").chmod(0o644)
        assert "can be read by others" in run("manifest", "sign", "acme.json", "--key", "ada.key", cwd=folder).stderr

    @pytest.mark.parametrize(
        ("file", "content", "options"),
        [
            ("acme.json", b"[]", ()),
            ("acme.json", b"{}", ()),
            ("acme.json", b'{"entries": [], "entries": []}', ()),
            ("acme.json", None, ("--expires-at", "2020-01-01")),
            ("acme.json", None, ("--expires-at", "soon")),
            ("acme.json", None, ("--version", "-1")),
            ("acme.json", None, ("--version", str(2**60))),
            ("ada.key", b"not a key", ()),
            ("ada.key", b"", ()),
            ("ada.key", b"\xff\xfe", ()),
        ],
    )
    def test_what_cannot_be_signed_stays_as_it_is(
        self, folder: Path, file: str, content: bytes | None, options: tuple[str, ...]
    ) -> None:
        if content is not None:
            (folder / file).write_bytes(content)
        before = (folder / "acme.json").read_bytes()
        done = run("manifest", "sign", "acme.json", "--key", "ada.key", *options, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr and _seed(ADA).strip() not in done.stderr
        assert (folder / "acme.json").read_bytes() == before
        assert sorted(os.listdir(folder)) == ["acme.json", "ada.key", "bob.key"]

    def test_files_that_are_not_there(self, folder: Path) -> None:
        assert run("manifest", "sign", "none.json", "--key", "ada.key", cwd=folder).returncode == 2
        assert run("manifest", "sign", "acme.json", "--key", "none.key", cwd=folder).returncode == 2

    def test_a_link_stays_one(self, folder: Path) -> None:
        (folder / "link.json").symlink_to("acme.json")
        run("manifest", "sign", "link.json", "--key", "ada.key", cwd=folder)
        assert (folder / "link.json").is_symlink()
        assert "signatures" in json.loads((folder / "acme.json").read_text())


class TestVerify:
    def test_rejected_by_a_rule_that_is_named(self, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
        contents = {
            "unsigned": as_bytes(document()),
            "signed-by-another": as_bytes(signed(BOB)),
            "changed-since": as_bytes({**signed(ADA), "version": 4}),
            "expired": as_bytes(signed(ADA, expires_at="2020-01-01")),
            "signed-later": as_bytes(signed(ADA, signed_at="2999-01-01")),
            "not-yet-valid": as_bytes(signed(ADA, not_before="2999-01-01")),
            "a-key-twice": b"entries: []\nentries: []\n",
            "too-deep": b"entries: [" + b"[" * 99,
            "an-alias": b"entries: &a [*a]\n",
        }
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        commands = (("manifest", "verify", name, "--key", ADA.public) for name in contents)
        assert session(commands, cwd=tmp_path, code=1) == snapshot

    def test_what_is_no_manifest(self, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
        contents = {
            "empty": b"",
            "a-list": b"[]",
            "other-settings": b"name: shop\n",
            "not-utf-8": b"\xff\xfe",
            "half-json": b"{",
            "half-yaml": b"a: [",
            "a-null-byte": b"\x00",
        }
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        commands = (("manifest", "verify", name, "--key", ADA.public) for name in (*contents, "missing"))
        assert session(commands, cwd=tmp_path, code=2) == snapshot

    def test_no_version_is_needed(self, tmp_path: Path) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA, version=None)))
        assert run("manifest", "verify", "acme", "--key", ADA.public, cwd=tmp_path).returncode == 0

    def test_keys_of_the_environment(self, tmp_path: Path) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA)))
        trusted = f"{BOB.public}, {ADA.public}"
        assert run("manifest", "verify", "acme", cwd=tmp_path, ONEIRIC_TRUSTED_PUBLIC_KEYS=trusted).returncode == 0
        done = run(
            *("manifest", "verify", "acme", "--key", BOB.public),
            cwd=tmp_path,
            ONEIRIC_TRUSTED_PUBLIC_KEYS=trusted,
        )
        assert done.returncode == 1

    def test_keys_that_cannot_be_asked_of(self, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA)))
        options = (
            (),
            ("--key", ""),
            ("--key", "AAAA"),
            ("--key", "A" * 43 + "="),
            ("--key", ADA.public, "--threshold", "2"),
            ("--key", ADA.public, "--key", ADA.public, "--threshold", "2"),
        )
        commands = (("manifest", "verify", "acme", *each) for each in options)
        assert session(commands, cwd=tmp_path, code=2, ONEIRIC_TRUSTED_PUBLIC_KEYS="") == snapshot
        none = run("manifest", "verify", "acme", "--key", ADA.public, "--threshold", "0", cwd=tmp_path)
        assert (none.returncode, none.stdout) == (2, "")

    @pytest.mark.parametrize("value", ["hunter2", "A" * 43 + "=", f"{ADA.public},hunter2"])
    def test_a_variable_that_holds_no_key_is_named_and_not_shown(self, tmp_path: Path, value: str) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA)))
        done = run("manifest", "verify", "acme", cwd=tmp_path, ONEIRIC_TRUSTED_PUBLIC_KEYS=value)
        assert (done.returncode, done.stdout) == (2, "")
        assert "ONEIRIC_TRUSTED_PUBLIC_KEYS" in done.stderr
        assert "hunter2" not in done.stderr

    def test_what_strangers_wrote_reaches_no_terminal_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA, source="\x1b[31macme\x1b]0;x\x07")))
        done = run("manifest", "verify", "acme", "--key", ADA.public, cwd=tmp_path)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout and "\x07" not in done.stdout

    def test_without_cryptography_alone_the_extra_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "acme").write_bytes(as_bytes(signed(ADA)))
        done = run("manifest", "verify", "acme", "--key", ADA.public, cwd=tmp_path, blocked=("cryptography",))
        assert done.returncode == 2 and "the extra `compiler`" in done.stderr


class TestExport:
    @pytest.fixture
    def shop(self, tmp_path: Path) -> Path:
        (tmp_path / "settings").mkdir()
        (tmp_path / "settings" / "app.yml").write_text("name: acme\npackages: [shop]\n")
        (tmp_path / "settings" / "services.yml").write_text(
            "components:\n"
            "  - {key: pay, provider: card, factory: 'shop:Card', priority: 0, stack_level: 3}\n"
            "  - {key: pay, provider: cash, factory: 'shop:Card', os_platform: [linux], python_version: '>=3.11'}\n"
        )
        (tmp_path / "shop.py").write_text(
            "from typing import Protocol\n"
            "from oneiric import component\n\n\n"
            "class Pays(Protocol):\n    async def pay(self) -> None: ...\n\n\n"
            "@component('service', 'pay', provider='card', port='shop:Pays', capabilities=('refund',),\n"
            "           needs={'cache': 'adapter:cache'}, eager=True)\n"
            "class Card:\n"
            "    def __init__(self, *, cache: object = None) -> None: ...\n"
            "    async def pay(self) -> None: ...\n"
        )
        return tmp_path

    def test_this_projects_own_components(self, shop: Path) -> None:
        done = run("manifest", "export", cwd=shop)
        assert (done.returncode, done.stderr) == (0, "")
        exported = yaml.safe_load(done.stdout)
        assert exported["source"] == "acme"
        assert [(each["provider"], each["stack_level"]) for each in exported["entries"]] == [("card", 3), ("cash", 0)]
        assert exported["entries"][0]["priority"] == 0
        assert exported["entries"][1]["os_platform"] == ["linux"]
        assert exported["entries"][1]["python_version"] == ">=3.11"

    def test_what_is_exported_is_signed_verified_and_of_the_schema(self, shop: Path) -> None:
        from oneiric_compiler.settings.schema import validator

        (shop / "settings" / "services.yml").unlink()
        assert run("manifest", "export", "--out", "acme.json", cwd=shop).stdout == "written acme.json: 1 entry\n"
        (shop / "ada.key").write_text(_seed(ADA))
        assert run("manifest", "sign", "acme.json", "--key", "ada.key", "--version", "1", cwd=shop).returncode == 0
        assert run("manifest", "verify", "acme.json", "--key", ADA.public, cwd=shop).returncode == 0
        exported = json.loads((shop / "acme.json").read_text())
        assert list(validator("manifest").iter_errors(exported)) == []
        assert exported["entries"] == [
            {
                "domain": "service",
                "key": "pay",
                "provider": "card",
                "factory": "shop:Card",
                "stack_level": 0,
                "capabilities": ["refund"],
                "needs": {"cache": "adapter:cache"},
                "port": "shop:Pays",
                "eager": True,
            }
        ]

    def test_settings_with_errors_export_nothing(self, shop: Path) -> None:
        (shop / "shop.py").unlink()
        done = run("manifest", "export", "--out", "acme.yaml", cwd=shop)
        assert (done.returncode, done.stdout) == (2, "") and "error[ONE" in done.stderr
        assert not (shop / "acme.yaml").exists()
