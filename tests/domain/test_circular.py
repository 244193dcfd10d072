"""Circulars as they go round, of quite different shapes, and what is read from them. All people, places and numbers are invented."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.circular import EXCERPT, LONGEST, Circular, Number, read_circular, slug_of

NOW = datetime(2027, 1, 12, 15, tzinfo=UTC)
FOLDER = Path(__file__).parent / "circulars"
CIRCULARS = sorted(p for p in FOLDER.iterdir() if p.suffix in (".txt", ".html"))
ZONES = {"416": "America/Toronto", "905": "America/Toronto", "705": "America/Toronto", "604": "America/Vancouver"}


def number(text: str) -> Number | None:
    """Numbering plans enough for these texts: ten digits of North America, and Britain's."""
    digits = re.sub(r"\D", "", text)
    if text.strip().startswith("+44") and len(digits) == 12:
        return Number(f"+{digits}", "GB", "Europe/London")
    digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return Number(f"+1{digits}", "CA" if digits[:3] in ZONES else "", ZONES.get(digits[:3], "")) if len(digits) == 10 else None


def read(text: str) -> Circular:
    return read_circular(text, read=number, now=NOW)


@pytest.mark.parametrize("path", CIRCULARS, ids=lambda p: p.stem)
def test_a_circular_becomes_the_draft_that_a_careful_reader_would_write(path: Path) -> None:
    made = read(path.read_text(encoding="utf-8"))
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert made.content == expected["content"]
    assert [[f.line, f.kind, f.key, bool(f.check)] for f in made.findings] == expected["findings"]


def found(text: str, kind: str) -> list[str]:
    return [f.value for f in read(text).findings if f.kind == kind]


@pytest.mark.parametrize(("text", "address"), [
    ("Write to minister at ministry dot example", "minister@ministry.example"),
    ("E-mail: a.b [at] city.example", "a.b@city.example"),
    ("(clerk(at)city(dot)example)", "clerk@city.example"),
    ("Mayor: mayor at city.example", "mayor@city.example"),
    ("mailto <office@city.example>.", "office@city.example"),
    ("jane dot roe at city dot gov dot example", "jane.roe@city.gov.example"),
    ("Meet us at example.org for the rally at cityhall.example", None),
    ("See you at noon at City Hall", None),
])
def test_addresses_as_people_write_them(text: str, address: str | None) -> None:
    assert found(text, "email") == ([address] if address else [])


@pytest.mark.parametrize(("text", "kinds"), [
    ("Fax: 416.555.0133 / Tel: (416) 555-0134", {"fax": ["+14165550133"], "phone": ["+14165550134"]}),
    ("416-555-0133 (fax), 416-555-0134 (phone)", {"fax": ["+14165550133"], "phone": ["+14165550134"]}),
    ("T: 1-800-555-0110 F: 416 555 0133", {"fax": ["+14165550133"], "phone": ["+18005550110"]}),
    ("File 2231-0417 of 12/01/2027, order 123456", {"fax": [], "phone": []}),
])
def test_whether_a_number_is_a_fax_is_said_beside_it(text: str, kinds: dict[str, list[str]]) -> None:
    assert {kind: found(text, kind) for kind in kinds} == kinds


@pytest.mark.parametrize(("text", "deadline", "check"), [
    ("Write before Friday January 22 at 5 pm ET.", "2027-01-22T17:00:00-05:00", "no year"),
    ("Deadline: 3 July 2027, 09:30 UTC", "2027-07-03T09:30:00+00:00", ""),
    ("Letters by Friday at noon please", "2027-01-15T12:00:00+00:00", "counted from"),
    ("They vote on Monday January 22", "2027-01-22T17:00:00+00:00", "is a Friday"),
    ("Write by 22/01", "2027-01-22T17:00:00+00:00", "no year"),
    ("Write by 02/03", None, "may be"),
    ("Write by February 31", None, "there is no day"),
    ("Letters have to be in by noon on Friday, January twenty-second", "2027-01-22T12:00:00+00:00", "no year"),
    ("The vote is on Tuesday the nineteenth of January at 7.", "2027-01-19T19:00:00+00:00", "morning or the evening"),
    ("In by midnight on the Thirty-First of January. The mayor speaks at 3 pm.", "2027-01-31T23:59:00+00:00", "end of that day"),
    ("He was arrested on 3 March 2026.", None, "passed"),
])
def test_dates_are_read_or_asked_about(text: str, deadline: str | None, check: str) -> None:
    made = read(text)
    assert made.content.get("deadline") == deadline
    assert check in next(f.check for f in made.findings if f.kind == "date")


LETTER = "Dear Minister,\n\nI live in [city]. The vote is on February 2, 2027.\n\nSincerely,\n[name]\n[street]\n"


def test_what_is_said_around_the_letter_is_the_deadline_before_what_it_says_itself() -> None:
    made = read(LETTER + "\n---\n\nLetters have to be in by noon on Friday, January twenty-second.")
    assert made.content["deadline"] == "2027-01-22T12:00:00+00:00"
    only = read(LETTER)
    assert only.content["deadline"].startswith("2027-02-02")
    assert "stands in the letter" in next(f.check for f in only.findings if f.key == "deadline")


def test_words_that_are_no_dates_are_none() -> None:
    assert not found("You may first write, then march second to nobody. The second may fail.", "date")


def test_what_the_letter_says_in_a_sentence_the_form_requires() -> None:
    assert read(LETTER).content["fields"] == {"street": "optional", "city": "required"}


