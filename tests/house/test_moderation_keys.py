"""The campaign file's keys of moderation: read, written back, and told where they would do nothing."""

from __future__ import annotations

import pytest

from outreach.campaign_files import spec_from_json, spec_to_json, write_campaign
from outreach.domain.moderation import POLICIES
from tests.house.test_campaign_files import MINIMAL, mistakes, read, top, warnings

EDITABLE = MINIMAL.replace("[letter]\n", "[letter]\neditable = true\n")
KEYS = 'moderation = "edited"\nbanned_words = ["idiot", "go to hell", "笨蛋"]'


def test_rules_of_moderation_survive_being_written_and_read() -> None:
    spec = read(top(KEYS, EDITABLE))
    assert (spec.moderation, spec.banned_words) == ("edited", ("idiot", "go to hell", "笨蛋"))
    assert read(write_campaign(spec)) == spec
    assert spec_from_json(spec_to_json(spec)) == spec
    assert read(MINIMAL).moderation == "none"
    assert "moderation" not in write_campaign(read(MINIMAL))


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_is_taken(policy: str) -> None:
    assert read(top(f'moderation = "{policy}"')).moderation == policy


def test_another_policy_is_a_mistake() -> None:
    assert "did you mean 'edited'" in mistakes(top('moderation = "edit"'))[0]


def test_rules_that_would_do_nothing_are_told() -> None:
    assert "banned_words: are shown to nobody" in warnings(top('banned_words = ["idiot"]', EDITABLE))
    assert "moderation: holds no letter" in warnings(top(KEYS))
    assert "moderat" not in warnings(top(KEYS, EDITABLE))
