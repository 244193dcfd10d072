"""The letter that a circular asks people to send, its subject, and what to say on the telephone: with the campaign file's variables."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field

from outreach.domain.circular.lines import Line

_MOST = 20
"""Letters that one circular may have."""
_FRIENDS = re.compile(r"\b(?:friends?|all|everyone|everybody|allies|comrades?|neighbou?rs?|supporters?|colleagues?|members?|folks|"
                      r"community|families|parents|volunteers?|sisters?|brothers?|team|subscribers?|list|people|reader|riders)\b", re.I)
_DEAR = re.compile(r"^[\"'“‘]?(?:dear|to whom it may concern|to the (?:hon|attention)|the hono|hono|your (?:excellency|worship|honou?r)|"
                   r"madam|sir\b|attention)", re.I)
_SIGN_OFF = re.compile(r"^[\"'“‘]?(?:yours\b|sincerely|respectfully|(?:kind|best|warm)? ?regards|"
                       r"with (?:kind |best )?(?:respect|regards|thanks|hope)|"
                       r"cordially|faithfully|thank you,?$|thanks,?$|many thanks,?$|gratefully|in solidarity,?$)", re.I)
_RULE = re.compile(r"^(?:[-=_*~#—–\s]{4,}|[-=*—–\s]{0,20}"
                   r"(?:end of (?:the )?(?:letter|script|message)|cut here|snip)[-=*—–\s.]{0,20})$", re.I)
_SUBJECT = re.compile(r"^(?:suggested |sample |e-?mail )?(?:subject(?: line)?|re|object|concerning)\s?[:\-–]\s{0,3}(\S.{0,300})$", re.I)
_HEADING = re.compile(r"^[^a-z]{0,4}(?:(?:sample|suggested|model|draft|template)\s)?(?:call|phone|telephone|calling)?\s?"
                      r"(?:script|talking points|what to say)\b", re.I)
_CALLING = re.compile(r"\b(?:i[’']?\s?a?m calling|i am phoning|calling (?:on behalf of|to ask|about|to urge)|my name is)\b", re.I)
_MARK = re.compile(r"\[([^\[\]\n]{1,60})\]|[<‹]([a-z][^<>‹›\n@/]{1,50})[>›]|\{{1,2}\s?([A-Za-z][A-Za-z ’'_]{1,40})\s?\}{1,2}|"
                   r"\((your [^()\n]{2,40})\)|_{3,}|\.{6,}|…{3,}", re.I)
_OF_WRITER = r"^\(?(?:your |full )*(name|address|city|postal code|postcode|zip code|phone|telephone|e-?mail|signature)"
_DETAIL = re.compile(rf"{_OF_WRITER}\b", re.I)
_BLANK = re.compile(rf"{_OF_WRITER}\)?\s?:?[ _]*$", re.I | re.M)
"""A line that only says what is to be written there."""
_COUNTED = re.compile(r"^\s(?:years?|months?|weeks?|days?|hours?|minutes?|times?|children|people|kids)\b", re.I)
_VARIABLE = re.compile(r"\{\{ [a-z_.]{1,40} \}\}")
_WORDS: tuple[tuple[str, str], ...] = (
    (r"e-?mail", "supporter.email"), (r"phone|tel\b|telephone|mobile|cell", "supporter.phone"),
    (r"post(?:al)? ?code|zip|postcode", "supporter.postal_code"),
    (r"(?:official|minister|mp|recipient|target|councillor|mayor|officer|representative|their|his|her)\b.{0,12}name|"
     r"name of (?:the )?(?:minister|mp|official|recipient|office)|minister|recipient|official|councillor|mp$", "target.salutation"),
    (r"organi[sz]ation|affiliation|group|job|title|profession|occupation|union|employer|school", "supporter.affiliation"),
    (r"\bname|sign(?:ature|ed)?\b", "supporter.name"), (r"street|address", "supporter.street"),
    (r"city|town|village|municipality|location|where you live|place|riding|province", "supporter.city"))


@dataclass(slots=True)
class Text:
    """A letter or script: its template, the lines that it takes (from, to past the last), what to check, and the fields it uses."""

    body: str
    first: int
    last: int
    checks: list[str] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    salutation: str = ""
    """What followed "Dear", where a variable now stands."""


def letters_in(lines: list[Line]) -> list[Text]:
    """Each letter with its salutation and sign-off, the likeliest first. The circular's own ("Dear friends") is none."""
    found: list[tuple[int, Text]] = []
    at = 0
    while at < len(lines) and len(found) < _MOST:
        text = lines[at].text
        if lines[at].header or not _DEAR.match(text) or len(text) > 120 or _FRIENDS.search(text):
            at += 1
            continue
        last, signed = _end(lines, at)
        made = _letter(lines, at, last)
        if len(made.body) > 40:
            found.append((2 * signed + ("{{ supporter" in made.body) + (last - at > 3), made))
        at = max(last, at + 1)
    for _, text_ in found:
        if "{{ supporter.name }}" not in text_.body:
            text_.body += "\n\n{{ supporter.name }}"
            text_.checks.append("the writer's name is put at its end")
    return [t for _, t in sorted(found, key=lambda f: -f[0])]


