"""What a process does for its operator: the operations of the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from json import JSONDecodeError
from typing import Any, TypeAlias, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from oneiric.errors import OneiricError
from oneiric.runtime import Runtime
from oneiric.serve.changes import Changes
from oneiric.serve.notes import Kind, Notes
from oneiric.serve.peer import may_operate, peer_uid
from oneiric.serve.status import Status
from oneiric.tracing import words

Answer: TypeAlias = dict[str, Any]
_TEXT, _OPTIONAL, _FLAG = (str,), (str, type(None)), (bool,)
_NOTE = {"key": _TEXT, "note": _TEXT, "resume": _FLAG}
_TAKES: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "status": {},
    "keys": {},
    "health": {"probe": _FLAG},
    "swap": {"key": _TEXT, "provider": _OPTIONAL, "tenant": _OPTIONAL, "force": _FLAG, "all_tenants": _FLAG},
    "reload": {"plan": _FLAG, "force": _FLAG},
    "rollback": {},
    "pause": _NOTE,
    "drain": _NOTE,
}


class Control:
    """The operations by name. Each takes its arguments as `_TAKES` says and answers a JSON document."""

    def __init__(self, runtime: Runtime[Any], changes: Changes, status: Status, notes: Notes, log: Any) -> None:
        self._runtime = runtime
        self._changes = changes
        self._status = status
        self._notes = notes
        self._log = log

    async def status(self) -> Answer:
        return self._status.document()

    async def keys(self) -> Answer:
        return {"keys": self._status.rows(), "notes": self._notes.keys, "generation": self._runtime.generation}

    async def health(self, probe: bool) -> Answer:
        answers = await self._runtime.health() if probe else ()
        components = [answer._asdict() for answer in answers]
        ok = self._status.ready and all(answer.ok for answer in answers)
        return {"ok": ok, "state": self._status.state, "components": components}

    async def swap(self, key: str, provider: str | None, tenant: str | None, force: bool, all_tenants: bool) -> Answer:
        return await self._changes.swap(key, provider, tenant=tenant, all_tenants=all_tenants, force=force)

    async def reload(self, plan: bool, force: bool) -> Answer:
        return await self._changes.reload("the control socket", force=force, plan_only=plan)

    async def rollback(self) -> Answer:
        return await self._changes.rollback()

    async def pause(self, **asked: Any) -> Answer:
        return await self._note("pause", **asked)

    async def drain(self, **asked: Any) -> Answer:
        answer = await self._note("drain", **asked)
        if not asked["resume"]:
            answer["reports"] = [words(error) for error in await self._notes.drain(asked["key"])]
            self._status.change()
        return answer

    async def _note(self, kind: Kind, key: str, note: str, resume: bool) -> Answer:
        reports: list[str] = []
        if resume:
            reports = await self._resume(kind, key)
        else:
            self._notes.put(kind, key, note)
        domain, _, name = key.partition(":")
        self._log.info(kind, domain=domain, key=name, note=note, resume=resume)
        self._status.change()
        return {"key": key, "notes": self._notes.keys.get(key, {}), "reports": reports}

    async def _resume(self, kind: Kind, key: str) -> list[str]:
        had = self._notes.remove(kind, key)
        if key in self._notes.keys:
            return []
        failed = await self._notes.resume() if had else None
        return [] if failed is None else [words(failed)]


def application(control: Control, log: Any) -> web.Application:
    """`POST /OPERATION` with its arguments as a JSON object. 400 for what makes no sense, 403 for another user."""

    @web.middleware
    async def only_its_user(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = None if request.transport is None else request.transport.get_extra_info("socket")
        if connection is None:
            return _error(403, "the user of this connection is not known")
        if not may_operate(peer_uid(connection)):
            log.warning("refused another user", uid=peer_uid(connection))
            return _error(403, "this process belongs to another user")
        return await handler(request)

    async def operate(request: web.Request) -> web.StreamResponse:
        name = request.match_info["operation"]
        if name not in _TAKES:
            return _error(404, f"there is no operation {name}")
        try:
            arguments = _checked(name, await request.json())
            operation: Callable[..., Awaitable[Answer]] = getattr(control, name)
            return web.json_response(await operation(**arguments))
        except (JSONDecodeError, UnicodeDecodeError):
            return _error(400, "the arguments are no JSON")
        except OneiricError as error:
            return _error(400, str(error))
        except OSError as error:
            log.error("operation failed", operation=name, reason=error.strerror)
            return _error(500, f"{name} failed: {error.strerror}")

    app = web.Application(middlewares=[only_its_user])
    app.add_routes([web.post("/{operation}", operate)])
    return app


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _checked(name: str, arguments: object) -> Mapping[str, object]:
    """The arguments, if they are what the operation takes. Raises `OneiricError`."""
    takes = _TAKES[name]
    given = cast("dict[str, object]", arguments) if isinstance(arguments, dict) else None
    if given is None or set(given) != set(takes):
        raise OneiricError(f"{name} takes an object with {', '.join(takes) or 'nothing in it'}")
    for each, kinds in takes.items():
        if type(given[each]) not in kinds:
            raise OneiricError(f"{name} takes a {kinds[0].__name__} as {each}")
    return given
