"""`oneiric lsp` as an editor uses it: over stdin and stdout, by the client of pygls."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from tests.unit.cli.running import run

T = TypeVar("T")
DEADLINE = 30
ADAPTERS = 'selections:\n  cache: memory # 😀 fast\n  http: httpx\nrequires:\n  "cache": [ttl]\n'
SOURCE = """from oneiric import component


@component("service", "greeter", provider="loud", needs={"store": "adapter:cache"})
class Loud:
    def __init__(self, *, store: object, name: str = "a") -> None: ...
"""
SERVICES = "selections:\n  greeter: loud\nprovider_settings:\n  greeter/loud: {name: b}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    (tmp_path / "settings/adapters.yml").write_text(ADAPTERS)
    (tmp_path / "settings/services.yml").write_text(SERVICES)
    (tmp_path / "shop.py").write_text(SOURCE)
    return tmp_path


class Editor:
    """A client with files open; what is wrong with each file comes as it is published."""

    def __init__(self, client: LanguageClient, root: Path) -> None:
        self.client, self.root = client, root
        self.versions: dict[str, int] = {}
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

    def uri(self, file: str) -> str:
        return (self.root / file).resolve().as_uri()

    def document(self, file: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri(file))

    def open(self, file: str) -> None:
        item = types.TextDocumentItem(self.uri(file), "yaml", 1, (self.root / file).read_text())
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, file: str, text: str) -> None:
        self.versions[file] = version = self.versions.get(file, 1) + 1
        document = types.VersionedTextDocumentIdentifier(version, self.uri(file))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def told(self, file: str, wanted: Callable[[list[types.Diagnostic]], bool]) -> list[types.Diagnostic]:
        while True:
            found = await self.published.get()
            if found.uri == self.uri(file) and wanted([*found.diagnostics]):
                return [*found.diagnostics]

    def at(self, file: str, line: int, character: int) -> dict[str, Any]:
        return {"text_document": self.document(file), "position": types.Position(line, character)}


@asynccontextmanager
async def editor(root: Path) -> AsyncGenerator[Editor]:
    client = LanguageClient("test", "1")
    await client.start_io(sys.executable, "-c", "from oneiric_compiler.cli import main; main()", "lsp", cwd=root)
    opened = Editor(client, root)

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def published(params: types.PublishDiagnosticsParams) -> None:
        opened.published.put_nowait(params)

    try:
        await client.initialize_async(types.InitializeParams(types.ClientCapabilities(), root_uri=root.as_uri()))
        client.initialized(types.InitializedParams())
        yield opened
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()


def used(root: Path, ask: Callable[[Editor], Awaitable[T]]) -> T:
    async def run() -> T:
        async with asyncio.timeout(DEADLINE), editor(root) as opened:
            return await ask(opened)

    return asyncio.run(run())


def test_what_is_typed_is_told_of_and_its_quick_fix_is_the_edit(project: Path) -> None:
    async def ask(editor: Editor) -> None:
        editor.open("settings/adapters.yml")
        text = ADAPTERS.replace("memory", '"memry"')
        editor.type("settings/adapters.yml", text)
        (found,) = await editor.told("settings/adapters.yml", lambda each: len(each) == 1)
        assert (found.code, found.severity) == ("ONE301", types.DiagnosticSeverity.Error)
        assert "did you mean `memory`?" in found.message
        assert found.range == types.Range(types.Position(1, 9), types.Position(1, 16))
        context = types.CodeActionContext([found])
        params = types.CodeActionParams(editor.document("settings/adapters.yml"), found.range, context)
        actions = await editor.client.text_document_code_action_async(params)
        (action,) = [*(actions or ())]
        assert isinstance(action, types.CodeAction)
        assert action.edit is not None
        wanted = types.TextEdit(types.Range(types.Position(1, 10), types.Position(1, 15)), "memory")
        assert action.edit.changes == {editor.uri("settings/adapters.yml"): (wanted,)}
        wide = 'requires: {cache: ["😀"]}\nselections: {cache: memry} # 😀\nports: {"😀": x, cach: "a:B"}\n'
        editor.type("settings/adapters.yml", wide)
        told = await editor.told("settings/adapters.yml", lambda each: any(one.code == "ONE305" for one in each))
        (unknown,) = [each.range for each in told if each.code == "ONE305"]
        assert unknown == types.Range(types.Position(2, 17), types.Position(2, 21))
        editor.type("settings/adapters.yml", ADAPTERS)
        await editor.told("settings/adapters.yml", lambda each: not each)
        editor.open("shop.py")
        editor.type("shop.py", SOURCE.replace('"service"', '"servise"'))
        (unknown_domain,) = await editor.told("shop.py", bool)
        assert unknown_domain.code == "ONE203"

    used(project, ask)
    assert (project / "settings/adapters.yml").read_text() == ADAPTERS


def test_a_key_is_explained_and_leads_to_its_factory_and_back(project: Path) -> None:
    async def ask(editor: Editor) -> None:
        editor.open("settings/services.yml")
        editor.open("shop.py")
        hover = await editor.client.text_document_hover_async(
            types.HoverParams(**editor.at("settings/services.yml", 1, 4))
        )
        assert hover is not None
        assert "service:greeter is served by loud" in str(hover.contents)
        for line, character in ((1, 4), (1, 13), (3, 5)):
            there = await editor.client.text_document_definition_async(
                types.DefinitionParams(**editor.at("settings/services.yml", line, character))
            )
            assert isinstance(there, types.Location)
            assert (there.uri, there.range.start) == (editor.uri("shop.py"), types.Position(4, 6))
        back = await editor.client.text_document_definition_async(types.DefinitionParams(**editor.at("shop.py", 4, 8)))
        assert isinstance(back, types.Location)
        assert (back.uri, back.range.start) == (editor.uri("settings/services.yml"), types.Position(1, 2))

    used(project, ask)


def test_completion_knows_keys_providers_and_settings(project: Path) -> None:
    async def ask(editor: Editor) -> None:
        file = "settings/adapters.yml"
        editor.open(file)
        editor.open("settings/services.yml")

        async def offered(file: str, text: str) -> set[str]:
            editor.type(file, text)
            lines = text.split("\n")
            place = editor.at(file, len(lines) - 1, len(lines[-1]))
            found = await editor.client.text_document_completion_async(types.CompletionParams(**place))
            return {each.label for each in found} if isinstance(found, list) else set()

        await editor.client.text_document_hover_async(types.HoverParams(**editor.at(file, 1, 4)))
        assert {"selections", "provider_settings"} <= await offered(file, "sel")
        assert {"cache", "http"} <= await offered(file, "selections:\n  ca")
        assert {"memory", "redis"} <= await offered(file, "selections:\n  cache: ")
        assert {"memory", "redis"} <= await offered(file, "selections: {cache: re")
        assert "greeter/loud" in await offered("settings/services.yml", "provider_settings:\n  gre")
        assert await offered("settings/services.yml", "provider_settings:\n  loud:\n    na") == {"name"}

    used(project, ask)


def test_a_key_is_renamed_wherever_it_is_named(project: Path) -> None:
    async def ask(editor: Editor) -> dict[str, list[types.TextEdit]]:
        params = types.RenameParams(new_name="welcome", **editor.at("settings/services.yml", 1, 4))
        found = await editor.client.text_document_rename_async(params)
        assert found is not None
        for name in ("no name", "greeter"):
            with pytest.raises(JsonRpcException):
                await editor.client.text_document_rename_async(
                    types.RenameParams(new_name=name, **editor.at("settings/services.yml", 1, 4))
                )
        return {uri: [*edits] for uri, edits in (found.changes or {}).items()}

    for uri, edits in used(project, ask).items():
        file = project / uri.rpartition("shop.py")[1] if uri.endswith("shop.py") else project / "settings/services.yml"
        lines = file.read_text().split("\n")
        for edit in sorted(edits, key=lambda each: (each.range.start.line, -each.range.start.character)):
            start, end = edit.range.start, edit.range.end
            lines[start.line] = (
                lines[start.line][: start.character] + edit.new_text + lines[start.line][end.character :]
            )
        file.write_text("\n".join(lines))
    assert (project / "settings/services.yml").read_text() == SERVICES.replace("greeter", "welcome")
    assert (project / "shop.py").read_text() == SOURCE.replace("greeter", "welcome")
    assert run("compile", cwd=project).returncode == 0


def test_without_its_extra_it_is_named(project: Path) -> None:
    done = run("lsp", cwd=project, blocked=("pygls",))
    assert done.returncode == 2
    assert "needs the extra `lsp` of oneiric" in done.stderr
