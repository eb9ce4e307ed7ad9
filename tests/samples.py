"""Inputs that nobody here wrote, where they are: in the folder that ONEIRIC_SAMPLES names, else beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ.get("ONEIRIC_SAMPLES", Path(__file__).parents[2] / "shared/data"))


def sample(name: str) -> Path:
    """The path of a sample; there may be no such file."""
    return FOLDER / name
