"""The letter's templates: a small corner of Jinja, in a sandbox.

A template may print `{{ supporter.name }}` and its like, choose with `{% if … %}`, and use a few harmless filters. Anything
else (loops, macros, includes, calls, arithmetic) is refused when the campaign file is read, by a list of what is allowed;
the sandbox is the second fence, not the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from outreach.errors import OutreachError
from outreach.render.clean import clean_text

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "supporter": ("name", "email", "street", "city", "postal_code", "phone", "affiliation"),
    "target": ("name", "salutation", "role", "organization", "postal_address"),
    "campaign": ("title", "reference", "deadline", "contact", "slug"),
}
LONGEST = 20_000
"""Characters that a template, and a letter once it is filled in, may have."""
DEEPEST = 12
"""How deep conditions may be nested."""

Values = Mapping[str, Mapping[str, str]]


class CannotRender(OutreachError):
    """A letter's text cannot be made: the template is wrong, nothing is left of it, or it grew beyond all measure."""


class Placeholder(str):
    """A placeholder that prints as itself, passes through filters, and counts as empty in conditions unless `given`."""

    given: bool

    def __new__(cls, text: str, *, given: bool = False) -> Placeholder:
        made = super().__new__(cls, text)
        made.given = given
        return made

    def __bool__(self) -> bool:
        return self.given


def _plain(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, Placeholder) else change(str(value))


def _default(value: str, fallback: Any = "", _boolean: Any = True) -> str:
    return value if value else str(fallback)  # an empty detail is a missing one


FILTERS: Mapping[str, Callable[..., str]] = {
    "upper": _plain(str.upper), "lower": _plain(str.lower), "title": _plain(str.title), "capitalize": _plain(str.capitalize),
    "trim": _plain(str.strip), "default": _default, "d": _default,
}
_ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Getattr, nodes.Name, nodes.If, nodes.Filter, nodes.Const,
            nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand, nodes.CondExpr)
_HINT = "a letter may use {{ … }}, {% if … %} and the filters " + ", ".join(sorted(FILTERS))

SANDBOX = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
SANDBOX.globals.clear()
SANDBOX.tests.clear()
SANDBOX.filters.clear()
SANDBOX.filters.update(FILTERS)


def check_template(source: str) -> list[str]:
    """What is wrong with a template, in words that name the line and what to write instead; empty when nothing is."""
    if len(source) > LONGEST:
        return [f"the text has {len(source)} characters; at most {LONGEST} are allowed"]
    try:
        tree = parse(source)
        wrong = [message for node, depth in _walk(tree) for message in _mistakes(node, depth)]
        if not wrong:
            SANDBOX.compile(tree)
    except TemplateSyntaxError as e:
        return [f"line {e.lineno}: {e.message}"]
    except (TemplateError, ValueError, SyntaxError, RecursionError) as e:
        return [f"this is too intricate for a letter ({type(e).__name__}); {_HINT}"]
    return list(dict.fromkeys(wrong))


def parse(source: str) -> nodes.Template:
    """A template's syntax tree. Raises jinja2.TemplateSyntaxError."""
    return SANDBOX.parse(source)


def render(source: str, values: Values) -> str:
    """A template filled in and tidied. Raises CannotRender."""
    try:
        made = _compiled(source)(values)
    except (TemplateError, TypeError, ValueError) as e:
        raise CannotRender(f"the letter's template fails: {e}") from e
    if len(made) > LONGEST:
        raise CannotRender(f"the letter has {len(made)} characters; at most {LONGEST} are allowed")
    return tidy(made)


def render_nodes(body: list[nodes.Node], values: Values) -> str:
    """Part of a checked template filled in, as it is."""
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(SANDBOX)
    return _runner(tree)(values)


@lru_cache(maxsize=512)
def _compiled(source: str) -> Callable[[Values], str]:
    if wrong := check_template(source):
        raise CannotRender("; ".join(wrong))
    tree = parse(clean_text(source))
    _mark(tree.body)
    tree.set_environment(SANDBOX)
    return _runner(tree)


def _runner(tree: nodes.Template) -> Callable[[Values], str]:
    template = Template.from_code(SANDBOX, SANDBOX.compile(tree), {})
    fill, context = template.root_render_func, template.new_context
    return lambda values: "".join(fill(context(dict(values), shared=True)))


# -- what an optional line leaves behind -----------------------------------------------------------------------------------

MARK = "\0"
"""Stands wherever something was or was not filled in; no cleaned text contains it. `tidy` takes it out."""
_INNER = re.compile(r"(?<=\S) {2,}")
_BEFORE_POINT = re.compile(r"(?<=\S) +(?=[,.](?:\s|$))")
_GAP = re.compile(r"\n{3,}")