def test_each_address_is_that_of_the_name_before_it() -> None:
    made = read("Write to Hon. Priya Nair, Minister of Transport: p.nair at transport dot gov dot example, Fax 416 555 0133\n"
                "and ferry operator CEO Tom Birch: tbirch@ferryco.example\n\nFor info call Lou 416-555-0147\n")
    assert [(t["name"], t.get("role"), t["email"]) for t in made.content["target"]] == [
        ("Hon. Priya Nair", "Minister of Transport", ["p.nair@transport.gov.example"]),
        ("Tom Birch", "ferry operator CEO", ["tbirch@ferryco.example"])]
    assert made.content["contact"] == "+14165550147"
    unsure = read("Minister Nair: nair@transport.example\nor try it with Tom Birch maybe, his is tom@ferryco.example")
    assert any("Another name" in f.check for f in unsure.findings)


def test_the_summary_is_not_told_again_in_the_story() -> None:
    made = read("Keep the ferry\n\nThe ferry carries four hundred people to work each day, and it is to stop.\n\n"
                "Those who work nights have no other way home, and nobody has asked them so far.").content
    assert made["summary"].startswith("The ferry") and made["story"].startswith("Those who work nights")


def test_what_a_template_would_read_as_its_own_signs_is_taken_apart() -> None:
    letter = "Dear Minister,\n\nplease {{ config }} and {% if x %}look{% endif %} {# here #}.\n\nSincerely,\n[Name]"
    body = read(letter).content["letter"]["body"]
    assert "{%" not in body and "{#" not in body
    assert set(re.findall(r"\{\{.*?\}\}", body)) <= {"{{ target.salutation }}", "{{ supporter.name }}"}


PIECES = ["Dear Minister,", "Sincerely,", "[name]", "___", "Fax: 416 555 0133", "a at b dot example", "x@y.example", "> ", "\n", "\n\n",
          " ", "Friday January 22", "by 5 pm", "29 February", "Subject: x", "Endorsed by:", "- item", "<p>", "<a href='mailto:", "</td>",
          "Call script:", "\u202e", "99/99", "From: a", "https://x.example/", "i am calling", "--", "*", "_", "(", "{{", "%}",
          "31 April 2027", "\x00", "\ud800", "0" * 30, "@" * 5, "cc us at"]


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_and_each_excerpt_stands_in_it(text: str) -> None:
    made = read(text)
    for f in made.findings:
        assert f.excerpt in text and len(f.excerpt) <= EXCERPT
        assert 1 <= f.line <= text.count("\n") + 1
        assert f.excerpt.split("\n")[0] in "\n".join(text.split("\n")[f.line - 1:])
    json.dumps(made.content)


@pytest.mark.parametrize("rubbish", [
    "a" * 1_000_000, "a@" * 500_000, "a at " * 200_000, "<" * 1_000_000, "<a href=" * 120_000, "1 " * 500_000, "1" * 1_000_000,
    "Dear Sir,\n" * 100_000, "\n" * 1_000_000, "a." * 500_000, "[" * 1_000_000, "* x" * 300_000, "Endorsed by:\n" * 70_000,
    "January 22 " * 90_000, "x@y.example " * 80_000, "> " * 500_000, "by Friday, " * 90_000, "I am calling\n" * 70_000],
    ids=lambda r: repr(r[:14]))
def test_a_megabyte_of_rubbish_is_read_in_bounded_time(rubbish: str) -> None:
    made = read(rubbish)  # pytest's own time-out ends what is not linear
    assert len(made.findings) < LONGEST


def letters_of(n: int) -> str:
    """A number as letters, since names are compared by their letters."""
    return "".join(chr(97 + n // 26 ** place % 26) for place in range(4))


def steps(text: str) -> int:
    """Lines of the reader that run for a text: how long it takes, whatever else the machine does."""
    ran = 0

    def count(frame: FrameType, event: str, _arg: object) -> Callable[..., Any] | None:
        nonlocal ran
        ran += 1
        return count if "circular" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(count)
    try:
        read(text)
    finally:
        sys.settrace(before)
    return ran


@pytest.mark.parametrize("made", [
    lambda n: "Endorsed by\n" * n, lambda n: "Endorsed by: A, B\nC\n" * n, lambda n: "Endorsed by\n\n" * n,
    lambda n: "".join(f"Roe{letters_of(k)} Person: q{k}@o{k}.example\n" for k in range(n)),
    lambda n: "1/13 " * 5 * n, lambda n: "1 May " * 5 * n, lambda n: "I am calling\n" * n, lambda n: "Call script\n\n" * n,
    lambda n: "Dear Minister of the office with the long name and the address that is a.long.one@office.example,\n" * n,
    lambda n: "Jane Roe\n" * n + "x@y.example", lambda n: "416-555-0133 a@b.example " * n, lambda n: "<p>a<a href='x@y.example'>b</a>" * n,
    lambda n: "From: a\nTo: b\n" * n, lambda n: "Subject: x\n" * n, lambda n: "https://x.example/ [name] ___ " * n],
    ids=lambda m: repr(m(1)[:24]))
def test_twice_the_text_takes_about_twice_the_steps(made: Callable[[int], str]) -> None:
    small, large = steps(made(600)), steps(made(1200))
    assert large < 2.6 * small


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_whatever_is_repeated_is_read_in_steps_of_its_length(piece: str) -> None:
    times = 400 // len(piece) + 20
    assert steps(piece * 2 * times) < 2.6 * steps(piece * times) + 2000


def test_a_name_is_endorsed_once_and_a_list_ends_where_another_begins() -> None:
    assert read("Endorsed by:\nRiders\nNurses, Teachers\nSupported by\nRiders\nStudents\n\nNobody").content["endorsers"] == [
        "Riders", "Nurses", "Teachers", "Students"]


def test_a_title_becomes_an_address() -> None:
    assert slug_of("Keep the Night-Bus, now!") == "keep-the-night-bus-now"
    assert slug_of("أوقفوا") == "campaign"
