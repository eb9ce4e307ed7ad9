"""The page of observability: each metric that it lists comes out of a process that works, and none besides; its alerts
and its dashboard ask for those."""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from oneiric.serve.gauges import GAUGES
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.test_docs import ROOT
from tests.unit.serve.serving import Served, command, compile_project, until

PAGE = (ROOT / "docs/observability.md").read_text("utf-8")
OTHERS = re.compile(r"python_|process_|target(_info)?$")
SCOPE = {"otel_scope_name", "otel_scope_schema_url", "otel_scope_version"}
TOKEN = "let me in"
FOLDER = ROOT / "docs/monitoring"
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that a scrape and the sums over histograms add."""
SETTINGS = {
    "app.yml": "name: shop\npackages: [shop]\n",
    "adapters.yml": "selections: {engine: inline, database: sqlite}\nprovider_settings: {sqlite: {path: shop.db}}\n",
    "services.yml": "selections: {greeter: plain}\nrestart: {greeter: on-failure}\nlayers: {greeter: [traced]}\n",
    "events.yml": """topics: {order.placed: {}}
subscriptions:
  audit: {topics: [order.placed]}
  mail: {topics: [order.placed], delivery: durable}
outbox: adapter:database
""",
    "workflows.yml": """queues: {orders: {at_once: 2}}
workflows:
  fulfil: {queue: orders, nodes: {greet: {call: "service:greeter#greet"}}}
""",
    "tasks.yml": "schedules: {often: {every: 1s, call: task:report, with: {day: now}}}\n",
}
PARTS = """
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

from oneiric import component


class Greeter(Protocol):
    async def greet(self) -> str: ...


class Report(Protocol):
    async def __call__(self, *, day: str) -> str: ...


@component("service", "greeter", provider="plain", eager=True, port="shop.parts:Greeter")
class Plain:
    def __init__(self) -> None:
        self._sick = Path("sick").exists()
        Path("sick").unlink(missing_ok=True)

    async def greet(self) -> str:
        while Path("wait").exists():
            await asyncio.sleep(0.01)
        return "hello"

    def health(self) -> bool:
        return not Path("sick").exists()


@component("service", "greeter", provider="loud", port="shop.parts:Greeter")
class Loud(Plain):
    pass


@component("service", "greeter", provider="broken", port="shop.parts:Greeter")
class Broken(Plain):
    async def start(self) -> None:
        raise OSError("no greeting for hunter2")


@component("task", "report", provider="it", port="shop.parts:Report")
class Reports:
    async def __call__(self, *, day: str) -> str:
        if day == "bad":
            raise ValueError("a text with the password hunter2")
        return day


@component("event", "audit", provider="it")
class Audit:
    async def __call__(self, *, event: dict[str, Any]) -> None: ...


@component("event", "mail", provider="it")
class Mail:
    async def __call__(self, *, event: dict[str, Any]) -> None:
        if event.get("id") == "bad":
            raise OSError("no mail for hunter2")
