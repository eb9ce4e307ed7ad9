"""docs/remote.md names every rule that a sync rejects by, and every outcome; its session happens as it is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from oneiric_compiler.remote import fetch, sync

from tests.remote.conftest import authority, mirror, trusted
from tests.remote.mirror import Mirror
from tests.remote.project import Signer, Site, signed

__all__ = ["authority", "mirror", "trusted"]

PAGE = (Path(__file__).parents[2] / "docs" / "remote.md").read_text("utf-8")
SHAPES = {r"[0-9a-f]{12}": "DIGEST", r"\d{4}-\d\d-\d\dT[\d:.]+Z": "TIME", r"[A-Za-z0-9+/]{43}=": "KEY"}


def test_every_rule_is_in_the_table() -> None:
    code = Path(fetch.__file__).read_text() + Path(sync.__file__).read_text()
    named = set(re.findall(r'(?:Refused\(|Rejected\(|_rejected\()\s*"([a-z-]+)"', code)) - {"keys"}
    table = PAGE.partition("| rule | rejects |")[2].partition("\n\n")[0]
    assert named == set(re.findall(r"`([a-z-]+)`(?=[^|]*\|[^|]*\|\n)", table + "\n")) - {"caps", "redirects"}


def test_every_outcome_is_told() -> None:
    assert [each for each in get_args(sync.Outcome) if f"`{each}`" not in PAGE] == []


def shaped(text: str) -> list[str]:
    """The words of each line, what differs from run to run replaced."""
    for pattern, name in SHAPES.items():
        text = re.sub(pattern, name, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_session(tmp_path: Path, mirror: Mirror) -> None:
    signer, site = Signer(), Site(tmp_path / "project")
    stated = []
    for name, version in (("acme", 7), ("beta", 3)):
        mirror.put(f"/{name}.json", signed(signer, source=name, version=version))
        stated.append({"name": name, "address": mirror.url(f"/{name}.json"), "keys": [signer.public]})
    site.state(stated[1])
    assert site.run("remote-sync").returncode == 0
    site.state(*stated)
    for command in ("remote-sync", "remote-sync --check"):
        shown = re.search(rf"^    \$ oneiric {command}\n((?:    .*\n)+)", PAGE, re.M)
        assert shown is not None
        assert shaped(site.run(*command.split()).stdout) == shaped(shown[1])


def test_the_status_is_shaped_as_shown(tmp_path: Path, mirror: Mirror) -> None:
    signer, site = Signer(), Site(tmp_path / "project")
    mirror.put("/acme.json", signed(signer))
    site.state({"name": "acme", "address": mirror.url("/acme.json"), "keys": [signer.public]})
    site.run("remote-sync")
    shown = shaped(PAGE.partition("$ oneiric remote-status\n")[2].partition("\n\n")[0])
    seen = shaped(site.run("remote-status").stdout)
    for words in ("acme https:", "pinned version", "signers KEY", "expires in", "last look", "watch"):
        assert any(line.startswith(words) for line in shown), words
        assert any(line.startswith(words) for line in seen), words
