"""The wiring beside a report, held against it block by block."""

from __future__ import annotations

import hashlib
import json
import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.declared import declared, is_flow
from oneiric_compiler.verify.expressions import Expression
from oneiric_compiler.verify.layers import promised, stack
from oneiric_compiler.verify.source import INNER, TAKEN, Block, WiringSource, read_source

_STATED = ("artifact", "eager", "blocking", "python", "os", "restart", "provided", "unbound")
_FINGERPRINTED = ("provider", "factory", "async", "entered", "result", "port", "lazy", *_STATED)
"""The facts a fingerprint is made of, besides the settings' expressions and the needs."""
OPTIONS = ("secrets", *_STATED)
_RUNTIME = "oneiric:runtime"
_NOT_PROVIDED = "oneiric.errors:NotProvided"


def wiring(report: Facts, data: bytes, tenants: Mapping[str, str]) -> Iterator[str]:
    """Where wiring.py says something else than the report, or than `tenants`: what its tenants' lines come to."""
    try:
        source = read_source(data)
    except (ValueError, SyntaxError) as error:
        yield f"wiring.py: {error}"
        return
    except (RecursionError, MemoryError):
        yield "wiring.py: it is nested deeper than any wiring"
        return
    if (source.app, source.profile) != (report["app"], report["profile"]):
        yield f"wiring.py is profile `{source.profile}` of `{source.app}`"
    roots = tuple(report["inputs"].get("source_roots", ()))
    if source.source_roots != roots:
        yield f"wiring.py has the source roots {source.source_roots}, and the report says {roots}"
    if source.listed != tenants.get(""):
        yield f"wiring.py lists the tenants as {source.listed}, and the report's come to {tenants.get('')}"
    stated = {name: tuple(keys) for name, keys in report.get("roles", {}).items()}
    if source.roles != stated or [*source.roles] != [*stated]:
        yield f"wiring.py has the roles {source.roles}, and the report says {stated}"
    yield from _engines(report, source)
    blocks = {block.key: block for block in source.blocks}
    expected: dict[str, Facts] = {}
    for key, binding in sorted(report["bindings"].items()):
        if not is_flow(report, key, binding):
            expected |= stack(key, binding)
    if [block.key for block in source.blocks] != [*expected]:
        unlike = sorted(blocks.keys() ^ expected.keys())
        yield f"wiring.py and the report bind different keys: {', '.join(unlike) or 'in another order'}"
    yield from _aliases(report, source)
    names = {key.partition(":")[2] for key in (*report["bindings"], *report.get("aliases", {}))}
    attributes = {name: attribute_of(name) for name in (*names, *report.get("topics", {}))}
    yield from declared(report, source, attributes, tenants)
    for key, block in blocks.items():
        if binding := expected.get(key):
            yield from (f"{key}: wiring.py {finding}" for finding in _block(report, source, block, binding, tenants))


def _aliases(report: Facts, source: WiringSource) -> Iterator[str]:
    stated = report.get("aliases", {})
    if [each.key for each in source.aliases] != sorted(stated):
        yield f"wiring.py has the aliases {[each.key for each in source.aliases]}, and the report says {sorted(stated)}"
        return
    for each in source.aliases:
        to = stated[each.key]["target"]
        if (binding := report["bindings"].get(to)) is None:
            continue
        domain, _, name = each.key.partition(":")
        told = f"the same as {to}: {stated[each.key]['from'].partition('#')[0]} says so"
        expected = (
            report["domains"][domain],
            attribute_of(name),
            to,
            _need_of(report, to),
            seen_as(binding),
            _ascii(told),
        )
        section = next((attribute for attribute, kind in source.domains.items() if kind == each.domain), None)
        found = (section, each.attribute, each.target, each.slot, each.returns, each.told)
        if expected != found:
            yield f"{each.key}: wiring.py has it as {found}, and the report's facts say {expected}"


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _engines(report: Facts, source: WiringSource) -> Iterator[str]:
    said: dict[str, str] = {}
    for domain, engine in report.get("engines", {}).items():
        if name := source.domains.get(report["domains"].get(domain, "")):
            said[name] = engine
        else:
            yield f"the report says {engine} is the engine of {domain}, which wiring.py does not have"
    for name in sorted(said.keys() | source.engines):
        if said.get(name) != source.engines.get(name):
            found, wanted = source.engines.get(name), said.get(name)
            yield f"wiring.py has {found} as the engine of {name}, and the report says {wanted}"
        elif not source.engines[name].startswith("oneiric.engines."):
            yield f"{source.engines[name]} is not an engine of the runtime"


