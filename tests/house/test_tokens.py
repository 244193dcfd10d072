"""A signature opens what it was made for, whole: not a beginning of it, not one that goes on."""

import string

import pytest

from outreach import tokens
from outreach.errors import Forged

ALPHABET = string.ascii_letters + string.digits + "-_"


@pytest.fixture(autouse=True)
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    from outreach.settings import get_settings

    monkeypatch.setenv("OUTREACH_SECRET_KEY", "a-key-of-this-test-alone-and-long-enough")
    get_settings.cache_clear()
    tokens.key.cache_clear()


@pytest.mark.parametrize("length", [12, 16, 22])
def test_a_signature_counts_in_its_whole_length_only(length: int) -> None:
    made = tokens.mac("media", "01m811.1795335426", length=length)
    tokens.check("media", "01m811.1795335426", made, length=length)
    for further in ALPHABET:  # one of them is what the MAC would go on with
        with pytest.raises(Forged):
            tokens.check("media", "01m811.1795335426", made + further, length=length)
    for shorter in range(length):
        with pytest.raises(Forged):
            tokens.check("media", "01m811.1795335426", made[:shorter], length=length)


def test_no_other_character_stands_for_the_last_one() -> None:
    made = tokens.mac("mailbox", "01m811")
    for other in ALPHABET:
        if other != made[-1]:
            with pytest.raises(Forged):
                tokens.check("mailbox", "01m811", made[:-1] + other)


def test_a_signature_of_one_purpose_opens_no_other() -> None:
    with pytest.raises(Forged):
        tokens.check("mailbox", "01m811", tokens.mac("media", "01m811"))
    with pytest.raises(Forged):
        tokens.check("mailbox", "01m811", "é" * 22)
