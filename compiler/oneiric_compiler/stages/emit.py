"""Stage 7: the report to the wiring: `wiring.py`, and `tenants.jsonl` where tenants differ."""

from __future__ import annotations

import base64
import hashlib
import json
import keyword
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import jinja2
from oneiric.report import flow_of

from oneiric_compiler.model import DECLARED
from oneiric_compiler.resources import templates
from oneiric_compiler.settings.documents import Value
from oneiric_compiler.stages.flow_code import FlowCode, flow_data, flow_literal, literal
from oneiric_compiler.stages.link import WIRING_NAMES, attribute_name
from oneiric_compiler.stages.report import Report, without_places
from oneiric_compiler.tables.options import BOUND

_WIDTH = 80
_CONVERTERS = {
    "any": "oneiric.structures:anything",
    "bool": "oneiric.convert:boolean",
    "path": "pathlib:Path",
    "secret": "oneiric:Secret",
}
_STRUCTURES = {
    **{name: f"oneiric.structures:{name}" for name in ("fixed", "optional")},
    **{name: f"oneiric.structures:{name}_of" for name in ("dict", "frozenset", "list", "set", "tuple")},
}
_RUNTIME = "oneiric:runtime"


@dataclass(frozen=True, slots=True)
class DomainCode:
    """What the template needs of a domain: its names, and the blocks of its keys."""

    attribute: str
    class_name: str
    engine: str | None
    tables: list[tuple[str, list[str]]]
    body: str


def emit(report: Report) -> dict[str, str]:
    """The files of a wiring by name, as the report says they are."""
    sections: dict[str, str] = report["domains"]
    by_domain: dict[str, dict[str, Report]] = {}
    for key, binding in report["bindings"].items():
        by_domain.setdefault(key.partition(":")[0], {})[key] = binding
    for key, alias in report.get("aliases", {}).items():
        same: Report = {**report["bindings"][alias["target"]], "alias": alias, "layers": {}}
        by_domain.setdefault(key.partition(":")[0], {})[key] = same
    for domain in report.get("engines", {}):
        by_domain.setdefault(domain, {})
    classes = class_names(sections)
    lines = TenantLines.of(report)
    engines: dict[str, str] = report.get("engines", {})
    domains = [
        DomainCode(
            attribute=sections[name],
            class_name=classes[name],
            engine=quoted(engines[name]) if name in engines else None,
            tables=[*_entries(report, name)],
            body=_body(report, classes[name], dict(sorted(bindings.items())), lines),
        )
        for name, bindings in sorted(by_domain.items())
    ]
    text = rendered(
        "wiring.py.j2",
        app=quoted(report["app"]),
        profile=quoted(report["profile"]),
        domains=domains,
        source_roots=(roots := report["inputs"].get("source_roots")) and _tuple(roots),
        listed=lines.listed and quoted(lines.listed),
        declares=_declares(report),
        topics=[*_topics(report)],
        tables=[*_tables(report)],
        roles=[(quoted(name), _tuple(keys)) for name, keys in report.get("roles", {}).items()],
    )
    return {"wiring.py": text, **({"tenants.jsonl": lines.text} if lines.listed else {})}


def _declares(report: Report) -> list[str]:
    """What a wiring imports to declare what is no component."""
    return [*(["Topics as BaseTopics"] if "topics" in report else []), *(["flow"] if "workflows" in report else []),
            *(["topic"] if "topics" in report else [])]  # fmt: skip


