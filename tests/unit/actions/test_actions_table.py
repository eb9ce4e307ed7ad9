"""Every action takes a payload in the words of upstream, and gives the fields that it documents there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from oneiric.calls import invoke
from oneiric.runtime import host_of
from oneiric_compiler.editor.builtin_schemas import builtins_and_sources

from tests.unit.actions.serving import SECRET, served
from tests.unit.runtime.projects import made, of

_RULE = {"name": "a", "action": "b", "conditions": [{"field": "x", "operator": "equals", "value": 1}]}
_RETRY = {"max_attempts": 3, "base_delay_seconds": 1, "multiplier": 2, "max_delay_seconds": 60, "jitter": 0.1}
TABLE: dict[str, tuple[dict[str, Any], str]] = {
    "compression.encode": ({"mode": "compress", "algorithm": "zlib", "text": "a"}, "mode algorithm data"),
    "compression.hash": (
        {"value": {"a": 1}, "algorithm": "sha256", "encoding": "hex", "salt": "s"},
        "status algorithm encoding digest salted",
    ),
    "serialization.encode": (
        {"mode": "encode", "format": "json", "value": {"b": 1, "a": None}, "sort_keys": True, "ensure_ascii": False},
        "status format text",
    ),
    "workflow.audit": (
        {"event": "e", "details": {"a": 1}, "channel": "c", "redact_fields": ["a"], "include_timestamp": True},
        "status event channel details timestamp",
    ),
    "workflow.notify": (
        {"message": "m", "channel": "c", "level": "info", "recipients": ["a"], "context": {"a": 1}},
        "status message channel level recipients context",
    ),
    "workflow.retry": ({"attempt": 1, **_RETRY}, "attempt max_attempts status next_attempt delay_seconds"),
    "workflow.orchestrate": (
        {
            "workflow_id": "w",
            "version": "2.0.0",
            "steps": [
                {"step_id": "a", "name": "A", "action": "compression.hash", "payload": {"text": "x"}, "metadata": {}},
                {"step_id": "b", "action": "compression.hash", "payload": {"text": "y"}, "depends_on": ["a"],
                 "retry_attempts": 3, "timeout_seconds": 30, "tags": ["t"]},
            ],
        },
        "status run_token step_count schedule ordered_steps steps graph stats",
    ),
    "http.fetch": (
        {"url": "any", "method": "GET", "params": {"a": 1}, "headers": {"x-a": "b"}, "timeout": 5, "verify": True,
         "allow_redirects": True, "raise_for_status": True},
        "status status_code ok method url headers elapsed_ms json text",
    ),
    "security.signature": (
        {"message": "m", "secret": "s", "algorithm": "sha256", "encoding": "hex", "header": "X-S",
         "include_timestamp": True},
        "status algorithm encoding signature header timestamp",
    ),
    "security.secure": ({"mode": "token", "length": 32}, "token length"),
    "data.transform": (
        {"data": {"a": 1, "b": 2}, "include_fields": ["a"], "rename_fields": {"a": "c"}, "defaults": {"d": 1}},
        "status data applied",
    ),
    "data.sanitize": (
        {"record": {"a": 1, "Secret": 2}, "drop_fields": ["a"], "mask_fields": ["secret"], "mask_value": "-",
         "case_sensitive": False},
        "status data applied",
    ),
    "validation.schema": (
        {"data": {"a": 1}, "fields": [{"name": "a", "type": "int", "required": True, "allow_null": False}],
         "allow_extra": True, "fail_fast": False},
        "status data validated errors",
    ),
    "task.schedule": (
        {"task_type": "t", "cron_expression": "0 2 * * *", "queue": "q", "name": "n", "payload": {"a": 1},
         "priority": 5, "start_time": "2027-01-01T00:00:00", "end_time": "2028-01-01T00:00:00", "max_runs": 3,
         "preview_runs": 2, "timezone": "UTC", "tags": ["t"]},
        "status rule next_run upcoming_runs payload",
    ),
    "event.dispatch": (
        {"topic": "t", "payload": {"a": 1}, "metadata": {"b": 2}, "source": "s", "event_id": "e", "dry_run": False,
         "hooks": [{"name": "h", "url": "any", "method": "POST", "headers": {"x-a": "b"}, "enabled": True,
                    "timeout_seconds": 5, "secret": SECRET}]},
        "status event hooks delivered skipped failed",
    ),
    "automation.trigger": (
        {"context": {"x": 1}, "rules": [{**_RULE, "payload": {"p": 1}, "stop_on_match": True}],
         "stop_on_first_match": False},
        "status matched_rules evaluated_rules context",
    ),
    "debug.console": (
        {"message": "m", "details": {"a": 1}, "level": "info", "prefix": "[x]", "echo": False, "scrub_fields": ["a"],
         "include_timestamp": True},
        "status message level prefix details timestamp",
    ),
}  # fmt: skip
PROVIDERS = {key.name: found[0].provider for key, found in builtins_and_sources()[0].items() if key.domain == "action"}


def test_the_table_is_of_all_actions() -> None:
    assert {*TABLE} <= {*PROVIDERS}
    assert len(TABLE) == 17


def test_upstreams_payloads_give_the_fields_of_upstreams_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selections = "".join(f"  {key}: {provider}\n" for key, provider in PROVIDERS.items() if key in TABLE)
    files = {
        "settings/app.yml": "name: shop\n",
        "settings/actions.yml": f"selections:\n{selections}",
        "settings/adapters.yml": "provider_settings: {aiohttp: {base_url: '${BASE}'}}\n",
    }
    root = made(tmp_path, monkeypatch, "shop", files)

    async def story() -> None:
        async with served() as server:
            monkeypatch.setenv("BASE", server.url)
            async with of(root) as runtime:
                for key, (payload, fields) in TABLE.items():
                    result = await invoke(host_of(runtime).base, f"action:{key}", payload)
                    assert {*fields.split()} <= result.keys(), key
                    assert result.get("status") not in ("failed", "error"), (key, result)

    asyncio.run(story())
