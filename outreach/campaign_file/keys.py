"""Every key that a campaign file may have. The reader refuses all others; `docs/campaign-file.md` lists the same rows."""

from __future__ import annotations

from dataclasses import dataclass

TOP, LETTER, CALL, FIELDS, TARGET, LIMITS, LANGUAGE = "", "letter", "call", "fields", "target", "target.limits", "fr"
SHARE = "target.share"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what kind of value it takes and what it is for, in the documentation's words."""

    name: str
    kind: str
    note: str
    required: bool = False

    def row(self) -> str:
        """The key's row in the documentation's table."""
        return f"| `{self.name}` | {self.kind} | {'yes' if self.required else ''} | {self.note} |"


KEYS: dict[str, tuple[Key, ...]] = {
    TOP: (
        Key("slug", "text", "The campaign's name in its address, `/c/slug`: lower-case letters, digits, single hyphens; at most 80.", True),
        Key("title", "text", "Shown at the top of the page and in lists; at most 200 characters.", True),
        Key("summary", "text", "One or two sentences for lists and link previews; at most 600 characters."),
        Key("story", "text", "Why, in Markdown; at most 60,000 characters. Either this or `story_file`."),
        Key("story_file", "file name", "A Markdown file in the campaign's folder, instead of `story`. Links and paths out of it are "
            "refused."),
        Key("deadline", "date and time", "With an offset from UTC: `2027-01-22T17:00:00-05:00`. Or relative, see below. Letters that wait "
            "when it passes expire, and 30 days later the campaign is closed; without one it runs until it is closed."),
        Key("inbox", "e-mail address", "Gets a copy of every letter, in Cc, where the target sees it, or in a digest; see `copies`."),
        Key("copies", "`each`, `digest` or `counts`", "How: one by one up to a number an hour and then in digests (`each`, the default), "
            "in digests only, or only figures without anybody's name, for a campaign that must not collect."),
        Key("copies_per_hour", "whole number", "The most mails an hour that the inbox gets, over all campaigns that share it; beyond that "
            "a digest comes each hour. The operator's ceiling (`OUTREACH_COPIES_PER_HOUR`, 60 unless set; 20 at freemail "
            "providers) holds as well."),
        Key("languages", "list of language tags", "Languages of the page; the first is the language of `[letter]`. Default `[\"en\"]`."),
        Key("country", "ISO country code", "Whose numbers those without + are, for example `\"CA\"`."),
        Key("reference", "text", "A file or case number, for `{{ campaign.reference }}` and the fax header; at most 80 characters."),
        Key("goal", "whole number", "How many letters the campaign hopes for."),
        Key("endorsers", "list of texts", "Who supports the campaign."),
        Key("confirm", "`email` or `none`", "Ask supporters to prove their mailbox even where the operator does not. Cannot ask less."),
        Key("contact", "text", "Whom supporters and targets can ask; at most 300 characters."),
        Key("fields", "table", "Which personal details the form asks; see below."),
        Key("accent", "colour", "`#rrggbb`, the page's one colour."),
        Key("attach_pdf", "true or false", "Attach the letter as a PDF to e-mails. Default false: offices distrust attachments."),
        Key("fall_back", "true or false", "Whether a letter that reached none of its target's addresses of one channel may go by the other "
            "one. Default `false`."),
        Key("on_unknown", "`hold` or `resend`", "What becomes of a letter of which nobody can tell whether it arrived. Default `hold`."),
        Key("moderation", "`none`, `edited` or `all`", "Which letters wait until a moderator has read them: none (the default), those "
            "whose text was changed, or all. Cannot hold less than the operator's setting (`OUTREACH_MODERATE`)."),
        Key("banned_words", "list of texts", "Words and phrases that moderators are shown in a changed letter that waits; at most 500. "
            "Whole words, whatever their case and accents."),
        Key("letter", "table", "The letter; see below.", True),
        Key("call", "table", "What to say on the telephone; see below."),
        Key("target", "array of tables", "Who is written to, one `[[target]]` each; at most 2,000.", True),
    ),
    LETTER: (
        Key("subject", "template", "The subject line; at most 250 characters.", True),
        Key("body", "template", "The letter; paragraphs are separated by an empty line; at most 20,000 characters.", True),
        Key("editable", "true or false", "Whether supporters may put it in their own words. Default false."),
    ),
    LANGUAGE: (
        Key("letter", "table", "`subject` and `body` in that language.", True),
    ),
    CALL: (
        Key("script", "template", "What a supporter may say on the telephone, with the letter's variables; at most 10,000 characters.",
            True),
    ),
    FIELDS: (
        Key("street", "`required`, `optional`, `off`", "Default `off`."),
        Key("city", "`required`, `optional`, `off`", "Default `optional`."),
        Key("postal_code", "`required`, `optional`, `off`", "Default `optional`."),
        Key("phone", "`required`, `optional`, `off`", "Default `off`."),
    ),
    TARGET: (
        Key("name", "text", "The person or office; at most 200 characters.", True),
        Key("id", "text", "Stays the same across imports, so that an import changes this target and makes no new one. Lower-case letters, "
            "digits, hyphens. Made of the name where it is missing: then a new name is a new target."),
        Key("kind", "text", "`office` (default), `representative` or `company`; `private` only where the operator allows it."),
        Key("salutation", "text", "What follows \"Dear\"; the name where it is missing."),
        Key("role", "text", "The office held."),
        Key("organization", "text", "The ministry, company or body."),
        Key("source_url", "URL", "Where the addresses are published (http or https)."),
        Key("language", "language tag", "The language of letters to this target; the campaign's first where it is missing."),
        Key("timezone", "time zone", "For the office hours, for example `America/Toronto`. Default `UTC`."),
        Key("hours", "office hours", "`Mon-Fri 08:00-18:00, Sat 09:00-12:00` or `always`. Letters go out only then. Where it is missing, "
            "e-mail goes at any hour and fax in waking hours."),
        Key("postal_address", "text", "Printed on the letter; may have several lines."),
        Key("email", "list of e-mail addresses", "In order of preference; at most 10."),
        Key("fax", "list of fax numbers", "In order of preference; with + or in `country`; at most 10."),
        Key("phone", "list of telephone numbers", "Shown to supporters, who call themselves; at most 10."),
        Key("limits", "table", "How fast letters may come, from all campaigns together; see below."),
        Key("share", "table", "The most that this campaign itself takes of it, where others write to the same address; see below."),
    ),
    LIMITS: (
        Key("email", "limit", "`20/hour, 200/day`: all rules hold at once, for each address."),
        Key("fax", "limit", "Likewise for each fax number. The operator's ceiling holds as well."),
    ),
    SHARE: (
        Key("email", "limit", "`5/hour`: no more of this campaign's own letters, whatever the address could take."),
        Key("fax", "limit", "Likewise for each fax number."),
    ),
}

NOT_YET = frozenset({"petition", "update", "coverage", "share"})
"""Parts of a campaign that the format will have and this version does not."""


def names(where: str) -> tuple[str, ...]:
    """The names of the keys of one table."""
    return tuple(k.name for k in KEYS[where])


def required(where: str, name: str) -> bool:
    """Whether a table must have this key. Raises KeyError for a key that is not in the list above."""
    return {k.name: k.required for k in KEYS[where]}[name]