def _topics(report: Report) -> Iterator[dict[str, str | None]]:
    """Each topic: its attribute, what it is declared by, and the type of its events with what imports it."""
    topics: dict[str, Report] = report.get("topics", {})
    names = Counter(each.rpartition(":")[2] for each in {facts["type"] for facts in topics.values() if "type" in facts})
    taken = WIRING_NAMES | {attribute_name(name) for name in topics}
    for name, facts in topics.items():
        module, _, typed = facts.get("type", "").partition(":")
        attribute = attribute_name(name)
        stated = "".join(f", {each}={quoted(facts[each])}" for each in ("type", "order_by") if each in facts)
        local = typed if names[typed] == 1 and typed not in taken else f"{typed}_{attribute}"
        imported = f"from {module} import {typed}{f' as {local}' if local != typed else ''}" if typed else None
        local = local if typed else "dict[str, Any]"
        yield {"attribute": attribute, "stated": f"{quoted(name)}{stated}", "type": local, "imported": imported}


def _entries(report: Report, domain: str) -> Iterator[tuple[str, list[str]]]:
    """The static tables of a domain's class, an entry a line."""
    for kind in {"event": ("subscriptions",), "task": ("schedules",)}.get(domain, ()):
        if found := report.get(kind):
            yield f"__{kind}__", [f"{quoted(name)}: {literal(without_places(facts))}," for name, facts in found.items()]


def _tables(report: Report) -> Iterator[tuple[str, str | list[str]]]:
    """What the wiring as a whole states, by its name there: a value, or a mapping with an entry a line."""
    if queues := report.get("queues"):
        yield "__queues__", [f"{quoted(name)}: {literal(without_places(facts))}," for name, facts in queues.items()]
    if outbox := report.get("outbox"):
        yield "__outbox__", quoted(outbox["key"])
    if broadcast := report.get("broadcast"):
        yield "__broadcast__", quoted(broadcast["key"])
    if exports := report.get("exports"):
        yield "__exports__", [f"{quoted(pattern)}: {quoted(each['key'])}," for pattern, each in exports.items()]
    if imports := report.get("imports"):
        yield "__imports__", _tuple([*imports])


def rendered(template: str, **values: object) -> str:
    """What one of the templates comes to."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def quoted(text: str) -> str:
    """A Python string literal in ASCII, the same on every Python version."""
    return json.dumps(text, ensure_ascii=False).encode("ascii", "backslashreplace").decode()


def class_names(sections: Mapping[str, str]) -> dict[str, str]:
    """The class of each domain, no two alike."""
    found: dict[str, str] = {}
    for domain, attribute in sections.items():
        name = "".join(part.capitalize() for part in attribute.split("_"))
        while name in WIRING_NAMES or name in found.values():
            name += "_"
        found[domain] = name
    return found


def _body(report: Report, class_name: str, bindings: Mapping[str, Report], lines: TenantLines) -> str:
    sections: Mapping[str, str] = report["domains"]
    promised = {key: found for key, binding in bindings.items() if (found := annotated(binding))}
    names = Counter(reference.rpartition(":")[2] for reference in set(promised.values()))
    taken = WIRING_NAMES | {attribute_name(key.partition(":")[2]) for key in bindings} | {class_name}
    flows = {key: each for key, binding in bindings.items() if (each := _flow(report, key, binding))}
    inputs = {each["input"] for each in flows.values() if "input" in each}
    names.update(reference.rpartition(":")[2] for reference in inputs - {*promised.values()})
    blocks: list[str] = []
    for key, binding in bindings.items():
        short = promised[key].rpartition(":")[2] if key in promised else "object"
        alias = f"{short}_{attribute_name(key.partition(':')[2])}"
        local = alias if short in taken or names[short] > 1 else short
        bind = _bind(key, binding, lines.by_key.get(key))
        if flow := flows.get(key):
            short = flow.get("input", "").rpartition(":")[2]
            given = f"{short}_{attribute_name(key.partition(':')[2])}" if short in taken or names[short] > 1 else short
            blocks.append("\n".join(_flow_block(report, key, binding, flow, given, lines.by_key.get(key))))
            continue
        if "alias" in binding:
            bind = iter((f"@Domain.__alias__({quoted(key)}, {quoted(binding['alias']['target'])})",))
        blocks.append("\n".join(_block(sections, key, binding, bind, promised.get(key), local)))
        for name, layer in layers_of(key, binding).items():
            bind = _bind(name, layer, None)
            blocks.append("\n".join(_block(sections, name, layer, bind, promised.get(key), local)))
    return "\n\n".join(blocks)


def layers_of(key: str, binding: Report) -> dict[str, Report]:
    """The layers of a key as bindings of their own, each with the key of what it wraps, its `inner`."""
    layers: dict[str, Report] = binding.get("layers", {})
    wrapped = [*layers, key][1:]
    promised = {"port": found} if (found := _promised(binding)) else {}
    return {
        name: {**layer, **promised, "inner": inner, "because": _placed(key, layer)}
        for (name, layer), inner in zip(layers.items(), wrapped, strict=True)
    }


def _placed(key: str, layer: Report) -> str:
    return f"{layer['placed_at'].partition('#')[0]} puts it around {key}"


def _promised(binding: Report) -> str | None:
    """What the key's users may rely on: its port, else the class of its winner."""
    return binding.get("port") or binding.get("result")


