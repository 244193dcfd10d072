"""E-mail addresses and telephone numbers in a line, as people write them: `name [at] domain dot org`, `905.555.0133`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from outreach.domain.addresses import is_freemail, normal_address
from outreach.domain.circular.found import Number, ReadNumber

MOST = 50
"""Addresses of a kind that one line may have."""
_WORD = r"[A-Za-z0-9-]{1,63}"
_LOCAL = r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}"
_EMAIL = re.compile(rf"({_LOCAL})@({_WORD}(?:\.{_WORD}){{1,6}})")
_AT = r"\s{0,2}(?:[\[({<]\s?at\s?[\])}>]|@)\s{0,2}"
_DOT = r"(?:\s{0,2}[\[({<]\s?dot\s?[\])}>]\s{0,2}|\s{1,2}dot\s{1,2}|\.)"
_MASKED = re.compile(rf"({_LOCAL}(?:\s{{1,2}}dot\s{{1,2}}{_WORD}){{0,3}}){_AT}({_WORD}(?:{_DOT}{_WORD}){{1,6}})", re.I)
_SPOKEN = re.compile(rf"({_LOCAL}(?:\s{{1,2}}dot\s{{1,2}}{_WORD}){{0,3}})\s{{1,2}}at\s{{1,2}}({_WORD}(?:{_DOT}{_WORD}){{1,6}})", re.I)
_DOTS = re.compile(_DOT, re.I)
_NOT_NAMES = frozenset("""a all an and are be been call fax found here him her it join live look meet more now office online out page phone
    rally read reach see site start stop store them there they this us visit watch we website who you arrive stay home work""".split())
_MAILY = re.compile(r"\b(?:e-?mails?|mail|write|message|contact|address)\b", re.I)
_NUMBER = re.compile(r"(?<![\w@./+-])(\+?\(?\d[\d().\-/\u2010-\u2013 ]{5,24}\d)(?![\w@]|[.-]\d)")
_EXTENSION = re.compile(r"^\s{0,3}[,;]?\s{0,2}\(?(?:ext|extension|x|poste)\.?\s{0,2}\d{1,6}", re.I)
_FAX = re.compile(r"\b(?:fax(?:es|ed)?|facsimile|télécopie(?:ur)?|telefax)\b|\bf(?=\s?[:.)])", re.I)
_BOTH = re.compile(r"(?:fax|tel\w*|phone)\.?\s?(?:/|&|and)\s?(?:fax|tel|phone)", re.I)
_TEL = re.compile(r"\b(?:tel|telephone|phone|ph|call|voice|ring|cell|mobile|toll[- ]free|hotline)\b|\b[tp](?=\s?[:.)])", re.I)
_OR = re.compile(r"[\s,;(]*(?:or|and|/)[\s,;(]*", re.I)
_SENTENCE = re.compile(r"(?<=[.!?;])\s")


@dataclass(frozen=True, slots=True)
class Place:
    """An address in a line: its kind (email, fax, phone), normal form, where it begins and ends there, and what to check."""

    kind: str
    value: str
    start: int
    end: int
    check: str = ""
    number: Number | None = None


def places_in(line: str, read: ReadNumber, above: str = "") -> list[Place]:
    """The addresses in a line, from left to right. `above` is the line before it, which may say what kind its numbers are of."""
    found = sorted((*islice(_emails(line), MOST), *islice(_numbers(line, read, above), MOST)), key=lambda p: p.start)
    kept: list[Place] = []
    for place in found:
        if not kept or place.start >= kept[-1].end or (place.start == kept[-1].start and place.kind != kept[-1].kind):
            kept.append(place)
    return kept


def _emails(line: str) -> Iterator[Place]:
    taken: list[tuple[int, int]] = []
    for form, pattern in (("", _EMAIL), ("masked", _MASKED), ("spoken", _SPOKEN)):
        if form and not re.search(r"\bat\b|@", line, re.I):
            return
        for m in pattern.finditer(line):
            if any(a < m.end() and m.start() < b for a, b in taken) or (form == "spoken" and not _is_spoken(line, m)):
                continue
            local = re.sub(r"\s{1,2}dot\s{1,2}", ".", m[1], flags=re.I).strip("'.-")
            try:
                value = normal_address(f"{local}@{_DOTS.sub('.', m[2]).replace(' ', '')}")
            except ValueError:
                continue
            taken.append(m.span())
            check = f"it is written as {m[0]!r}: is it {value}?" if form else ""
            if is_freemail(value):
                check = f"{check}; {_FREEMAIL}" if check else _FREEMAIL
            yield Place("email", value, m.start(), m.end(), check)


_FREEMAIL = "anybody can open a mailbox there: is it really the office's?"


def _is_spoken(line: str, m: re.Match[str]) -> bool:
    """"minister at ministry.example" is an address; "the rally at cityhall.example" is none."""
    if m[1].lower() in _NOT_NAMES or m[1].endswith("."):
        return False
    before, after = line[max(0, m.start() - 60):m.start()], line[m.end():m.end() + 1]
    if " dot " in m[2].lower() or re.search(r"[._\d-]", m[1]):
        return True
    alone = not before.strip() or before.rstrip()[-1] in ":,(<-–—•|/"
    return bool(_MAILY.search(before)) or (alone and (not after or after in " .,;)>|"))


def _numbers(line: str, read: ReadNumber, above: str) -> Iterator[Place]:
    last = 0
    kinds: tuple[str, ...] = ("phone",)
    matches = list(_NUMBER.finditer(line))
    for n, m in enumerate(matches):
        number = read(m[1])
        if number is None:
            continue
        following = matches[n + 1].start() if n + 1 < len(matches) else len(line)
        before = line[last:m.start()]
        if last:  # "416-555-0133 (fax), 416-555-0134": what stands behind a number is that number's
            before = re.split(r"[,;|)]", before, maxsplit=1)[-1]
        if last and _OR.fullmatch(line[last:m.start()]):  # "905.555.0133 (or 905.555.0134 if busy)"
            sure = True
        else:
            kinds, sure = _kinds(before, line[m.end():following], above if last == 0 else "")
        notes = [] if sure else ["the text does not say whether it is a telephone or a fax"]
        if _EXTENSION.match(line[m.end():m.end() + 16]):
            notes.append("it has an extension, which cannot be dialled: ask for a direct number")
        for kind in kinds:
            yield Place(kind, number.value, m.start(), m.end(), "; ".join(notes), number)
        last = m.end()


def _kinds(before: str, after: str, above: str) -> tuple[tuple[str, ...], bool]:
    """fax, phone or both, from the words beside a number: those right before it, else those right behind it, else in the line above."""
    near = _SENTENCE.split(before[-80:])[-1]
    behind = re.split(r"[,;|]|\band\b|\bor\b", after[:24], maxsplit=1)[0]
    for words in (near, behind, before[-200:], above[-40:]):
        fax = max((m.start() for m in _FAX.finditer(words)), default=-1)
        tel = max((m.start() for m in _TEL.finditer(words)), default=-1)
        if fax >= 0 and tel >= 0 and abs(fax - tel) < 16 and _BOTH.search(words):
            return ("fax", "phone"), True
        if fax >= 0 or tel >= 0:
            return (("fax",) if fax > tel else ("phone",)), True
    return ("phone",), False
