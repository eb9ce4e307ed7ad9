"""hydra: a configuration file with a `_target_` for each part, composed and instantiated; it keeps no instances.

https://hydra.cc/docs/advanced/instantiate_objects/overview/, /advanced/compose_api/
"""

from __future__ import annotations

from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DISTRIBUTION = "hydra-core"


def write(parts: Parts, folder: Path) -> None:
    """`conf/parts.yaml`, in which each desk has its store."""
    lines = [
        f"desk_{i}:\n  _target_: {desk.replace(':', '.')}\n  store: {{_target_: {store.replace(':', '.')}}}\n"
        for i, (store, desk) in enumerate(parts.paths())
    ]
    (folder / "conf").mkdir()
    (folder / "conf" / "parts.yaml").write_text("".join(lines), "utf-8")


def start(parts: Parts) -> Any:
    from pathlib import Path

    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    with initialize_config_dir(str(Path("conf").absolute()), version_base=None):
        return instantiate(compose("parts")[f"desk_{FIRST}"])


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    chain = "benchmarks.field.chain"
    config = OmegaConf.create(
        {"_target_": f"{chain}.A", "b": {"_target_": f"{chain}.B", "c": {"_target_": f"{chain}.C"}}}
    )
    return {DISTRIBUTION: ("instantiate(config)", {"instantiate": instantiate, "config": config})}
