"""The document and the code name the same magic addresses and numbers."""

from __future__ import annotations

import re
from pathlib import Path

from outreach.sandbox.magic import FAX, MAIL

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def test_the_tables_of_magic_words_are_the_ones_in_the_code() -> None:
    assert dict(re.findall(r"^\| `([a-z]+)@` \| (.+?) \|$", PAGE, re.MULTILINE)) == MAIL
    assert dict(re.findall(r"^\| `(\d{4})` \| (.+?) \|", PAGE, re.MULTILINE)) == {n: number.what for n, number in FAX.items()}
