"""What the command offers, told by itself."""

from __future__ import annotations

import subprocess
import sys

from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.running import DEADLINE, environment

EVERY = """
import typer
from oneiric_compiler.cli.app import application

def show(command, name, parent=None):
    context = typer.Context(command, info_name=name, parent=parent, **command.context_settings)
    print(f"$ {context.command_path} --help\\n{command.get_help(context)}\\n")
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            show(inner, name, context)

show(typer.main.get_command(application()), "oneiric")
"""


def test_every_command_and_its_options(snapshot: SnapshotAssertion) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERY],
        env=environment(COLUMNS="100"),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == snapshot
