"""Commands of a page with what they print, gone through in their order."""

from __future__ import annotations

import errno
import getpass
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.unit.cli.running import DEADLINE, environment, run

SHAPES = {
    r"\b[0-9a-f]{12}([0-9a-f]{20})?\b": "DIGEST",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)": "TIME",
    r"[A-Za-z0-9+/]{43}=": "KEY",
}
PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


class Sessions:
    """Of a text, in a project. `…` stands for lines that are not shown. Programs that are not ours, and of
    which nothing is shown, end well."""

    def __init__(self, text: str, root: Path) -> None:
        self._root = root
        self._left: list[tuple[str, str]] = re.findall(
            r"^    \$ (.+)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)", text, re.M
        )
        self.pid = 0
        """Of the process that the page has as 4711."""

    def happen(self, *beginnings: str) -> None:
        """The next commands begin so, and say what the page shows."""
        for beginning in beginnings:
            line, shown = self._next(beginning)
            said = self._said(line.replace("4711", str(self.pid)), ends_well=not shown)
            if shown:
                wanted = re.escape(self._shaped(re.sub("^    ", "", shown, flags=re.M)))
                assert re.fullmatch(wanted.replace("…\\\n", "(?:.*\n)*"), self._shaped(said)), said

    def done(self, beginning: str) -> None:
        """The next command begins so; the test has done what it does."""
        self._next(beginning)

    def over(self) -> None:
        assert self._left == []

    def _next(self, beginning: str) -> tuple[str, str]:
        line, shown = self._left.pop(0)
        assert re.sub(r"^([A-Z_]+=\S+ )*(oneiric )?", "", line).startswith(beginning), line
        return line, shown

    def _said(self, line: str, ends_well: bool) -> str:
        """On both streams."""
        found = re.fullmatch(r"((?:[A-Z_]+=\S+ )*)oneiric (.+)", line)
        if found is not None:
            variables = dict(each.split("=", 1) for each in found[1].split())
            done = run(*shlex.split(found[2]), cwd=self._root, **variables)
        else:
            environ = {**environment(), "PATH": PATH}
            done = subprocess.run(
                ["sh", "-c", line],
                cwd=self._root,
                env=environ,
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=False,
            )
            assert not (ends_well and done.returncode), done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def _shaped(self, text: str) -> str:
        """Without what differs from run to run, and how wide columns are."""
        for here, there in ((str(self._root), "/srv/shop"), (str(self.pid), "4711"), (getpass.getuser(), "ada")):
            text = re.sub(rf"(?<!\w){re.escape(here)}(?!\w)", there, text)
        for pattern, name in SHAPES.items():
            text = re.sub(pattern, name, text)
        return re.sub(" +", " ", text).replace(os.strerror(errno.EFBIG), os.strerror(errno.ENOSPC)).strip() + "\n"