def annotated(binding: Report) -> str | None:
    """What type checkers are told: nothing that is in an artifact, whose modules they do not see."""
    promised = _promised(binding)
    return None if promised and _in_artifact(binding, promised) else promised


def _in_artifact(binding: Report, reference: str) -> bool:
    """Whether `module:name` is in the artifact that the binding's factory is in."""
    return "artifact" in binding and _top(reference) == _top(binding["factory"])


def _top(reference: str) -> str:
    return reference.partition(":")[0].partition(".")[0]


def _block(
    sections: Mapping[str, str], key: str, binding: Report, bind: Iterator[str], promised: str | None, local: str
) -> Iterator[str]:
    module, _, name = (promised or "builtins:object").partition(":")
    typed = ["if TYPE_CHECKING:", f"    from {module} import {name}" + (f" as {local}" if local != name else "")]
    if promised or local != "object":
        yield from (*typed, "")
    yield from bind
    if "alias" in binding:
        yield f"def {attribute_name(key.partition(':')[2])}(self) -> {local}:"
        yield f'    """{_same(binding["alias"])}"""'
        yield f"    return {_slot(sections, binding['alias']['target'])}.current"
        return
    awaited = "async " if binding.get("async") else ""
    yield f"{awaited}def {attribute_name(key.partition(':')[2])}(self) -> {local}:"
    yield f'    """{_docstring(binding)}"""'
    if refused := _refused(binding):
        yield from (f"    from oneiric.errors import {refused}", f"    raise {refused}({quoted(key)})")
        return
    body = _Body(sections, binding)
    entered = f"self._enter{'_async' if awaited else ''}(" if binding.get("entered") else ""
    made = f"{'await ' if awaited else ''}{entered}{body.called(binding['factory'])}"
    end = "))" if entered else ")"
    arguments = [f"{name}={body.expression(expr)}," for name, expr in _arguments(binding).items()]
    yield from (f"    from {module} import {names}" for module, names in body.imports())
    if promised and ("artifact" in binding or "inner" in binding):
        yield from (f"    {line}" for line in typed)
    if "inner" in binding:
        yield f"    inner: {local} = self._inner"
    if "artifact" in binding and promised:
        yield from (*_call(f"made: {local} = {made}", arguments, end), "    return made")
    else:
        yield from _call(f"return {made}", arguments, end)


def _flow(report: Report, key: str, binding: Report) -> Report | None:
    """What a workflow of the settings is, where the key is one."""
    found: Report | None = report.get("workflows", {}).get(key.partition(":")[2])
    return found if binding["factory"] == DECLARED[1] and "alias" not in binding else None


