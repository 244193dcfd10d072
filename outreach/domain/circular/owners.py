"""Whose an address is: a target's, with its name and office, or that of the people who wrote the circular."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field, replace
from itertools import islice

from outreach.domain.circular.found import ReadNumber
from outreach.domain.circular.lines import Line, blocks
from outreach.domain.circular.places import Place, places_in

_ALIKE = 200
"""Owners with which a new name is compared word by word: as many as a draft has targets."""
_NEAR = 600
"""Characters before an address that can say whose it is; a paragraph without line breaks has thousands, and many addresses."""
_COPY = re.compile(r"\b(?:b?cc|copy|copies|let us know|keep us|forward (?:it|them|us|a copy)|so (?:that )?we can (?:track|count|keep)|"
                   r"send us)\b", re.I)
_OURS = re.compile(r"\b(?:questions?|more info(?:rmation)?|(?:for|need) (?:any )?(?:info|information|details)|"
                   r"further information|contact us|media|press|reply to|repl(?:y|ies)|"
                   r"organi[sz]ers?|"
                   r"reach us|call us|e-?mail us|write (?:to )?us|get in touch|sign up|rsvp|updates|volunteer|donate|unsubscribe)\b", re.I)
_NOT = re.compile(r"\b(?:do not|don[’']?t|please avoid|never|no longer|not use)\b[^.!?]{0,60}$", re.I)
_PARTING = re.compile(r"^(?:in solidarity|thank(?:s| you)(?: so much| all| everyone)?|warmly|many thanks|with love|love|best|cheers|"
                      r"yours in \w+|peace|in struggle|gratefully|--|—)[\s,.!–-]{0,4}$", re.I)
_LABEL = re.compile(r"\b(?:direct|main|general|toll[- ]free|office|by|or|and|via|on)?\s?(?:e-?mails?|fax(?:es)?|facsimile|tel(?:ephone)?|"
                    r"phones?|ph|calls?|mail|voice|cell|mobile|address(?:es)?|numbers?|no)\b\.?|\b[etpf](?=\s?[:.)])", re.I)
_ASK = re.compile(r"(?:^|[,.;:!]\s|\band\s|\bor\s|\bplease\s|\bto\s)(?:also\s)?"
                  r"(?:fax|call|phone|e-?mail|write(?: to)?|contact|tell|telephone|"
                  r"send (?:it|them|this|letters?|a fax|faxes|an? e-?mail|e-?mails|your \w+) to)\s+(.{2,100}?)\s*,?\s*"
                  r"(?:\(?\b(?:at|on|by|via|using)\b.{0,25})?[\s:(<-]{0,20}$", re.I)
_SUB_OFFICE = re.compile(r"^(?:the )?(?:constituency|riding|parliament\w*|hill|local|main|regional|district|head|city hall|legislat\w+|"
                         r"[a-z]+(?: [a-z]+)?) offices?$", re.I)
_PERSON = re.compile(r"\b(?:hon|mp|mpp|mla|mna|senator|councillor|cllr|minister|mayor|premier|dr|ms|mr|mrs|judge|officer)\b", re.I)
_JOINED = re.compile(r"^(?:and|or|also|plus|then|as well as)\s+(?:(?:also|to|the|copy)\s+){0,2}", re.I)
_ROLE_NAME = re.compile(r"^([a-z][\w&'’-]*(?:\s[\w&'’-]+){0,5}?)\s((?:[A-Z](?:[a-z’'][\w’'-]*|\.)\s){1,2}[A-Z][a-z’'][\w’'-]*)$")
"""An office in small letters with the person's name behind it: "ferry operator CEO Tom Birch"."""
_SOMEBODY = re.compile(r"\b[A-Z][a-z’']+\s(?:[A-Z]\.\s)?[A-Z][a-z’']+\b")
_ABBREVIATION = re.compile(r"\b(Hon|Cllr|Mr|Mrs|Ms|Dr|Rt|Rev|Sen|Prof|Gov|St|Rep|Capt|Sgt|Supt)\.\s")
_ORGANIZATION = re.compile(r"\b(?:ministry|department|office|agency|committee|council|commission|authority|service|services|board|city|"
                           r"government|secretariat|tribunal|company|inc|ltd|corporation|embassy|consulate|university|centre|center|"
                           r"prison|jail|school|hospital|court|bank)\b", re.I)
_OFFICER = re.compile(r"(?:minister|head|chair|director|officer|mayor|warden|member|secretary)\b", re.I)
_TITLED = re.compile(r"(?:mr|mrs|ms|dr|hon|rt\.? hon|senator|prof|judge)\b\.?\s\S", re.I)
_TRAILING = re.compile(r"(?:[\s,;:(]+(?:e-?mail|fax|tel|telephone|phone|call|at|by|on|or|and))+[\s,;:.(]*$", re.I)
_STREET = re.compile(r"\b(?:street|st\.|avenue|ave\.?|road|rd\.?|floor|suite|box|blvd|boulevard|drive|lane|square)\b|"
                     r"\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b|^\d+[ -]", re.I)
