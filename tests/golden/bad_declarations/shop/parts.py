from oneiric import component

KEY = "mail"
OPTIONS = {"provider": "p"}


@component("adapter", KEY, provider="p")
class A:
    pass


@component("adapter", "b", **OPTIONS)
class B:
    pass


@component("adapter", "c", "p")
class C:
    pass


@component
class D:
    pass


@component("adapters", "e", provider="p")
class E:
    pass


if KEY:

    @component("adapter", "f", provider="p")
    class F:
        pass


def make() -> type:
    @component("adapter", "g", provider="p")
    class G:
        pass

    return G


class Outer:
    @component("adapter", "h", provider="p")
    class H:
        pass


@component("adapter", "i", provider="p", factory="shop.parts:A")
class I:
    pass


@component("adapter", "j", provider="p", needs={1: "adapter:mail"}, capabilities={"a"})
class J:
    pass


@component("adapter", "k", provider="p", prio=5, stack_level=2.0, python_version=">>3", os_platform="solaris")
class K:
    pass


@component("adapter", "l", provider=f"p{KEY}", priority=1 + 1, capabilities="ttl", needs={"x": None}, eager="yes")
class L:
    pass


@component("adapter", "m", provider="p", python_version="3.12 or so")
class M:
    pass


match KEY:
    case "mail":

        @component("adapter", "n", provider="p")
        class N:
            pass


@component(("adapter",), "k", provider="p")
class K:
    pass


@component({"adapter": 1}, "l", provider="p")
class L:
    pass
