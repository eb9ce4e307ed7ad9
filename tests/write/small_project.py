"""A project with a profile and a tenant, small enough to be compiled hundreds of times."""

from __future__ import annotations

from pathlib import Path

from oneiric_compiler.checking import check
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [busy]\n",
    "settings/services.yml": "selections: {payments: card}\nprovider_settings:\n  card: {fee: 1}\n",
    "settings/profiles/busy.yml": "services:\n  selections: {payments: cash}\n",
    "settings/tenants/acme.yml": "services:\n  provider_settings:\n    card: {fee: 7}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """from oneiric import component

@component("service", "payments", provider="card")
class Card:
    def __init__(self, *, fee: int = 0) -> None:
        self.fee = fee

@component("service", "payments", provider="cash")
class Cash:
    pass
""",
}
OUTPUTS = [f"{folder}/{name}" for folder in ("generated", "generated/busy") for name in ("explain.json", "wiring.py")]


def make(root: Path) -> Path:
    """The project's files under `root`, not yet compiled."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def set_fee(root: Path, fee: int) -> None:
    """Changes one setting: report and wiring of the base, and nothing of the tenant, depend on it."""
    (root / "settings/services.yml").write_text(FILES["settings/services.yml"].replace("fee: 1", f"fee: {fee}"))


def project(root: Path, **environ: str) -> Project:
    return Project.at(root, environ)


def outputs_of(root: Path, **environ: str) -> Outputs:
    diagnostics = Diagnostics()
    outputs = compile_project(project(root, **environ), diagnostics)
    assert outputs is not None, [each.message for each in diagnostics]
    return outputs


def compiled(root: Path, **environ: str) -> Path:
    """Compiles and writes; the root again."""
    diagnostics = Diagnostics()
    assert write(outputs_of(root, **environ), diagnostics), [each.message for each in diagnostics]
    return root


def told(root: Path, *, profile: str | None = None, **environ: str) -> dict[str, str]:
    """What `check` tells: path to code; empty when fresh."""
    diagnostics = Diagnostics()
    fresh = check(project(root, **environ), diagnostics, profile=profile)
    found = {each.span.source.path: each.code for each in diagnostics if each.span and each.severity == "error"}
    assert fresh is (not found)
    return found


def state(root: Path) -> dict[str, bytes]:
    """Every file under the output folder that a compile is said to write, by path."""
    folder = root / "generated"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
