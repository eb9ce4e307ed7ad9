"""Work over HTTP, for whoever has the token: calls, workflows and events, by small requests that end in time."""

from __future__ import annotations

import asyncio
from hmac import compare_digest
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from oneiric.calls import PayloadError, invoke_traced, parse_call
from oneiric.documents import Misfit, parse
from oneiric.errors import OneiricError, Paused, UnknownKey, UnknownTenant
from oneiric.flows.model import Unserved
from oneiric.host import Host
from oneiric.serve.gate import error_answer
from oneiric.serve.runs import Runs

DEADLINE = 60.0
"""Seconds for a call, and for the end of a run; a run goes on after them."""
_ENDED = {"completed": 200, "failed": 500, "cancelled": 500, "parked": 500}
_PUBLIC = ("/healthz", "/readyz", "/metrics")


def asking(app: web.Application, host: Host, runs: Runs, token: str) -> web.Application:
    """Add to an application `POST /calls/DOMAIN:KEY`, `POST /events/TOPIC` and upstream's `POST /tasks/workflow`, all
    with `Authorization: Bearer TOKEN`, and `?tenant=T`."""

    async def call(request: web.Request) -> web.StreamResponse:
        key = request.match_info["call"]
        payload = await _object(request)
        tenant = request.query.get("tenant")
        if key.startswith("workflow:"):
            return await _run(runs, key, payload, request.query.get("id"), tenant)
        try:
            parse_call(key)
        except ValueError as error:
            raise Misfit(str(error)) from error
        async with asyncio.timeout(DEADLINE):
            return web.json_response({"result": await invoke_traced(_scope(host, tenant), key, payload)})

    async def workflow(request: web.Request) -> web.StreamResponse:
        asked = await _object(request)
        key = asked.get("workflow")
        if not isinstance(key, str) or not key:
            return error_answer(400, "`workflow` is missing: the key of a workflow is wanted")
        id = asked.get("run_id")
        given: Any = asked.get("context") or {}
        if not (id is None or isinstance(id, str)) or not isinstance(given, dict):
            return error_answer(400, "`run_id` is a text, and `context` an object")
        return await _run(
            runs,
            key if ":" in key else f"workflow:{key}",
            cast("dict[str, Any]", given),
            id,
            request.query.get("tenant"),
        )

    async def event(request: web.Request) -> web.StreamResponse:
        from oneiric.declared import topics_of
        from oneiric.engines.events import emit

        scope = _scope(host, request.query.get("tenant"))
        topic = topics_of(scope).get(request.match_info["topic"])
        if topic is None:
            return error_answer(404, "there is no such topic")
        payload = await _object(request)
        async with asyncio.timeout(DEADLINE):
            emitted = await emit(scope, topic, payload, id=request.query.get("id"))
        return web.json_response({"id": emitted.id})

    app.middlewares.append(_answered(token))
    app.add_routes(
        [
            web.post("/calls/{call}", call),
            web.post("/tasks/workflow", workflow),
            web.post("/events/{topic}", event),
        ]
    )
    return app


async def _run(runs: Runs, key: str, payload: dict[str, Any], id: str | None, tenant: str | None) -> web.StreamResponse:
    """Start a run and wait for its end: 200 completed, 500 failed, 202 where it goes on."""
    started = await runs.begin(key, payload, id=id, queue=None, tenant=tenant)
    ended = await runs.wait(id=started["id"], within=DEADLINE)
    return web.json_response(ended, status=_ENDED.get(ended["state"], 202))


def _scope(host: Host, tenant: str | None) -> Any:
    if tenant is None:
        return host.base
    from oneiric.tenants.scope import scope_of

    return scope_of(host, tenant)


async def _object(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request. Raises `Misfit`."""
    found: Any = parse(await request.read(), {})
    if not isinstance(found, dict):
        raise Misfit("it is not an object of JSON")
    return cast("dict[str, Any]", found)


def _answered(token: str) -> Any:
    wanted = f"Bearer {token}".encode()

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse who has no token, and say in one sentence what was wrong; of what a component raised its class."""
        if request.path in _PUBLIC:
            return await handler(request)
        if not compare_digest(request.headers.get("Authorization", "").encode(errors="replace"), wanted):
            return error_answer(401, "the token of this address is wanted")
        try:
            return await handler(request)
        except (Misfit, PayloadError) as error:
            return error_answer(400, f"the request cannot be used: {error}")
        except (Unserved, UnknownKey, UnknownTenant) as error:
            return error_answer(404, str(error))
        except Paused as error:
            return error_answer(503, str(error))
        except TimeoutError:
            return error_answer(504, f"it was not over within {DEADLINE:g} seconds")
        except web.HTTPException:
            raise
        except OneiricError as error:
            return error_answer(500, f"{type(error).__name__}: {error}")
        except Exception as error:
            return error_answer(500, f"it failed: {type(error).__name__}")

    return answered
