"""Signed documents changed: manifests, locks, signatures of wirings. What is taken says what was signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import oneiric
import yaml
from oneiric.errors import OneiricError
from oneiric.trust.signature import Trust
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.diagnostics.render import as_text
from oneiric_compiler.manifests.document import NotAManifest, Rejected, canonical, parse
from oneiric_compiler.manifests.keys import public_of, show_key
from oneiric_compiler.manifests.lock import LockError, parse_lock
from oneiric_compiler.manifests.verify import verify
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.sign import Signer
from oneiric_compiler.stages.write import write

from tests.attacks import texts, trees
from tests.attacks.campaign import Campaign
from tests.attacks.projects import words
from tests.builtins import NONE, builtins_below
from tests.golden.golden_cases import NOW
from tests.golden.signing import HERE
from tests.manifests.signers import ADA, BOB, EVE, as_bytes, policy, signed

SEED = bytes([7]) * 32
KINDS = ("manifest as JSON", "manifest as YAML", "lock", "pinned manifest", "wiring.sig", "wiring.py", "tenants.jsonl")
PINNED = HERE / "manifests"
WHOLE = signed(ADA, BOB, note={"é": [1, 2.5, None, True, "yes"]}, expires_at="2030-01-01T00:00:00Z")


@dataclass(frozen=True)
class Changed:
    kind: str
    data: bytes


class Documents(Campaign[Changed]):
    name, cases, few = "documents", 60_000, 400

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        stack.enter_context(builtins_below(NONE))
        self.wiring = folder / "signed/generated/wiring.py"
        self.pinned = folder / "pinned"
        _signed_project(folder / "signed")
        _pinned_project(self.pinned)
        self.before: dict[str, bytes] = {kind: path.read_bytes() for kind, path in self._places().items()}
        self.before["manifest as JSON"] = as_bytes(WHOLE)
        self.before["manifest as YAML"] = yaml.safe_dump(WHOLE, sort_keys=False, allow_unicode=True).encode()
        self.ways: dict[str, Callable[[Changed], bool]] = {
            **dict.fromkeys(KINDS[:2], self._manifest),
            **dict.fromkeys(KINDS[2:4], self._compile),
            **dict.fromkeys(KINDS[4:], self._load),
        }
        for kind, data in self.before.items():
            assert self.ways[kind](Changed(kind, data)), f"{kind} as it was signed is refused"

    def case(self, choose: Random) -> Changed:
        kind = choose.choice(KINDS)
        data = self.before[kind]
        way = choose.random()
        if way < 0.4:
            return Changed(kind, texts.flipped(choose, data))
        if way < 0.6 or kind in ("wiring.py", "tenants.jsonl"):
            return Changed(kind, texts.damaged(choose, data.decode(), words()))
        tree = yaml.safe_load(data) if kind.endswith("YAML") or kind.startswith("pinned") else json.loads(data)
        tree = trees.altered(choose, tree, [WHOLE, *WHOLE.values()], words())
        if way < 0.7 and isinstance(tree, dict) and kind.startswith("manifest"):
            tree["signatures"] = [choose.choice((EVE, EVE, ADA)).listed(choose.choice((tree, WHOLE)))]
        text = json.dumps(tree) if "YAML" not in kind else trees.written(choose, tree)
        return Changed(kind, text.encode("utf-8", "surrogatepass"))

    def attack(self, case: Changed) -> str:
        return "taken" if self.ways[case.kind](case) else "refused"

    def smaller(self, case: Changed) -> Iterator[Changed]:
        return (Changed(case.kind, less) for less in texts.smaller_bytes(None, case.data))

    def shown(self, case: Changed) -> str:
        return f"{case.kind}\n{case.data!r}"

    def _places(self) -> dict[str, Path]:
        folder = self.wiring.parent
        return {
            "lock": self.pinned / "generated/manifests/lock.json",
            "pinned manifest": self.pinned / "generated/manifests/acme.yaml",
            **{name: folder / name for name in KINDS[4:]},
        }

    def _manifest(self, case: Changed) -> bool:
        try:
            verify(case.data, policy(ADA))
        except (NotAManifest, Rejected) as error:
            assert str(error)
            return False
        now, before = (canonical(parse(each)) for each in (case.data, self.before[case.kind]))
        assert now == before or _signed_by_ada(case.data), "taken, and says something else than what was signed"
        return True

    def _compile(self, case: Changed) -> bool:
        """A pinned file that was changed compiles only where a lock says the same as before."""
        path = self._places()[case.kind]
        path.write_bytes(case.data)
        try:
            found = Diagnostics()
            outputs = compile_project(replace(Project.at(self.pinned, {}), evaluated_at=NOW), found)
        finally:
            path.write_bytes(self.before[case.kind])
        as_text(found)
        if outputs is None:
            return False
        if case.kind == "lock":
            try:
                now, before = parse_lock(case.data), parse_lock(self.before["lock"])
            except LockError as error:
                raise AssertionError("compiled with a lock that cannot be read") from error
            for source, pin in before.sources.items():
                ours = now.sources[source]
                assert (ours.file, ours.digest) == (pin.file, pin.digest), "another pin"
                assert {*ours.signers} <= {*pin.signers}, "somebody who did not sign"
                assert ours.artifacts.keys() == pin.artifacts.keys(), "other artifacts"
        else:
            assert case.data == self.before[case.kind], "compiled with a pinned file that was changed"
        return True

    def _load(self, case: Changed) -> bool:
        path = self._places()[case.kind]
        path.write_bytes(case.data)
        try:
            oneiric.load(self.wiring, trust=Trust([show_key(public_of(SEED))]))
        except OneiricError as error:
            assert str(error)
            return False
        finally:
            path.write_bytes(self.before[case.kind])
        if case.kind == "wiring.sig":
            now, before = json.loads(case.data), json.loads(self.before[case.kind])
            assert all(now.get(name) == value for name, value in before.items() if name != "signatures"), "another one"
        else:
            assert case.data == self.before[case.kind], "loaded what was not signed"
        return True


def _signed_by_ada(data: bytes) -> bool:
    """Whether the campaign itself had the trusted key sign what it changed."""
    document: Any = parse(data)
    signatures = {each.get("signature") for each in document.get("signatures", ()) if isinstance(each, dict)}
    return ADA.sign(document) in signatures


def _signed_project(root: Path) -> None:
    for name, text in {
        "settings/app.yml": "name: lab\npackages: [lab]\n",
        "settings/tenants/acme.yml": "services: {provider_settings: {only: {size: 2}}}\n",
        "lab/__init__.py": "",
        "lab/parts.py": "from oneiric import component\n\n@component('service', 'thing', provider='only')\n"
        "class Only:\n    def __init__(self, *, size: int = 1) -> None: ...\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = Diagnostics()
    outputs = compile_project(Project.at(root, {}), found)
    assert outputs is not None, as_text(found)
    assert write(outputs, found, Signer(SEED)), as_text(found)


def _pinned_project(root: Path) -> None:
    from tests.golden.golden_cases import Case

    Case(PINNED).copied(root.parent).rename(root)