_NO_NAME = re.compile(r"^(?:please|call|fax|e-?mail|write|send|tell|ask|use|then|and|or|to|at|by|if|we|you|our|your|i|it|this|that|here|"
                      r"there|targets?|contacts?|addresses|numbers?|who to \w+|contact (?:info\w*|details?)|demand\w*|urge|what|how|when|"
                      r"where|why|take|subject|re|act now|also|thanks?|copy|copies|cc|bcc|for|sample|letter|script|dear|links?|see|read|"
                      r"deadline)\b", re.I)


@dataclass(frozen=True, slots=True)
class Found:
    """An address with its line and role: target, inbox, ours, sender, letter or avoid."""

    place: Place
    at: int
    role: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which lines are letters' and scripts', and where the circular's own signature begins."""

    letters: Set[int]
    parting: int


@dataclass(slots=True)
class Owner:
    """Somebody who decides, as far as the circular says; `guessed` when no name stands beside the addresses."""

    name: str
    role: str = ""
    organization: str = ""
    postal: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    guessed: bool = False

    def values(self, kind: str) -> list[str]:
        """The addresses of a kind, each once, in order."""
        return list(dict.fromkeys(f.place.value for f in self.found if f.place.kind == kind))


def find(lines: list[Line], read: ReadNumber, letters: Set[int]) -> tuple[list[Owner], list[Found]]:
    """Targets with their addresses, and the addresses that are nobody's who decides. `letters`: lines of letters and scripts."""
    owners: dict[str, Owner] = {}
    others: list[Found] = []
    parting = _parting(lines, letters)
    seen: dict[tuple[str, str], bool] = {}
    latest: Owner | None = None
    for first, past in blocks(lines):
        current: Owner | None = None
        before = first - 1  # the last line with an address
        for at in range(first, past):
            line = lines[at]
            last, role = 0, ""
            for place in places_in(line.text, read, lines[at - 1].text if at > first else ""):
                beside = role if role != "target" and len(_LABEL.sub("", line.text[last:place.start]).strip(" ,:;()-")) < 4 else ""
                role = "ours" if beside == "inbox" else beside or _role(lines, first, at, place, Bounds(letters, parting))
                if role != "target":
                    others.append(Found(place, at, role))
                    last = place.end
                    continue
                doubt = ""
                named = _named(line.text[last:place.start]) if place.start >= last else None
                if named is None and before < at - 1:
                    named = _above(lines, before + 1, at) if current else _above(lines, first, at) or _guessed(place)
                if named is not None:
                    current = latest = _same(owners, named, current or latest)
                elif current is None:
                    current = latest = _same(owners, _guessed(place), None)
                elif named is None and before < at and place.start > last and _SOMEBODY.search(line.text[last:place.start]):
                    doubt = current.name
                before = at
                if (place.kind, place.value) not in seen:
                    seen[place.kind, place.value] = True
                    current.found.append(Found(_doubted(place, doubt) if doubt else place, at, role))
                last = place.end
    return [o for o in owners.values() if o.found], others


def _parting(lines: list[Line], letters: Set[int]) -> int:
    """Where the circular's own signature begins; past its end when it has none."""
    for at in range(len(lines) - 1, max(-1, len(lines) - 40), -1):
        if _PARTING.match(lines[at].text) and at not in letters:
            return at
    return len(lines)


def _role(lines: list[Line], first: int, at: int, place: Place, bounds: Bounds) -> str:
    line = lines[at]
    if line.header:
        return "sender"
    if at in bounds.letters:
        return "letter"
    if at > bounds.parting:
        return "ours"
    sentences = _sentences(line.text[max(0, place.start - _NEAR):place.start])
    sentence = sentences[-1] if len(sentences) < 2 or not sentences[-2].endswith("?") else " ".join(sentences[-2:])
    behind = re.split(r"[.;,]", line.text[place.end:place.end + 60], maxsplit=1)[0]
    words = _LABEL.sub("", sentence).strip(" :,-–(<|/&")
    if len(words) < 3 and at > first:  # a bare address: the line above, or the block's first, says whose it is
        sentence = f"{(lines[at - 1] if places_free(lines[at - 1]) else lines[first]).text[-_NEAR:]} {sentence}"
    elif len(words) < 3 and at >= 2 and lines[at - 2].text.endswith(":"):
        sentence = f"{lines[at - 2].text[-_NEAR:]} {sentence}"
    if _NOT.search(sentence):
        return "avoid"
    if place.kind == "email" and (_COPY.search(sentence) or re.search(r"\bcc us\b", behind, re.I)):
        return "inbox"
    if _OURS.search(sentence) or re.match(r"\s*\(?(?:for|with) (?:questions|media|more|press)", behind, re.I):
        return "ours"
    return "target"


def places_free(line: Line) -> bool:
    """Whether a line has words beside addresses and their labels."""
    return not re.search(r"@|\d{3}", line.text) and len(re.sub(r"[^A-Za-z]", "", _LABEL.sub("", line.text[:_NEAR]))) > 3


