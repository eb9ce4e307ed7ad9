"""settings/remote.yml to `Remote`: where manifests come from, whom they are believed from, how far."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Source, Span
from oneiric_compiler.manifests.keys import BadKey, read_public_key, show_key
from oneiric_compiler.model import Remote, RemoteSource
from oneiric_compiler.settings.documents import Document, Value, read_text
from oneiric_compiler.settings.folder import within

KEYS_VARIABLE = "ONEIRIC_TRUSTED_PUBLIC_KEYS"
_FLATTENED = {
    "caps": {
        "bytes": "max_bytes",
        "entries": "max_entries",
        "depth": "max_depth",
        "artifact_bytes": "max_artifact_bytes",
    },
    "deadlines": {"connect": "connect", "total": "total", "minimum_rate": "minimum_rate"},
    "auth": {"header": "auth_header", "value": "auth_value"},
}
_SECRET = re.compile(r"\$\{ONEIRIC_SECRET_[A-Za-z0-9_]+\}")
_KEY_FILE_BYTES = 1024 * 1024


def read_remote(document: Document, root: Path, environ: Mapping[str, str], diagnostics: Diagnostics) -> Remote:
    """What the document says; sources that cannot be used are reported and left out, as are those not fully read."""
    value = _mapping(document.value)
    reader = _Reader(document, root, environ, diagnostics)
    roots = tuple(each for each in value.get("roots") or () if each is not None)
    unread = {path[1] for path in document.unread if path[:1] == ("sources",) and len(path) > 1}
    stated = [(index, each) for index, each in enumerate(value.get("sources") or ()) if index not in unread]
    found = [reader.source(index, each, roots) for index, each in stated]
    sources = tuple(each for each in found if each is not None)
    return Remote(roots, sources, reader.environment_keys)


def public_key(text: str) -> str | None:
    """The one way to write a key: the last letter of base64 holds bits that say nothing."""
    try:
        return show_key(read_public_key(text))
    except BadKey:
        return None


class _Reader:
    def __init__(self, document: Document, root: Path, environ: Mapping[str, str], diagnostics: Diagnostics) -> None:
        self.document, self.root, self.environ, self.diagnostics = document, root, environ, diagnostics
        self.names: dict[str, Place] = {}
        self.environment_keys: tuple[str, ...] = ()

    def source(self, index: int, stated: dict[str, Any], roots: tuple[str, ...]) -> RemoteSource | None:
        name: str = stated["name"]
        place = self.document.place("sources", index, named=name)
        keys = self.keys(index, stated)
        usable = [
            self.is_new(name, self.document.place("sources", index, "name")),
            self.is_address(stated["address"], roots, self.document.place("sources", index, "address")),
            self.holds_no_secret(stated.get("auth"), self.document.place("sources", index, "auth", "value")),
            self.can_be_met(index, stated, keys),
        ]
        if keys is None or not all(usable):
            return None
        fields: dict[str, Any] = {
            each: stated[each] for each in ("threshold", "required", "unversioned", "refresh") if each in stated
        }
        fields |= {each: tuple(stated.get(each) or ()) for each in ("allow", "calls", "topics", "redirects")}
        for section, names in _FLATTENED.items():
            fields |= {names[each]: fact for each, fact in _mapping(stated.get(section)).items()}
        source = RemoteSource(name=name, address=stated["address"], keys=keys, place=place, **fields)
        return replace(source, ceilings={**source.ceilings, **_mapping(stated.get("ceiling"))})

    def is_new(self, name: str, place: Place) -> bool:
        """Names are files, which some file systems tell apart by more than the case of letters."""
        first = self.names.setdefault(name.casefold(), place)
        if first is not place:
            related, help = [("first here", first)], "one source, one name: that which its manifest says"
            self.diagnostics.add("ONE603", f"a second source `{name}`", place, help=help, related=related)
        return first is place

    def is_address(self, address: str, roots: tuple[str, ...], place: Place) -> bool:
        if "://" in address:
            fault = _url_fault(address)
        elif not roots:
            fault = "it is a path, and `roots` names no folder that it may lie in"
        elif not any(self._lies_in(address, each) for each in roots):
            fault = f"it is a path outside the `roots` {', '.join(roots)}"
        else:
            return True
        if fault:
            help = "write `https://HOST/PATH`, or a path relative to the project in one of the `roots`"
            self.diagnostics.add("ONE601", f"manifests cannot come from there: {fault}", place, help=help)
        return fault is None

    def _lies_in(self, address: str, root: str) -> bool:
        path, folder = within(self.root, address), within(self.root, root)
        return path is not None and folder is not None and path != folder and path.is_relative_to(folder)

    def holds_no_secret(self, auth: Value, place: Place) -> bool:
        value = _mapping(auth).get("value")
        if value is None:
            return True
        plain = _SECRET.sub("", value)
        if plain != value and "${" not in plain:
            return True
        help = "write a reference, such as `Bearer ${ONEIRIC_SECRET_NAME}`: it is asked for by the sync alone"
        self.diagnostics.add("ONE410", "`value` of `auth` is written out", place, help=help)
        return False

    def can_be_met(self, index: int, stated: Mapping[str, Any], keys: tuple[str, ...] | None) -> bool:
        threshold = stated.get("threshold", 1)
        if keys is None or threshold <= len(keys):
            return keys is not None
        place = self.document.place("sources", index, "threshold")
        message = f"{threshold} keys must sign and {len(keys)} {'is' if len(keys) == 1 else 'are'} trusted"
        self.diagnostics.add("ONE602", message, place, help="trust more keys or lower the threshold")
        return False

    def keys(self, index: int, stated: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The trusted keys, sorted: those stated, else of the key file, else of the environment."""
        place = self.document.place("sources", index)
        if "keys" in stated and "key_file" in stated:
            at = self.document.place("sources", index, "key_file")
            self.diagnostics.add("ONE602", "`keys` and `key_file` both", at, help="state the keys in one place")
            return None
        if "keys" in stated:
            keys: list[str] = stated["keys"]
            return self._usable([(key, self.document.place("sources", index, "keys", n)) for n, key in enumerate(keys)])
        if "key_file" in stated:
            return self._of_file(stated["key_file"], self.document.place("sources", index, "key_file"))
        if not self.environment_keys:
            at = Place(KEYS_VARIABLE, Span(Source(KEYS_VARIABLE, "")))
            text = self.environ.get(KEYS_VARIABLE, "")
            known = {public_key(key) for part in text.split(",") if (key := part.strip())}
            if None in known:
                help = "write public keys, base64 of 32 bytes each, separated by commas"
                self.diagnostics.add("ONE118", f"{KEYS_VARIABLE} cannot be read", at, help=help)
                return None
            self.environment_keys = tuple(sorted(key for key in known if key))
        if not self.environment_keys:
            help = f"state `keys` or a `key_file`, or set {KEYS_VARIABLE}"
            self.diagnostics.add("ONE602", f"nobody is trusted to sign for `{stated['name']}`", place, help=help)
        return self.environment_keys or None

    def _of_file(self, name: str, place: Place) -> tuple[str, ...] | None:
        path = within(self.root, name)
        if path is None:
            self.diagnostics.add("ONE602", f"`{name}` is outside the project", place, help="name a file in the project")
            return None
        if not path.exists():
            self.diagnostics.add(
                "ONE602", f"there is no file `{name}`", place, help="write one public key a line in it"
            )
            return None
        text = read_text(path, name, self.diagnostics, limit=_KEY_FILE_BYTES)
        return None if text is None else self._usable(list(_lines(Source(name, text))), place)

    def _usable(self, listed: list[tuple[str, Place]], empty: Place | None = None) -> tuple[str, ...] | None:
        """The distinct keys, when each is one."""
        known: set[str | None] = set()
        for key, place in listed:
            known.add(public_key(key))
            if public_key(key) is None:
                help = "write the base64 of 32 bytes: `oneiric manifest keygen` makes such a key"
                self.diagnostics.add("ONE602", "this is not a public key", place, help=help)
        if not listed and empty:
            self.diagnostics.add("ONE602", "the key file holds no key", empty, help="write one key a line")
        return tuple(sorted(key for key in known if key)) if known and None not in known else None


def _lines(source: Source) -> Iterator[tuple[str, Place]]:
    """The keys of a key file: a line each; empty lines and lines that start with `#` are none."""
    for number, line in enumerate(source.text.split("\n"), 1):
        if (key := line.strip()) and not key.startswith("#"):
            column = line.index(key) + 1
            span = Span(source, number, column, number, column + len(key))
            yield key, Place(f"{source.path}#{number}", span)


def _url_fault(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return "it is not an address"
    if parts.scheme != "https":
        return f"it is fetched by `{parts.scheme}`, which is not encrypted"
    if not parts.hostname:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return "it holds a name or a password, which `auth` is for"
    return "it has a fragment" if parts.fragment else None


def _mapping(value: Value) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