def _flow_block(
    report: Report, key: str, binding: Report, flow: Report, given: str, tenants: str | None
) -> Iterator[str]:
    """A workflow: its flow as data, and as code."""
    attribute = attribute_name(key.partition(":")[2])
    untyped = {name for name, each in report["bindings"].items() if annotated(each) is None}
    code = FlowCode(report["domains"], report["bindings"], flow, untyped)
    body = code.lines()
    made = "Any"
    typed: list[str] = []
    if "input" in flow:
        module, _, name = flow["input"].partition(":")
        typed.append(f"    from {module} import {name}{f' as {given}' if given != name else ''}")
    fields = _fields(flow.get("result"))
    if fields:
        made = f"{attribute.title().replace('_', '')}Result"
        typed += [
            *([""] if typed else []),
            f"    class {made}(TypedDict):",
            *(f"        {name}: Any" for name in fields),
        ]
    if typed:
        yield from ("if TYPE_CHECKING:", *typed, "")
    yield f"@flow({quoted(key)}, {quoted(binding['fingerprint'])},"
    options = dict(_options(binding))
    if tenants:
        options["tenants"] = quoted(tenants)
    if "input" in flow:
        options["input"] = quoted(flow["input"])
    if binding["provider"] != DECLARED[0]:
        options["provider"] = quoted(binding["provider"])
    yield from (f"      {name}={value}," for name, value in options.items())
    *lines, last = flow_literal(flow)
    yield f"      flow={lines[0]}"
    yield from (f"      {line}" for line in lines[1:])
    yield f"      {last})"
    yield f"async def {attribute}(self, input: {given or 'Any'}) -> {made}:"
    levels = len(flow["levels"])
    nodes = len(flow["nodes"])
    place = flow["from"].partition("#")[0]
    counted = f"{nodes} node{'s' * (nodes != 1)} in {levels} level{'s' * (levels != 1)}"
    yield f'    """{quoted(f"{counted}; {place} declares it")[1:-1]}"""'
    if code.takes_token:
        yield "    from oneiric import Token"
    if code.imports:
        yield f"    from oneiric.flows.inline import {', '.join(sorted(code.imports))}"
    yield from (f"    {line}" for line in body)


def _fields(result: Any) -> list[str]:
    """The names of what a workflow results in, where a class can have them."""
    names = [*cast("Report", result)] if isinstance(result, dict) else []
    return names if all(name.isidentifier() and not keyword.iskeyword(name) for name in names) else []


def _same(alias: Mapping[str, str]) -> str:
    return quoted(f"the same as {alias['target']}: {alias['from'].partition('#')[0]} says so")[1:-1]


def _slot(sections: Mapping[str, str], key: str) -> str:
    """A key's slot, as a block reaches it."""
    domain, _, name = key.partition(":")
    return f"self._wiring.{sections[domain]}.{attribute_name(name)}"


def _handed(sections: Mapping[str, str], key: str) -> str:
    """What is handed over for a need."""
    return "self._application" if key == _RUNTIME else f"{_slot(sections, key)}.live"


def _refused(binding: Report) -> str | None:
    """The error that stands where nothing makes an instance."""
    return "UnboundKey" if binding.get("unbound") else "NotProvided" if binding.get("provided") else None


def _call(head: str, arguments: list[str], end: str) -> Iterator[str]:
    yield from (
        (f"    {head}(", *(f"        {line}" for each in arguments for line in each.split("\n")), f"    {end}")
        if arguments
        else (f"    {head}({end}",)
    )


def _bind(key: str, binding: Report, tenants: str | None) -> Iterator[str]:
    options = [f"provider={quoted(binding['provider'])}"]
    if promised := _promised(binding):
        options.append(f"port={quoted(promised)}")
    options.extend(f"{name}={value}" for name, value in _options(binding))
    if layers := binding.get("layers"):
        options.append(f"layers={_tuple([*layers])}")
    if "inner" in binding:
        options.append(f"inner={quoted(binding['inner'])}")
    if tenants:
        options.append(f"tenants={quoted(tenants)}")
    head = f"@bind({quoted(key)}, {quoted(binding['fingerprint'])},"
    yield head
    for option in options[:-1]:
        yield from f"      {option},".split("\n")
    yield from f"      {options[-1]})".split("\n")


