"""Which passwords are good enough, and what is said about the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outreach.services import passwords
from outreach.settings import get_settings

ABOUT = ("ann@riders.example", "Ann")


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OUTREACH_OPERATOR_NAME", "Open Letters Desk")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.parametrize(("password", "why"), [
    ("elevenchars", "has 11 characters"), ("passwordpassword", "Repeats"), ("riders-ann-2026", "Most of it"),
    ("OpenLettersDesk1", "Most of it"), ("qwertyuiopasd", "commonly used"), ("x" * 201, "Too long")])
def test_a_weak_password_is_refused_with_a_reason(password: str, why: str) -> None:
    assert why in passwords.weakness(password, about=ABOUT)


@pytest.mark.parametrize("password", ["violet anchors swim northward", "k7!vQz2#mW9p", "ein Kürbis singt im Fahrstuhl",
                                      "夜間巴士不可以取消因為我們需要它"])
def test_a_good_one_is_taken_and_known_again(password: str) -> None:
    assert passwords.weakness(password, about=ABOUT) == ""
    kept = passwords.hashed(password)
    assert kept.startswith("$argon2id$") and passwords.fits(kept, password) and not passwords.fits(kept, password + "x")


def test_where_no_password_is_kept_none_fits() -> None:
    assert not passwords.fits(None, "nobody has this password") and not passwords.fits("x", "x")
