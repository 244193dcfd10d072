"""What would read badly in letters of people who leave optional fields empty, and what nobody has filled in yet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outreach.domain.campaign import CampaignSpec

_TAG = re.compile(r"\{%-?\s*(if|elif|else|endif)\b[^%]*%\}")
_VARIABLE = re.compile(r"\{\{-?([^{}]*)-?\}\}")
_OF_WRITER = re.compile(r"^\s*supporter\.(\w+)\s*$")
_LEFT = re.compile(r"\[[^\[\]\n]{1,60}\](?!\()|_{3,}|\.{6,}|…{3,}")


def bare_fields(template: str) -> list[str]:
    """The supporter's details that stand in a sentence, and outside every {% if %}: the sentence has a hole where they are empty.

    A detail alone in its line is none of them: that line disappears.
    """
    found: list[str] = []
    for line in _outside(template).split("\n"):
        if re.search(r"\S", _VARIABLE.sub("", line)):
            found += [m[1] for v in _VARIABLE.finditer(line) if (m := _OF_WRITER.match(v[1]))]
    return list(dict.fromkeys(found))


def optional_in_sentences(spec: CampaignSpec) -> list[str]:
    """Details that the letter, in some language, needs and the form does not: like "city"."""
    texts = (spec.letter, *spec.translations.values())
    found = dict.fromkeys(name for t in texts for x in (t.subject, t.body) for name in bare_fields(x))
    return [name for name in found if name == "affiliation" or spec.fields.get(name, "required") != "required"]


def left_open(spec: CampaignSpec) -> list[str]:
    """Brackets and blanks that stand in the letter as they would be sent: "[date]", "____"."""
    texts = (spec.letter, *spec.translations.values())
    return list(dict.fromkeys(m[0][:40] for t in texts for x in (t.subject, t.body) for m in _LEFT.finditer(_VARIABLE.sub("", x))))


def _outside(template: str) -> str:
    return "".join(_pieces(template))


def _pieces(template: str) -> Iterator[str]:
    at = depth = 0
    for m in _TAG.finditer(template):
        yield template[at:m.start()] if not depth else "\n" * template.count("\n", at, m.start())
        depth = max(0, depth + {"if": 1, "endif": -1}.get(m[1], 0))
        at = m.end()
    yield template[at:] if not depth else ""
