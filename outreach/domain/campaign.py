"""What a campaign is: the content of a campaign file, already validated. See `docs/campaign-file.md`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

PERSONAL_FIELDS = ("street", "city", "postal_code", "phone")
FIELD_DEFAULTS = {"street": "off", "city": "optional", "postal_code": "optional", "phone": "off"}


@dataclass(frozen=True, slots=True)
class LetterText:
    """The letter's templates in one language (Jinja, sandboxed; variables in `render/text.py`)."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A person or office that decides, as its campaign file says. `limits` by channel, as limit strings."""

    id: str
    name: str
    salutation: str = ""
    """How the letter addresses it after "Dear"; the name when empty."""
    role: str = ""
    organization: str = ""
    kind: str = "office"
    source_url: str = ""
    language: str = ""
    """The letter's language; the campaign's first when empty."""
    timezone: str = "UTC"
    hours: str = ""
    postal_address: str = ""
    email: tuple[str, ...] = ()
    fax: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)
    share: dict[str, str] = field(default_factory=dict)
    """The campaign's own part of it, likewise."""


@dataclass(frozen=True, slots=True)
class CampaignSpec:
    """A whole campaign file. E-mail addresses normalised, telephone numbers +E.164, deadline aware."""

    slug: str
    title: str
    summary: str
    story: str
    """Markdown."""
    letter: LetterText
    editable: bool
    targets: tuple[TargetSpec, ...]
    deadline: datetime | None = None
    inbox: str = ""
    languages: tuple[str, ...] = ("en",)
    country: str = ""
    reference: str = ""
    goal: int = 0
    endorsers: tuple[str, ...] = ()
    confirm: str = ""
    contact: str = ""
    fields: dict[str, str] = field(default_factory=lambda: dict(FIELD_DEFAULTS))
    accent: str = ""
    """#rrggbb, checked for contrast by whoever uses it."""
    attach_pdf: bool = False
    on_unknown: str = "hold"
    fall_back: bool = False
    """Whether a letter may go by the other channel once its target's addresses of the first have all failed."""
    translations: dict[str, LetterText] = field(default_factory=dict)
    """Letter texts of further languages: `[fr.letter]`."""
    copies: str = "each"
    """How the inbox gets its copies: each (up to a number an hour, then digests), digest, or counts (figures without names)."""
    copies_per_hour: int = 0
    """The most mails an hour that the inbox gets; 0 leaves it to the operator."""
    moderation: str = "none"
    """Which letters wait for a moderator: a `domain.moderation.Policy`."""
    banned_words: tuple[str, ...] = ()
    """What moderators are shown in a changed letter."""
    call_script: str = ""
    """What to say on the telephone (a template like the letter's); empty when the campaign asks nobody to call."""

    @property
    def zone(self) -> str:
        """The campaign's own time zone is its first target's: there its deadline is told."""
        return self.targets[0].timezone if self.targets else "UTC"

    @property
    def copied_to(self) -> str:
        """The inbox that sees who wrote; empty when there is none or it gets only figures."""
        return "" if self.copies == "counts" else self.inbox

    def text_in(self, language: str) -> LetterText:
        """The letter's text in `language`, or in the campaign's first language where there is no translation."""
        return self.translations.get(language) or self.letter

    def target(self, target_id: str) -> TargetSpec:
        """The target with this id. Raises KeyError."""
        for t in self.targets:
            if t.id == target_id:
                return t
        raise KeyError(target_id)
