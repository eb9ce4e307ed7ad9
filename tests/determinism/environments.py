"""An environment for every other supported interpreter that is present, kept outside of the checkout.

    python tests/determinism/environments.py build     makes those that are missing or out of date
    python tests/determinism/environments.py test      runs the unit tests in each, and compares compiled outputs

The folder is ONEIRIC_VERSIONS_DIR, or `oneiric-versions` in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SUPPORTED = ("3.11", "3.12", "3.13")
TESTS = (
    "tests/unit",
    "tests/faults",
    "tests/property",
    "tests/integrations/test_integrations_django.py",
    "--ignore=tests/unit/runtime/test_runtime_typing.py",
    "--ignore=tests/unit/cli/test_cli_init.py",
)
"""Django is another one from Python 3.12 on. Type checkers are not there, and say the same of every version."""
PACKAGES = (
    "-e",
    f"{CHECKOUT}[compiler,database-duckdb,django]",
    "gunicorn",
    "pytest",
    "hypothesis",
    "syrupy",
    "opentelemetry-sdk",
    "wrapt",
)


def cache() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oneiric-versions"
    return Path(os.environ.get("ONEIRIC_VERSIONS_DIR") or default)


def others() -> list[str]:
    return [version for version in SUPPORTED if version != f"{sys.version_info.major}.{sys.version_info.minor}"]


def interpreter(version: str) -> str | None:
    """An interpreter of that version that starts: on the PATH, or under pyenv's versions."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True))]
    return next((path for path in found if path and _is(path, version)), None)


def python_of(version: str) -> Path | None:
    """The Python of the environment for a version, if it was built for the dependencies as they are."""
    folder = cache() / version
    stamp = folder / "built-for"
    return folder / "bin/python" if stamp.is_file() and stamp.read_text() == _wanted() else None


def build(version: str) -> bool:
    """Builds the environment; False when there is no such interpreter."""
    base = interpreter(version)
    if base is None or python_of(version):
        return base is not None
    folder = cache() / version
    subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(CHECKOUT / "constraints.txt"), *PACKAGES], check=True)
    (folder / "built-for").write_text(_wanted())
    return True


def _is(path: str, version: str) -> bool:
    ask = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def _wanted() -> str:
    inputs = b"".join((CHECKOUT / name).read_bytes() for name in ("constraints.txt", "pyproject.toml"))
    return hashlib.sha256(inputs + str(CHECKOUT).encode()).hexdigest()


def main() -> int:
    failed = False
    for version in others():
        if not build(version):
            print(f"Python {version}: not on this machine")
        elif "test" in sys.argv[1:]:
            print(f"Python {version}: unit tests", flush=True)
            tests = [str(cache() / version / "bin/python"), "-m", "pytest", "-q", *TESTS]
            failed |= subprocess.run(tests, cwd=CHECKOUT, check=False).returncode != 0
        else:
            print(f"Python {version}: {cache() / version}")
    if "test" in sys.argv[1:]:
        compare = [sys.executable, "-m", "pytest", "-q", "-rs", "tests/determinism"]
        failed |= subprocess.run(compare, cwd=CHECKOUT, check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
