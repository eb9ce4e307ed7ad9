"""`/metrics` where the extra is missing or the application measures by itself, and gauges nobody can answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import oneiric
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from oneiric.runtime import host_of
from oneiric.serve.gauges import GAUGES, Gauges
from oneiric.serve.messages import Messages
from oneiric.serve.metrics import measured
from oneiric.serve.runs import Runs
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.unit.runtime.making import Part, key, run, wiring_of


def _printed(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk.metrics", "prometheus_client"])
def test_what_is_missing_is_seen_and_nothing_fails(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None\nfrom oneiric.serve.metrics import exporting\n"
    assert _printed(f"{script}print(exporting('shop'))") == "False"


def test_without_the_extra_the_answer_names_it() -> None:
    async def work() -> None:
        async with TestClient(TestServer(measured(web.Application(), exported=False))) as client:
            answer = await client.get("/metrics")
            assert answer.status == 501
            said = (await answer.json())["error"]
            assert said == "metrics need the extra `serve-metrics`: pip install 'oneiric[serve-metrics]'"

    run(work())


def test_a_provider_of_the_application_stays() -> None:
    script = (
        "from opentelemetry import metrics\n"
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "own = MeterProvider(); metrics.set_meter_provider(own)\n"
        "from oneiric.serve.metrics import exporting\n"
        "print(exporting('shop'), metrics.get_meter_provider() is own)"
    )
    assert _printed(script) == "True True"


def _gauges(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data: Any = reader.get_metrics_data()
    scopes = () if data is None else data.resource_metrics[0].scope_metrics
    return {each.name: list(each.data.data_points) for scope in scopes for each in scope.metrics}


def test_gauges_are_seen_from_any_thread_and_nothing_once_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)
    made: list[Part] = []
    wiring = wiring_of(cache=key(lambda _: Part(made), port="tests.unit.runtime.making:Part"))

    async def work() -> None:
        async with oneiric.Runtime(wiring) as app:
            host = host_of(app)
            Gauges(host, Runs(host), Messages(host), tmp_path).begin()
            async with host.base.slot("adapter:cache").lease():
                first = await asyncio.to_thread(_gauges, reader)
                in_the_loop = _gauges(reader)  # where nothing can be waited for: what was seen last
            (lease,) = first["oneiric.leases"]
            assert (lease.value, lease.attributes) == (1, {"oneiric.key": "adapter:cache"})
            assert [each.value for each in first["oneiric.components"]] == [1]
            assert "oneiric.runs" not in first  # no engine is bound
            assert [each.value for each in in_the_loop["oneiric.leases"]] == [1]

    run(work())
    over = _gauges(reader)
    assert [over.get(name) or [] for name in GAUGES] == [[]] * len(GAUGES)
