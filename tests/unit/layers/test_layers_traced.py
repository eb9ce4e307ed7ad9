"""The layer `traced`: each call once, with what it came to, and nothing that could be secret."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oneiric import tracing
from oneiric.layers.traced import traced
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.unit.layers.layered import Broken, Hang, Scripted, through

SPANS = list[tuple[str, dict[str, Any], str | None]]


@pytest.fixture
def spans() -> Iterator[SPANS]:
    """Spans of calls that are over, with their attributes and the class of their error."""
    over: SPANS = []

    def begin(span: tracing.Traced) -> Callable[[BaseException | None], None]:
        def end(error: BaseException | None) -> None:
            assert span.seconds >= 0
            over.append((span.name, span.attributes, None if error is None else type(error).__name__))

        return end

    tracing.record(begin)
    yield over
    tracing.forget(begin)


def calls(spans: SPANS) -> list[tuple[str, str | None]]:
    found = [(attributes, error) for name, attributes, error in spans if name == "oneiric.call"]
    assert all(each.keys() == {"domain", "key", "method"} for each, _ in found)
    assert {(each["domain"], each["key"]) for each, _ in found} <= {("adapter", "it")}
    return [(each["method"], error) for each, error in found]


def test_a_call_is_a_span_with_the_error_it_came_to(spans: SPANS) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        assert await layer.get("a secret") == "fine"
        with pytest.raises(Broken):
            await layer.find("a secret")
        task = asyncio.create_task(layer.get("a"))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert calls(spans) == [("get", None), ("find", "Broken"), ("get", "CancelledError")]
        assert "secret" not in repr([attributes for _, attributes, _ in spans])

    through(traced, story, "fine", Broken("a secret"), Hang)


def test_an_iterator_is_one_span_until_it_is_over_however_that_comes(spans: SPANS) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        steps = layer.stream()
        assert calls(spans) == []
        script.outcomes = ["a", "b", "end"]
        assert await anext(steps) == "a"
        assert calls(spans) == []
        assert [item async for item in steps] == ["b"]
        assert calls(spans) == [("stream", None)]
        script.outcomes = ["a", Broken()]
        with pytest.raises(Broken):
            [item async for item in layer.stream()]
        assert calls(spans)[1:] == [("stream", "Broken")]
        steps = layer.stream()
        await anext(steps)
        await steps.aclose()
        await steps.aclose()
        assert calls(spans)[2:] == [("stream", None)]
        steps = layer.stream()
        await anext(steps)
        del steps
        gc.collect()
        assert calls(spans)[3:] == [("stream", None)]
        await layer.stream().aclose()
        assert len(calls(spans)) == 4

    through(traced, story)


def test_a_context_is_one_span_until_it_is_left(spans: SPANS) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        async with layer.block():
            assert calls(spans) == []
        with pytest.raises(ZeroDivisionError):
            async with layer.block():
                raise ZeroDivisionError
        script.outcomes = [Broken(), "in", Broken()]
        for _ in range(2):
            with pytest.raises(Broken):
                async with layer.block():
                    pass
        assert calls(spans) == [
            ("block", None), ("block", "ZeroDivisionError"), ("block", "Broken"), ("block", "Broken")
        ]  # fmt: skip

    through(traced, story)


def test_what_begins_in_one_task_may_end_in_another(
    spans: SPANS, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenTelemetry's current span would be detached in a context where it was not attached, and logs an error."""

    async def story(layer: Any, script: Scripted) -> None:
        context, steps = layer.block(), layer.stream()
        script.outcomes = ["in", "item", "end"]
        await asyncio.create_task(context.__aenter__())
        await asyncio.create_task(steps.__anext__())
        assert [item async for item in steps] == []
        await asyncio.create_task(context.__aexit__(None, None, None))
        assert sorted(calls(spans)) == [("block", None), ("stream", None)]
        assert not caplog.records

    through(traced, story)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[tuple[Any, ...], int]]:
    """How often which attributes were told, as OpenTelemetry's SDK collects them."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    monkeypatch.setattr(tracing, "_recorders", [])
    monkeypatch.setattr(tracing, "_begun", False)

    def counts() -> dict[tuple[Any, ...], int]:
        data: Any = reader.get_metrics_data()
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert (metric.name, metric.unit) == ("oneiric.call.duration", "s")
        assert all(point.explicit_bounds[0] == 0.001 for point in metric.data.data_points)
        return {tuple(sorted(point.attributes.items())): point.count for point in metric.data.data_points}

    return counts


def test_calls_are_measured_by_key_method_and_kind_of_error(measured: Any) -> None:
    async def story(layer: Any, script: Scripted) -> None:
        await layer.get("a")
        await layer.get("b")
        script.outcomes = [Broken(), "item", "end"]
        with pytest.raises(Broken):
            await layer.get("c")
        assert [item async for item in layer.stream()] == ["item"]
        key = ("oneiric.key", "adapter:it")
        assert measured() == {
            (key, ("oneiric.method", "get")): 2,
            (("error.type", f"{Broken.__module__}.Broken"), key, ("oneiric.method", "get")): 1,
            (key, ("oneiric.method", "stream")): 1,
        }

    through(traced, story)
