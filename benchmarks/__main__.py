"""All benchmarks, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.command import options, write
from benchmarks.table import machine

NAMES = (
    "access",
    "live",
    "start",
    "tenants",
    "compiling",
    "review",
    "manifests",
    "remote",
    "syncing",
    "swap",
    "backends",
)


def main() -> None:
    arguments = options(argparse.ArgumentParser(prog="python -m benchmarks"))
    print(", ".join(f"{name} {value}" for name, value in machine().items()), end="\n\n", flush=True)
    tables: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "figures.json")
        for name in NAMES:
            short = ["--short"] if arguments.short else []
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", str(kept), *short], check=True)
            tables += json.loads(kept.read_text("utf-8"))["tables"]
    if arguments.json is not None:
        write(arguments.json, tables)


if __name__ == "__main__":
    main()
