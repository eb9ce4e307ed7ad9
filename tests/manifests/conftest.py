"""The project whose pinned manifests are compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.signing import PUBLIC
from tests.manifests.pinned import pin_of, remote, write_files

LOCAL = "from oneiric import component\n\n\n@component('adapter', 'kept', provider='own')\nclass Own:\n    pass\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that trusts Acme (key a) and Beta (key b)."""
    write_files(
        tmp_path,
        {
            "settings/app.yml": "name: shop\npackages: [shop]\n",
            "settings/remote.yml": remote(acme={}, beta={"keys": [PUBLIC["b"]], "allow": ["beta_parts"]}),
            "shop/__init__.py": "",
            "shop/parts.py": LOCAL,
        },
    )
    pin_of(tmp_path, "acme", [])
    pin_of(tmp_path, "beta", [], by="b")
    return tmp_path
