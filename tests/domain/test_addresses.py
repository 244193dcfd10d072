"""What an e-mail address of a target may look like, and its one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.addresses import is_freemail, normal_address


@pytest.mark.parametrize(("typed", "normal"), [
    ("Office@Ministry.Example", "office@ministry.example"),
    ("  office@ministry.example\n", "office@ministry.example"),
    ("o'brien+water@ministry.example", "o'brien+water@ministry.example"),
    ("bureau@ministère.example", "bureau@xn--ministre-60a.example"),
    ("büro@xn--mnchen-3ya.example".replace("ü", "u"), "buro@xn--mnchen-3ya.example"),
    ("a@b.c.d.example", "a@b.c.d.example"),
])
def test_an_address_has_one_normal_form(typed: str, normal: str) -> None:
    assert normal_address(typed) == normal


@pytest.mark.parametrize("typed", [
    "", "@", "office", "office@", "@ministry.example", "office@ministry", "a b@ministry.example", "a@b@ministry.example",
    ".a@ministry.example", "a.@ministry.example", "a..b@ministry.example", "a@-ministry.example", "a@ministry-.example",
    "a@mini_stry.example", "a@ministry..example", "a@.example", "a@[192.0.2.1]", "a@192.0.2.1", "Office <a@ministry.example>",
    "a@ministry.example, b@ministry.example", "a\r\nBcc: x@y.example@ministry.example", "büro@ministry.example", '"a b"@ministry.example',
    "a" * 65 + "@ministry.example", "a@" + "b" * 64 + ".example", "a@" + ".".join(["b" * 60] * 5) + ".example", "a\0@ministry.example",
])
def test_what_is_no_plain_address_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normal_address(typed)


def test_a_name_in_front_is_refused_and_the_bare_address_is_offered() -> None:
    with pytest.raises(ValueError, match=r"write only 'a@ministry\.example'"):
        normal_address("The Minister <a@ministry.example>")


@given(st.text(max_size=60) | st.emails())
def test_normalising_twice_changes_nothing(typed: str) -> None:
    try:
        once = normal_address(typed)
    except ValueError:
        return
    assert normal_address(once) == once
    assert once == once.lower()
    assert once.isascii()
    assert not set(once) & set(" \t\r\n<>,;")


@pytest.mark.parametrize(("address", "free"), [
    ("minister@gmail.com", True), ("minister@yahoo.co.uk", True), ("minister@hotmail.fr", True), ("minister@ministry.example", False),
    ("minister@gmail.com.ministry.example", False), ("live@ministry.example", False)])
def test_freemail_is_told_from_an_offices_own_domain(address: str, free: bool) -> None:
    assert is_freemail(address) is free
