"""Which limits hold at an address, and whose word it is when a campaign's own does not decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from outreach.domain.pacing import Rule


@dataclass(frozen=True, slots=True)
class Force:
    """The rules in force, one a period, and what is stricter than the campaign's own."""

    rules: tuple[Rule, ...]
    pinned: bool = False
    """The operator's own limit stands in the place of every other."""
    ceiling: tuple[Rule, ...] = ()
    """Rules of the operator's ceiling under which the campaign's own do not matter."""
    others: tuple[Rule, ...] = ()
    """The same of other campaigns, or other targets, at the address."""


def in_force(own: Sequence[Rule], others: Sequence[Rule], ceiling: Sequence[Rule], pinned: Sequence[Rule] | None) -> Force:
    """What holds when a campaign asks for `own` at an address that others write to as well."""
    if pinned is not None:
        return Force(tightest(pinned), pinned=True)
    return Force(tightest([*own, *others, *ceiling]), ceiling=_stricter(own, ceiling), others=_stricter(own, others))


def tightest(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Of rules over the same period the one that holds the others, by period."""
    kept = {r.period: r for r in sorted(rules, key=lambda r: -r.count)}
    return tuple(sorted(kept.values(), key=lambda r: r.period or timedelta.max))


def _stricter(own: Sequence[Rule], theirs: Sequence[Rule]) -> tuple[Rule, ...]:
    mine = {r.period: r.count for r in own}
    return tuple(r for r in tightest(theirs) if r.period in mine and r.count < mine[r.period])
