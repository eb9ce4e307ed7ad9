"""Floor: a function for each part that imports, makes and keeps it when it is first called, as written by hand."""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

LABEL = "function"
_FUNCTIONS = """\
def store_{i}():
    if "store_{i}" not in made:
        from {module} import Store{i}
        made["store_{i}"] = Store{i}()
    return made["store_{i}"]


def desk_{i}():
    if "desk_{i}" not in made:
        from {module} import Desk{i}
        made["desk_{i}"] = Desk{i}(store_{i}())
    return made["desk_{i}"]


"""


def write(parts: Parts, folder: Path) -> None:
    """The functions, as the module `by_hand` of the project in `folder`."""
    texts = [_FUNCTIONS.format(i=i, module=parts.path("Store", i).partition(":")[0]) for i in range(parts.areas)]
    (folder / "by_hand.py").write_text("made = {}\n\n\n" + "".join(texts), "utf-8")


def start(parts: Parts) -> Any:
    import by_hand

    return getattr(by_hand, f"desk_{FIRST}")()


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    store, desk = parts.first()
    made = desk(store())

    def get() -> Any:
        return made

    return {LABEL: ("get()", {"get": get})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    def make() -> A:
        return A(B(C()))

    return {LABEL: ("make()", {"make": make})}
