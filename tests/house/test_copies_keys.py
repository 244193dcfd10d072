"""What a campaign file says about the copies its inbox gets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outreach.campaign_file.read import read_text
from outreach.campaign_file.write import write_campaign
from outreach.errors import CampaignFileInvalid
from outreach.settings import Settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REST = """
[letter]
subject = "S"
body = "B"
[[target]]
name = "Transit Commissioner"
email = ["commissioner@transit.example"]
"""


def read(keys: str) -> tuple[str, int, list[str], str]:
    spec, warnings = read_text(f'slug = "bus"\ntitle = "Bus"\n{keys}{REST}', Settings(_env_file=None), NOW)  # type: ignore[call-arg]
    return spec.copies, spec.copies_per_hour, warnings, write_campaign(spec)


def test_copies_come_one_by_one_unless_the_file_says_otherwise() -> None:
    copies, per_hour, _, written = read('inbox = "copies@bus.example"\n')
    assert (copies, per_hour) == ("each", 0)
    assert "copies =" not in written and "copies_per_hour" not in written


def test_the_keys_are_read_and_written() -> None:
    keys = 'inbox = "copies@bus.example"\ncopies = "counts"\ncopies_per_hour = 30\n'
    copies, per_hour, warnings, written = read(keys)
    assert (copies, per_hour) == ("counts", 30)
    assert all(line in written for line in keys.splitlines())
    assert not any("copies" in w for w in warnings)


@pytest.mark.parametrize("keys", ['copies = "all"\n', "copies = 3\n", "copies_per_hour = -1\n", 'copies_per_hour = "many"\n'])
def test_what_makes_no_sense_is_refused(keys: str) -> None:
    with pytest.raises(CampaignFileInvalid, match="copies"):
        read(keys)


@pytest.mark.parametrize(("keys", "expected"), [
    ('copies = "digest"\n', "means nothing without an `inbox`"),
    ("copies_per_hour = 5\n", "means nothing without an `inbox`"),
    ('inbox = "bus@gmail.com"\n', "of more than 20 mails an hour the rest comes in digests"),
])
def test_what_is_seldom_meant_is_told(keys: str, expected: str) -> None:
    assert any(expected in w for w in read(keys)[2])