def subjects_in(lines: list[Line]) -> list[tuple[int, str]]:
    """Subject lines outside mail headers: the line's place, and the words."""
    return [(n, m[1].strip().strip("\"“”'")) for n, line in enumerate(lines)
            if not line.header and (m := _SUBJECT.match(line.text)) and len(m[1]) < 200]


def script_in(lines: list[Line], taken: Set[int]) -> Text | None:
    """What to say on the telephone: the lines under such a heading, or a paragraph in which somebody is calling."""
    for at, line in enumerate(lines):
        if at in taken or line.header or not line.text:
            continue
        headed = _HEADING.match(line.text) and len(line.text) < 80
        if not headed and not (_CALLING.search(line.text) and re.search(r"calling|phoning", " ".join(x.text for x in lines[at:at + 3]))):
            continue
        first = at + 1 if headed and len(line.text) < 60 and not _CALLING.search(line.text) else at
        while first < len(lines) and not lines[first].text:
            first += 1
        last = first
        while last < len(lines) and (lines[last].text or (headed and last + 1 < len(lines) and _goes_on(lines[last + 1].text))) \
                and not _RULE.match(lines[last].text or "x") and last - first < 40:
            last += 1
        body = _unquoted(_paragraphs(lines[first:last]))
        if len(body) > 20:
            made = Text(body, at, last)
            made.body = filled(made, re.sub(r"^(?:script|say)\s?:\s?", "", made.body, flags=re.I)).strip()
            return made
    return None


def _unquoted(text: str) -> str:
    """Without the marks around the whole of it; where only a part is quoted they stay."""
    return text[1:-1].strip() if text[:1] in "\"“" and text[-1:] in "\"”" and not re.search("[\"“”]", text[1:-1]) else text


def _goes_on(text: str) -> bool:
    return bool(re.match(r"[\"“'(\[]|(?:i |please|thank|if )", text, re.I)) and not re.search(r"@|\bhttps?:|\bwww\.", text)


def _end(lines: list[Line], at: int) -> tuple[int, bool]:
    """One past the letter's last line, and whether it was signed."""
    for n in range(at + 1, min(len(lines), at + 400)):
        text = lines[n].text
        if lines[n].header or (text and _RULE.match(text) and not re.fullmatch(r"[_\s]+", text)) or _HEADING.match(text) or \
                (_DEAR.match(text) and len(text) < 80 and n > at + 2):
            return n, False
        if _SIGN_OFF.match(text) and len(text) < 45:
            return _signed(lines, n + 1), True
    return _last_paragraph(lines, at), False


def _last_paragraph(lines: list[Line], at: int) -> int:
    """Without a sign-off: up to the first line that cannot be a letter's (an address, a link, a heading with a colon)."""
    for n in range(at + 1, min(len(lines), at + 200)):
        text = lines[n].text
        if re.search(r"@|https?://|\b(?:fax|tel|phone)\s?:", text, re.I) or (text.endswith(":") and len(text) < 60) or \
                re.match(r"(?:endorsed|supported|signed|please (?:share|forward|call))\b", text, re.I):
            return n
    return min(len(lines), at + 200)


