"""Spans: nothing without anybody who listens, OpenTelemetry where it is installed, no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import oneiric
import pytest
from oneiric import tracing
from oneiric.errors import UnknownKey
from oneiric.tracing import End, Traced, forget, record, span
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.unit.runtime.making import Part, key, run, wiring_of

EXPORTER = InMemorySpanExporter()


@pytest.fixture
def exported() -> InMemorySpanExporter:
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    return EXPORTER


def _one(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [each for each in exporter.get_finished_spans() if each.name == name]
    return found


def test_an_activation_is_a_span(exported: InMemorySpanExporter) -> None:
    made: list[Part] = []

    async def work() -> None:
        async with oneiric.Runtime(
            wiring_of(cache=key(lambda _: Part(made), port="tests.unit.runtime.making:Part"))
        ) as app:
            await app.use("adapter", "cache")

    run(work())
    told = _one(exported, "oneiric.activate")
    assert dict(told.attributes or {}) == {
        "oneiric.domain": "adapter", "oneiric.key": "cache", "oneiric.provider": "test"
    }  # fmt: skip
    assert told.status.status_code is trace.StatusCode.UNSET


def test_a_failure_shows_no_text_of_a_component(exported: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="hunter2"), span("reload"):
        raise ValueError("the password is hunter2")
    told = _one(exported, "oneiric.reload")
    assert (told.status.status_code, told.status.description) == (trace.StatusCode.ERROR, "ValueError")
    assert "hunter2" not in told.to_json()


def test_our_own_errors_are_told_in_words(exported: InMemorySpanExporter) -> None:
    with pytest.raises(UnknownKey), span("swap", key="cache"):
        raise UnknownKey("adapter:cash", ["adapter:cache"])
    assert "did you mean adapter:cache" in str(_one(exported, "oneiric.swap").status.description)


def test_spans_nest_and_take_attributes_until_their_end(exported: InMemorySpanExporter) -> None:
    with span("swap") as outer, span("recompile"):
        outer.set(generation="abc", tenant=None)
    inner, whole = _one(exported, "oneiric.recompile"), _one(exported, "oneiric.swap")
    assert inner.parent is not None and whole.context is not None
    assert inner.parent.span_id == whole.context.span_id
    assert dict(whole.attributes or {}) == {"oneiric.generation": "abc"}


def test_a_recorder_hears_of_what_begins_after_it_came() -> None:
    heard: list[tuple[str, float, str | None]] = []

    def recorder(begun: Traced) -> End:
        return lambda error: heard.append((begun.name, begun.seconds, type(error).__name__ if error else None))

    record(recorder)
    try:
        with span("drain"):
            pass
        with pytest.raises(KeyError), span("swap"):
            raise KeyError
    finally:
        forget(recorder)
    with span("reload"):
        pass
    assert [(name, error) for name, _, error in heard] == [("oneiric.drain", None), ("oneiric.swap", "KeyError")]
    assert all(seconds >= 0 for _, seconds, _ in heard)


def test_without_listeners_every_span_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_recorders", [])
    monkeypatch.setattr(tracing, "_begun", True)
    with span("swap", key="cache") as one, span("reload") as other:
        one.set(generation="abc")
    assert one is other
    assert one.attributes == {}


@pytest.mark.parametrize(
    ("first", "environ", "told"),
    [
        ("pass", {}, False),
        ("import opentelemetry.trace", {}, True),
        ("import opentelemetry.metrics", {}, True),
        ("pass", {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}, True),
        ("pass", {"OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"}, True),
    ],
)
def test_opentelemetry_is_imported_where_somebody_wants_it(first: str, environ: dict[str, str], told: bool) -> None:
    script = (
        "import sys\n"
        "from oneiric.tracing import span\n"
        "with span('reload'): pass\n"
        f"{first}\n"
        "with span('swap') as one: print('opentelemetry.trace' in sys.modules, type(one).__name__)\n"
    )
    env = {**os.environ, **environ}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == (f"{told} {'Traced' if told else '_NoSpan'}\n", "")


def test_without_the_api_nothing_is_missed() -> None:
    script = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from oneiric.tracing import span\n"
        "with span('swap') as one: one.set(key='cache')\n"
        "print('well')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_what_takes_time_is_measured_by_attributes_of_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)
    monkeypatch.setattr(tracing, "_recorders", [])
    monkeypatch.setattr(tracing, "_begun", False)
    for generation in ("abc", "def"):
        with span("swap", domain="adapter", key="cache", tenant="acme", generation=generation, accepted=True):
            pass
    with pytest.raises(UnknownKey), span("swap", key="adapter:cash"):
        raise UnknownKey("adapter:cash", [])
    data: Any = reader.get_metrics_data()
    (measured,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert (measured.name, measured.unit) == ("oneiric.swap.duration", "s")
    assert {tuple(sorted(point.attributes.items())): point.count for point in measured.data.data_points} == {
        (("oneiric.accepted", True), ("oneiric.key", "adapter:cache")): 2,
        (("error.type", "oneiric.errors.UnknownKey"), ("oneiric.key", "adapter:cash")): 1,
    }
