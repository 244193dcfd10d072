"""What differs between two versions, line by line, bounded in time."""

from __future__ import annotations

import time

from outreach.services import versions


def lines_of(before: str, after: str) -> tuple[tuple[str, str], ...]:
    difference, = versions.between({"letter": {"body": before}}, {"letter": {"body": after}})
    return difference.lines


def test_lines_that_changed_stand_among_those_around_them() -> None:
    before = "\n".join(f"line {i}" for i in range(9))
    assert lines_of(before, before.replace("line 4", "another")) == (
        ("same", "line 0"), ("skipped", "2 lines are the same"), ("same", "line 3"), ("removed", "line 4"), ("added", "another"),
        ("same", "line 5"), ("skipped", "2 lines are the same"), ("same", "line 8"))


def test_a_text_made_to_be_slow_is_shown_whole_instead() -> None:
    every_second = "\n".join(f"line {i}" for i in range(20_000))
    changed = "\n".join(f"line {i}" if i % 2 else f"other {i}" for i in range(20_000))
    alike = "\n".join("ab"[i % 2] for i in range(20_000))
    began = time.process_time()
    whole = lines_of(f"{every_second}\nend", f"{changed}\nend")
    assert whole[-1] == ("same", "end")
    assert sum(kind == "added" for kind, _ in whole) == 19_999
    assert lines_of(alike, f"c\n{alike}\nb\nb")[0] == ("removed", "a")
    assert time.process_time() - began < 5


def test_many_slow_fields_cost_no_more_than_one() -> None:
    def content(word: str) -> dict[str, object]:
        return {f"text {n}": "\n".join(f"{word if i % 2 else 'line'} {i}" for i in range(1900)) for n in range(60)}

    began = time.process_time()
    assert len(versions.between(content("old"), content("new"))) == 60
    assert time.process_time() - began < 5