def _block(
    report: Facts, source: WiringSource, block: Block, binding: Facts, tenants: Mapping[str, str]
) -> Iterator[str]:
    port = promised(binding)
    needs = tuple(awaited(binding))
    options = {"provider": binding["provider"], "port": port, "needs": needs}
    options |= {"layers": tuple(binding.get("layers", ())), "inner": binding.get("inner")}
    options.update((name, _in_source(binding[name])) for name in OPTIONS if name in binding)
    options["tenants"] = tenants.get(block.key)
    unbound = binding.get("unbound", False)
    because = binding["because"].replace(f" selects {binding['provider']}", " selects it")
    told = f"unbound: {binding['unbound_at'].partition('#')[0]} unbinds it" if unbound else because
    printed = fingerprint(binding)
    domain, _, name = block.key.partition(":")
    said: dict[str, tuple[object, object]] = {
        "domain": (source.domains.get(report["domains"][domain]), block.domain),
        "attribute": (attribute_of(name), block.attribute),
        "factory": (_made_by(binding), block.factory),
        "promise": (seen_as(binding), block.returns),
        "async": (binding.get("async", False), block.awaited),
        "entered": (binding.get("entered", False), block.entered),
        "fingerprint": (printed, block.fingerprint),
        "fingerprint of the report": (printed, binding["fingerprint"]),
        "words": (
            (told if unbound else f"{binding['provider']}: {told}").encode("ascii", "backslashreplace").decode(),
            block.told,
        ),
        "options": (
            repr(sorted((name, each) for name, each in options.items() if each or each is False)),
            repr(sorted(block.options.items())),
        ),
        "secrets": (sorted(binding.get("secrets", ())), sorted(set(_secrets([*expressions(binding).values()])))),
        "arguments": (_plain(_arguments(report, binding)), _plain(block.arguments)),
    }
    for what, (expected, found) in said.items():
        if expected != found:
            yield f"has another {what}: {found}, and the report's facts say {expected}"
    if binding.get("provided", False) != (binding["factory"] == _NOT_PROVIDED and not unbound):
        yield f"has the factory {binding['factory']}, and provided says {binding.get('provided', False)}"
    for need in handed(binding):
        if need not in report["bindings"]:
            yield f"needs {need}, which is not bound"
    for name, each in binding.get("gathers", {}).items():
        if not _is_gathered(report, block.key, each, optional=name in binding.get("optional", ())):
            handed_over = ", ".join(each["members"]) or "nothing"
            yield f"is handed {handed_over} for {name}, and {each['from']} is something else"
        if each.get("as") == "dict" and [*block.arguments.get(name, {}).get("dict", ())] != _names(each["members"]):
            yield f"is handed what {name} gathers in another order"


def _made_by(binding: Facts) -> str:
    """What its block calls, or raises where nothing makes an instance."""
    if binding.get("unbound"):
        return "raise oneiric.errors:UnboundKey"
    return f"raise {binding['factory']}" if binding.get("provided") else str(binding["factory"])


def _is_gathered(report: Facts, key: str, gathered: Facts, *, optional: bool) -> bool:
    """Whether a parameter's components are those that its pattern matches, or those that are listed, in their order."""
    stated, members = gathered["from"], gathered["members"]
    if isinstance(stated, str):
        bound = (each for each, binding in report["bindings"].items() if not binding.get("unbound"))
        own = key.partition("/")[0]
        return sorted(members) == sorted(each for each in bound if each.startswith(stated[:-1]) and each != own)
    asked = iter(cast("list[str]", stated))
    listed = all(any(_is_named(report, member, need) for need in asked) for member in members)
    return listed and (optional or len(members) == len(cast("list[str]", stated)))


def _is_named(report: Facts, member: str, need: str) -> bool:
    """Whether a need, with its domain or without, is a key or an alias of it."""
    names = [member, *(alias for alias, each in report.get("aliases", {}).items() if each["target"] == member)]
    return any(name == need or name.endswith(f":{need}") for name in names)


