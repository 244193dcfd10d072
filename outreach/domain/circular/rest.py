"""What else a circular says: who endorses it, links, a file number, its title and its story."""

from __future__ import annotations

import re
from collections.abc import Set

from outreach.domain.circular.lines import Line, blocks

_ENDORSED = re.compile(r"^(?:this (?:call|letter|campaign|action) is )?(?:endorsed|supported|co-?sponsored|sponsored|signed)\s?by\b"
                       r"\s?[:\-–]?\s*(.*)$|^(?:endorse(?:ment|r)s?|(?:endorsing|supporting) organi[sz]ations?|supporters|signatories|"
                       r"co-?sponsors)"
                       r"(?: so far| to date)?\s?[:\-–]\s*(.*)$", re.I)
_LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'“”‘’)\]}]{3,400}", re.I)
_REFERENCE = re.compile(r"\b(?:file|case|reference|ref|client|docket|application|permit|bill)\.?\s?(?:no\.?|number|#|id)?\s?[:#]?\s?"
                        r"([A-Z0-9]{1,8}(?:[-/][A-Z0-9]{1,8}){1,4}|#\s?[A-Z0-9-]{3,20}|\d{5,12})\b", re.I)
_PREFIX = re.compile(r"^(?:(?:fwd?|fw|re|aw|wg|tr)\s?:\s*|\[[^\]]{1,40}\]\s*|[\W_]{0,5}(?:urgent|action alert|action|alert|"
                     r"please (?:share|forward|act|circulate)(?: widely)?|call to action|action needed)[\W_]{1,5})+", re.I)
_CHATTER = re.compile(r"^(?:dear|hi|hello|hey|greetings|please (?:share|forward|circulate)|passing (?:this )?(?:on|along)|fyi|see below|"
                      r"thx|thanks|thank you)\b", re.I)
_ADDRESSED = re.compile(r"(?:to|fax|tel|phone|e-?mail|re|attn|attention|date|from|cc)\s?:", re.I)
"""A letter's head, or an address without one."""
_SMALL = frozenset("a an and as at by for from in into of on or the to with".split())


def endorsers_in(lines: list[Line]) -> list[tuple[int, str]]:
    """Who endorses, each with its line: behind "Endorsed by:", or the list under it. A list ends where the next one begins."""
    found: dict[str, int] = {}
    at = 0
    while at < len(lines):
        m = None if lines[at].header else _ENDORSED.match(lines[at].text)
        if m is None:
            at += 1
            continue
        rest = (m[1] or m[2] or "").strip()
        for name in _split(rest):
            found.setdefault(name, at)
        at += 1
        if not rest and at < len(lines) and not lines[at].text:
            at += 1
        while at < len(lines) and _listed(lines[at].text):
            for name in [lines[at].text.strip(" .,;")] if lines[at].item else _split(lines[at].text):
                found.setdefault(name, at)
            at += 1
    return [(at, name) for name, at in list(found.items())[:200]]


def _listed(text: str) -> bool:
    """Whether a line under such a heading can be one of its list."""
    return 0 < len(text) < 300 and not re.search(r"@|https?:|:$", text) and not _ENDORSED.match(text)


def _split(text: str) -> list[str]:
    """Names in one line. A comma before "and" belongs to the list; "A and B" of one name stays whole."""
    parts = re.split(r"\s?[;•·|]\s?", text) if re.search(r"[;•·|]", text) else re.split(r",\s+(?:and\s+)?", text)
    if len(parts) > 1 and " and " in parts[-1]:
        parts[-1:] = parts[-1].split(" and ", 1)
    return [p.strip(" .,")[:200] for p in parts if len(p.strip(" .,")) > 1]


def links_in(lines: list[Line]) -> list[tuple[int, str]]:
    """Web addresses, each once, with its line."""
    found: dict[str, int] = {}
    for at, line in enumerate(lines):
        for m in _LINK.finditer(line.text):
            link = m[0].rstrip(".,;:!?…")
            found.setdefault(link if link.lower().startswith("http") else f"https://{link}", at)
    return [(at, link) for link, at in list(found.items())[:100]]


def reference_in(lines: list[Line]) -> tuple[int, str] | None:
    """A file or case number."""
    for at, line in enumerate(lines):
        m = _REFERENCE.search(line.text)
        if m and not line.header and re.search(r"\d", m[1]) and not re.fullmatch(r"20\d\d-\d\d-\d\d", m[1]):
            return at, m[1].lstrip("# ")[:80]
    return None


def title_in(lines: list[Line], taken: Set[int]) -> tuple[int, str] | None:
    """The circular's subject in a mail's header, else its first line that could be a title."""
    for at, line in enumerate(lines):
        if line.header and re.match(r"subject\s?:", line.text, re.I) and (title := _titled(line.text.partition(":")[2])):
            return at, title
    for at, line in enumerate(lines[:60]):
        if line.header or not line.text or at in taken or _CHATTER.match(line.text):
            continue
        alone = (at + 1 >= len(lines) or not lines[at + 1].text) and (at == 0 or not lines[at - 1].text or lines[at - 1].header)
        if alone and (title := _titled(line.text)) and 8 < len(title) <= 120 and not re.search(r"@|https?:|[.!?] \S|\d{3}", title):
            return at, title
    return None


def _titled(text: str) -> str:
    text = re.split(r"\s(?:\*{2,}|-{2,}|\|)\s", _PREFIX.sub("", text.strip(" *#")))[0].strip(" :-–—*#!\"“”")
    if not text.isupper() or len(text) < 12:
        return text[:1].upper() + text[1:]
    words = text.lower().split()
    return " ".join(w if n and w in _SMALL else w[:1].upper() + w[1:] for n, w in enumerate(words))


def story_in(lines: list[Line], taken: Set[int]) -> list[tuple[int, str]]:
    """Paragraphs that tell why, each with its line: what is neither letter, list, address nor greeting. `taken`: lines of those."""
    found = []
    for first, past in blocks(lines):
        if not taken.isdisjoint(range(first, past)) or lines[first].header:
            continue
        if sum(bool(_ADDRESSED.match(x.text)) for x in lines[first:past]) * 2 >= past - first:
            continue
        text = " ".join(("\n- " if x.item else "") + x.text for x in lines[first:past]).replace(" \n", "\n").strip()
        if len(text) > 60 and not _CHATTER.match(text) and not re.search(r"\S@\S", text):
            found.append((first, text))
    return found
