"""A stand-in for the compiler, run as its child process: `behave` says how it fails. And a project for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.faults.reloading import Counted

LEDGER: list[Counted] = []
"""Every instance that a wiring of `text_of` made in this process."""

_WIRING = """\
from oneiric.wiring import Domain, Wiring as BaseWiring, bind
class Adapters(Domain):
    @bind("adapter:a", "{a}", provider="{a}", port="tests.faults.reloading:Pinging")
    def a(self):
        from tests.faults.compiler import LEDGER
        from tests.faults.reloading import Counted
        return Counted(LEDGER, "a/{a}", *{fault!r})
    @bind("adapter:b", "{b}", provider="{b}", port="tests.faults.reloading:Pinging", needs=("adapter:a",))
    def b(self):
        from tests.faults.compiler import LEDGER
        from tests.faults.reloading import Counted
        return Counted(LEDGER, "b/{b}")
class Wiring(BaseWiring, app="test"):
    adapters: Adapters
Wiring.domains(adapters=Adapters)
"""

_CHILD = """\
import json, os, signal, sys, time
from pathlib import Path
arguments = dict(zip(sys.argv, sys.argv[1:]))
behave = os.environ.get("BEHAVE", "")
out = Path(arguments["--out"])
Path(os.environ["NOTED"]).write_text(str(os.getpid()))
if behave == "killed":
    (out / "wiring.py").write_text("half of")
    os.kill(os.getpid(), signal.SIGKILL)
if behave == "hanging":
    time.sleep(60)
if behave == "disk":
    print("error[ONE501]: wiring.py cannot be written: No space left on device", file=sys.stderr)
    sys.exit(2)
if behave == "silent":
    sys.exit(0)
settings = json.loads(Path(os.environ["SETTINGS"]).read_text())
template = Path(os.environ["TEMPLATE"]).read_text()
def text_of(a, b):
    return template.format(a=a, b=b, fault=("health", "false") if a == "sick" else ())
stated = json.loads(Path(arguments["--overrides"]).read_text())["overrides"]
plain = text_of(**settings)
swapped = text_of(stated.get("adapter:a", settings["a"]), stated.get("adapter:b", settings["b"]))
drift = None if plain == Path(arguments["--baseline"], "wiring.py").read_text() else f"settings: {settings}"
for name, text in (("plain", plain), ("swapped", swapped if behave != "truncated" else swapped[:300])):
    (out / name).mkdir()
    (out / name / "wiring.py").write_text(text)
    (out / name / "explain.json").write_text("{}")
if behave == "babbling":
    print("deprecated: something")
json.dump({"drift": drift, "diff": {"format": "oneiric.diff/1"}}, sys.stdout)
"""


def text_of(a: str = "1", b: str = "1") -> str:
    """The source of a wiring of two keys, each with that provider."""
    return _WIRING.format(a=a, b=b, fault=())


class Project:
    """A baseline, and a stand-in compiler that this process's children run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wiring = folder / "generated" / "wiring.py"
        self.state = folder / ".oneiric" / "test"
        self._settings = folder / "settings"
        self._noted = folder / "child"
        self._monkeypatch = monkeypatch
        self.deploy()
        stand_in = folder / "stand-in" / "oneiric_compiler"
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").write_text("")
        (stand_in / "child.py").write_text(_CHILD)
        (folder / "template").write_text(_WIRING)
        monkeypatch.setenv("PYTHONPATH", str(stand_in.parent))
        monkeypatch.setenv("TEMPLATE", str(folder / "template"))
        monkeypatch.setenv("SETTINGS", str(self._settings))
        monkeypatch.setenv("NOTED", str(self._noted))
        monkeypatch.chdir(folder)

    def edit(self, a: str = "1", b: str = "1") -> None:
        """Have other settings, which nobody compiles."""
        self._settings.write_text(json.dumps({"a": a, "b": b}))

    def deploy(self, a: str = "1", b: str = "1") -> None:
        """Have other settings, and the baseline that they are compiled to."""
        self.edit(a, b)
        self.wiring.parent.mkdir(exist_ok=True)
        self.wiring.write_text(text_of(a, b))

    def behave(self, how: str) -> None:
        """How the compiler fails from now on; empty for well."""
        self._monkeypatch.setenv("BEHAVE", how)

    @property
    def child_runs(self) -> bool:
        """Whether the last compiler that was started is still there."""
        try:
            os.kill(int(self._noted.read_text()), 0)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return False
        return True
