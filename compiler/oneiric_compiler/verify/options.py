"""What a report says of how keys are activated, held against what it says that the settings state of that."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.places import places, unread

_DEFAULTS = {"eager": False, "restart": "never"}
_DECLARED = ("eager",)
"""Those that a component itself may declare, which a report does not say."""


def options(report: Facts) -> Iterator[str]:
    """Where a key is said to be activated otherwise than the place that is named states, or than any does."""
    for key, binding in report["bindings"].items():
        yield from (f"{key}: {finding}" for finding in _options(report, key, None, binding))
        for tenant, own in binding["tenants"].items():
            yield from (f"{key} of tenant {tenant}: {finding}" for finding in _options(report, key, tenant, own))


def _options(report: Facts, key: str, tenant: str | None, binding: Facts) -> Iterator[str]:
    stated = binding.get("options", {})
    for name, default in _DEFAULTS.items():
        found = binding.get(name, default)
        if name not in stated:
            if name not in _DECLARED and found != default:
                yield f"`{name}` is {found}, and no settings state it"
            continue
        each = stated[name]
        if each["value"] != found or not isinstance(each["value"], type(default)):
            yield f"`{name}` is stated as {each['value']}, and the report says {found}"
        if each["from"] not in places(report, key, name, tenant):
            yield f"`{name}` cannot be stated at {each['from']}"
        yield from unread(report, each["from"])
