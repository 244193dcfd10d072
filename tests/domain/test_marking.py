"""Banned words keep their places: what the rules find is what a moderator sees marked."""

from __future__ import annotations

import pytest

from outreach.domain.differences import Span
from outreach.domain.marking import marked, marked_spans
from outreach.domain.moderation import banned_in


@pytest.mark.parametrize(("text", "banned", "seen"), [
    ("Keep it, Idiot!", ["idiot"], ["Idiot"]),
    ("‘Idiots’, you IDIOT’s idiot.", ["idiot"], ["idiot"]),
    ("You complete\nfool, complete fool", ["complete fool"], ["complete\nfool", "complete fool"]),
    ("An id\u00adiot, an ídiot, an іdiot", ["idiot"], ["id\u00adiot", "ídiot", "іdiot"]),
    ("'idiot' i'diot", ["idiot"], ["idiot", "i'diot"]),
    ("fool fool fool", ["fool fool", "fool"], ["fool fool fool"]),
    ("这个笨蛋市长", ["笨蛋"], ["笨蛋"]),
    ("", ["idiot"], []),
    ("a fine letter", ["idiot", "…"], []),
])
def test_what_is_found_is_marked(text: str, banned: list[str], seen: list[str]) -> None:
    parts = marked(text, banned)
    assert "".join(piece for piece, _ in parts) == text
    assert [piece for piece, bad in parts if bad] == seen
    assert bool(seen) == bool(banned_in(text, banned))


def test_a_phrase_is_marked_across_what_was_changed_but_not_in_what_was_taken_out() -> None:
    spans = [Span("same", "You fool"), Span("out", " fool gold"), Span("in", " fools gold, fool"), Span("same", " gold")]
    assert marked_spans(spans, ["fool fools", "fool gold"]) == [
        (spans[0], [("You ", False), ("fool", True)]), (spans[1], [(" fool gold", False)]),
        (spans[2], [(" fools", True), (" gold, ", False), ("fool", True)]), (spans[3], [(" gold", True)])]
