"""Mirrors for every test here, trusted by way of SSL_CERT_FILE as a CA of one's own is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oneiric_compiler.remote import fetch

from tests.remote.mirror import Authority, Mirror, serving
from tests.remote.project import Signer, Site


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority is trusted, no proxy is in the way, and nobody waits long between attempts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(fetch, "WINDOW", 0.3)


@pytest.fixture
def mirror(authority: Authority) -> Iterator[Mirror]:
    with serving(authority.context("localhost", "127.0.0.1")) as served:
        yield served


@pytest.fixture
def other(authority: Authority) -> Iterator[Mirror]:
    """A second host: another port is another host."""
    with serving(authority.context("localhost", "127.0.0.1")) as served:
        yield served


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


@pytest.fixture
def signer() -> Signer:
    return Signer()
