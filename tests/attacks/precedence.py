"""Random projects against the model of precedence of the property tests: who wins, by what, and how a loser would."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from oneiric.report import parse_report
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.diff.compare import compare
from oneiric_compiler.verify import verify
from oneiric_compiler.verify.decisions import TIERS

from tests.attacks.campaign import Campaign
from tests.builtins import NONE, builtins_below
from tests.property.test_property_counterfactuals import (
    APP,
    CAPABILITIES,
    FILES,
    KEY,
    LEVELS,
    PROVIDERS,
    SECTION,
    Files,
    edited,
    losers,
    source,
    winner,
)
from tests.property.test_property_resolve import Case, Expected, Part, expected
from tests.verify.test_verify_mutants import (
    altered_report,
    altered_tenants,
    altered_wiring,
    found_by_verify,
    same,
)

OTHER = "z"
MAKERS = ("Easy", "Easy", "Asking")
SCOPES = {"base": "base", "busy": "profile", "acme": "tenant"}
RANKS = (-1000, -1, 0, 0, 1, 2, 50, 1000)
STACK = (-100, -1, 0, 0, 1, 100)
MADE = (
    "class Easy:\n    def __init__(self, *, size: int = 0) -> None: ...\n\n\n"
    "class Asking:\n    def __init__(self, *, size: int) -> None: ...\n"
)


@dataclass(frozen=True)
class Trial:
    files: str
    """As JSON: a `Files`."""
    overrides: str
    changed: str
    """The files with another level for the one key."""
    mutant: int

    def project(self) -> Files:
        found: Files = json.loads(self.files)
        return found


class Precedence(Campaign[Trial]):
    name, cases, few = "precedence", 20_000, 60

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        stack.enter_context(builtins_below(NONE))

    def case(self, choose: Random) -> Trial:
        files = _project(choose)
        changed = json.loads(json.dumps(files))
        _level(choose, changed, choose.choice(LEVELS), _known(files), added=False)
        overrides: dict[str, Any] = {}
        if choose.random() < 0.3:
            overrides["overrides"] = {f"{SECTION}:{KEY}": choose.choice(_known(files))}
        if choose.random() < 0.3:
            overrides["tenants"] = {"acme": {f"{SECTION}:{KEY}": choose.choice(_known(files))}}
        return Trial(json.dumps(files), json.dumps(overrides), json.dumps(changed), choose.randrange(1 << 30))

    def attack(self, case: Trial) -> str:
        files, overrides = case.project(), json.loads(case.overrides)
        found = Diagnostics()
        outputs = self._compiled(files, found, overrides)
        _decided_as_modelled(files, overrides, outputs, found)
        if outputs is None:
            return "refused"
        plain = outputs if not overrides else self._compiled(files, Diagnostics())
        if plain is not None:
            self._counterfactuals(files, plain, Random(case.mutant))
            self._differences(json.loads(case.changed), plain)
        _mutants(outputs, Random(case.mutant))
        return "decided"

    def smaller(self, case: Trial) -> Iterator[Trial]:
        files = case.project()
        for name, value in files.items():
            for part in value if isinstance(value, dict) and not name.endswith("app.yml") else ():
                less = {**files, name: {each: inner for each, inner in value.items() if each != part}}
                yield Trial(json.dumps(less), case.overrides, json.dumps(less), case.mutant)
        if case.overrides != "{}":
            yield Trial(case.files, "{}", case.changed, case.mutant)

    def shown(self, case: Trial) -> str:
        changed = {name: value for name, value in json.loads(case.changed).items() if value != case.project()[name]}
        parts = [f"--- {name}\n{json.dumps(value)}" for name, value in case.project().items()]
        return "\n".join((*parts, f"overrides {case.overrides}", f"changed to {json.dumps(changed)}"))

    def _compiled(
        self, files: Files, found: Diagnostics, overrides: Any = None, profile: str | None = None
    ) -> Outputs | None:
        root = self.folder / "project"
        for name, value in {**files, "shop/__init__.py": "", "made.py": MADE}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = json.dumps if name.endswith(".yml") else source
            path.write_text(value if isinstance(value, str) else written(value))
        swaps = root / "overrides.json"
        swaps.write_text(json.dumps(overrides or {}))
        return compile_project(Project.at(root, {}, swaps if overrides else None), found, profile=profile)

    def _counterfactuals(self, files: Files, outputs: Outputs, choose: Random) -> None:
        """What is said to let a loser win does, of as many losers as there is time for."""
        reports = _reports(outputs)
        lost = [each for each in losers(reports) if each[2]["wins_if"]]
        for profile, tenant, loser in choose.sample(lost, min(3, len(lost))):
            edits = choose.choice(loser["wins_if"])
            after = self._compiled(edited(files, edits), Diagnostics(), profile=profile)
            assert after is not None, f"does not compile after {edits}"
            won = winner(_reports(after), profile, tenant)[0]
            assert won == (loser["source"], loser["declared_at"]), f"{won} wins for {tenant} of {profile} after {edits}"

    def _differences(self, changed: Files, outputs: Outputs) -> None:
        after = self._compiled(changed, Diagnostics())
        for profile, (_, files) in outputs.profiles.items() if after else ():
            old, new = (parse_report(each["explain.json"]) for each in (files, after.profiles[profile][1]))
            found = compare(old, new)
            assert not compare(old, old)
            assert {each.key for each in found} <= {f"{SECTION}:{KEY}"}, "another key is told to differ"
            before, now = (each.raw["bindings"][f"{SECTION}:{KEY}"] for each in (old, new))
            if before == now:
                assert not found, "told to differ, and is the same"
            if any(before[fact] != now[fact] for fact in ("provider", "factory", "decided_by")):
                assert found, "told to be the same, and another wins or wins otherwise"
            for tenant in {*before["tenants"], *now["tenants"]}:
                ours = [each["tenants"].get(tenant, each)["provider"] for each in (before, now)]
                assert ours[0] == ours[1] or found, f"told to be the same for {tenant}"


def _known(files: Files) -> list[str]:
    found = {facts["provider"] for name, facts in files["shop/parts.py"].items() if facts.get("key", KEY) == KEY}
    for level in LEVELS:
        found |= {each["provider"] for each in _section(files, level).get("components", ()) if each["key"] == KEY}
    return sorted(found)


def _section(files: Files, level: str) -> dict[str, Any]:
    whole: dict[str, Any] = files[FILES[level]]
    return whole if level == "base" else whole.setdefault(SECTION, {})


def _ranks(choose: Random) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if choose.random() < 0.5:
        facts["priority"] = choose.choice(RANKS)
    if choose.random() < 0.5:
        facts["stack_level"] = choose.choice(STACK)
    if choose.random() < 0.7:
        facts["capabilities"] = list(CAPABILITIES[: choose.choice((1, 2, 2))])
    return facts


def _project(choose: Random) -> Files:
    app: dict[str, Any] = dict(APP)
    if choose.random() < 0.3:
        app["stack_order"] = {"made": choose.choice(RANKS)}
    declared = choose.sample(PROVIDERS, choose.randint(1, 3))
    files: Files = {
        "settings/app.yml": app,
        "shop/parts.py": {f"P{name}": {"provider": name, **_ranks(choose)} for name in declared},
        "settings/plugins.yml": {"components": [{"key": OTHER, "provider": "o", "factory": "made:Easy"}]},
        "settings/profiles/busy.yml": {},
        "settings/tenants/acme.yml": {},
    }
    in_base: set[str] = set()
    for level in LEVELS:
        left = sorted({*PROVIDERS} - in_base)
        added = choose.sample(left, choose.randint(0, min(2, len(left))))
        in_base |= {*added} if level == "base" else set()
        section = _section(files, level)
        section["components"] = section.get("components", []) + [
            {"key": KEY, "provider": name, "factory": f"made:{choose.choice(MAKERS)}", **_ranks(choose)}
            for name in added
        ]
        _level(choose, files, level, sorted({*declared, *in_base, *added}), added=True)
    return files


def _level(choose: Random, files: Files, level: str, known: list[str], *, added: bool) -> None:
    """What one level selects, requires and sets of the key is another."""
    section = _section(files, level)
    for name in ("selections", "requires", "provider_settings"):
        section.pop(name, None)
    if choose.random() < 0.4:
        section["selections"] = {KEY: choose.choice(known)}
    if choose.random() < 0.2:
        section["requires"] = {KEY: [choose.choice(CAPABILITIES)]}
    given = [name for name in known if choose.random() < 0.8]
    section["provider_settings"] = {f"{KEY}/{name}": {"size": choose.randrange(3)} for name in given}


def _modelled(files: Files, overrides: Any) -> Case:
    order = files["settings/app.yml"].get("stack_order", {})

    def part(facts: dict[str, Any], origin: str, top: str) -> Part:
        rank = facts.get("priority", order.get(top, 0))
        capabilities = frozenset(facts.get("capabilities", ()))
        return Part(facts["provider"], origin, rank, facts.get("stack_level", 0), capabilities, None, ())

    added = {scope: [] for scope in SCOPES.values()}
    added["base"] += [part(facts, "package:shop", "shop") for facts in files["shop/parts.py"].values()]
    selected, required = {}, {}
    for level, scope in SCOPES.items():
        section = _section(files, level)
        components = [each for each in section.get("components", ()) if each["key"] == KEY]
        added[scope] += [part(each, "settings", "made") for each in components]
        for name in section.get("selections", {}).values():
            selected[scope] = name
        for names in section.get("requires", {}).values():
            required[scope] = frozenset(names)
    swaps = {"base": overrides.get("overrides", {}), "tenant": overrides.get("tenants", {}).get("acme", {})}
    overridden = {scope: name for scope, each in swaps.items() for name in each.values()}
    return Case({scope: tuple(each) for scope, each in added.items()}, selected, overridden, required, None, None)


def _decided_as_modelled(files: Files, overrides: Any, outputs: Outputs | None, found: Diagnostics) -> None:
    case = _modelled(files, overrides)
    scopes = [(profile, tenant) for profile in (False, True) for tenant in (False, True)]
    wanted = {scope: expected(case, *scope) for scope in scopes}
    if outputs is None:
        codes = {each.code for each in found if each.severity == "error"}
        filters = bool(case.required)
        chosen = bool(case.selected or case.overridden)
        assert codes <= {"ONE301", "ONE302", "ONE303", "ONE409"}, codes
        assert filters or chosen or "ONE409" in codes, codes
        return
    reports = _reports(outputs)
    for (profile, tenant), want in wanted.items():
        binding = reports["busy" if profile else "default"]["bindings"][f"{SECTION}:{KEY}"]
        own = binding["tenants"].get("acme") if tenant else binding
        if own is None or "candidates" not in own:
            assert want.winner == wanted[profile, False].winner, f"the tenant's own winner is not told: {want}"
            continue
        facts = {each["order"]: each for each in own["candidates"]}
        fates = {at: why for at, each in facts.items() if (why := each.get("lost_by") or each.get("excluded_by"))}
        (won,) = (at for at, each in facts.items() if each["won"])
        assert Expected(won, own["decided_by"], fates) == want, f"profile {profile}, tenant {tenant}: {want}"


def _reports(outputs: Outputs) -> dict[str, Any]:
    return {name: json.loads(files["explain.json"]) for name, (_, files) in outputs.profiles.items()}


def _run(files: dict[str, str]) -> dict[str, str]:
    """The files less what only type checkers read."""
    tree = ast.parse(files["wiring.py"])
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return {**files, "wiring.py": ast.unparse(tree)}


def _unlike(one: dict[str, str], other: dict[str, str]) -> str:
    """The lines that differ."""
    lines = zip(one["wiring.py"].splitlines(), other["wiring.py"].splitlines(), strict=False)
    return "\n".join(f"{before!r} {after!r}" for before, after in lines if before != after)


def _mutants(outputs: Outputs, choose: Random) -> None:
    """What was made holds; made otherwise in one place it does not."""
    for _, files in outputs.profiles.values():
        report = json.loads(files["explain.json"])
        assert not list(verify(report, files["wiring.py"], files.get("tenants.jsonl", b"")))
        text = {name: data.decode() for name, data in files.items()}
        where, mutant = altered_wiring(choose, text)
        assert found_by_verify(mutant) or same(*map(_run, (mutant, text))), (
            f"not noticed: {where}\n{_unlike(text, mutant)}"
        )
        if "tenants.jsonl" in text:
            where, mutant = altered_tenants(choose, text)
            assert found_by_verify(mutant) or mutant == text, f"not noticed: {where}"
        altered_report(choose, text, emitted=True)
        binding = report["bindings"][f"{SECTION}:{KEY}"]
        for loser in (each for each in binding["candidates"] if each.get("lost_by") in TIERS):
            loser[TIERS[loser["lost_by"]]] = 10_000
            assert found_by_verify({**text, "explain.json": json.dumps(report)}), (
                "a loser that would win is not noticed"
            )
            break
