"""stevedore: a driver for each entry point, loaded when it is asked for; what it needs is given by hand.

https://docs.openstack.org/stevedore/latest/user/patterns_loading.html
"""

from __future__ import annotations

from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DISTRIBUTION = "stevedore"
NAMESPACE = "field.parts"


def write(parts: Parts, folder: Path) -> None:
    """The metadata of an installed distribution that has the parts as entry points."""
    metadata = folder / "field_parts-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: field-parts\nVersion: 1.0\n", "utf-8")
    lines = [f"store-{i} = {store}\ndesk-{i} = {desk}\n" for i, (store, desk) in enumerate(parts.paths())]
    (metadata / "entry_points.txt").write_text(f"[{NAMESPACE}]\n" + "".join(lines), "utf-8")


def start(parts: Parts) -> Any:
    from stevedore.driver import DriverManager

    store = DriverManager(NAMESPACE, f"store-{FIRST}", invoke_on_load=True).driver
    return DriverManager(NAMESPACE, f"desk-{FIRST}", invoke_on_load=True, invoke_args=(store,)).driver


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    from stevedore.extension import Extension, ExtensionManager

    made = [desk(store()) for store, desk in parts.pairs()]
    extensions = [Extension(f"desk-{i}", None, None, instance) for i, instance in enumerate(made)]
    manager = ExtensionManager.make_test_instance(extensions)
    return {DISTRIBUTION: (f"manager['desk-{FIRST}'].obj", {"manager": manager})}