def _names(keys: list[str]) -> list[str]:
    return [key.partition(":")[2] for key in keys]


def handed(binding: Facts) -> list[str]:
    """The keys of the components that it is handed."""
    return sorted({key for keys in _by_parameter(binding).values() for key in keys})


def awaited(binding: Facts) -> list[str]:
    """Those that are active before it is."""
    lazy = binding.get("lazy", ())
    return sorted({key for name, keys in _by_parameter(binding).items() if name not in lazy for key in keys})


def several(gathered: Facts) -> Expression:
    """What a parameter is handed that takes several."""
    needs = [{"need": key} for key in gathered["members"]]
    if gathered.get("as") == "dict":
        return {"dict": {each["need"].partition(":")[2]: each for each in needs}}
    return {gathered.get("as", "list"): needs}


def _by_parameter(binding: Facts) -> dict[str, list[str]]:
    single = {name: [key] for name, key in binding["needs"].items() if key != _RUNTIME}
    return {**single, **{name: each["members"] for name, each in binding.get("gathers", {}).items()}}


def _in_source(option: Any) -> Any:
    return tuple(cast("list[str]", option)) if isinstance(option, list) else option


def seen_as(binding: Facts) -> str:
    """What type checkers are told: nothing that is in the factory's own artifact, which they do not see."""
    port = promised(binding)
    return "object" if port is None or ("artifact" in binding and _top(port) == _top(binding["factory"])) else port


def _top(reference: str) -> str:
    return reference.partition(":")[0].partition(".")[0]


def fingerprint(binding: Facts) -> str:
    facts = {name: binding[name] for name in _FINGERPRINTED if name in binding}
    parts = {**facts, "settings": expressions(binding), "needs": binding["needs"]}
    if "gathers" in binding:
        parts["gathers"] = {n: [each.get("as", "list"), *each["members"]] for n, each in binding["gathers"].items()}
    return hashlib.sha256(_plain(parts).encode()).hexdigest()[:8]


def expressions(binding: Facts) -> dict[str, Expression]:
    return {name: each.get("expr") or {"value": each["value"]} for name, each in binding["settings"].items()}


def _arguments(report: Facts, binding: Facts) -> dict[str, Any]:
    """The arguments as they read in a source, whose needs are attributes."""
    given = {**expressions(binding), **({"inner": INNER} if "inner" in binding else {})}
    for name, key in binding["needs"].items():
        given[name] = _need_of(report, key)
    for name, each in binding.get("gathers", {}).items():
        items = {key.partition(":")[2]: _need_of(report, key) for key in each["members"]}
        kind = each.get("as", "list")
        if kind == "dict":
            given[name] = {"dict": items} if items else {"value": {}}
        else:
            members = [_need_of(report, key) for key in each["members"]]
            given[name] = {kind: members} if members or kind == "tuple" else {"value": []}
    return given


def _need_of(report: Facts, key: str) -> Expression:
    domain, _, name = key.partition(":")
    if key == _RUNTIME:
        return {"need": [domain, name]}
    return {"need": [report["domains"][domain], attribute_of(name)]}


def attribute_of(name: str) -> str:
    if "/" in name:
        return f"_layer_{attribute_of(name.replace('/', '_'))}"
    changed = "".join(char if char.isalnum() or char == "_" else "_" for char in name)
    changed = f"_{changed}" if changed[0].isdigit() else changed
    return f"{changed}_" if keyword.iskeyword(changed) or changed in TAKEN else changed


def _secrets(value: Any) -> Iterator[str]:
    """The names of the secrets in expressions."""
    for name, each in cast("Mapping[str, Any]", value).items() if isinstance(value, Mapping) else ():
        if name == "secret":
            yield each
        elif name in ("dict", "named"):
            yield from _secrets([*each.values()])
        elif name not in ("value", "as"):
            yield from _secrets(each)
    for item in cast("Iterable[Any]", value) if isinstance(value, list) else ():
        yield from _secrets(item)


def _not_json(value: Any) -> Any:
    """What a report cannot say, and a source can: bytes, a set."""
    return [type(value).__name__, repr(value)]


_plain = json.JSONEncoder(sort_keys=True, default=_not_json).encode
"""A text that is equal for equal values of equal types."""
