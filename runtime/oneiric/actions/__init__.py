"""The built-in actions. `oneiric.actions.GROUP` has the ports of the keys `GROUP.NAME`, what serves them, and what is
pure in them as plain functions."""

from __future__ import annotations

from typing import Any, TypeAlias

from oneiric.errors import ActionError, Closed, Misconfigured, Refused, Unavailable

Json: TypeAlias = Any
"""A value of JSON: null, a boolean, a finite number, a text, a list of such values, or a mapping of texts to them."""


class InvalidPayload(ActionError, ValueError):
    """A payload that the action does not take: `field` is what to look at, `what` says why."""


class ActionClosed(ActionError, Closed):
    """The action was closed, or not started yet."""


class ActionUnavailable(ActionError, Unavailable):
    """What the action asks does not answer, or not in time; trying again later may help."""


class ActionRefused(ActionError, Refused):
    """What the action asks turns it away; trying again does not help."""


class ActionMisconfigured(ActionError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class ActionMissingExtra(ActionError):
    """A library that this call needs is not installed; `extra` is the extra of this distribution that has it."""

    extra: str
