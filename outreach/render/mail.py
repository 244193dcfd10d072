"""The words of our mails: the supporter's letter with its footer, and the notices of `templates/email/`.

Each mail has a text part and an HTML part that says the same; the HTML part asks nothing of anybody: no pictures, no styles from
elsewhere, no tracking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from outreach.render.clean import clean_line, clean_text, direction_of
from outreach.render.files import template_dir
from outreach.render.text import Person, RenderedLetter

# Inline, since mail programs drop style sheets; no colours of text or ground, so that each program's dark mode works.
_PAGE = ('<!DOCTYPE html>\n<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">'
         '<meta name="viewport" content="width=device-width"><title>{title}</title></head>\n'
         '<body lang="{lang}" dir="{dir}" style="font-family:Georgia,\'Noto Serif\',serif;font-size:16px;line-height:1.5;'
         'max-width:38em;margin:1em auto;padding:0 1em">\n{body}\n'
         '<hr style="border:0;border-top:1px solid #999;margin:2em 0 1em">\n'
         '<p style="font-family:Arial,\'Noto Sans\',sans-serif;font-size:13px">{footer}</p>\n</body></html>\n')
_CODE = '<strong style="font-family:Arial,sans-serif;font-size:28px;letter-spacing:4px">{}</strong>'
_RULE = "\n-- \n"
"""What a text part's footer follows (the signature delimiter of RFC 3676, 4.3)."""

_TO_MAILBOX = frozenset({"campaign_title", "code", "link", "never_link", "expires"})
_OF_SEVERAL_LINES = frozenset({"operator_address", "reason", "cover"})
KINDS: Mapping[str, frozenset[str]] = {
    "confirm": _TO_MAILBOX, "remind": _TO_MAILBOX, "duplicate": _TO_MAILBOX, "ask": _TO_MAILBOX - {"code"},
    "link": frozenset({"campaign_title", "link", "never_link"}),
    "rejected": frozenset({"campaign_title", "link", "never_link", "note"}),
    "report": frozenset({"campaign_title", "slug", "reason", "link"}),
    "bundle": frozenset({"title", "cover", "link"}),
    "alert": frozenset({"name", "detail", "link", "opened", "over"}),
    "alert_over": frozenset({"name", "detail", "link", "opened", "over"}),
    "fax_copy": frozenset({"campaign_title", "target", "fax_number", "state"}),
    "invite": frozenset({"campaign_title", "role", "link", "expires"}), "reset": frozenset({"link", "expires"}),
}
"""Notices and the values that they may be given, beside the operator's name and address. The first five go to a mailbox that
nobody has proved to be the sender's: no value of theirs comes from what the form's sender typed, and no other is accepted."""


@dataclass(frozen=True, slots=True)
class MailText:
    """A mail's subject, its text part and its HTML part; lines end in \\n."""

    subject: str
    text: str
    html: str


def letter_mail(letter: RenderedLetter, *, person: Person, operator_name: str, verify_url: str, language: str,
                translate: Callable[[str], str] = str) -> MailText:
    """A supporter's letter as a mail in `language`. The footer says who writes through whom, where to check or report that, and
    whether the mailbox was proved."""
    who = ", ".join(filter(None, (clean_line(person.name), clean_line(person.city))))
    line = translate("From %(who)s, through %(operator)s.") % {"who": who, "operator": clean_line(operator_name)}
    check = translate("Verify or report this letter:")
    unproved = "" if person.verified else translate("The sender's e-mail address was not verified.")
    more = f"{unproved or _answers(person, translate)}\n".lstrip("\n")
    text = f"{letter.body}\n{_RULE}{line}\n{more}{check} {verify_url}\n"
    url = escape(verify_url)
    footer = f'{escape(line)}<br>\n{_lines(more)}{escape(check)} <a href="{url}">{url}</a>'
    return MailText(letter.subject, text, _page(language, letter.subject, _paragraphs(letter.body), footer))


def _answers(person: Person, translate: Callable[[str], str]) -> str:
    """Where answers go, if the address is one that few servers take in a header (RFC 6531)."""
    email = clean_line(person.email)
    return "" if email.rpartition("@")[0].isascii() else translate("Answers reach the writer at %(email)s.") % {"email": email}


def notice_mail(kind: str, language: str, *, translate: Callable[[str], str] = str, **values: Any) -> MailText:
    """One of our own mails; `KINDS` has their names and values, to which come `operator_name` and `operator_address`.

    Each template defines the blocks `subject` and `text`; the HTML part is the text with its paragraphs, and with links where a
    line is one of ours. Raises ValueError for another kind or a value that this kind must not show, jinja2.UndefinedError for a
    missing one.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no notice {kind!r}")
    if unwanted := values.keys() - KINDS[kind] - {"operator_name", "operator_address"}:
        raise ValueError(f"a {kind} notice does not show {', '.join(sorted(unwanted))}")
    clean = {name: (clean_text if name in _OF_SEVERAL_LINES else clean_line)(str(value)) for name, value in values.items()}
    template = _template(kind)
    context = template.new_context({**clean, "_": translate, "language": language})
    subject = clean_line("".join(template.blocks["subject"](context)))
    text = "".join(template.blocks["text"](context)).strip()
    body, _, footer = text.rpartition(_RULE)
    ours = frozenset(clean[name] for name in ("link", "never_link") if name in clean)
    html = _page(language, subject, _marked(body.strip(), ours, clean.get("code", "")), _lines(footer))
    return MailText(subject, text + "\n", html)


def _page(language: str, title: str, body: str, footer: str) -> str:
    return _PAGE.format(lang=escape(language), dir=direction_of(language), title=escape(title), body=body, footer=footer)


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")


def _paragraphs(body: str) -> str:
    return "\n".join(["<p>" + p.replace("\n", "<br>\n") + "</p>" for p in escape(body).split("\n\n")])


def _marked(text: str, links: frozenset[str], code: str) -> str:
    """Paragraphs in which a line that is one of our links can be followed, and the code stands out."""
    def line(x: str) -> str:
        if x in links:
            return f'<a href="{escape(x)}">{escape(x)}</a>'
        return _CODE.format(escape(x)) if x and x == code else escape(x)

    return "\n".join("<p>" + "<br>\n".join(map(line, p.split("\n"))) + "</p>" for p in text.split("\n\n"))


@lru_cache(maxsize=16)
def _template(kind: str) -> Template:
    environment = Environment(loader=FileSystemLoader(template_dir() / "email"), undefined=StrictUndefined, autoescape=False,  # noqa: S701
                              keep_trailing_newline=True)  # text only; the HTML part is escaped when it is made of it
    return environment.get_template(f"{kind}.txt.jinja")
