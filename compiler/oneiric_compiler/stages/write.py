"""Stage 7: outputs to disk, all or nothing as far as a file system allows.

Every file is first written whole beside its place; only then are they moved there, reports first and wirings last,
so that a crash leaves the old pair or a state that `checking` reports.
"""

from __future__ import annotations

import errno
import marshal
import os
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from oneiric.files import stage
from oneiric.trust.signature import NAME as SIGNATURE

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.model import Outputs
from oneiric_compiler.stages import foreign
from oneiric_compiler.stages.choosing import NAME as CHOOSE
from oneiric_compiler.stages.sign import Signer, signed

FILES = ("__init__.py", "explain.json", "tenants.jsonl", CHOOSE, SIGNATURE, "wiring.py")
"""What lies in the folder of a profile, in the order in which it is moved there. The base's alone has `choose.py`."""
_OPTIONAL = ("tenants.jsonl", SIGNATURE)


def write(outputs: Outputs, diagnostics: Diagnostics, signer: Signer | None = None) -> bool:
    """Writes what is not there yet, and bytecode for this interpreter; False when that failed, and nothing changed.

    `signer` is the private key that signs the wirings; signatures of what they were before are removed. Raises
    `BadSerial`.
    """
    outputs = signed(outputs, signer)
    if foreign.tell(outputs, diagnostics):
        return False
    wanted = {
        Path(folder, name): data
        for folder, files in outputs.profiles.values()
        for name, data in {"__init__.py": b"", **files}.items()
    }
    for folder, files in outputs.profiles.values():
        cached = cache_from_source(outputs.root / folder / "wiring.py")
        wanted[Path(cached)] = _bytecode(files["wiring.py"], f"{folder}/wiring.py")
    staged: dict[Path, str] = {}
    place = Path()
    try:
        for place, data in wanted.items():
            path = outputs.root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not _holds(path, data):
                staged[place] = stage(path, data)
        for place in sorted(staged, key=_position):
            os.replace(staged[place], outputs.root / place)
            del staged[place]
        for place in [Path(folder, name) for folder, _ in outputs.profiles.values() for name in _OPTIONAL]:
            if place not in wanted:
                (outputs.root / place).unlink(missing_ok=True)
    except OSError as error:
        _tell_unwritten(outputs.root, place, error, diagnostics)
        return False
    finally:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
    return True


def _tell_unwritten(root: Path, place: Path, error: OSError, diagnostics: Diagnostics) -> None:
    message, help = (
        f"{place.as_posix()} cannot be written: {error.strerror or error}",
        "let the user who compiles write there",
    )
    taken = [each for each in place.parents if os.path.lexists(root / each) and not (root / each).is_dir()]
    if taken:
        place = taken[0]
        what = "a link that leads nowhere" if (root / place).is_symlink() and not (root / place).exists() else "a file"
        message, help = f"`{place.as_posix()}` is {what}, where the folder of the outputs is to be", "move it away"
    help = f"{help}, or name another folder as `output` in settings/app.yml"
    diagnostics.add("ONE501", message, Span(Source(place.as_posix(), "")), help=help)


def _position(place: Path) -> int:
    """When a file is moved to its place: bytecode first, since until its source is there its hash does not match."""
    return FILES.index(place.name) if place.name in FILES else -1


def _holds(path: Path, data: bytes) -> bool:
    return (path.name == "__init__.py" and path.exists()) or read_bytes(path) == data


def read_bytes(path: Path) -> bytes | None:
    """What a file holds; None for one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _bytecode(source: bytes, shown: str) -> bytes:
    """The content of a checked-hash .pyc (PEP 552). `py_compile` would leave half of one on a full disk."""
    code = compile(source, shown, "exec", dont_inherit=True)
    return MAGIC_NUMBER + (0b11).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)
