"""Two spellings of one mailbox are one person; two mailboxes are two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.dedupe import fingerprint, mailbox_hash, normal_email

KEY = b"k" * 32


@pytest.mark.parametrize(("one", "other"), [
    ("Person.1@Supporter.example", "person.1@supporter.EXAMPLE"),
    ("zoe+bus@supporter.example", "zoe@supporter.example"),
    ("z.o.e@gmail.com", "Zoe+letters@googlemail.com"),
    ("zoe@bücher.example", "zoe@xn--bcher-kva.example"),
    ("ZOË@supporter.example", "zoe\u0308@supporter.example"),
    ("zoe-news@yahoo.com", "zoe@yahoo.com"),
    (" zoe@supporter.example ", "zoe@supporter.example."),
])
def test_spellings_of_one_mailbox_are_one(one: str, other: str) -> None:
    assert fingerprint(KEY, one) == fingerprint(KEY, other)


@pytest.mark.parametrize(("one", "other"), [
    ("z.o.e@supporter.example", "zoe@supporter.example"),      # dots matter where they are not known not to
    ("zoe-news@supporter.example", "zoe@supporter.example"),
    ("zoe@one.example", "zoe@two.example"),
    ("+zoe@supporter.example", "+max@supporter.example"),
])
def test_different_mailboxes_stay_different(one: str, other: str) -> None:
    assert fingerprint(KEY, one) != fingerprint(KEY, other)


ADDRESSES = st.from_regex(r"[A-Za-z0-9._+\-]{1,20}@[a-zA-Z0-9]{1,10}\.(example|com)", fullmatch=True) | st.emails()


@given(ADDRESSES)
def test_the_normal_form_is_stable(address: str) -> None:
    assert normal_email(normal_email(address)) == normal_email(address)


@given(ADDRESSES, ADDRESSES)
def test_being_the_same_is_symmetric_and_keyed(one: str, other: str) -> None:
    assert (fingerprint(KEY, one) == fingerprint(KEY, other)) == (normal_email(one) == normal_email(other))
    assert fingerprint(KEY, one) != fingerprint(b"x" * 32, one) != mailbox_hash(KEY, one)


@pytest.mark.parametrize("text", ["", "@", "zoe@", "@x.example", "zoe"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        normal_email(text)