def _options(binding: Report) -> Iterator[tuple[str, str]]:
    if needs := _awaited(binding):
        yield "needs", _tuple(needs)
    if binding.get("secrets"):
        yield "secrets", _tuple(binding["secrets"])
    if binding.get("artifact"):
        yield "artifact", quoted(binding["artifact"])
    for name in (*BOUND, "provided", "unbound"):
        if name in binding:
            stated = binding[name]
            yield name, _tuple(cast("list[str]", stated)) if isinstance(stated, list) else _literal(stated)


def _awaited(binding: Report) -> list[str]:
    """The keys that are active before it is: what it is handed, but lazily."""
    handed = {name: [key] for name, key in binding["needs"].items() if key != _RUNTIME}
    handed |= {name: each["members"] for name, each in binding.get("gathers", {}).items()}
    return sorted({key for name, keys in handed.items() if name not in binding.get("lazy", ()) for key in keys})


def _tuple(items: list[str]) -> str:
    """On one line, or on one each where that is too long."""
    shown = [quoted(item) for item in items]
    if sum(map(len, shown)) > _WIDTH:
        return "".join(("(", *(f"\n          {item}," for item in shown), "\n      )"))
    return f"({', '.join(shown)}{',' if len(items) == 1 else ''})"


def _docstring(binding: Report) -> str:
    if binding.get("unbound"):
        return quoted(f"unbound: {binding['unbound_at'].partition('#')[0]} unbinds it")[1:-1]
    because = binding["because"].replace(f" selects {binding['provider']}", " selects it")
    return quoted(f"{binding['provider']}: {because}")[1:-1]


def _arguments(binding: Report) -> dict[str, dict[str, Any]]:
    """The factory's arguments as expressions, settings first."""
    settings = {
        name: setting.get("expr") or {"value": setting["value"]} for name, setting in binding["settings"].items()
    }
    needs: dict[str, dict[str, Any]] = {name: {"need": key} for name, key in binding["needs"].items()}
    if "inner" in binding:
        needs["inner"] = {"inner": binding["inner"]}
    return {**settings, **needs, **{name: _several(each) for name, each in binding.get("gathers", {}).items()}}


def _several(gathered: Mapping[str, Any]) -> dict[str, Any]:
    needs = [{"need": key} for key in gathered["members"]]
    if gathered.get("as") == "dict":
        return {"dict": {each["need"].partition(":")[2]: each for each in needs}}
    return {gathered.get("as", "list"): needs}


@dataclass(frozen=True, slots=True)
class TenantLines:
    """`tenants.jsonl`, and what the wiring says of it: the number and digest of the list of tenants, and of each key's
    lines, so that none can be lost and edits of different keys merge."""

    text: str
    listed: str
    by_key: Mapping[str, str]

    @classmethod
    def of(cls, report: Report) -> TenantLines:
        listed = [("", json.dumps({"tenant": tenant})) for tenant in report.get("tenants", [])]
        by_key: dict[str, list[str]] = {}
        lines: list[str] = []
        # by what the runtime's search compares: without its brace a tenant's own line comes before those of its keys
        for key, line in sorted((*listed, *_tenant_lines(report)), key=lambda entry: entry[1][:-1]):
            by_key.setdefault(key, []).append(f"{line}\n")
            lines.append(f"{line}\n")
        counts = {key: _counted(each) for key, each in by_key.items()}
        return cls("".join(lines), counts.pop("", ""), counts)


def _counted(lines: list[str]) -> str:
    return f"{len(lines)}:{hashlib.sha256(''.join(lines).encode()).hexdigest()[:8]}"


