"""Who signs as the one they write to is told by the eye, so it is compared as the eye does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.names import is_made_of, plain, skeleton

PARTS = ("Transit Commissioner", "Commissioner", "Head of Transit", "City of Port Ellery")


@pytest.mark.parametrize("name", [
    "Transit Commissioner", "TRANSIT  commissioner", "Transit\u200b Commissioner", "Tran\u00adsit Commissioner", "Transit Commissioner.",
    "“Transit-Commissioner”", "Transit, Commissioner!", "Commissioner", "commissioner:", "Head of Transit", "City of Port Ellery",
    "Ｔｒａｎｓｉｔ Commissioner", "𝐓𝐫𝐚𝐧𝐬𝐢𝐭 Commissioner", "Transit\u3000Commissioner", "Tran\ufe0fsit Commissioner",
    "\u0422ransit \u0421\u043emmissi\u043ener", "Transit C\u03bfmmissioner",
    "Transit Commissioner, City of Port Ellery", "Head of Transit (Commissioner)", "Commissioner Transit Commissioner",
])
def test_a_name_that_reads_as_the_targets_is_found(name: str) -> None:
    assert is_made_of(name, PARTS)


@pytest.mark.parametrize("name", [
    "Jo Commissioner", "Commissioner Jane Doe", "Jane Transit", "Ellery Head", "Port Ellery", "Transit Commission", "Com Missioner-Head",
    "Marta City", "Commissioner Commissioner",
    "\u041a\u043e\u043c\u0438\u0441\u0441\u0430\u0440\u043e\u0432\u0430 \u0410\u043d\u043d\u0430",
    "李明", "", " .,",
])
def test_a_name_of_ones_own_is_not(name: str) -> None:
    assert not is_made_of(name, PARTS)


def test_parts_that_are_empty_or_nothing_but_signs_make_no_name() -> None:
    assert not is_made_of("Jane Doe", ("", "—", "\u200b"))
    assert not is_made_of("…", ("", "—"))


NOISE = st.sampled_from(["\u200b", "\u200d", "\u2060", "\u00ad", "\ufe0f", "\u3164", " ", "  ", "\u00a0", "\u3000", ".", ",", "-", "’",
                         "·"])
NAMES = st.sampled_from(PARTS)


@given(NAMES, st.lists(st.tuples(st.integers(0, 30), NOISE), max_size=6), st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_no_noise_and_no_case_makes_it_another_name(name: str, noise: list[tuple[int, str]], case: object) -> None:
    assert callable(case)
    written = case(name)
    for at, sign in noise:
        written = written[:at] + sign + written[at:]
    assert is_made_of(written, PARTS)


@given(st.text(max_size=40))
def test_the_skeleton_is_stable_and_shows_all_that_it_has(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)
    assert " " not in skeleton(text)
    assert plain(plain(text)) == plain(text)


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_a_name_with_more_letters_than_the_targets_is_not_the_targets(name: str, more: str) -> None:
    if skeleton(name) and skeleton(more):
        assert is_made_of(name, (name,))
        assert is_made_of(f"{name} {more}", (name,)) == (not skeleton(f"{name} {more}").removeprefix(skeleton(name)))


@pytest.mark.parametrize(("typed", "seen"), [
    ("Jane ＠ home", "Jane @ home"), ("evil。com", "evil.com"), ("evil．com", "evil.com"), ("evil｡com", "evil.com"),
    ("evil․com", "evil.com"),
    ("ev\u200bil.com", "evil.com"), ("ｗｗｗ．evil", "www.evil"), ("Zoë", "Zoë"),
])
def test_signs_of_addresses_are_seen_in_any_dress(typed: str, seen: str) -> None:
    assert plain(typed) == seen
