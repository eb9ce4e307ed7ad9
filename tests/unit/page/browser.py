"""A browser without a window, driven by the protocol of its developer tools."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.backends.harness.kinds import of_npm

DEADLINE = 30
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")


class Tab:
    """One page; `told` is all that it says: messages to the console, errors, what its policy refuses."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.told: list[str] = []
        self.session: str | None = None
        self._socket = socket
        self._asked = 0

    async def call(self, method: str, **parameters: Any) -> Any:
        self._asked += 1
        session = {"sessionId": self.session} if self.session else {}
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters, **session})
        return await self._until(lambda message: message.get("id") == self._asked)

    async def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> Any:
        async with asyncio.timeout(DEADLINE):
            while True:
                message: dict[str, Any] = await self._socket.receive_json()
                if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                    self.told.append(json.dumps(message["params"]))
                if wanted(message):
                    assert "error" not in message, message
                    return message.get("result", message)

    async def open(self, page: Path) -> None:
        await self.call("Page.navigate", url=page.as_uri())
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")

    async def evaluate(self, expression: str) -> Any:
        """The value of a script of the page's world, once it is there."""
        found = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **(text if kind == "keyDown" else {}))

    async def colours(self, scheme: str) -> None:
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@asynccontextmanager
async def tab(folder: Path) -> AsyncGenerator[Tab]:
    """A tab of a browser of its own, which keeps its files in `folder` and ends with the block."""
    command = [chromium(), *_OPTIONS, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"ws://\S+", line)))
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                opened = Tab(socket)
                target = await opened.call("Target.createTarget", url="about:blank")
                attached = await opened.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
                opened.session = attached["sessionId"]
                for domain in ("Page", "Runtime", "Log"):
                    await opened.call(f"{domain}.enable")
                yield opened
        finally:
            process.kill()


def chromium() -> str:
    """Skips where there is none."""
    return shutil.which("chromium") or pytest.skip("chromium is not here: apt-get install chromium")


def axe() -> str:
    """The source of axe-core, which looks for what people cannot perceive or operate. Skips where it is not here."""
    path = of_npm("axe-core/axe.min.js")()
    return Path(path).read_text() if path else pytest.skip("axe-core is not here: npm install --global axe-core")