def _tenant_lines(report: Report) -> Iterator[tuple[str, str]]:
    """Each key with a line of its own for a tenant."""
    for key, binding in report["bindings"].items():
        promised = {"port": found} if (found := _promised(binding)) else {}
        for tenant, own in binding["tenants"].items():
            if not own.get("shared"):
                flow = _flow(report, key, own)
                yield key, _tenant_line(tenant, key, {**own, **promised}, flow and flow_of(flow, tenant))
                for name, layer in layers_of(key, {**own, **promised}).items():
                    yield key, _tenant_line(tenant, name, layer)


def _tenant_line(tenant: str, key: str, own: Report, flow: Report | None = None) -> str:
    line = {"tenant": tenant, "key": key, "provider": own["provider"], "fingerprint": own["fingerprint"]}
    line["factory"] = own["factory"]
    if port := own.get("port"):
        line["port"] = port
    line["arguments"] = _arguments(own)
    line["needs"] = _awaited(own)
    if layers := own.get("layers"):
        line["layers"] = [*layers]
    if flow:
        line |= {"flow": flow_data(flow), **({"input": flow["input"]} if "input" in flow else {})}
    optional = ("async", "entered", "secrets", "artifact", *BOUND, "inner", "provided", "unbound")
    return json.dumps({**line, **{name: own[name] for name in optional if name in own}})


