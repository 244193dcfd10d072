"""Whose limit decides at an address, and what makes an address worth a second look."""

from __future__ import annotations

import pytest

from outreach.domain.force import in_force, tightest
from outreach.domain.pacing import parse_rules
from outreach.domain.trust import Flag, flags


def test_of_all_who_set_a_limit_the_strictest_holds_for_each_period() -> None:
    force = in_force(parse_rules("10/hour, 50/day"), parse_rules("8/hour, 90/day"), parse_rules("6/hour"), None)
    assert force.rules == (*parse_rules("6/hour"), *parse_rules("50/day"))
    assert (force.ceiling, force.others, force.pinned) == (parse_rules("6/hour"), parse_rules("8/hour"), False)


def test_a_pinned_limit_stands_in_the_place_of_every_other() -> None:
    force = in_force(parse_rules("1/hour"), (), parse_rules("6/hour"), parse_rules("40/hour"))
    assert (force.rules, force.pinned, force.ceiling) == (parse_rules("40/hour"), True, ())


def test_a_total_comes_after_every_period() -> None:
    assert [str(r) for r in tightest(parse_rules("100/total, 9/day, 2/hour, 7/day"))] == ["2/hour", "7/day", "100/total"]


@pytest.mark.parametrize(("channel", "value", "source", "mobile", "found"), [
    ("email", "office@city.example", "https://www.city.example/contact", False, ()),
    ("email", "office@mail.city.example", "https://www.city.example/contact", False, ()),
    ("email", "office@city.example", "https://paper.example/article", False, (Flag.ELSEWHERE,)),
    ("email", "office@city.co.uk", "https://paper.co.uk/article", False, (Flag.ELSEWHERE,)),
    ("email", "minister@gmail.com", "", False, (Flag.FREEMAIL, Flag.NO_SOURCE)),
    ("fax", "+33612345678", "https://city.example/", True, (Flag.MOBILE,)),
])
def test_an_address_is_flagged_for_what_speaks_against_it(channel: str, value: str, source: str, mobile: bool,
                                                          found: tuple[Flag, ...]) -> None:
    assert flags(channel, value, kind="office", source_url=source, mobile=mobile) == found


def test_a_private_person_is_always_flagged() -> None:
    assert Flag.PRIVATE in flags("email", "a@b.example", kind="private", source_url="https://b.example/", mobile=False)
