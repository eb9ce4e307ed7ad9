"""What a call is given, held against the parameters that it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from oneiric.flows.paths import is_list
from oneiric.flows.references import Reference, parts

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.reading import fits, literal_fits, plain, read
from oneiric_compiler.linking.targets import Target
from oneiric_compiler.model import Stated
from oneiric_compiler.source.types import Many, Parameter, Record, Scalar, Type
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
    taken = _Taken(target, given, given.place if given else called_at, by, types, diagnostics)
    taken.check_fields(value, target.parameters, ())


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one call is given, held field by field against what it takes."""

    target: Target
    given: Stated[Any] | None
    place: Place
    by: str
    types: Mapping[str, Type]
    diagnostics: Diagnostics

    def check_fields(self, value: Mapping[str, Any], taken: Mapping[str, Parameter], at: tuple[str | int, ...]) -> None:
        """What a mapping has, against parameters or the fields of a class."""
        key, related = self.target.key, [("defined here", self.target.place)]
        for name, parameter in taken.items():
            if parameter.required and name not in value:
                what = f"{key} requires `{_shown((*at, name))}`, which {self.by} does not give"
                where = f"under `{_shown(at)}`" if at else "under `with`"
                self.diagnostics.add("ONE711", what, self._at(at), help=f"add it {where}: `{name}: …`", related=related)
        for name, each in value.items():
            if name in taken:
                self._check(each, taken[name].type, (*at, name))
                continue
            help = partial(did_you_mean, name, taken, "remove it")
            what = f"{key} takes no `{_shown((*at, name))}`"
            self.diagnostics.add("ONE712", what, self._at((*at, name), of_key=True), help=help, related=related)

    def _check(self, template: Any, wanted: Type, at: tuple[str | int, ...]) -> None:
        whole, _ = plain(wanted)
        if isinstance(template, dict) and isinstance(whole, Record):
            self.check_fields(cast("dict[str, Any]", template), {each.name: each for each in whole.fields}, at)
        elif isinstance(template, dict) and isinstance(whole, Many) and whole.kind == "dict":
            for name, each in cast("dict[str, Any]", template).items():
                self._check(each, whole.item, (*at, name))
        elif is_list(template) and isinstance(whole, Many) and whole.kind != "dict":
            for index, each in enumerate(template):
                self._check(each, whole.item, (*at, index))
        elif wrong := _misfit(template, wanted, self.types):
            what = f"`{_shown(at)}` of {self.target.key} is {wanted}, and {wrong}"
            related = [("defined here", self.target.place)]
            self.diagnostics.add("ONE713", what, self._at(at), help=_to_fit(template, wanted), related=related)

    def _at(self, path: tuple[str | int, ...], *, of_key: bool = False) -> Place:
        if not path or self.given is None or self.given.within is None:
            return self.place
        return self.given.within(*path, of_key=of_key)


def _shown(path: tuple[str | int, ...]) -> str:
    """A path as a reference writes it."""
    shown = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return shown.removeprefix(".")


def _misfit(template: Any, wanted: Type, types: Mapping[str, Type]) -> str | None:
    """Why what a template becomes is not of a type."""
    if not isinstance(template, str):
        return (
            None if literal_fits(template, wanted) else f"`{masked(json.dumps(template, ensure_ascii=False))}` is not"
        )
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
