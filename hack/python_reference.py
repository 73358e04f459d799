"""Writes docs/reference/python.md from the docstrings of ``isek``: ``python hack/python_reference.py [--check] FILE``.

A parameter or a field that nobody has described ends it with its name.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

import isek
from docstring_parser import Docstring, DocstringStyle, parse
from isek.generated import write_or_check

HEAD = """\
<!-- Generated from node_image/isek by `make generate`. Do not edit. -->
# What `isek` offers

All of it is imported from `isek`; [the guide](../guides/python.md) says how it goes together. Times are in seconds.
Methods named `a…` are for asynchronous programs; `respond`, `invoke` and `call` are asynchronous, too.
"""
CHAPTERS = {
    "Agents and teams": ("isek.agent", "isek.team"),
    "Models": ("isek.models",),
    "Tools": ("isek.tools",),
    "Memory": ("isek.memory",),
    "Nodes and registries": ("isek.node", "isek.registry", "isek.processes"),
    "Runs, and what goes wrong": ("isek.asking", "isek.loop_result", "isek.events", "isek.errors"),
    "The log": ("isek.log",),
}


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    left = dict(isek.WHERE)
    for title, packages in CHAPTERS.items():
        parts.append(f"\n## {title}\n")
        names = [name for name, where in left.items() if where.startswith(packages)]
        parts += [text for name in sorted(names, key=str.lower) for text in entry(name, getattr(isek, name))]
        left = {name: where for name, where in left.items() if name not in names}
    if left:
        raise SystemExit(f"no chapter takes {', '.join(left)}: see CHAPTERS")
    return "".join(parts)


def entry(name: str, offered: Any) -> Iterator[str]:
    """A class with its methods, or a function."""
    yield f"\n### {name}\n"
    if not inspect.isclass(offered):
        yield from described(signature(offered, name), docstring(offered, name))
        return
    yield from head(name, offered)
    if base := next((each.__name__ for each in offered.__mro__[1:] if each.__name__ in isek.WHERE), ""):
        yield f"\nBeside this all that [{base}](#{base.lower()}) has.\n"
    for method, function in methods(offered):
        yield f"\n#### `{name}.{method}`\n"
        code = "" if isinstance(function, property) else signature(function, method)
        yield from described(code, docstring(function, f"{name}.{method}"))


def head(name: str, offered: type) -> Iterator[str]:
    """What a class is, and what it is made of."""
    doc = docstring(offered, name)
    if is_dataclass(offered) or issubclass(offered, Enum):
        yield from described("", doc)
        yield "\n"
        for field, (declared, about) in fields(offered):
            if not about:
                raise SystemExit(f"{name}.{field} is not described")
            yield f"- `{declared}`: {markdown(about)}\n"
        return
    constructor = vars(offered).get("__init__")
    if not isinstance(constructor, FunctionType) or issubclass(offered, isek.RunError):
        yield from described("", doc)
        return
    known = {each.arg_name for each in doc.params}
    if lacking := [each for each in inspect.signature(offered).parameters if each not in known]:
        raise SystemExit(f"{name}: {', '.join(lacking)} not described")
    yield from described(signature(constructor, name), doc)


def methods(offered: type) -> Iterator[tuple[str, Any]]:
    """What is public of a class and of those of its bases that have no entry."""
    elsewhere = {getattr(isek, name) for name in isek.WHERE} - {offered}
    seen: set[str] = set()
    for each in offered.__mro__:
        if not each.__module__.startswith("isek.") or each in elsewhere:
            continue
        for name, value in vars(each).items():
            function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if not name.startswith("_") and name not in seen and isinstance(function, FunctionType | property):
                seen.add(name)
                if inspect.getdoc(function):
                    yield name, function


def fields(offered: type) -> Iterator[tuple[str, tuple[str, str]]]:
    """The fields of a dataclass, the members of an enumeration: as each is declared, and what is said of it."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(offered))).body
    assert isinstance(tree, ast.ClassDef)
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, declared = statement.target.id, f"{statement.target.id}: {annotation(statement.annotation)}"
            if statement.value is not None and not isinstance(statement.value, ast.Call):
                declared += f" = {ast.unparse(statement.value)}"
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, declared = statement.targets[0].id, ast.unparse(statement)
        else:
            continue
        said = following.value if isinstance(following, ast.Expr) else None
        about = inspect.cleandoc(str(said.value)) if isinstance(said, ast.Constant) else ""
        if not name.startswith("_"):
            yield name, (declared, about)


def signature(function: Any, name: str) -> str:
    """As it stands in the source, a parameter a line where it is long."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    returns = f" -> {annotation(tree.returns)}" if tree.returns and tree.name != "__init__" else ""
    start = "async " if isinstance(tree, ast.AsyncFunctionDef) else ""
    parts = list(parameters(tree.args))
    whole = f"{start}{name}({', '.join(parts)}){returns}"
    if len(whole) <= 100:
        return whole
    lines = "".join(f"    {part},\n" for part in parts)
    return f"{start}{name}(\n{lines}){returns}"


def parameters(arguments: ast.arguments) -> Iterator[str]:
    """Each parameter by itself, without ``self``."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    for each, default in zip(positional, [*defaults, *arguments.defaults], strict=True):
        if each.arg not in {"self", "cls"}:
            yield parameter(each, default)
    if arguments.vararg:
        yield f"*{parameter(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield parameter(each, default)
    if arguments.kwarg:
        yield f"**{parameter(arguments.kwarg, None)}"


def parameter(declared: ast.arg, default: ast.expr | None) -> str:
    """One, with its type and its default."""
    text = f"{declared.arg}: {annotation(declared.annotation)}" if declared.annotation else declared.arg
    return text if default is None else f"{text} = {ast.unparse(default)}"


def annotation(type_: ast.expr) -> str:
    """A type, without the quotes of one that is imported for type checkers alone."""
    return type_.value if isinstance(type_, ast.Constant) and isinstance(type_.value, str) else ast.unparse(type_)


def described(code: str, doc: Docstring) -> Iterator[str]:
    """The signature, what it is, its parameters and errors."""
    if code:
        yield f"\n```python\n{code}\n```\n"
    yield f"\n{markdown(doc.description or '')}\n"
    if doc.params:
        yield "\n" + "".join(f"- `{each.arg_name}`: {markdown(each.description or '', '  ')}\n" for each in doc.params)
    if doc.raises:
        yield "\nRaises:\n\n"
        yield "".join(f"- `{each.type_name}`: {markdown(each.description or '', '  ')}\n" for each in doc.raises)


def docstring(offered: Any, name: str) -> Docstring:
    """What the source says of it."""
    text = inspect.getdoc(offered)
    if not text:
        raise SystemExit(f"{name} has no docstring")
    return parse(text, style=DocstringStyle.GOOGLE)


def markdown(text: str, indent: str = "") -> str:
    """A text in reST's marks as Markdown."""
    text = re.sub(r":\w+:`([^`]*)`", r"`\1`", text.replace("``", "`"))
    return text.replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n").strip()


if __name__ == "__main__":
    # of an extra that fits no other; nothing of it is called
    sys.modules.setdefault("litellm", ModuleType("litellm"))
    sys.exit(write_or_check(sys.argv[1:], lambda path: {path: page()}))
