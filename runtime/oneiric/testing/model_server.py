"""A server with the APIs of models, which answers by rules, well and badly, for tests of their clients.

    python -m oneiric.testing.model_server PORT [KEY]

With a key it answers 401 to requests without it. How it answers is said by the model that is asked for, see `MODELS`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

from aiohttp import web

from oneiric.testing import model_chats

HOST = "127.0.0.1"
DIMENSION = 8
WORDS = 50
"""How many words of a text the models read, and of all texts of a request ten times that."""
MODELS = {
    "fine": "answers as it should",
    "backwards": "lists vectors from the last to the first",
    "few": "leaves the last vector out",
    "flat": "has vectors of zeros",
    "in-200": "says that it failed, with the status 200",
    "slow": "answers after 20 ms",
    "status-NNN": "answers with this status, and `retry-after: 7`",
    **model_chats.MODELS,
}


def vector_of(text: str) -> list[float]:
    """What it answers for a text: numbers that another text does not have, not of unit length."""
    return [byte / 64 - 2 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]


def application(key: str | None = None) -> web.Application:
    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if key is not None and given != key:
            return failed(401, f"Incorrect API key provided: {given}", "invalid_api_key")
        answered: web.StreamResponse = await handler(request)
        return answered

    app = web.Application(middlewares=[guard], client_max_size=0)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/api/tags", models)
    for path in model_chats.DIALECTS:
        app.router.add_post(path, chats)
    app.router.add_post("/v1/embeddings", embeddings)
    return app


def failed(status: int, message: str, code: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error" if status < 500 else "server_error", "code": code}
    return web.json_response({"error": error}, status=status, headers={"retry-after": "7"})


async def models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})


async def refusal(model: str) -> web.Response | None:
    """How a model answers that answers no question; waits for one that is slow."""
    if model.startswith("status-"):
        return failed(int(model.removeprefix("status-")), f"the model {model} has no answer", "as_you_wish")
    if model == "in-200":
        return failed(200, "it failed", "server_error")
    if model == "slow":
        await asyncio.sleep(0.02)
    return None if model in MODELS else failed(404, f"The model `{model}` does not exist", "model_not_found")


async def embeddings(request: web.Request) -> web.Response:
    asked = await request.json()
    if (refused := await refusal(asked["model"])) is not None:
        return refused
    texts: list[str] = asked["input"]
    if sum(len(text.split()) for text in texts) > 10 * WORDS:
        return failed(400, f"Requested more than {10 * WORDS} tokens, max_tokens_per_request", "max_tokens_per_request")
    if any(len(text.split()) > WORDS for text in texts):
        message = f"This model's maximum context length is {WORDS} tokens, {request.headers.get('authorization')}"
        return failed(400, message, "context_length_exceeded")
    vectors = [vector_of(text) for text in texts]
    if asked["model"] == "flat":
        vectors = [[0.0] * DIMENSION for _ in vectors]
    data: list[dict[str, object]] = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    change: dict[str, Callable[[], object]] = {"backwards": data.reverse, "few": data.pop}
    change.get(asked["model"], lambda: None)()
    return web.json_response({"object": "list", "data": data, "model": asked["model"]})


async def chats(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    asked = json.loads(body)
    if (refused := await refusal(asked["model"])) is not None:
        return refused
    if len(body.split()) > 10 * WORDS:
        message = f"prompt is too long: {len(body.split())} tokens, {request.headers.get('authorization')}"
        return failed(400, message, "invalid_request_error")
    return await model_chats.answered(request, asked)


def main(port: str, key: str | None = None) -> None:
    web.run_app(application(key), host=HOST, port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
