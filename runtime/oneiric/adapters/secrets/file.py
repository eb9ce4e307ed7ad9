"""Secrets provider `file`: one JSON file, or a folder with one file per secret."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Literal, cast

from oneiric import Secret, component
from oneiric.adapters._common.finish import in_thread
from oneiric.adapters.secrets import (
    InvalidName,
    Names,
    SecretNotFound,
    SecretsClosed,
    SecretsUnavailable,
    check_name,
)

_PROVIDER = "file"


@component(
    "adapter",
    "secrets",
    provider="file",
    priority=0,
    stack_level=-15,
    capabilities=("read", "refresh"),
    port="oneiric.adapters.secrets:Secrets",
)
class FileSecrets:
    """Reads secrets from files.

    Needs a file or a folder that holds them.

    `path`: the file or folder.
    `format`: `json` is one UTF-8 file with an object of texts; `directory` is a folder with one UTF-8 file
    per secret, named as the secret, as Kubernetes and Docker mount them (one line end at the end is not part
    of it).
    `reload_on_access`: read again each time a secret is asked for; otherwise at the start and when asked to.
    `prefix`: what the name of a secret begins with there.

    A file that every user may *write* is refused. Who may read it is left to the deployment: orchestrators
    mount secrets world-readable into containers.
    """

    def __init__(
        self,
        *,
        path: Path,
        format: Literal["json", "directory"] = "json",
        reload_on_access: bool = False,
        prefix: str = "",
    ) -> None:
        self._path = path
        self._load = _read_json if format == "json" else _read_directory
        self._reload_on_access = reload_on_access
        self._names = Names(_PROVIDER, prefix)
        self._secrets: dict[str, bytes] | None = None

    async def start(self) -> None:
        self._secrets = await in_thread(self._load, self._path)

    async def health(self) -> bool:
        return self._secrets is not None and await in_thread(os.access, self._path, os.R_OK)

    async def aclose(self) -> None:
        self._secrets = None

    async def refresh(self) -> None:
        self._check_open()
        read = await in_thread(self._load, self._path)
        self._check_open()
        self._secrets = read

    async def get(self, name: str) -> Secret:
        secrets = self._check_open()
        place = self._names.place(name)
        if self._reload_on_access:
            secrets = await in_thread(self._load, self._path)
        text = _text(secrets.get(place, b""))
        if text is None:
            raise _unreadable(f"the secret {place!r} is not UTF-8 text")
        if not text:
            none = "an empty one" if place in secrets else "none"
            raise SecretNotFound(name, f"{self._path} has {none} of the name {place}", provider=_PROVIDER)
        return Secret(text)

    def _check_open(self) -> dict[str, bytes]:
        if self._secrets is None:
            raise SecretsClosed("the secrets adapter is not open", provider=_PROVIDER)
        return self._secrets


def _unreadable(what: str) -> SecretsUnavailable:
    return SecretsUnavailable(what, provider=_PROVIDER, setting="path")


def _read_json(path: Path) -> dict[str, bytes]:
    members = _object(_content(path))
    if members is None:
        raise _unreadable(f"{path} is not a JSON object in UTF-8")
    for name, value in members.items():
        if not isinstance(value, str):
            raise _unreadable(f"{path}: the secret {name!r} is not a text")
    return {name: cast("str", value).encode(errors="surrogatepass") for name, value in members.items()}


def _read_directory(path: Path) -> dict[str, bytes]:
    try:
        files = [entry for entry in path.iterdir() if _can_name_a_secret(entry.name) and entry.is_file()]
    except OSError as error:
        raise _unreadable(f"{path} cannot be listed: {error.strerror}") from error
    return {file.name: _without_line_end(_content(file)) for file in files}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError as error:
        raise _unreadable(f"{path} cannot be read: {error.strerror}") from error
    if mode & stat.S_IWOTH:
        raise _unreadable(f"{path} is refused: every user may write it")
    return content


def _object(content: bytes) -> dict[str, object] | None:
    """The object in the text, or None: an error of `json` would carry the whole text along."""
    try:
        value: object = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _without_line_end(content: bytes) -> bytes:
    return content.removesuffix(b"\r\n" if content.endswith(b"\r\n") else b"\n")


def _can_name_a_secret(name: str) -> bool:
    try:
        check_name(name)
    except InvalidName:
        return False
    return True