def _signed(lines: list[Line], n: int) -> int:
    """Past the marks of name and address below a sign-off."""
    last, gap = n, 0
    while n < len(lines) and gap < 2 and n - last < 4:
        text = lines[n].text
        if not text:
            gap += 1
        elif (_MARK.search(text) and len(_MARK.sub("", text)) < 12) or (_DETAIL.match(text) and len(text) < 40):
            last, gap = n + 1, 0
        else:
            break
        n += 1
    return last


def _letter(lines: list[Line], first: int, last: int) -> Text:
    made = Text("", first, last)
    greeting = re.match(r"^([\"'“]?dear)\s+(.{1,90}?)\s?([,:])?[\"'”]?$", lines[first].text, re.I)
    body = _BLANK.sub(r"[\1]", _paragraphs(lines[first + 1:last]))
    if greeting:
        who = greeting[2]
        if not _MARK.search(who):
            made.salutation = who
        made.body = f"Dear {{{{ target.salutation }}}}{greeting[3] or ','}\n\n" + filled(made, body)
    else:
        made.body = f"{filled(made, lines[first].text)}\n\n" + filled(made, body)
    made.body = re.sub(r"\{\{ supporter\.name \}\}\n+(?=\{\{ supporter\.name \}\})", "", made.body.strip().strip("\"“”"))
    return made


def _paragraphs(lines: list[Line]) -> str:
    """Paragraphs as they were meant: lines that a mail program broke are joined, short ones are not."""
    out: list[str] = []
    before = ""
    for line in lines:
        text = ("- " if line.item else "") + line.text
        if not line.text:
            if out and out[-1]:
                out.append("")
        elif out and out[-1] and len(before) >= 50 and not line.item and not _SIGN_OFF.match(text):
            out[-1] += f" {text}"
        else:
            out.append(text)
        before = line.text
    return "\n".join(out).strip()


def filled(made: Text, text: str) -> str:
    """`text` with variables for its marks; what would be read as a template's own signs is taken apart."""
    out, at = [], 0
    for m in _MARK.finditer(text):
        out.append(_literal(text[at:m.start()]))
        out.append(_variable(made, m))
        at = m.end()
    return "".join((*out, _literal(text[at:])))


def in_sentences(body: str) -> list[str]:
    """The optional details that stand beside other words in a line: without them the line has a hole. Alone, the line goes with them."""
    found = [name for line in body.split("\n") if re.search(r"[^\s]", _VARIABLE.sub("", line))
             for name in re.findall(r"\{\{ supporter\.(street|city|postal_code|phone) \}\}", line)]
    return list(dict.fromkeys(found))


def _literal(text: str) -> str:
    return re.sub(r"\{(?=[{%#])", "{ ", re.sub(r"(?<=[%#}])\}", " }", text))


def _variable(made: Text, m: re.Match[str]) -> str:
    said = next((g for g in m.groups() if g), "").replace("_", " ").strip().lower()
    before, after = m.string[max(0, m.start() - 40):m.start()], m.string[m.end():m.end() + 20]
    if re.fullmatch(r"(?:today['’]?s )?date", said):
        return ""
    if said:
        parts = [p for p in re.split(r"\s?(?:,|/|&|\+|\band\b)\s?", said) if p]
        known = [next((v for pattern, v in _WORDS if re.search(pattern, p)), "") for p in parts]
    else:
        known = ["" if _COUNTED.match(after) else
                 "supporter.city" if re.search(r"(?:live in|from|resident of|city of|in)\s$", before, re.I) else "supporter.name"]
        if known[0]:
            made.checks.append(f"{m[0][:12]!r} is taken for the writer's {known[0].rpartition('.')[2]}")
    if not known or not all(known):
        made.checks.append(f"nobody fills in {m[0][:60]!r}: write it out, or take it away")
        return _literal(m[0])
    made.fields |= {name.removeprefix("supporter.") for name in known if name.startswith("supporter.")}
    return ", ".join(f"{{{{ {name} }}}}" for name in known)
