"""What the settings place around a key: the layers there, whether they fit its port, and what they name of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, did_you_mean
from oneiric_compiler.linking.ports import Ports, is_synchronous, misfits
from oneiric_compiler.linking.scope import Scope
from oneiric_compiler.model import Candidate, Catalog, Key, Setting, Settings, Stated
from oneiric_compiler.settings.documents import Value
from oneiric_compiler.source.modules import Sources, Symbol
from oneiric_compiler.source.types import Unchecked
from oneiric_compiler.tables.layers import ERRORS, INNER, KEYS, METHODS, NAMES


def placed(scope: Scope, key: Key, diagnostics: Diagnostics) -> Iterator[tuple[str, Place, Candidate]]:
    """The layers that the settings put around a key, outermost first, as they are written; what is none is reported."""
    stated = scope.layers(key)
    for index, text in enumerate(stated.value if stated else ()):
        assert stated is not None
        name, place = text.partition(":")[0], stated.at(index)
        layer = scope.catalog.layer(key, name)
        if layer is not None:
            _check_name(scope, key, layer, diagnostics)
            yield text, place, layer
        elif not scope.catalog.incomplete:
            declared = scope.catalog.layers.get(key, ())
            known = [each.provider for each in declared if not each.barred]
            help: Help = partial(did_you_mean, name, (*known, *NAMES), "declare one with `layer=True`")
            message = f"{key} has no layer `{name}`"
            if any(each.provider == name for each in scope.candidates(key)):
                help, message = _IS_PROVIDER, f"{message}, but a provider"
            barred = [each for each in declared if each.provider == name]  # one that is not would be found
            related = [("one is offered here, and takes no part", each.place) for each in barred]
            help = next((_BARRED[each.barred[0]] for each in barred if each.barred), help)
            diagnostics.add("ONE440", message, place, help=help, related=related)


def everywhere(settings: Settings, catalog: Catalog) -> Iterator[tuple[str, Candidate]]:
    """The layers of every key, declared for it or placed anywhere, by what settings call them: name or label."""
    names = {(key, each.provider) for key, layers in catalog.layers.items() for each in layers}
    for domain, section in settings.sections():
        for name, stated in section.layers.items():
            for text in stated.value:
                names |= {(Key(domain, name), text), (Key(domain, name), text.partition(":")[0])}
    for key, text in sorted(names):
        if (layer := catalog.layer(key, text.partition(":")[0])) is not None:
            yield text, layer


_BARRED = {
    "allowlist": "it is of a manifest; `allow` of that source in settings/remote.yml does not cover it",
    "requires": "it is of a manifest, and requires a distribution that is not there",
    "conflicts": "it is of a manifest, and conflicts with a distribution that is there",
}
_IS_PROVIDER = "select it: `selections`; a layer is declared with `layer=True` and takes `inner`"


def _check_name(scope: Scope, key: Key, layer: Candidate, diagnostics: Diagnostics) -> None:
    for candidate in scope.candidates(key):
        if candidate.provider == layer.provider:
            message = f"`{layer.provider}` is a layer and a provider of {key}"
            help, related = "rename one of them", [("the provider", candidate.place)]
            diagnostics.add("ONE441", message, layer.place, help=help, related=related)


def check_inner(layer: Candidate, port: Symbol | None, sources: Sources, diagnostics: Diagnostics) -> None:
    """Reports a layer that takes no `inner`, or one that what it wraps does not fit."""
    parameters = layer.signature.parameters
    if parameters is None:
        return
    parameter = parameters.get(INNER)
    if parameter is None:
        if layer.signature.open:
            return
        message = f"`{layer.provider}` is a layer of {layer.key}, and takes no `{INNER}`"
        help = f"give its factory a parameter `{INNER}`, of the key's port"
        related = [("its factory", layer.signature.place)]
        diagnostics.add("ONE442", message, layer.place, help=help, related=related)
        return
    wanted = sources.find(parameter.type.reference) if isinstance(parameter.type, Unchecked) else None
    if wanted is None or port is None or not isinstance(wanted.node, ast.ClassDef):  # a type variable fits every port
        return
    for reason, _, promise in misfits(sources, wanted, port):
        taken, offered = f"`{INNER}` of `{layer.provider}` is {wanted.name}", f"`{port.name}`, the port of {layer.key},"
        message = f"{taken}, and {offered} {reason}"
        related = [("what the layer calls", Place(wanted.place.pointer, promise))]
        help = f"annotate `{INNER}` as `{port.name}`, or as what it has of that"
        diagnostics.add("ONE442", message, parameter.place or layer.place, help=help, related=related)
        return


def without_keys(layer: Candidate, settings: Mapping[str, Setting]) -> tuple[Candidate, dict[str, Setting]]:
    """A layer with the keys as needs that its settings name, and its settings without these."""
    kept, needs = dict(settings), dict(layer.needs)
    for name in KEYS.get(layer.provider, ()) if layer.is_builtin else ():
        setting = kept.pop(name, None)
        if setting is not None and isinstance(setting.stated.value, str):
            needs[name] = Stated(setting.stated.value, setting.stated.place)
    return replace(layer, needs=needs), kept


def check_methods(
    layer: Candidate, settings: Mapping[str, Setting], port: Symbol | None, sources: Sources, diagnostics: Diagnostics
) -> None:
    """Reports what a layer names as a method of the port that is none."""
    setting = settings.get(METHODS)
    if not layer.is_builtin or setting is None or port is None or not isinstance(setting.stated.value, list):
        return
    members = sources.members(port).by_name
    methods = [name for name, (_, node) in members.items() if isinstance(node, ast.AsyncFunctionDef)]
    for index, name in enumerate(setting.stated.value):
        if name not in methods:
            message = f"`{METHODS}` of `{layer.provider}` names `{name}`, which is no async method of `{port.name}`"
            near = partial(did_you_mean, str(name), methods)
            diagnostics.add("ONE444", message, setting.stated.at(index), help=near)


def with_errors(
    layer: Candidate, settings: dict[str, Setting], port: str, sources: Sources, diagnostics: Diagnostics
) -> dict[str, Setting]:
    """The settings of a layer, in which exceptions have their whole names; what names none is reported."""
    setting = settings.get(ERRORS)
    if not layer.is_builtin or setting is None or not isinstance(setting.stated.value, list):
        return settings
    found: list[Value] = []
    for index, text in enumerate(setting.stated.value):
        reference = _exception(str(text), port, sources)
        if reference is None:
            message = f"`{ERRORS}` of `{layer.provider}` names `{text}`, which is no exception"
            near = partial(did_you_mean, str(text), _known(port, sources), "write `module:Class`")
            diagnostics.add("ONE443", message, setting.stated.at(index), help=near)
        found.append(reference or text)
    return {**settings, ERRORS: replace(setting, expr={"value": found})}


def tell_repeated(layer: Candidate, settings: Mapping[str, Setting], wrapped: Candidate, ports: Ports) -> None:
    """Notes a retry after a timeout of what does not say that its calls can be made again: the first may go on."""
    setting = settings.get(ERRORS)
    if layer.factory != _RETRY or setting is None or wrapped.is_builtin or wrapped.idempotent is True:
        return
    for index, named in enumerate(setting.expr.get("value", ())):
        if isinstance(named, str) and _is_timeout(named, ports.sources):
            what = f"a call of {layer.key} that took too long is made again, while the first may go on"
            help = f"let `{wrapped.provider}` say which methods bear that: `idempotent=True`, or their names"
            related = [("it is declared here", wrapped.place)]
            ports.diagnostics.add("ONE445", what, setting.stated.at(index), help=help, related=related)


def tell_idle(layer: Candidate, port: Symbol | None, place: Place, sources: Sources, diagnostics: Diagnostics) -> None:
    """Warns of a built-in layer, placed there, around a port all of whose methods it passes on."""
    if not layer.is_builtin or port is None:
        return
    members = sources.members(port)
    methods = [
        node for _, node in members.by_name.values() if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    if members.complete and all(map(is_synchronous, methods)):
        message = f"the layer `{layer.provider}` does nothing for {layer.key}: `{port.name}` has no async method"
        help = "remove it here, or let the port have methods that are awaited"
        diagnostics.add("ONE446", message, place, help=help, related=[("the port", port.place)])


_RETRY = "oneiric.layers.retry:retry"
_TIMEOUTS = ("builtins:TimeoutError", "asyncio:TimeoutError")


def _is_timeout(named: str, sources: Sources) -> bool:
    symbol = sources.find(named)
    bases = sources.bases(symbol) if symbol and isinstance(symbol.node, ast.ClassDef) else ()
    return named in _TIMEOUTS or "builtins.TimeoutError" in bases


_BASES = "oneiric.errors"
_BUILTIN = ("TimeoutError", "ConnectionError", "OSError", "LookupError", "ValueError", "RuntimeError", "Exception")


def _exception(text: str, port: str, sources: Sources) -> str | None:
    if ":" in text:
        return text if sources.find(text) or text.partition(":")[0] == "builtins" else None
    if text in _BUILTIN:
        return f"builtins:{text}"
    modules = (_BASES, *_package(port))
    return next((f"{module}:{text}" for module in reversed(modules) if text in _classes(module, sources)), None)


def _package(port: str) -> tuple[str, ...]:
    """The port's module, and the package that it is in."""
    module = port.partition(":")[0]
    return tuple(dict.fromkeys((module.rpartition(".")[0] or module, module)))


def _classes(module: str, sources: Sources) -> set[str]:
    read = sources.module(module)
    definitions = {} if read is None else read.definitions
    return {name for name, node in definitions.items() if isinstance(node, ast.ClassDef)}


def _known(port: str, sources: Sources) -> set[str]:
    return set[str](_BUILTIN).union(*(_classes(module, sources) for module in (_BASES, *_package(port))))
