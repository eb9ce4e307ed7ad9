"""Classes that have a port's methods with their exact signatures, each with a body of whoever has the class made.

Methods are written as source, once per class: exact signatures cost a fraction of `*args`, and far less than
`__getattr__`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

from oneiric.errors import PortError
from oneiric.port import Method, methods_of


def forwarding_class(
    port: type, prefix: str, base: type, write: Callable[[Method], str], names: Mapping[str, object]
) -> type:
    """A subclass of `base`, named by the port with a prefix, that has the port's methods, and the port as `__port__`.

    `write` gives each as the source of a `def`, with these in braces: its `name`; `parameters`, those of the
    signature, of which `self` is the first; `arguments`, what passes the others on; and `p`, to stand before every name
    that the body has of its own, and before those of `names`, which it can use. Raises `PortError` for a Protocol
    that has more than methods; of a class that is its own port, reading such a member does.
    """
    methods, refused = methods_of(port)
    members: dict[str, Any] = {"__slots__": (), "__doc__": port.__doc__, "__port__": _weakly(port)}
    for name, why in refused.items():
        members[name] = property(_refuse(f"{port.__qualname__}.{name} is {why}: only methods are forwarded"))
    for method in methods:
        function = members[method.name] = _compiled(port, prefix, method, write(method), names)
        function.__module__ = method.function.__module__
        function.__qualname__ = f"{prefix}{port.__name__}.{method.name}"
        function.__doc__ = method.function.__doc__
    return type(f"{prefix}{port.__name__}", (base,), members)


def _weakly(port: type) -> property:
    """A port for a class that is kept for as long as the port is."""
    known = ref(port)
    return property(lambda _: known())


def _refuse(message: str) -> Callable[[Any], object]:
    def refuse(_: Any) -> object:
        raise PortError(message)

    return refuse


def _compiled(port: type, prefix: str, method: Method, template: str, names: Mapping[str, object]) -> Any:
    p = "_"
    while any(name.startswith(p) for name in method.signature.parameters):
        p += "_"
    namespace = {p + name: value for name, value in names.items()}
    self, *_ = method.signature.parameters
    parameters, arguments = _parameters(method.signature, p, namespace)
    source = template.format(name=method.name, p=p, self=self, parameters=parameters, arguments=arguments)
    place = f"<{prefix.lower()} {port.__module__}:{port.__qualname__}.{method.name}>"
    exec(compile(source, place, "exec"), namespace)
    function: Any = namespace[method.name]
    function.__annotations__ = _annotations(method.signature)
    return function


def _annotations(signature: inspect.Signature) -> dict[str, Any]:
    annotated = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    annotated["return"] = signature.return_annotation
    return {name: annotation for name, annotation in annotated.items() if annotation is not signature.empty}


def _parameters(signature: inspect.Signature, prefix: str, namespace: dict[str, Any]) -> tuple[str, str]:
    """The text of a `def`'s parameters and of a call that passes them on; defaults go into the namespace."""
    bare: list[inspect.Parameter] = []
    arguments: list[str] = []
    for index, parameter in enumerate(signature.parameters.values()):
        default = parameter.default
        if default is not parameter.empty:
            namespace[f"{prefix}default{index}"] = default
            default = _Name(f"{prefix}default{index}")
        bare.append(parameter.replace(annotation=parameter.empty, default=default))
        if index:
            arguments.append(_passed_on(parameter))
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return text.removeprefix("(").removesuffix(")"), ", ".join(arguments)


def _passed_on(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{name}={name}"
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{name}"
    return f"**{name}" if parameter.kind is parameter.VAR_KEYWORD else name


class _Name(str):
    """A default that shows as a name in the text of a signature."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
