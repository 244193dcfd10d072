"""What others typed is safe to stand in a header or a letter."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.render.clean import clean_line, clean_text, direction_of

ANY_TEXT = st.text(st.characters(codec=None), max_size=60) | st.text(
    st.sampled_from(
        list("ab é\u0301 \t\r\n\v\f\x00\x1f\x7f\x85\u2028\u2029\u202e\u2066\ufeff\ud800\u200c\u200f\u00a0\U000e0041ü🚌")
    ),
    max_size=40,
) | st.text(st.sampled_from(list("aی\u094dक\u200b\u200c\u200d\u200e\u061c\u00ad\u2060\u3164\ufe0f👩é\u0301 ")), max_size=12)


@given(ANY_TEXT)
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean_line(clean_line(text)) == clean_line(text)
    assert clean_text(clean_text(text)) == clean_text(text)


@given(ANY_TEXT)
def test_nothing_that_hides_or_controls_is_left(text: str) -> None:
    for clean, allowed in ((clean_line(text), ""), (clean_text(text), "\n")):
        clean.encode()
        assert unicodedata.is_normalized("NFC", clean)
        assert not [c for c in clean if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in allowed]
        assert not set(clean) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
        assert clean == clean.strip()


@given(ANY_TEXT)
def test_a_line_stays_one_line(text: str) -> None:
    assert len(clean_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("Jane\r\nBcc: everybody@office.example", "Jane Bcc: everybody@office.example"),
        ("  Jane   Doe ", "Jane Doe"),
        ("e\u0301lan", "élan"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("\u2066x\u2069", "x"),
        ("a\x00b\x1bc", "abc"),
        ("x\udcffy", "xy"),
        ("Madame\u00a0:", "Madame\u00a0:"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
    ],
)
def test_lines(typed: str, line: str) -> None:
    assert clean_line(typed) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("Transit\u200b Commissioner", "Transit Commissioner"),
        ("Tran\u00adsit\u2060 Com\u200dmis\u200csioner\u200e", "Transit Commissioner"),
        ("\u3164\u115f", ""),
        ("Jane\u200f Doe\u061c", "Jane Doe"),
        ("علی\u200c\u200cرضا\u200f", "علی\u200cرضا\u200f"),
        ("ශ්\u200dරී ලංකා", "ශ්\u200dරී ලංකා"),
        ("நாட்டு\u200b", "நாட்டு"),
        ("👩\u200d👧 and 👩\ufe0f\u200d👧", "👩\u200d👧 and 👩\ufe0f\u200d👧"),
        ("葛\U000e0100城", "葛\U000e0100城"),  # a variant of a character in a Japanese name
    ],
)
def test_a_line_hides_nothing_and_keeps_what_its_script_needs(typed: str, line: str) -> None:
    assert clean_line(typed) == line


def test_paragraphs_are_kept_and_gaps_closed() -> None:
    assert clean_text("\r\nDear  you,  \r\n\r\n\r\n\r\n\tone\rtwo\u2028three \n") == "Dear  you,\n\n one\ntwo\nthree"


def test_directions() -> None:
    assert [direction_of(x) for x in ("ar", "fa-IR", "he", "ur_PK", "en", "fr-CA", "")] == ["rtl"] * 4 + ["ltr"] * 3
