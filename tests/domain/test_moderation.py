"""What makes a letter wait: only what its writer put in, found in any script, in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.differences import spans
from outreach.domain.moderation import Policy, Why, banned_in, contacts_in, distance, holds, is_near, mark_of, reasons, stricter

TEMPLATE = "Dear Commissioner,\n\nplease keep the night bus; ask at 416 555 0111 or nightbus.example.\n\n[your name]"
STORY = ("My grandmother rides this bus every evening after her shift at the hospital, and she cannot pay for a taxi home in winter. Think "
         "of her and of all the others who clean and cook and care for this city while it sleeps.")


@pytest.mark.parametrize(("policy", "edited", "held"), [
    (Policy.NONE, True, False), (Policy.EDITED, False, False), (Policy.EDITED, True, True), (Policy.ALL, False, True)])
def test_a_policy_holds_what_it_says(policy: Policy, edited: bool, held: bool) -> None:
    assert holds(policy, edited=edited) is held
    assert bool(reasons(policy, edited=edited, text=TEMPLATE, template=TEMPLATE)) is held


def test_the_operator_can_ask_for_more_and_never_for_less() -> None:
    assert stricter("none", "edited") is Policy.EDITED
    assert stricter("all", "edited") is Policy.ALL


@pytest.mark.parametrize(("text", "word"), [
    ("You IDIOT!", "idiot"), ("an ＩＤＩＯＴ", "idiot"), ("idïot", "Idiot"), ("i\u00addi\u200bot", "idiot"), ("іdіоt", "idiot"),
    ("ИДИОТ, вот кто", "идиот"), ("ό ΗΛΊΘΙΟΣ", "ηλίθιος"), ("die Straße", "STRASSE"), ("أنت أَحْمَق", "أحمق"), ("तुम मूर्ख हो", "मूर्ख"),
    ("你这个笨蛋啊", "笨蛋"), ("คุณมันโง่มาก", "โง่"), ("go  to\nHELL now", "go to hell"), ("don’t", "don't"), ("İDİOT", "idiot"),
])
def test_a_banned_word_is_found_however_it_is_written(text: str, word: str) -> None:
    assert banned_in(f"well, {text} indeed", ["other", word]) == (word,)


@pytest.mark.parametrize(("text", "word"), [
    ("idiotic", "idiot"), ("a class of Scunthorpe", "ass"), ("मूर्खता", "मूर्ख"), ("go to the hell", "go to hell"), ("", "x"), ("x", ""),
    ("x", "--"), ("кот", "kot"),
])
def test_part_of_a_word_is_not_that_word(text: str, word: str) -> None:
    assert banned_in(text, [word]) == ()


def test_links_addresses_and_numbers_are_found_unless_the_campaign_has_them_itself() -> None:
    own = ("see https://evil.example/x?y=1, www.other.example or shop.online; mail jane@people.example or jane [at] people; "
           "call +1 (905) 555-0133 or 416-555-0111, nightbus.example")
    assert set(contacts_in(f"{TEMPLATE} {own}", TEMPLATE)) == {
        "https://evil.example/x?y=1", "www.other.example", "shop.online", "jane@people.example", "jane [at] people", "+1 (905) 555-0133"}


def test_dates_file_numbers_and_abbreviations_are_no_contacts() -> None:
    assert contacts_in("On 2027-01-22 (22/01/2027), file TC-4457 of St.John, e.g. $1,200.50 for 3.5 km, 10:30-11:45, M.Sc.") == ()


def test_near_identical_words_of_ones_own_have_near_marks_whatever_the_template() -> None:
    mark = mark_of(f"{TEMPLATE}\n{STORY}", TEMPLATE)
    changed = mark_of(f"{TEMPLATE.replace('Dear', 'Good')}\n{STORY.replace('winter', 'the cold')}", TEMPLATE)
    assert mark is not None
    assert changed is not None
    assert mark != changed
    assert is_near(mark, [1, changed])
    other = mark_of(f"{TEMPLATE}\nI drive the night bus myself and I know each of my riders; at four in the morning nobody else is there "
                    "for them, and I ask you to come along once and see who they are before you decide.", TEMPLATE)
    assert other is not None
    assert distance(mark, other) > 12


def test_a_few_words_more_are_not_compared() -> None:
    assert mark_of(f"{TEMPLATE}\nThank you very much indeed!", TEMPLATE) is None


def test_reasons_name_every_rule_that_holds() -> None:
    found = reasons(Policy.EDITED, edited=True, text=f"{TEMPLATE} idiot www.evil.example", template=TEMPLATE, banned=["idiot"], alike=True,
                    forms_of_network=10)
    assert found == [Why.CHANGED, Why.BANNED, Why.CONTACT, Why.ALIKE, Why.BURST]
    assert reasons(Policy.ALL, edited=False, forms_of_network=9) == [Why.EVERY]
    assert reasons(Policy.ALL, edited=False, details="The Idiots’ Club\nIdiot, Ohio", banned=["idiot"]) == [Why.EVERY, Why.BANNED]


@given(st.text(), st.text())
def test_differences_give_back_both_texts(before: str, after: str) -> None:
    found = spans(before, after)
    assert "".join(s.text for s in found if s.kind != "in") == before
    assert "".join(s.text for s in found if s.kind != "out") == after


def test_differences_are_told_by_word() -> None:
    found = [(s.kind, s.text) for s in spans("Dear X,\n\nplease keep the bus.\n\nJane", "Dear X,\n\nplease do keep our bus.\n\nJane")]
    assert found == [("same", "Dear X,\n\nplease "), ("in", "do "), ("same", "keep "), ("out", "the"), ("in", "our"),
                     ("same", " bus.\n\nJane")]


@given(st.text(max_size=400), st.lists(st.text(max_size=12), max_size=4))
def test_whatever_is_typed_is_read(text: str, banned: list[str]) -> None:
    assert set(banned_in(text, banned)) <= set(banned)
    assert all(len(x) <= 80 for x in contacts_in(text))
    mark = mark_of(text, "")
    assert mark is None or (-(1 << 63) <= mark < 1 << 63 and mark_of(text.upper().lower(), "") is not None)
    for word in banned_in(text, text.split()[:3]):
        assert word in text
