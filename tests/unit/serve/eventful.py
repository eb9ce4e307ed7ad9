"""A project with topics, handlers and schedules, which is compiled; its components write down what they do."""

from __future__ import annotations

from pathlib import Path

SETTINGS = {
    "app.yml": "name: shop\npackages: [shop]\n",
    "adapters.yml": "selections: {engine: inline}\n",
    "events.yml": """topics:
  order.placed: {type: shop.parts:Placed}
  order.lost: {}
subscriptions:
  audit: {topics: ["order.*"], priority: 9}
  mail: {topics: [order.placed], delivery: durable, where: [{path: cents, above: 0}]}
""",
    "tasks.yml": """schedules:
  nightly: {cron: "30 2 * * *", zone: Europe/Berlin, call: task:report, with: {day: "${tick.at}"}}
  often: {every: 15m, call: task:report, with: {day: now}}
""",
}
PARTS = """
from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypedDict

from oneiric import component


class Placed(TypedDict):
    id: str
    cents: int


class Report(Protocol):
    async def __call__(self, *, day: str) -> str: ...


def note(text: str) -> None:
    with Path("done").open("a") as file:
        file.write(text + "\\n")


@component("event", "audit", provider="it")
class Audit:
    def __call__(self, *, event: dict[str, object]) -> int:
        if event.get("id") == "bad":
            raise ValueError("no such order")
        note(f"audit {event.get('id')}")
        return 7


@component("event", "mail", provider="it")
class Mail:
    async def __call__(self, *, event: Placed) -> None:
        if Path("mail.fails").exists():
            raise OSError("no mail today")
        note(f"mail {event['id']}")


@component("task", "report", provider="it", port="shop.parts:Report")
class Reports:
    async def __call__(self, *, day: str) -> str:
        note(f"report {day}")
        return day
"""


def make_eventful(root: Path) -> Path:
    """Write it."""
    (root / "settings").mkdir()
    for name, text in SETTINGS.items():
        (root / "settings" / name).write_text(text)
    (root / "shop").mkdir()
    (root / "shop" / "__init__.py").touch()
    (root / "shop" / "parts.py").write_text(PARTS)
    return root
