"""Monitoring provider `logfire`: spans, logs and metrics to Pydantic Logfire."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

from logfire import VERSION, AdvancedOptions, Logfire, MetricsOptions, configure
from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality

from oneiric import Secret, component
from oneiric.adapters.monitoring import Attributes, Level, Span, check_level, checked_name, told_attributes
from oneiric.adapters.monitoring._otlp import PROTOBUF, Instruments, Pipeline, http_exporters, tell_error
from oneiric.adapters.monitoring._outbox import Outbox
from oneiric.adapters.monitoring._receiver import Receiver, checked_url, faults_of
from oneiric.adapters.monitoring._sending import Measure, Sending

_FAULTS = faults_of("logfire")
_DELTA = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)
_configuring = threading.Lock()


@component(
    "adapter",
    "monitoring",
    provider="logfire",
    priority=0,
    stack_level=-20,
    capabilities=("tracing", "metrics", "events", "errors"),
    port="oneiric.adapters.monitoring:Monitoring",
)
class LogfireMonitoring(Sending):
    """Sends spans, logs (events) and metrics to Logfire, by a Logfire of its own: nothing of the process is changed.

    Besides what the port masks, Logfire's scrubbing masks what looks like a secret to it.

    Needs an account of Logfire; the extra `monitoring-logfire`.

    `token`: a write token of the project; it also says which region the data goes to.
    `base_url`: the address of a Logfire of one's own, instead of a region's.
    `service_name`: who records, an attribute of the resource.
    `environment`: where it runs, an attribute of the resource.
    `release`: which version runs, an attribute of the resource.
    `tags`: further attributes of the resource.
    `export_interval`: seconds from one sending of spans, logs and metrics to the next.
    `timeout`: seconds for one request with the tries it may take, and for sending the rest when closed.
    `healthcheck_timeout`: seconds for the receiver to answer a health check, and at the start.
    `max_queue_size`: how many spans and logs wait at most.
    """

    _provider = "logfire"

    def __init__(
        self,
        *,
        token: Secret,
        base_url: str | None = None,
        service_name: str = "oneiric",
        environment: str | None = None,
        release: str | None = None,
        tags: dict[str, str] | None = None,
        export_interval: float = 1.0,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_queue_size: int = 2048,
    ) -> None:
        _FAULTS.check_above_zero(
            export_interval=export_interval,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_queue_size=max_queue_size,
        )
        text = token.reveal()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise _FAULTS.no_sense("is not a write token", "token")
        if base_url is not None:
            base_url = checked_url(base_url, "base_url", _FAULTS)
        self._token = token
        self._base_url = base_url
        self._url = AdvancedOptions(base_url=base_url).generate_base_url(text).rstrip("/")
        self._service_name = service_name
        self._environment = environment
        self._release = release
        self._tags = dict(tags or {})
        self._interval = export_interval
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._size = max_queue_size

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        self._opened()
        return _Span(self._logfire, checked_name(name), attributes)

    def event(self, name: str, attributes: Attributes | None = None, *, level: Level = "info") -> None:
        self._opened()
        check_level(level)
        told: dict[str, Any] = told_attributes(attributes)
        self._logfire.log("warn" if level == "warning" else level, _literally(checked_name(name)), told)

    def exception(self, error: BaseException, attributes: Attributes | None = None) -> None:
        self._opened()
        name = type(error).__name__
        with self._logfire.span(_literally(name), _span_name=name, _level="error") as span:
            span.set_attributes({**told_attributes(attributes), "event.level": "error"})
            tell_error(span, error)

    async def _ask(self) -> None:
        """See that the receiver takes a request without spans."""
        setting = "token" if self._base_url is None else "base_url"
        receiver = Receiver(_FAULTS, f"{self._url}/v1/traces", setting, "token", self._token, certificates=setting)
        await receiver.ask(b"", {**self._headers(), **PROTOBUF}, self._healthcheck_timeout)

    def _headers(self) -> dict[str, str]:
        return {"User-Agent": f"logfire/{VERSION}", "Authorization": self._token.reveal()}

    def _open(self) -> tuple[Outbox[Any], Measure]:
        """The SDK's own way out has no bound, counts nothing, and keeps threads and files: this one replaces it."""
        spans, metrics = http_exporters(self._url, self._headers(), self._timeout, None, (True, True))
        pipeline = Pipeline(
            self._provider,
            spans,
            metrics,
            temporality=_DELTA,
            size=self._size,
            interval=self._interval,
            timeout=self._timeout,
        )
        with _without_patches():
            self._logfire = self._configured(pipeline)
        meters = self._logfire.config.get_meter_provider()
        return pipeline.outbox, Instruments(meters.get_meter("oneiric.monitoring")).record

    def _configured(self, pipeline: Pipeline) -> Logfire:
        return configure(
            local=True,
            send_to_logfire=False,
            console=False,
            service_name=self._service_name,
            service_version=self._release,
            environment=self._environment,
            resource_attributes=self._tags,
            additional_span_processors=[pipeline],
            metrics=MetricsOptions(additional_readers=pipeline.readers),
            inspect_arguments=False,
            distributed_tracing=True,
            advanced=AdvancedOptions(base_url=self._base_url, emit_configuration_span=False),
        )


class _Span:
    """A span that begins when it is entered."""

    __slots__ = ("_attributes", "_logfire", "_name", "_span")

    def __init__(self, logfire: Logfire, name: str, attributes: Attributes | None) -> None:
        self._logfire = logfire
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> _Span:
        self._span = self._logfire.span(_literally(self._name), _span_name=self._name)
        self._span.__enter__()
        self.set(self._attributes or {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._span.set_level("error")
            tell_error(self._span, error)
        self._span.__exit__(None, None, None)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(told_attributes(attributes)))


def _literally(name: str) -> str:
    """A message template that says just this."""
    return name.replace("{", "{{").replace("}", "}}")


@contextmanager
def _without_patches() -> Generator[None, None, None]:
    """Keep the executors of the process as they are: Logfire replaces their `submit`, even for a local one."""
    with _configuring:
        before: list[Any] = [(kind, kind.submit) for kind in (ThreadPoolExecutor, ProcessPoolExecutor)]
        try:
            yield
        finally:
            for kind, submit in before:
                kind.submit = submit
