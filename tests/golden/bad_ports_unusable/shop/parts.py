from oneiric import component


@component("adapter", "a", provider="p")
class A:
    def f(self) -> None: ...


@component("adapter", "b", provider="p")
class B:
    def f(self) -> None: ...


@component("adapter", "c", provider="p")
class C:
    def f(self) -> None: ...


@component("adapter", "d", provider="p")
class D:
    def f(self) -> None: ...


@component("adapter", "e", provider="p")
class E:
    def f(self) -> None: ...


@component("adapter", "f", provider="p")
class F:
    def f(self) -> None: ...


@component("adapter", "i", provider="p")
class I:
    def f(self) -> None: ...


@component("adapter", "j", provider="p")
class J:
    def f(self) -> None: ...


@component("adapter", "g", provider="p", port='shop.ports:Other')
class G:
    def f(self) -> None: ...


@component("adapter", "h", provider="p", port='shop.ports:Good')
class H:
    def f(self) -> None: ...


@component("adapter", "h", provider="q", port='shop.ports:Other', priority=-1)
class H2:
    def f(self) -> None: ...
