"""Pinned artifacts as source text: a pure-Python wheel or a single module, read in memory and never unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from oneiric.artifacts.contents import inspect
from packaging.version import InvalidVersion, Version

from oneiric_compiler.manifests.entries import Artifact
from oneiric_compiler.source.modules import Root


@dataclass(frozen=True, slots=True)
class Archive:
    """An artifact's modules: their top-level names, the root they are read from, the distribution they are of."""

    artifact: Artifact
    modules: frozenset[str]
    root: Root
    distribution: str | None
    version: Version | None

    @property
    def names(self) -> tuple[str, ...]:
        """What no other artifact may be or bring as well."""
        own = (f"the distribution `{self.distribution}`",) if self.distribution else ()
        return (*own, *(f"the module `{module}`" for module in sorted(self.modules)))


def open_archive(artifact: Artifact, data: bytes, shown: str) -> Archive:
    """The artifact in these bytes, which places call `shown`. Raises `oneiric.artifacts.contents.ArtifactError`."""
    found = inspect(artifact.name, data)
    root = Root(_in_memory(found.files), shown, found.modules)
    return Archive(artifact, found.modules, root, found.distribution, _version(found.version))


def _in_memory(files: Mapping[str, bytes]) -> zipfile.Path:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in files.items():
            if path.endswith(".py"):
                archive.writestr(zipfile.ZipInfo(path), data)
    return zipfile.Path(zipfile.ZipFile(packed))


def _version(text: str | None) -> Version | None:
    try:
        return Version(text) if text else None
    except InvalidVersion:
        return None
