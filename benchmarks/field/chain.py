"""Three classes, each of which needs the next. Their annotations are objects, so that nobody has to evaluate text."""


class C:
    pass


class B:
    def __init__(self, c: C) -> None:
        self.c = c


class A:
    def __init__(self, b: B) -> None:
        self.b = b


class Maker:
    """A component that is a factory."""

    def __call__(self) -> A:
        return A(B(C()))