def _sentences(text: str) -> list[str]:
    """The sentences of a line, at least one; "Hon. Lee Ashford" is not two."""
    return [s.replace("\x01", " ") for s in re.split(r"(?<=[.!?])\s", _ABBREVIATION.sub("\\1.\x01", text))]


def _named(before: str) -> Owner | None:
    """Who is named right before an address in its own line, as in "Minister Roe, email: …" or "fax the mayor at …"."""
    cells = before.split("|")
    if len(cells) > 1 and _is_name(cell := _LABEL.sub(" ", cells[0]).strip(" :;,-–—(<&•.")):
        return _owner(cell)
    sentence = _sentences(before)[-1]
    if m := _ASK.search(sentence):
        return _owner(m[1])
    words = _LABEL.sub(" ", sentence)
    words = re.sub(r"\s{2,}", " ", words).strip(" :;,-–—(<[|/&•.\t")
    words = _JOINED.sub("", words)
    if m := _ROLE_NAME.match(words):
        return Owner(m[2], m[1])
    return _owner(words) if _is_name(words) else None


def _doubted(place: Place, name: str) -> Place:
    """An address with another name before it than that of whose it is taken for."""
    whose = f"is it {name[:80]}'s? Another name stands before it"
    return replace(place, check=f"{place.check}; {whose}" if place.check else whose)


def _above(lines: list[Line], first: int, at: int) -> Owner | None:
    """Who is named in the lines of the block above an address; else in a heading of one line before it."""
    run: list[str] = []
    for n in range(at - 1, first - 1, -1):
        if not places_free(lines[n]):
            if run:
                break
            continue
        run.append(lines[n].text.rstrip(":"))
    run.reverse()
    names = [n for n, text in enumerate(run) if _is_name(text)]
    if names:
        owner = _owner(run[names[0]])
        for text in run[names[0] + 1:]:
            _add(owner, text)
        return owner
    if run:
        asked = _ASK.search(run[-1])
        return _owner(asked[1]) if asked else None
    heading = first - 2 if first >= 2 and not lines[first - 1].text else -1
    if heading >= 0 and (heading == 0 or not lines[heading - 1].text) and _is_name(lines[heading].text.rstrip(":")):
        return _owner(lines[heading].text.rstrip(":"))
    return None


def _is_name(text: str) -> bool:
    words = text.split()
    return (0 < len(words) <= 14 and 2 < len(text) <= 120 and not _NO_NAME.match(text) and not text.endswith(("!", "?"))
            and any(c.isalpha() for c in text) and (text[0].isupper() or "office" in text.lower() or "minist" in text.lower())
            and not (text.endswith(".") and len(words) > 6) and sum(w[0].islower() for w in words) <= len(words) * 0.6)


def _owner(text: str) -> Owner:
    """"Hon. Jane Roe, Minister of Transit" as a name and an office."""
    text = re.sub(r"^(?:the|our|your)\s+", "", text.strip(" ,;:.-–—(\"“”"), flags=re.I)
    text = _TRAILING.sub("", text)
    parted = (text.partition(x) for x in (", ", " – ", " — ", " - ", " (", ": "))
    name, _, rest = next((p for p in parted if p[1]), (text, "", ""))
    if _TITLED.match(rest):  # "Minister of Transit, Hon. Jane Roe": the person is the name, the office the role
        name, rest = rest.rstrip(" )"), name
    owner = Owner((name[:1].upper() + name[1:]).strip(" ,;:(-"))
    if rest.strip(" )"):
        _add(owner, rest.strip(" ):,"))
    return owner


def _add(owner: Owner, text: str) -> None:
    if _STREET.search(text):
        owner.postal.append(text)
    elif _ORGANIZATION.search(text) and not owner.organization and not _OFFICER.match(text):
        owner.organization = text[:200]
    elif not owner.role and len(text) <= 200:
        owner.role = text


def _guessed(place: Place) -> Owner:
    if place.kind == "email":
        return Owner(f"Office at {place.value.rpartition('@')[2]}", guessed=True)
    return Owner(f"Office at {place.value}", guessed=True)


def _same(owners: dict[str, Owner], named: Owner, current: Owner | None) -> Owner:
    """The owner of that name, whom a text may name twice; "Ottawa office" under a person's name is that person's."""
    if current is not None and _PERSON.search(f"{current.name} {current.role}") and _SUB_OFFICE.match(named.name):
        return current
    name = re.sub(r"[^a-z]+", " ", named.name.lower()).strip()
    known_as = [(name, owners[name])] if name in owners else islice(owners.items(), _ALIKE)
    for known, owner in known_as:
        if known == name or (min(len(known), len(name)) > 8 and (known in name or name in known)):
            owner.role, owner.organization = owner.role or named.role, owner.organization or named.organization
            owner.postal = owner.postal or named.postal
            return owner
    owners[name] = named
    return named
