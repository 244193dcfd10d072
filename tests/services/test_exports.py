"""Exports on the command line, and how much memory they take."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from typer.testing import CliRunner

from outreach.commands.exports import app
from outreach.db import new_id, unit_of_work
from outreach.domain.roles import ALL
from outreach.models import AuditEntry, Submission, table
from outreach.render.spreadsheet import csv_rows, inert
from outreach.services import exports
from outreach.services.exports import Format, Kind
from tests.services.helpers import Desk


def test_the_command_line_writes_what_the_desk_would(desk: Desk, tmp_path: Path) -> None:
    desk.campaign()
    for n in range(3):
        desk.signed(name=f"Jane {'abc'[n]}")
    run = CliRunner().invoke(app, ["submissions", "night-bus"])
    assert run.exit_code == 0, run.output
    rows = list(csv.DictReader(io.StringIO(run.output.removeprefix("\ufeff"))))
    assert sorted(r["name"] for r in rows) == ["Jane a", "Jane b", "Jane c"]
    assert {r["targets"] for r in rows} == {"commissioner"}
    out = tmp_path / "letters.jsonl"
    assert CliRunner().invoke(app, ["letters", "night-bus", "--format", "jsonl", "--out", str(out)]).exit_code == 0
    told = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [x["id"] for x in told] == [x.id for x in desk.letters()]
    report = tmp_path / "report.pdf"
    assert CliRunner().invoke(app, ["report", "night-bus", "--out", str(report)]).exit_code == 0
    assert report.read_bytes().startswith(b"%PDF")
    assert [e.who for e in desk.rows(AuditEntry) if e.what == "exported"] == ["command line"] * 3


def _fill(desk: Desk, n: int) -> None:
    """So many submissions that look like one that was really sent."""
    with unit_of_work() as c:
        like = c.execute(table(Submission).select().limit(1)).mappings().one()
        c.execute(insert(Submission), [{**like, "id": new_id(desk.now.timestamp()), "form_hash": f"{n}-{i}", "body": "x" * 300}
                                       for i in range(n)])


def test_memory_does_not_grow_with_the_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 50)
    desk.campaign()
    desk.write()

    def peak() -> tuple[int, int]:
        found = exports.export("night-bus", Kind.SUBMISSIONS, Format.CSV, rights=ALL, now=desk.now)
        tracemalloc.start()
        try:
            lines = sum(piece.count("\r\n") for piece in found.pieces)
            return lines, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak()  # what is made once: compiled statements, caches
    _fill(desk, 200)
    few = peak()
    _fill(desk, 3000)
    many = peak()
    assert (few[0], many[0]) == (202, 3202)
    assert many[1] < 1.5 * few[1]


def test_rows_of_one_moment_are_all_there_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are told apart by time and id: many submissions may bear the same time."""
    monkeypatch.setattr(exports, "PAGE", 7)
    desk.campaign()
    desk.write()
    _fill(desk, 40)
    found = exports.export("night-bus", Kind.SUBMISSIONS, Format.JSONL, rights=ALL, now=desk.now)
    ids = [json.loads(line)["id"] for piece in found.pieces for line in piece.splitlines()]
    assert len(ids) == len(set(ids)) == 41


def test_the_manual_names_every_column() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    for kind in Kind:
        row = next(line for line in manual.splitlines() if line.startswith(f"| {kind.value} |"))
        named = re.findall(r"[a-z_]+", row.split("|")[3].replace("with the right to read", ""))
        assert tuple(named) == exports.columns_of(kind, personal=True)


@pytest.mark.parametrize(("typed", "kept"), [
    ("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("＝1", "'＝1"), ("＠x", "'＠x"), ("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"),
    ("\n=1", "'\n'=1"), (" =1", "' =1"), ('"=1', "'\"=1"), ("Jane;=cmd|' /C calc'!A0", "Jane;'=cmd|' /C calc'!A0"),
    ('Jane; "=1', "Jane;' \"=1"), ("Dear Sir\n=HYPERLINK(1)", "Dear Sir\n'=HYPERLINK(1)"), ("a; b\n\nc = d - e", "a; b\n\nc = d - e")])
def test_no_cell_is_a_formula(typed: str, kept: str) -> None:
    assert inert(typed) == kept
    cell = next(csv.reader(io.StringIO(csv_rows(["a"], [{"a": typed}]), newline="")))[0]
    assert cell == kept


TYPED = st.text(st.sampled_from("=+-@＝＋－＠;,\t\r\n\"' a\u00a0\ufeff"), max_size=12)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(TYPED, TYPED, TYPED), min_size=1, max_size=3))
def test_whatever_a_spreadsheet_parts_cells_at_none_begins_as_a_formula(rows: list[tuple[str, str, str]]) -> None:
    made = csv_rows(["a", "b", "c"], [dict(zip("abc", row, strict=True)) for row in rows])
    for separator in ",;\t":
        for cells in csv.reader(io.StringIO(made, newline=""), delimiter=separator):
            for cell in cells:
                assert not cell.startswith("\t")
                assert not cell.strip(' \u00a0\ufeff"').startswith(tuple("=+-@＝＋－＠")), (separator, cell)


def test_a_cell_may_hold_what_separates_cells() -> None:
    typed = 'a,"b"\r\nc;d'
    assert next(csv.reader(io.StringIO(csv_rows(["a", "b"], [{"a": typed, "b": -5}]), newline=""))) == [typed, "-5"]
