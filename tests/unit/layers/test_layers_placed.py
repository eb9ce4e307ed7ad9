"""The built-in layers where settings place them: compiled, verified, and run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, tracing
from oneiric.adapters.http import HttpUnavailable
from oneiric.layers import BreakerOpen
from oneiric.testing.http_server import HttpServer

ADAPTERS = """\
selections: {http: httpx}
layers:
  cache: [cached, "timeout:each"]
  http: [traced, "timeout:outer", retry, breaker, limit, fallback]
components:
  - key: second
    provider: other
    factory: oneiric.adapters.http.httpx:HTTPXClient
    port: oneiric.adapters.http:HttpClient
provider_settings:
  timeout: {timeout: 20}
  cache/timeout:each: {timeout: 5s}
  cache/cached: {methods: [get], ttl: 1h, most: 10}
  http/httpx: {base_url: "${FIRST}", retries: 0}
  second/other: {base_url: "${SECOND}", retries: 0}
  http/retry: {attempts: 2, delay: 0, errors: [Unavailable]}
  http/breaker: {failures: 2, errors: ["oneiric.errors:Unavailable"]}
  http/limit: {at_once: 3, rate: {limit: 100, per: 1s}, wait: 1m}
  http/fallback: {to: "adapter:second", errors: [HttpUnavailable]}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("placed")
    (folder / "settings").mkdir()
    (folder / "settings/app.yml").write_text("name: placed\n")
    (folder / "settings/adapters.yml").write_text(ADAPTERS)
    for command in ("compile", "verify"):
        done = subprocess.run(
            [sys.executable, "-m", "oneiric_compiler", command],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_calls_pass_the_layers_that_settings_place(project: Path) -> None:
    spans: list[dict[str, Any]] = []

    def begin(span: tracing.Traced) -> tracing.End:
        return lambda error: spans.append({**span.attributes, "name": span.name, "error": type(error)})

    async def main(first: str, second: str) -> None:
        wiring: Any = oneiric.load(project / "generated/wiring.py")
        async with Runtime(wiring, environ={"FIRST": first, "SECOND": second}) as runtime:
            cache = runtime.wiring.adapters.cache.live
            await cache.set("a", b"1")
            assert await cache.get("a") == b"1"
            await cache.set("a", b"2")
            assert await cache.get(key="a") == b"1"
            http = runtime.wiring.adapters.http.live
            if second != first:
                assert (await http.get("garbage")).status == 404, "the second one answers"
                return
            with pytest.raises(HttpUnavailable):
                await http.get("garbage")
            with pytest.raises(BreakerOpen, match="adapter:http failed too often") as caught:
                await http.get("told")
            assert caught.value.key == "adapter:http"

    with HttpServer() as server:
        tracing.record(begin)
        try:
            asyncio.run(main(server.url, f"{server.url}/base"))
            asyncio.run(main(server.url, server.url))
        finally:
            tracing.forget(begin)
    called = [(each["domain"], each["key"], each["method"]) for each in spans if each["name"] == "oneiric.call"]
    assert called == [("adapter", "http", "get")] * 3
