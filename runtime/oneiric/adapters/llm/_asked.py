"""What a call asks for, checked and with the settings of the component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oneiric.adapters.llm import MAX_TIMEOUT, ChatMessage, InvalidChat, Json, Tool

_ROLES = ("system", "user", "assistant", "tool")
_CHOICES = ("auto", "none", "required")


class Asked(NamedTuple):
    messages: Sequence[ChatMessage]
    tools: Sequence[Tool]
    choice: str
    schema: Mapping[str, Json] | None
    model: str
    max_tokens: int | None
    temperature: float | None
    stop: Sequence[str]
    stream: bool

    @property
    def tool(self) -> str | None:
        """The name of the one tool that is to be called."""
        return None if self.choice in _CHOICES else self.choice


def check(asked: Asked, timeout: float | None) -> None:
    """Raise `InvalidChat` unless a server can be asked this."""
    if timeout is not None and not 0 < timeout <= MAX_TIMEOUT:
        raise InvalidChat(f"a timeout is above 0 and at most {MAX_TIMEOUT:g} seconds")
    if asked.max_tokens is not None and asked.max_tokens < 1:
        raise InvalidChat("max_tokens is at least 1")
    if asked.temperature is not None and not 0 <= asked.temperature <= 2:
        raise InvalidChat("a temperature is from 0 to 2")
    if not asked.model or isinstance(asked.stop, str):
        raise InvalidChat("a model has a name, and stop is a sequence of texts")
    names = {tool.name for tool in asked.tools}
    if len(names) < len(asked.tools):
        raise InvalidChat("two tools have one name")
    if asked.choice not in (*names, *(_CHOICES if names else _CHOICES[:2])):
        raise InvalidChat(f"choice is {asked.choice!r}, and no tool has that name")
    if not any(message.role != "system" for message in asked.messages):
        raise InvalidChat("there is no message of a user")
    _check_messages(asked.messages)


def _check_messages(messages: Sequence[ChatMessage]) -> None:
    called: set[str] = set()
    for index, message in enumerate(messages):
        if message.role not in _ROLES:
            raise InvalidChat(f"message {index} has the role {message.role!r}, which there is not")
        if message.images and message.role != "user":
            raise InvalidChat(f"message {index} has images and is not of a user")
        if message.calls and message.role != "assistant":
            raise InvalidChat(f"message {index} has calls and is not of the assistant")
        if (message.answers is not None) != (message.role == "tool"):
            raise InvalidChat(f"message {index}: the role tool, and no other, answers a call")
        if message.answers is not None and message.answers not in called:
            raise InvalidChat(f"message {index} answers the call {message.answers!r}, which no message before it has")
        if not (message.text or message.images or message.calls or message.role in ("tool", "assistant")):
            raise InvalidChat(f"message {index} is empty")
        try:
            message.text.encode()
        except UnicodeEncodeError:
            raise InvalidChat(f"message {index} has a lone surrogate") from None
        called |= {call.id for call in message.calls}
