"""The built-ins that compiles in this process have. Reading those that are installed is most of a small compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from oneiric_compiler.stages import catalog

NONE = Path("/none")


@contextmanager
def builtins_below(root: Path) -> Iterator[None]:
    """The package `oneiric` in `root` has the built-ins; where there is none, there are none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "oneiric", SimpleNamespace(__file__=str(root / "oneiric/__init__.py")))
        yield