"""


def make_shop(root: Path) -> Path:
    files = {f"settings/{name}": text for name, text in SETTINGS.items()}
    for name, text in {**files, "shop/__init__.py": "", "shop/parts.py": PARTS}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    compile_project(root)
    return root


@pytest.fixture(name="served", scope="module")
def a_served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    root = make_shop(tmp_path_factory.mktemp("observed"))
    options = ("--http", "127.0.0.1:0", "--http-token", TOKEN, "--port", "0", "--health-period", "0.1")
    with Served(root, *options, name="shop") as served:
        work(served)
        yield served


def answered(served: Served, path: str, body: Any = None) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{served.ask('status')['http']}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def scraped(served: Served) -> dict[str, Metric]:
    """What `/metrics` says, by name."""
    status, text = answered(served, "/metrics")
    assert status == 200, text
    families = list(text_string_to_metric_families(text))
    found = {each.name: each for each in families}
    assert len(found) == len(families)
    return found


def values(family: Metric, suffix: str = "") -> dict[tuple[tuple[str, str], ...], float]:
    """The samples of a family, by their labels but those of the scope."""
    return {
        tuple(sorted((name, value) for name, value in each.labels.items() if name not in SCOPE)): each.value
        for each in family.samples
        if each.name == family.name + suffix
    }


def documented() -> Mapping[str, tuple[str, str, set[str]]]:
    """By the name in Prometheus: kind, unit and labels, as the page has them."""
    found: dict[str, tuple[str, str, set[str]]] = {}
    for name, kind, unit, attributes in re.findall(r"^\| `([\w.]+)` \| (\w+) \| `(.+?)` \| (.*?) \|", PAGE, re.M):
        labels = {each.replace(".", "_") for each in re.findall(r"`((?:oneiric|error|http|url)\.[\w.]+)`", attributes)}
        found[name.replace(".", "_") + ("_seconds" if unit == "s" else "")] = (kind, unit, labels)
    return found


def work(served: Served) -> None:
    """Everything that is measured happens at least once; some of it fails."""
    for number in range(5):
        assert answered(served, f"/events/order.placed?id=e{number}", {"id": str(number)})[0] == 200
        assert answered(served, f"/calls/workflow:fulfil?id=r{number}", {})[0] == 200
        assert answered(served, "/calls/task:report", {"day": str(number)})[0] == 200
    assert answered(served, "/events/order.placed", {"id": "bad"})[0] == 200
    assert answered(served, "/calls/task:report", {"day": "bad"})[0] == 500
    assert answered(served, "/calls/task:none-17", {})[0] == 404
    assert answered(served, "/nowhere-17")[0] == 404
    (served.root / "sick").touch()
    until(lambda: served.events("restart"))
    assert served.swap("service:greeter", "loud")["accepted"]
    assert not served.swap("service:greeter", "broken")["accepted"]
    wiring = served.root / "generated/wiring.py"
    deployed = wiring.read_text()
    wiring.write_text("cut")
    assert not served.reload()["accepted"]
    wiring.write_text(deployed)
    assert served.ask("rollback", to=None)["accepted"]
    assert served.reload()["accepted"]
    assert served.ask("secrets-rotate", names=[])["accepted"]
    until(lambda: served.events("tick"))


def test_what_is_exported_is_what_the_page_lists(served: Served) -> None:
    wanted = documented()
    assert len(wanted) > 20
    found = until(lambda: found if wanted.keys() <= (found := scraped(served)).keys() else None)
    assert sorted(name for name in found if not OTHERS.match(name)) == sorted(wanted)
    for name, (kind, _, labels) in wanted.items():
        family = found[name]
        assert family.type == kind
        had = {label for each in family.samples for label in each.labels} - SCOPE - {"le"}
        assert had <= labels, name
        assert labels - had <= {"error_type"}, name


def test_units_are_what_the_page_says() -> None:
    told = {name: unit for name, (kind, unit, _) in documented().items() if kind == "gauge"}
    assert told == {name.replace(".", "_"): unit for name, (unit, _) in GAUGES.items()}


def test_nothing_that_is_anybodys_is_a_label(served: Served) -> None:
    text = answered(served, "/metrics")[1]
    for told in ("hunter2", "none-17", "nowhere-17", '"e3', '"r3', "shop/e3", served.ask("status")["generation"]):
        assert told not in text
    found = scraped(served)
    calls = values(found["oneiric_invoke_duration_seconds"], "_count")
    failed = [labels for labels in calls if dict(labels).get("error_type")]
    assert failed == [(("error_type", "builtins.ValueError"), ("oneiric_key", "task:report"))]
    requests = values(found["http_server_request_duration_seconds"], "_count")
    routes = {dict(labels).get("http_route") for labels in requests}
    assert routes == {"", "/calls/{call}", "/events/{topic}", "/metrics"}
    assert {dict(labels).get("error_type") for labels in requests} - {""} == {"500"}


def test_gauges_are_what_is_so_now(served: Served) -> None:
    until(lambda: values(scraped(served)["oneiric_runs"])[(("oneiric_state", "dead"),)] == 1)
    (served.root / "wait").touch()
    for number in range(5):
        asked = {"key": "workflow:fulfil", "payload": "{}", "id": f"g{number}", "queue": None, "tenant": None}
        served.ask("workflow-start", **asked)
    depth = (("oneiric_queue", "orders"), ("oneiric_state", "waiting"))
    under_way = (("oneiric_queue", "orders"), ("oneiric_state", "running"))
    until(lambda: values(scraped(served)["oneiric_queue_runs"])[under_way] == 2)
    found = scraped(served)
    assert values(found["oneiric_queue_runs"])[depth] == 3
    assert values(found["oneiric_leases"])[(("oneiric_key", "service:greeter"),)] == 2
    told = command(served.root, "status").stdout
    assert re.search(r"runs +\d queued, \d running, 0 parked, 0 failed, 1 dead\n", told)
    assert re.search(r"queue +orders: 3 waiting, 2 running, 0 failed, 0 dead\n", told)
    (served.root / "wait").unlink()
    until(lambda: values(scraped(served)["oneiric_queue_runs"])[depth] == 0)
    assert values(scraped(served)["oneiric_components_unwell"]) == {(): 0}


def alerts() -> list[str]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def queries() -> list[str]:
    """Of the dashboard, with its variables filled in."""
    panels = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [
        each.replace("$__rate_interval", "5m").replace("$job", "oneiric").replace("$instance", ".*") for each in found
    ]


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(each: promql_parser.Expr) -> None:
        if isinstance(each, promql_parser.MatrixSelector):
            found.append(each.vector_selector)
        elif isinstance(each, promql_parser.VectorSelector):
            found.append(each)

    promql_parser.walk(promql_parser.parse(expression), visit)
    assert found, expression
    return found


@pytest.mark.parametrize("expressions", [alerts(), queries()], ids=["alerts", "dashboard"])
def test_what_is_asked_for_is_exported(served: Served, expressions: list[str]) -> None:
    samples = [sample for family in scraped(served).values() for sample in family.samples]
    had: dict[str, set[str]] = {"up": set()}
    for each in samples:
        had.setdefault(each.name, set()).update(each.labels)
    values_of = {(each.name, label, value) for each in samples for label, value in each.labels.items()}
    for selector in (each for expression in expressions for each in selectors(expression)):
        assert selector.name in had or (sys.platform != "linux" and selector.name.startswith("process_"))
        for matcher in selector.matchers.matchers:
            if matcher.name in OF_PROMETHEUS:
                continue
            assert matcher.name in had[selector.name], (selector.name, matcher.name)
            if matcher.op is promql_parser.MatchOp.Equal:
                assert (selector.name, matcher.name, matcher.value) in values_of, (selector.name, matcher.value)


@pytest.mark.parametrize("expressions", [alerts(), queries()], ids=["alerts", "dashboard"])
def test_what_is_told_apart_has_such_labels(expressions: list[str]) -> None:
    labels = {label for _, _, each in documented().values() for label in each} | OF_PROMETHEUS
    told = {
        label.strip() for each in expressions for by in re.findall(r" by \((.+?)\)", each) for label in by.split(",")
    }
    assert told - labels == set()


def test_the_dashboard_has_every_metric_and_nothing_over_another() -> None:
    asked = {str(each.name) for query in queries() for each in selectors(query)}
    assert {re.sub(r"_(count|sum|bucket)$", "", each) for each in asked} >= documented().keys()
    panels = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: list[tuple[int, int]] = []
    for at in (panel["gridPos"] for panel in panels):
        assert at["x"] + at["w"] <= 24
        cells += [(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])]
    assert len({*cells}) == len(cells)


def test_many_ask_at_once(served: Served) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: answered(served, "/metrics"), range(40)))
    for status, text in answers:
        assert status == 200
        names = [each.name for each in text_string_to_metric_families(text)]
        assert len(names) == len(set(names))
        assert "oneiric_leases" in names