def _mark(body: list[nodes.Node]) -> None:
    marked: list[nodes.Node] = []
    for node in body:
        if isinstance(node, nodes.Output):
            node.nodes = [x for piece in node.nodes for x in _with_mark(piece)]
            marked.append(node)
        elif isinstance(node, nodes.If):
            for branch in (node.body, node.else_, *(other.body for other in node.elif_)):
                _mark(branch)
            marked += [_mark_at(node.lineno), node, _mark_at(node.lineno)]
    body[:] = marked


def _with_mark(piece: nodes.Expr) -> tuple[nodes.Expr, ...]:
    return (piece,) if isinstance(piece, nodes.TemplateData) else (piece, nodes.TemplateData(MARK, lineno=piece.lineno))


def _mark_at(line: int) -> nodes.Output:
    return nodes.Output([nodes.TemplateData(MARK, lineno=line)], lineno=line)


def tidy(text: str) -> str:
    """Takes out lines that came out empty, and the double spaces and blank lines that optional parts leave behind."""
    kept = []
    for line in text.split("\n"):
        if MARK in line:
            bare = line.replace(MARK, "").rstrip()
            if not bare:
                continue
            if line[0] == MARK:
                bare = bare.lstrip()
            if "  " in bare:
                bare = _INNER.sub(" ", bare)
            if " ," in bare or " ." in bare:
                bare = _BEFORE_POINT.sub("", bare)
            kept.append(bare)
        else:
            kept.append(line.rstrip())
    text = "\n".join(kept).strip()
    return _GAP.sub("\n\n", text) if "\n\n\n" in text else text


# -- what a template may hold ----------------------------------------------------------------------------------------------


def _walk(node: nodes.Node, depth: int = 0) -> Iterator[tuple[nodes.Node, int]]:
    """Every node with its depth, but not what stands below a variable or below something that is refused anyway."""
    yield node, depth
    if isinstance(node, _ALLOWED) and not isinstance(node, nodes.Getattr):
        deeper = depth + (not isinstance(node, (nodes.Template, nodes.Output)))
        for child in node.iter_child_nodes():
            yield from _walk(child, deeper)


def _mistakes(node: nodes.Node, depth: int) -> Iterator[str]:
    at = f" (line {node.lineno})"
    if depth > 2 * DEEPEST:
        yield f"conditions are nested too deep{at}; at most {DEEPEST} are allowed"
    elif isinstance(node, nodes.Getattr):
        yield from (f"{message}{at}" for message in _wrong_variable(node))
    elif isinstance(node, nodes.Name):
        yield f"{node.name}: no such variable; there are {_names(node.name)}{at}"
    elif isinstance(node, nodes.Filter):
        if node.name not in FILTERS:
            yield f"the filter {node.name!r} is not allowed{at}; there are {', '.join(sorted(FILTERS))}"
        elif node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > (2 if node.name[0] == "d" else 0):
            yield f"the filter {node.name!r} is written wrongly{at}"
    elif isinstance(node, nodes.Operand):
        if node.op not in ("eq", "ne"):
            yield f"only == and != can be used to compare{at}"
    elif not isinstance(node, _ALLOWED):
        yield f"{_called(node)} is not allowed{at}; {_HINT}"


def _wrong_variable(node: nodes.Getattr) -> Iterator[str]:
    path = [node.attr]
    below: nodes.Node = node.node
    while isinstance(below, nodes.Getattr):
        path.insert(0, below.attr)
        below = below.node
    if not isinstance(below, nodes.Name):
        yield f".{node.attr}: only {_names('')} can be used"
    elif len(path) != 1 or path[0] not in VARIABLES.get(below.name, ()):
        yield f"{below.name}.{'.'.join(path)}: no such variable; there are {_names(below.name)}"


def _names(root: str) -> str:
    """The variables that somebody who wrote `root` may have meant."""
    return ", ".join(f"{r}.{f}" for r in ([root] if root in VARIABLES else VARIABLES) for f in VARIABLES[r])


def _called(node: nodes.Node) -> str:
    """What a template's author would call this."""
    name = type(node).__name__
    tags = {"For": "for", "Include": "include", "Import": "import", "FromImport": "from … import", "Extends": "extends",
            "Macro": "macro", "CallBlock": "call", "Assign": "set", "AssignBlock": "set", "Block": "block", "FilterBlock": "filter",
            "With": "with", "ScopedEvalContextModifier": "autoescape"}
    if name in tags:
        return f"{{% {tags[name]} %}}"
    return {"Call": "a call", "Getitem": "[…]", "Test": "“is …”", "Concat": "~"}.get(name, f"“{name.lower()}”")
