"""The language server: what an editor asks by the protocol, answered of a `View` of the project."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from oneiric_compiler.diagnostics.found import Diagnostic, Edit, Severity, Source, Span
from oneiric_compiler.editor import completing, view
from oneiric_compiler.editor.fixing import is_sound
from oneiric_compiler.editor.view import Spot, View
from oneiric_compiler.model import Key, Project
from oneiric_compiler.release import __version__
from oneiric_compiler.text.redact import masked

_QUIET = 0.15
"""Seconds without a change before the project is compiled."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SEVERITIES: dict[Severity, types.DiagnosticSeverity] = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_NOWHERE = "settings/app.yml"


class Server(LanguageServer):
    """One project's server: the project is compiled with the texts that are open, one compile at a time."""

    def __init__(self, project: Project) -> None:
        super().__init__("oneiric", __version__)  # pyright: ignore[reportUnknownMemberType]  # its own *args
        self.project = project
        self.seen: View | None = None
        self._texts: dict[Path, str] = {}
        self._told: set[str] = set()
        self._stale = True
        self._looking = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def changed(self, uri: str, text: str | None) -> None:
        """Compile soon with a text of the editor; None where it was closed."""
        path = _path(uri)
        if path is not None and text is not None:
            self._texts[path] = text
        elif path is not None:
            self._texts.pop(path, None)
        self.stir()

    def stir(self) -> None:
        """Compile soon."""
        self._stale = True
        self._wanted.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_looking())

    async def look(self) -> View:
        """The project as it is now."""
        async with self._looking:
            if self.seen is None or self._stale:
                self._stale = False
                project = replace(self.project, unsaved=dict(self._texts))
                self.seen = await asyncio.to_thread(view.look, project, self.seen)
            return self.seen

    async def _keep_looking(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(_QUIET)
            self._wanted.clear()
            self._publish(await self.look())

    def _publish(self, seen: View) -> None:
        found: dict[str, list[types.Diagnostic]] = {}
        for each in seen.diagnostics:
            span = each.span or Span(Source(_NOWHERE, ""))
            path = seen.path(span.source.path) or seen.path(_NOWHERE)
            if path is not None:
                found.setdefault(_uri(path), []).append(self._diagnostic(seen, each, span))
        for uri in self._told - found.keys():
            found[uri] = []
        for uri, diagnostics in found.items():
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics))
        self._told = {uri for uri, diagnostics in found.items() if diagnostics}

    def _diagnostic(self, seen: View, each: Diagnostic, span: Span) -> types.Diagnostic:
        help = f"\nhelp: {each.help}" if each.help else ""
        related = [
            types.DiagnosticRelatedInformation(types.Location(_uri(path), self.range(other)), label)
            for label, other in each.related
            if (path := seen.path(other.source.path)) is not None
        ]
        return types.Diagnostic(
            range=self.range(span),
            message=masked(f"{each.message}{help}"),
            severity=_SEVERITIES[each.severity],
            code=each.code,
            source="oneiric",
            related_information=related,
        )

    def range(self, span: Span) -> types.Range:
        """A span in the units of the client."""
        start, end = ((span.line, span.column), (span.end_line, span.end_column))
        return types.Range(self._position(span.source, *start), self._position(span.source, *end))

    def _position(self, source: Source, line: int, column: int) -> types.Position:
        units = self.workspace.position_codec.client_num_units(source.line(line)[: column - 1])
        return types.Position(line - 1, units)

    def place(self, uri: str, position: types.Position) -> tuple[Source, int, int] | None:
        """The text of a file of the project, and a position in it, from 1 in characters."""
        path = _path(uri)
        shown = self.seen.shown(path) if self.seen and path else None
        if path is None or shown is None:
            return None
        source = Source(shown, self.workspace.get_text_document(uri).source)
        codec = self.workspace.position_codec
        found = codec.position_from_client_units(source.text.split("\n"), position)
        return source, found.line + 1, found.character + 1

    def text_edits(self, seen: View, edits: list[Edit]) -> types.WorkspaceEdit:
        changes: dict[str, list[types.TextEdit]] = {}
        for span, text in edits:
            if (path := seen.path(span.source.path)) is not None:
                changes.setdefault(_uri(path), []).append(types.TextEdit(self.range(span), text))
        return types.WorkspaceEdit(changes=changes)


