"""Nothing can stand in a wiring's workflows, topics and tables that is not in the report."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.verify import verify

WANT = Path(__file__).parent.parent / "golden" / "events_declared" / "want"
WIRING = (WANT / "wiring.py").read_text("utf-8")
TENANTS = (WANT / "tenants.jsonl").read_bytes()
REPORT: dict[str, Any] = json.loads((WANT / "explain.json").read_text("utf-8"))
EDITS = {
    "another call": ("self._wiring.tasks.label.live(parcel=item)", "self._wiring.tasks.charge_card.live(parcel=item)"),
    "one more call": (
        '        return {"charge"',
        '        more = await self._wiring.tasks.label.live(parcel="x")\n        return {"charge"',
    ),
    "a call that is none of the wiring": ("await self._wiring.tasks.reserve_stock.live(", "await print("),
    "an import": ("        reserve = await", "        import os\n        reserve = await"),
    "another import": ("import given, holds, or_error", "import given, holds, or_error, Any"),
    "a loop": ("        reserve = await", "        for _ in (1,): pass\n        reserve = await"),
    "a private attribute": ('reserve["parcels"]', "reserve.__class__"),
    "a helper of another name": ("        reserve = await", "        holds = await"),
    "a comprehension that leaks": ("or_error(self._wiring", "or_error(__import__('os') or self._wiring"),
    "another flow": ('"call": "task:label", "with"', '"call": "task:charge-card", "with"'),
    "a flow with less": (', "timeout": 30.0', ""),
    "a flow in another order": (
        '"after": ["reserve"], "call": "task:charge-card"',
        '"after": [], "call": "task:charge-card"',
    ),
    "another queue": ('"queue": "orders",\n          })', '"queue": "other",\n          })'),
    "another input": ('input="events_declared.orders:Order"', 'input="events_declared.orders:Reserved"'),
    "another result": ("            charge: Any\n", ""),
    "other words": ("3 nodes in 2 levels", "3 nodes in 3 levels"),
    "a subscription less": ('        "audit": {', '        "audits": {'),
    "another schedule": ('"cron": "30 2 * * *"', '"cron": "31 2 * * *"'),
    "a tick for nobody": ('"tenants": ["acme"]', '"tenants": []'),
    "another outbox": ('__outbox__ = "adapter:database"', '__outbox__ = "adapter:analytics"'),
    "an export to somewhere else": ('"order.*": "adapter:queue"', '"order.*": "adapter:other"'),
    "another queue that broadcasts": ('__broadcast__ = "adapter:queue"', '__broadcast__ = "adapter:x"'),
    "one more import of events": ('__imports__ = ("adapter:queue",)', '__imports__ = ("adapter:queue", "adapter:x")'),
    "another limit": ('"at_once": 20', '"at_once": 21'),
    "a limit that is true": ('"at_once_here": 10', '"at_once_here": True'),
    "a topic less": ('    @topic("order.paid")', '    @topic("order.pad")'),
    "another order": ('order_by="id"', 'order_by="quantity"'),
    "a topic that does something": ("raise NotImplementedError", "return print()"),
    "no topics": ("    topics: Topics\n", ""),
    "another engine": ("oneiric.engines.schedules:Schedules", "oneiric.engines.events:Events"),
}


def test_what_the_compiler_writes_holds() -> None:
    assert [*verify(REPORT, WIRING.encode(), TENANTS)] == []


def tokens() -> list[tokenize.TokenInfo]:
    """Those of the workflow's code."""
    before, _, rest = WIRING.partition("    async def fulfil(")
    first, length = before.count("\n") + 1, rest.partition("\n\n\n")[0].count("\n")
    kinds = (tokenize.NAME, tokenize.STRING, tokenize.NUMBER, tokenize.OP)
    every = tokenize.generate_tokens(io.StringIO(WIRING).readline)
    return [each for each in every if first <= each.start[0] <= first + length and each.type in kinds]


@pytest.mark.parametrize("put", ["", "x", "1", '"x"', "None"])
def test_no_token_of_a_workflows_code_can_be_another(put: str) -> None:
    """Whatever is put in the place of any of them, unless it says the same."""
    lines, meant = WIRING.splitlines(keepends=True), ast.dump(ast.parse(WIRING))
    told = 0
    for each in tokens():
        (row, start), (_, end) = each.start, each.end
        edited = "".join([*lines[: row - 1], lines[row - 1][:start] + put + lines[row - 1][end:], *lines[row:]])
        with suppress(SyntaxError):
            if ast.dump(ast.parse(edited)) != meant:
                assert [*verify(REPORT, edited.encode(), TENANTS)], lines[row - 1][start - 10 : end + 10]
                told += 1
    assert told > 5


OVERLAID = WANT.parents[1] / "flow_of_tenants" / "want"
TENANTS_EDITS = {
    "another wait": (b'"timeout": 5.0', b'"timeout": 6.0'),
    "another call": (b'"call": "task:charge-card"', b'"call": "task:label"'),
    "another order": (b'"after": ["reserve"], "call": "task:label"', b'"after": [], "call": "task:label"'),
    "another queue": (b'"queue": "orders"', b'"queue": "other"'),
    "another input": (b'"input": "flow_of_tenants.orders:Order"', b'"input": "os:system"'),
    "no condition": (b', "when": [{"above": 1, "path": "input.quantity"}]', b""),
}


@pytest.mark.parametrize("name", TENANTS_EDITS)
def test_an_edit_of_a_tenants_flow_is_told(name: str) -> None:
    report = json.loads((OVERLAID / "explain.json").read_text("utf-8"))
    wiring, lines = (OVERLAID / "wiring.py").read_bytes(), (OVERLAID / "tenants.jsonl").read_bytes()
    assert [*verify(report, wiring, lines)] == []
    before, after = TENANTS_EDITS[name]
    assert before in lines
    assert [*verify(report, wiring, lines.replace(before, after, 1))]
    own = report["workflows"]["fulfil"]["tenants"]["acme"]["nodes"]["charge"]
    own["timeout"] = 6.0
    assert [*verify(report, wiring, lines)]
    report["bindings"]["workflow:fulfil"]["tenants"]["acme"]["shared"] = True
    assert any("is said to share" in each for each in verify(report, wiring, lines))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_the_wiring_is_told(name: str) -> None:
    before, after = EDITS[name]
    assert before in WIRING
    assert [*verify(REPORT, WIRING.replace(before, after, 1).encode(), TENANTS)]


@pytest.mark.parametrize(
    "path",
    [
        "workflows/fulfil/nodes/charge/call",
        "workflows/fulfil/levels",
        "workflows/fulfil/result",
        "topics/order.placed/type",
        "subscriptions/welcome/where",
        "schedules/poll/every",
        "queues/orders/rate",
        "outbox/key",
        "exports/order.*/key",
    ],
)
def test_a_fact_less_in_the_report_is_told(path: str) -> None:
    report: dict[str, Any] = json.loads(json.dumps(REPORT))
    *parents, last = path.split("/")
    inner: Any = report
    for parent in parents:
        inner = inner[parent]
    inner[last] = None if last in ("call", "key") else [] if isinstance(inner[last], list) else 1
    # what is raised the command tells as a report that lacks what it must have
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        assert [*verify(report, WIRING.encode(), TENANTS)]
