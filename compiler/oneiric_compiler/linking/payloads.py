"""What a call is given, held against the parameters that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from oneiric.flows.references import Reference, parts

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.reading import fits, literal_fits, read
from oneiric_compiler.linking.targets import Target
from oneiric_compiler.model import Stated
from oneiric_compiler.source.types import Scalar, Type
from oneiric_compiler.text.redact import masked


def check_payload(
    target: Target,
    given: Stated[Any] | None,
    called_at: Place,
    by: str,
    types: Mapping[str, Type],
    diagnostics: Diagnostics,
) -> None:
    """Reports parameters that are missing, not taken or of another type; `types` are of what references begin with."""
    value: dict[str, Any] = given.value if given else {}
    if target.parameters is None:
        return
    related = [("defined here", target.place)]
    for name, parameter in target.parameters.items():
        if parameter.required and name not in value:
            place = given.place if given else called_at
            what = f"{target.key} requires `{name}`, which {by} does not give"
            diagnostics.add("ONE711", what, place, help=f"add it under `with`: `{name}: …`", related=related)
    for name, each in value.items():
        assert given is not None
        if name not in target.parameters:
            help = partial(did_you_mean, name, target.parameters, "remove it")
            place = given.within(name, of_key=True) if given.within else given.place
            diagnostics.add("ONE712", f"{target.key} takes no `{name}`", place, help=help, related=related)
        elif wrong := _misfit(each, target.parameters[name].type, types):
            what = f"`{name}` of {target.key} is {target.parameters[name].type}, and {wrong}"
            fitting = _to_fit(each, target.parameters[name].type)
            diagnostics.add("ONE713", what, given.at(name), help=fitting, related=related)


def _misfit(template: Any, wanted: Type, types: Mapping[str, Type]) -> str | None:
    """Why what a template becomes is not of a type."""
    if not isinstance(template, str):
        return None if literal_fits(template, wanted) else f"`{masked(str(template))}` is not"
    try:
        whole = parts(template)
    except ValueError:
        return None
    if len(whole) == 1 and isinstance(whole[0], Reference):
        reference = whole[0]
        if reference.root not in types or reference.has_default:
            return None
        found = read(types[reference.root], reference.path)
        return None if found.missing or fits(found.type, wanted) else f"`${{{reference.text}}}` is {found.type}"
    return None if fits(Scalar("str"), wanted) else f"`{masked(template)}` is a text"


def _to_fit(template: Any, wanted: Type) -> str:
    """What to write so that a parameter gets its type."""
    if wanted == Scalar("str") and isinstance(template, int | float) and not isinstance(template, bool):
        return f'put it in quotes: `"{template}"`'
    whole = parts(template) if isinstance(template, str) else ()
    reference = next((part for part in whole if isinstance(part, Reference)), None)
    if reference and len(whole) > 1:
        return f"a whole value keeps its type: `${{{reference.text}}}` and no text around it"
    return f"give something that is {wanted}, or let what is called take this"
