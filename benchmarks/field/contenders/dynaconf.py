"""dynaconf: a settings file that names the class of each part; importing and making them is done by hand.

https://www.dynaconf.com/, /configuration/
"""

from __future__ import annotations

from benchmarks.field.parts import FIRST, Parts, load

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DISTRIBUTION = "dynaconf"


def write(parts: Parts, folder: Path) -> None:
    """`settings.toml`, a name for each part."""
    lines = [f'store_{i} = "{store}"\ndesk_{i} = "{desk}"\n' for i, (store, desk) in enumerate(parts.paths())]
    (folder / "settings.toml").write_text("".join(lines), "utf-8")


def start(parts: Parts) -> Any:
    from dynaconf import Dynaconf

    settings = Dynaconf(settings_files=["settings.toml"])
    return load(settings[f"desk_{FIRST}"])(load(settings[f"store_{FIRST}"])())
