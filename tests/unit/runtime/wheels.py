"""Artifacts made on the spot: wheels with what a test wants in them, pinned beside wirings that name them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PART = """\
class Part:
    def __init__(self, *, says: str = {says!r}, notes: object = None) -> None:
        self.says = says

    async def ping(self) -> str:
        return self.says
"""
WIRING = """\
from __future__ import annotations
from oneiric.wiring import Domain, Wiring as BaseWiring, bind

class Adapters(Domain):
{blocks}

class Wiring(BaseWiring, app="test", profile="default"):
    adapters: Adapters

Wiring.domains(adapters=Adapters)
"""
BLOCK = """\
    @bind("adapter:{key}", "{fingerprint}", provider="p", port="tests.faults.reloading:Pinging"{artifact})
    def {key}(self):
        from {module} import Part
        return Part()
"""


def wheel(
    files: Mapping[str | zipfile.ZipInfo, bytes | str],
    *,
    name: str = "acme",
    version: str = "1.0",
    facts: str = WHEEL,
    told: str | None = None,
) -> bytes:
    """A wheel of these files and its metadata; the same bytes each time."""
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" if told is None else told
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**files, f"{info}/WHEEL": facts, f"{info}/METADATA": about, f"{info}/RECORD": ""}.items():
            member = path if isinstance(path, zipfile.ZipInfo) else zipfile.ZipInfo(path)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return packed.getvalue()


def distribution(name: str, says: str, *, version: str = "1.0") -> tuple[str, bytes]:
    """The file name and the bytes of a wheel with one package, `NAME.parts`."""
    files = {f"{name}/__init__.py": "", f"{name}/parts.py": PART.format(says=says), f"{name}/data.txt": "data"}
    return f"{name}-{version}-py3-none-any.whl", wheel(files, name=name, version=version)


def pin(generated: Path, name: str, data: bytes) -> str:
    """Put an artifact where wirings of that folder find it; how a binding names it."""
    digest = sha256(data).hexdigest()
    file = generated / "manifests" / "artifacts" / f"{digest}{Path(name).suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return f"{digest} {name}"


def block(module: str, artifact: str | None = None, *, key: str = "a", fingerprint: str = "1") -> str:
    """One key that is built by the class `Part` of a module."""
    named = "" if artifact is None else f", artifact={artifact!r}"
    return BLOCK.format(key=key, fingerprint=fingerprint, module=module, artifact=named)


def write_wiring(generated: Path, *blocks: str) -> Path:
    """A `wiring.py` of these blocks; its path."""
    generated.mkdir(parents=True, exist_ok=True)
    path = generated / "wiring.py"
    path.write_text(WIRING.format(blocks="\n".join(blocks)))
    return path