def serving(project: Project) -> Server:
    """The server of a project, with all that it answers."""
    server = Server(project)
    _answer_changes(server)
    _answer_questions(server)
    _answer_edits(server)
    return server


def _answer_changes(server: Server) -> None:
    @server.feature(types.INITIALIZED)
    def initialized(params: types.InitializedParams) -> None:
        server.stir()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.changed(params.text_document.uri, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.changed(uri, server.workspace.get_text_document(uri).source)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.changed(uri, server.workspace.get_text_document(uri).source)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.changed(params.text_document.uri, None)


def _answer_questions(server: Server) -> None:
    async def spot(uri: str, position: types.Position) -> tuple[View, Spot, str] | None:
        seen = await server.look()
        place = server.place(uri, position)
        found = view.spot_at(seen, *place) if place else None
        return (seen, found, place[0].path) if place and found else None

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        found = await spot(params.text_document.uri, params.position)
        told = view.hover(found[0], found[1]) if found else None
        if found is None or told is None:
            return None
        return types.Hover(
            types.MarkupContent(types.MarkupKind.Markdown, f"```text\n{told}```"), server.range(found[1].span)
        )

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def definition(params: types.DefinitionParams) -> types.Location | None:
        found = await spot(params.text_document.uri, params.position)
        span = view.definition(found[0], found[2], found[1]) if found else None
        path = found[0].path(span.source.path) if found and span else None
        return types.Location(_uri(path), server.range(span)) if path and span else None

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[":", " ", "/"]))
    async def completion(params: types.CompletionParams) -> list[types.CompletionItem]:
        seen = await server.look()
        place = server.place(params.text_document.uri, params.position)
        if place is None or not place[0].path.startswith("settings/"):
            return []
        source, line, column = place
        return [
            types.CompletionItem(
                label=each.text,
                documentation=each.told or None,
                text_edit=types.TextEdit(server.range(Span(source, line, each.start, line, each.end)), each.text),
            )
            for each in completing.proposals(seen, source, line, column)
        ]

    @server.feature(types.TEXT_DOCUMENT_RENAME)
    async def rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        found = await spot(params.text_document.uri, params.position)
        if found is None:
            return None
        seen, named, _ = found
        if not _KEY.fullmatch(params.new_name):
            raise JsonRpcInvalidParams("a key is letters, digits, `.`, `_` and `-`, the first a letter or digit")
        if Key(named.key.domain, params.new_name) in seen.decisions:
            raise JsonRpcInvalidParams(f"there is a key {named.key.domain}:{params.new_name} already")
        return server.text_edits(seen, list(view.renames(seen, named.key, params.new_name)))


def _answer_edits(server: Server) -> None:
    options = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        seen = await server.look()
        path = _path(params.text_document.uri)
        shown = seen.shown(path) if path else None
        lines = range(params.range.start.line, params.range.end.line + 1)
        found: list[types.CodeAction] = []
        for each in seen.diagnostics:
            span = each.span
            if span is None or span.source.path != shown or span.line - 1 not in lines or not each.edits:
                continue
            if is_sound(span.source, [each]):
                edit = server.text_edits(seen, list(each.edits))
                same = [told for told in params.context.diagnostics if told.code == each.code]
                title = masked(each.help or "")
                found.append(types.CodeAction(title, types.CodeActionKind.QuickFix, diagnostics=same, edit=edit))
        return found


def _path(uri: str) -> Path | None:
    found = to_fs_path(uri)
    return Path(found).resolve() if found else None


def _uri(path: Path) -> str:
    return path.as_uri()
