"""A template in pieces, so that a browser can fill in the supporter's details while they are typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from jinja2 import nodes

from outreach.render.template import VARIABLES, Values, parse, render_nodes

_PLAIN_FILTERS = frozenset({"upper", "lower", "title", "capitalize", "trim"})


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a letter: `text`, a supporter's `field`, a `group` that shows only while `field` is filled in, or its opposite,
    `unless`, which shows only while it is empty."""

    kind: str
    text: str = ""
    field: str = ""
    parts: tuple[Part, ...] = ()


class _Frozen(Exception):
    """This piece cannot be put as groups: it is shown as it renders while nothing is typed."""


@lru_cache(maxsize=512)
def pieces(source: str, target: tuple[str, ...], campaign: tuple[str, ...], otherwise: bool) -> tuple[Part, ...]:
    """The parts of a checked template. `target` and `campaign` are the values of their `VARIABLES`, in that order; with `otherwise`
    the parts may be `unless` ones."""
    values = {"supporter": dict.fromkeys(VARIABLES["supporter"], ""), "target": dict(zip(VARIABLES["target"], target, strict=True)),
              "campaign": dict(zip(VARIABLES["campaign"], campaign, strict=True))}
    return _merged(_Cutter(values, otherwise).parts(parse(source).body))


@dataclass(frozen=True, slots=True)
class _Cutter:
    values: Values
    otherwise: bool

    def parts(self, body: Iterable[nodes.Node]) -> tuple[Part, ...]:
        return _merged(p for node in body for p in self._node(node))

    def _node(self, node: nodes.Node) -> tuple[Part, ...]:
        if isinstance(node, nodes.Output):
            return tuple(p for piece in node.nodes for p in self._printed(piece))
        if isinstance(node, nodes.If) and _asks_supporter(node):
            try:
                return self._either(node.test, self.parts(node.body), self.parts(_else_of(node)))
            except _Frozen:
                pass
        return (Part("text", render_nodes([node], self.values)),)

    def _printed(self, piece: nodes.Expr) -> tuple[Part, ...]:
        if isinstance(piece, nodes.TemplateData):
            return (Part("text", piece.data),)
        bare: nodes.Node = piece
        while isinstance(bare, nodes.Filter) and bare.name in _PLAIN_FILTERS and bare.node is not None:
            bare = bare.node
        if field := _field_of(bare):
            return (Part("field", field=field),)
        if isinstance(piece, nodes.CondExpr) and _asks_supporter(piece):
            try:
                other = self._printed(piece.expr2) if piece.expr2 is not None else ()
                return self._either(piece.test, self._printed(piece.expr1), other)
            except _Frozen:
                pass
        return (Part("text", self._now(piece)),)

    def _either(self, test: nodes.Node, then: tuple[Part, ...], other: tuple[Part, ...]) -> tuple[Part, ...]:
        """`then` where the test holds, else `other`, as groups. Raises _Frozen."""
        if not _asks_supporter(test):
            return then if self._now(nodes.CondExpr(test, nodes.Const("1"), nodes.Const(""), lineno=1)) else other
        if isinstance(test, nodes.Not):
            return self._either(test.node, other, then)
        if isinstance(test, nodes.And):
            return self._either(test.left, self._either(test.right, then, other), other)
        if isinstance(test, nodes.Or):
            return self._either(test.left, then, self._either(test.right, then, other))
        field = _field_of(test)
        if not field or (other and not self.otherwise):
            raise _Frozen
        shown = (Part("group", field=field, parts=then),) if then else ()
        return (*shown, Part("unless", field=field, parts=other)) if other else shown

    def _now(self, expression: nodes.Expr) -> str:
        return render_nodes([nodes.Output([expression], lineno=1)], self.values)


def _field_of(node: nodes.Node | None) -> str:
    """The supporter's detail that an expression is, or ""."""
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "supporter":
        return node.attr
    return ""


def _asks_supporter(node: nodes.Node) -> bool:
    return bool(_field_of(node)) or any(_field_of(below) for below in node.find_all(nodes.Getattr))


def _else_of(node: nodes.If) -> list[nodes.Node]:
    if not node.elif_:
        return node.else_
    first, *rest = node.elif_
    return [nodes.If(first.test, first.body, rest, node.else_, lineno=first.lineno)]


def _merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    merged: list[Part] = []
    for p in parts:
        if p.kind != "text":
            merged.append(p)
        elif merged and merged[-1].kind == "text":
            merged[-1] = replace(merged[-1], text=merged[-1].text + p.text)
        elif p.text:
            merged.append(p)
    return tuple(merged)
