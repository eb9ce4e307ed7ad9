"""Component sources made otherwise by one who knows Python: declarations, parameters, types, classes, imports."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence
from random import Random

TYPES = (
    *(
        "int",
        "str",
        "bool",
        "float",
        "bytes",
        "object",
        "None",
        "Any",
        "Secret",
        "Path",
        "Decimal",
        "datetime",
        "'str'",
        "'int | None'",
    ),
    *(
        "list",
        "list[int]",
        "dict[str, int]",
        "dict[str, list[Secret]]",
        "set[str]",
        "tuple[int, ...]",
        "Literal['a', 1, None]",
        "Literal[1.5]",
    ),
    *(
        "Optional[int]",
        "int | None",
        "Union[int, str]",
        "Annotated[int, 5]",
        "Callable[[int], str]",
        "type[int]",
        "Self",
        "Mode",
        "'Mode'",
    ),
    *(
        "Missing",
        "a.b.C",
        "list['Missing']",
        "Literal",
        "Literal[()]",
        "'not a type('",
        "1",
        "...",
        "lambda: 0",
        "x[y][z]",
        "int | 'str'",
        "Final[int]",
    ),
    *(
        "ClassVar[int]",
        "Iterable[str]",
        "Mapping[str, Any]",
        "Sequence[int]",
        "TypeVar('T')",
        "'" + "list[" * 60 + "int" + "]" * 60 + "'",
    ),
)
VALUES = (
    *(
        "None",
        "0",
        "-1",
        "1.5",
        "''",
        "'x'",
        "b'x'",
        "...",
        "[]",
        "{}",
        "()",
        "[1, *a]",
        "{'a': b}",
        "{**a}",
        "f'{x}'",
        "'a' 'b'",
        "1 + 1",
        "-1j",
        "1e400",
    ),
    *(
        "os.environ['X']",
        "X",
        "Mode.FAST",
        "field()",
        "lambda: 0",
        "not 1",
        "9" * 400,
        "'\\ud800'",
        "'\\0'",
        "'\\u202e'",
        "('a',)",
        "{'a': 'adapter:cache'}",
    ),
    *(
        "'adapter:cache'",
        "'shop.ports:Port'",
        "'>=3.12'",
        "('linux',)",
        "True",
        "1 if 2 else 3",
        "[x for x in y]",
        "'" + "a" * 300 + "'",
    ),
)
DECORATORS = (
    "property",
    "staticmethod",
    "classmethod",
    "overload",
    "abstractmethod",
    "dataclass",
    "dataclass(frozen=True)",
    "final",
    "cache",
    "x.y(z)",
    "contextmanager",
)
IMPORTS = (
    *(
        "from oneiric import component",
        "import oneiric",
        "from oneiric import *",
        "import oneiric as o",
        "from . import x",
        "from .. import x",
        "from ....a import b",
    ),
    *(
        "from typing import *",
        "import typing as t",
        "from enum import Enum",
        "from oneiric import component as c, Secret as S",
        "import a.b.c",
        "from __future__ import annotations",
    ),
)
STATEMENTS = (
    *(
        "x = 1",
        "X = Y = int",
        "X: TypeAlias = 'int'",
        "Mode = Enum('Mode', 'A B')",
        "if TYPE_CHECKING:\n    X = 1",
        "try:\n    import x\nexcept ImportError:\n    x = None",
    ),
    *(
        "class Mode(Enum):\n    A = 'a'\n    B = A\n    C = auto()",
        "class C(C): ...",
        "class P(Protocol[T]):\n    def f(self, *a: int, **k: str) -> None: ...",
        "del component",
        "global x",
    ),
    *(
        "def component(*a, **k): ...",
        "component = print",
        "with x as y:\n    class Z: ...",
        "async def make(*, size: int = 1): yield 1",
        "def make(size, /, *, other): return 1",
    ),
    *(
        "class M(type): ...",
        "class W(metaclass=M): ...",
        "class D(TypedDict, total=False):\n    a: int",
        "class N(NamedTuple):\n    a: int = 1",
        "@dataclass\nclass K:\n    a: int\n    b: str = 'x'",
    ),
)


def altered(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> str:
    """The source with one to four changes. Raises ValueError where what comes of it cannot be written."""
    tree = copy.deepcopy(tree)
    for _ in range(choose.choice((1, 1, 2, 2, 3, 4))):
        choose.choice(WAYS)(choose, tree, others)
    try:
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    except (AttributeError, TypeError, RecursionError, IndexError) as error:
        raise ValueError("this is no source") from error


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _all(tree: ast.AST, *kinds: type[ast.AST]) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _types(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    arguments = _all(tree, ast.arg)
    if arguments:
        one = choose.choice(arguments)
        assert isinstance(one, ast.arg)
        one.annotation = None if choose.random() < 0.1 else _expression(choose.choice(TYPES))


def _defaults(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    lists = [node for node in _all(tree, ast.arguments) if isinstance(node, ast.arguments) and node.kwonlyargs]
    if lists:
        arguments = choose.choice(lists)
        at = choose.randrange(len(arguments.kw_defaults))
        arguments.kw_defaults[at] = None if choose.random() < 0.3 else _expression(choose.choice(VALUES))


def _parameters(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    lists = [node for node in _all(tree, ast.arguments) if isinstance(node, ast.arguments)]
    if not lists:
        return
    arguments = choose.choice(lists)
    new = ast.arg(
        choose.choice(("self", "size", "password", "é", "x", "_", "url", "name", "key")),
        _expression(choose.choice(TYPES)),
    )
    way = choose.randrange(6)
    if way == 0:
        arguments.kwonlyargs.append(new)
        arguments.kw_defaults.append(_expression(choose.choice(VALUES)) if choose.random() < 0.5 else None)
    elif way == 1:
        arguments.vararg = new
    elif way == 2:
        arguments.kwarg = new
    elif way == 3:
        arguments.args.append(new)
        if arguments.defaults:
            arguments.defaults.append(_expression("1"))
    elif way == 4 and arguments.kwonlyargs:
        at = choose.randrange(len(arguments.kwonlyargs))
        del arguments.kwonlyargs[at], arguments.kw_defaults[at]
    elif arguments.args:
        arguments.posonlyargs.append(arguments.args.pop(0))


def _declarations(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    calls = [node for node in _all(tree, ast.Call) if isinstance(node, ast.Call) and (node.keywords or node.args)]
    if not calls:
        return
    call = choose.choice(calls)
    way = choose.randrange(4)
    if way == 0 and call.args:
        call.args[choose.randrange(len(call.args))] = _expression(choose.choice(VALUES))
    elif way == 1 and call.keywords:
        choose.choice(call.keywords).value = _expression(choose.choice(VALUES))
    elif way == 2 and call.keywords:
        call.keywords.pop(choose.randrange(len(call.keywords)))
    else:
        names = (
            "provider",
            "priority",
            "stack_level",
            "capabilities",
            "needs",
            "port",
            "python_version",
            "os_platform",
            "eager",
            "x",
            None,
        )
        call.keywords.append(ast.keyword(choose.choice(names), _expression(choose.choice(VALUES))))


def _definitions(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    found = _all(tree, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if not found:
        return
    one = choose.choice(found)
    assert isinstance(one, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    way = choose.randrange(5)
    if way == 0:
        one.name = choose.choice(("component", "Mode", "é", "X", "__init__", "close", "health", "start", "_private"))
    elif way == 1:
        one.decorator_list.insert(choose.randrange(len(one.decorator_list) + 1), _expression(choose.choice(DECORATORS)))
    elif way == 2 and one.decorator_list:
        one.decorator_list.append(choose.choice(one.decorator_list))
    elif way == 3 and isinstance(one, ast.ClassDef):
        one.bases = [
            _expression(choose.choice((*TYPES, one.name, "Protocol", "Enum", "Generic[T]")))
            for _ in range(choose.randrange(3))
        ]
    elif not isinstance(one, ast.ClassDef):
        one.returns = _expression(choose.choice(TYPES))


def _statements(choose: Random, tree: ast.Module, others: Sequence[ast.stmt]) -> None:
    bodies = [
        node.body
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    body = choose.choice(bodies)
    at = choose.randrange(len(body) + 1)
    way = choose.randrange(5)
    if way == 0 and len(body) > 1:
        del body[min(at, len(body) - 1)]
    elif way == 1 and body:
        body.insert(at, copy.deepcopy(choose.choice(body)))
    elif way == 2:
        body.insert(at, copy.deepcopy(choose.choice(others)))
    else:
        body[at:at] = ast.parse(choose.choice(IMPORTS if way == 3 else STATEMENTS)).body


WAYS: tuple[Callable[[Random, ast.Module, Sequence[ast.stmt]], None], ...] = (
    _types, _types, _defaults, _parameters, _declarations, _declarations, _definitions, _statements, _statements,
)  # fmt: skip