@dataclass(slots=True)
class _Body:
    """Writes a binding's expressions as Python and remembers what they import."""

    sections: Mapping[str, str]
    binding: Report
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def imported(self, reference: str) -> str:
        """The local name of `module:name` in the block, or how it is reached in an artifact."""
        if _in_artifact(self.binding, reference):
            module, _, name = reference.partition(":")
            return f"{self.imported('importlib:import_module')}({quoted(module)}).{name}"
        if reference not in self._names:
            name = reference.rpartition(":")[2]
            while name in self._names.values():
                name += "_"
            self._names[reference] = name
        return self._names[reference]

    def called(self, reference: str) -> str:
        """The same of `module:Class.method`, by its class."""
        named, dot, method = reference.rpartition(".") if "." in reference.partition(":")[2] else (reference, "", "")
        return f"{self.imported(named)}{dot}{method}"

    def imports(self) -> Iterator[tuple[str, str]]:
        """Module and names, sorted by module."""
        by_module: dict[str, list[str]] = {}
        for reference, local in self._names.items():
            module, _, name = reference.partition(":")
            by_module.setdefault(module, []).append(name if name == local else f"{name} as {local}")
        return ((module, ", ".join(sorted(names))) for module, names in sorted(by_module.items()))

    def expression(self, expr: Mapping[str, Any]) -> str:
        if "value" in expr:
            return _literal(expr["value"])
        if "secret" in expr:
            return f"self._secret({quoted(expr['secret'])})" + (".reveal()" if expr.get("reveal") else "")
        if "env" in expr:
            return self._variable(expr)
        if "text" in expr:
            return self._text(expr)
        if "path" in expr:
            return f"{self.imported('pathlib:Path')}({quoted(expr['path'])})"
        if "enum" in expr:
            return f"{self.imported(expr['enum'])}.{expr['name']}"
        if "make" in expr:
            return self._made(expr)
        if "flags" in expr:
            flags = self.imported(expr["flags"])
            return " | ".join(f"{flags}.{name}" for name in expr["names"])
        if "bytes" in expr:
            return repr(base64.b64decode(expr["bytes"]))
        if "inner" in expr:
            return "inner"
        if "need" in expr:
            return _handed(self.sections, expr["need"])
        return self._container(expr)

    def _made(self, expr: Mapping[str, Any]) -> str:
        arguments = [self.expression(each) for each in expr.get("args", ())]
        arguments += [f"{name}={self.expression(each)}" for name, each in expr.get("named", {}).items()]
        return f"{self.called(expr['make'])}({', '.join(arguments)})"

    def _container(self, expr: Mapping[str, Any]) -> str:
        ((kind, items),) = expr.items()
        if _is_of_needs(items):
            return self._on_lines(kind, items)
        if kind == "dict":
            return "{" + ", ".join(f"{quoted(k)}: {self.expression(v)}" for k, v in items.items()) + "}"
        inner = ", ".join(self.expression(item) for item in items)
        if kind == "tuple":
            return f"({inner}{',' if len(items) == 1 else ''})"
        return f"[{inner}]" if kind == "list" else f"{kind}([{inner}])"

    def _on_lines(self, kind: str, items: Any) -> str:
        """Components, one a line, so that those that come and go are lines of a diff."""
        if kind == "dict":
            lines = [f"    {quoted(name)}: {self.expression(each)},\n" for name, each in items.items()]
            return f"{{\n{''.join(lines)}}}"
        inner = "".join(f"    {self.expression(each)},\n" for each in items)
        return f"(\n{inner})" if kind == "tuple" else f"[\n{inner}]"

    def _variable(self, expr: Mapping[str, Any]) -> str:
        named = ", ".join(self._variable_arguments(expr))
        if "as" not in expr:
            return f"self._env({named})"
        return f"self._env_as({self._converter(expr['as'])}, {named})"

    def _converter(self, kind: Any, one_of: str = "oneiric.convert:one_of") -> str:
        """What converts a variable's text, and what stands in it, where another `one_of` is seen to be of no type."""
        inner = partial(self._converter, one_of="oneiric.structures:choice")
        if isinstance(kind, str):
            return self.imported(_CONVERTERS[kind]) if kind in _CONVERTERS else kind
        if "by" in kind:
            return self.imported(kind["by"])
        if "enum" in kind:
            enum = self.imported(kind["enum"])
            return f"{self.imported('oneiric.convert:member')}({enum})" if kind.get("whole") else enum
        if "one_of" in kind:
            choices = ", ".join(_literal(choice) for choice in kind["one_of"])
            return f"{self.imported(one_of)}({choices})"
        if "record" in kind:
            fields = ", ".join(f"{quoted(name)}: {inner(each)}" for name, each in kind["fields"].items())
            arguments = [self.imported(kind["record"]), f"{{{fields}}}", *map(quoted, kind["required"])]
            return f"{self.imported('oneiric.structures:record')}({', '.join(arguments)})"
        if "then" in kind:
            of, made = inner(kind["of"]), self.imported(kind["then"])
            return f"{self.imported('oneiric.structures:then')}({of}, {made})"
        name, of = next(iter(kind.items()))
        parts = ", ".join(map(inner, of)) if name == "fixed" else inner(of)
        return f"{self.imported(_STRUCTURES[name])}({parts})"

    def _variable_arguments(self, expr: Mapping[str, Any]) -> Iterator[str]:
        """Its name, then what stands in for it, worked out only where it does, or why it has to be there."""
        yield quoted(expr["env"])
        if "default" in expr:
            default = expr["default"]
            yield quoted(default) if isinstance(default, str) else f"lambda: {self.expression(default)}"
        if "why" in expr:
            yield f"why={quoted(expr['why'])}"

    def _text(self, expr: Mapping[str, Any]) -> str:
        parts = expr["text"]
        shape = "".join(part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else "{}" for part in parts)
        values = [self._revealed(part) for part in parts if not isinstance(part, str)]
        text = values[0] if shape == "{}" else f"{quoted(shape)}.format({', '.join(values)})"
        kind = expr.get("as")
        if kind is None:
            return text
        return f"{self.imported('oneiric:Secret' if kind == 'secret' else 'pathlib:Path')}({text})"

    def _revealed(self, part: Mapping[str, Any]) -> str:
        return self.expression({**part, "reveal": True} if "secret" in part else part)


def _is_of_needs(items: Any) -> bool:
    found: list[Any] = [*cast("dict[str, Any]", items).values()] if isinstance(items, dict) else items
    return bool(found) and "need" in found[0]


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(name)}: {_literal(item)}" for name, item in value.items()) + "}"
    return repr(value)
