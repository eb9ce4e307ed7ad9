"""The control socket of a process: its operations, for its operator."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from operator import attrgetter
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from oneiric.documents import Misfit, check, parse
from oneiric.errors import OneiricError, refused
from oneiric.flows.model import MAX_VALUE
from oneiric.reload.request import ASKING
from oneiric.serve.gate import error_answer
from oneiric.serve.logs import log_error
from oneiric.serve.operations import OPERATIONS
from oneiric.serve.peer import may_operate, peer_of, user_of

_LARGEST = MAX_VALUE + 64 * 1024


def application(process: Any, log: Any) -> web.Application:
    """`POST /OPERATION` with its arguments as a JSON object. 400 for what makes no sense, 403 for another user."""
    rooms = {name: attrgetter(operation.room)(process) for name, operation in OPERATIONS.items()}

    @web.middleware
    async def only_its_user(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = None if request.transport is None else request.transport.get_extra_info("socket")
        if connection is None:
            return error_answer(403, "the user of this connection is not known")
        uid = peer_of(connection).uid
        if not may_operate(uid):
            log.warning("refused another user", uid=uid)
            return error_answer(403, "this process belongs to another user")
        ASKING.set(user_of(uid))
        return await handler(request)

    async def operate(request: web.Request) -> web.StreamResponse:
        name = request.match_info["operation"]
        if name not in OPERATIONS:
            return error_answer(404, f"there is no operation {name}")
        try:
            answer = rooms[name](**await _arguments(name, request))
            return web.json_response(await answer if isawaitable(answer) else answer)
        except (Misfit, OneiricError) as error:
            return error_answer(400, str(error))
        except OSError as error:
            log.error("operation failed", operation=name, reason=refused(error))
            return error_answer(500, f"{name} failed: {refused(error)}")
        except Exception as error:
            log_error(log, "operation failed", error)
            return error_answer(500, f"{name} failed: {type(error).__name__}")

    app = web.Application(middlewares=[only_its_user], client_max_size=_LARGEST)
    app.add_routes([web.post("/{operation}", operate)])
    return app


async def _arguments(name: str, request: web.Request) -> Mapping[str, Any]:
    """The arguments, if they are what the operation takes. Raises `Misfit`."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise Misfit(f"{name} takes its arguments as application/json in UTF-8")
    takes = OPERATIONS[name].takes
    try:
        given: dict[str, Any] = parse(await request.read(), {})
        if given.keys() != takes.keys():
            raise Misfit(f"it is not an object with {', '.join(takes) or 'nothing in it'}")
        check(given, takes)
    except Misfit as error:
        raise Misfit(f"what {name} was asked with cannot be used: {error}") from None
    return given
