"""Every way to declare that source does not show; what only looks like one is left alone."""

import functools

import oneiric
from helpers.marks import service
from oneiric import component

alias = component  # read: a plain alias
adapter = functools.partial(component, "adapter")
decorated = component("adapter", "b", provider="p")


@alias("adapter", "a", provider="p")
class A:
    pass


@adapter("c", provider="p")
class C:
    pass


@functools.partial(component, "adapter", "d")(provider="p")
class D:
    pass


class E:
    pass


E = oneiric.component("adapter", "e", provider="p")(E)

for name in ("f", "g"):
    component("adapter", name, provider="p")(E)

made = [component("adapter", name, provider="p")(E) for name in ("h", "i")]


@service("j")
class J:
    pass


def register(cls):
    from oneiric import component as local

    return local("adapter", "k", provider="p")(cls)


def stop(components):
    for component in components:
        component.close()


def replaced(component):
    return component("adapter", "not one", provider="p")


closing = [component.close for component in ()]
keep = lambda component: component  # noqa: E731
