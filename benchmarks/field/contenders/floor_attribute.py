"""Floor: an attribute of a plain object, replaced by an assignment."""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

LABEL = "plain attribute"


class App:
    def __init__(self, part: Any) -> None:
        self.part = part


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    store, desk = parts.first()
    return {LABEL: ("app.part", {"app": App(desk(store()))})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    return {"A(B(C())), written there": ("A(B(C()))", {"A": A, "B": B, "C": C})}


def swap(first: Any) -> tuple[Any, Any]:
    app = App(first)
    return lambda: app.part, lambda other: setattr(app, "part", other)
