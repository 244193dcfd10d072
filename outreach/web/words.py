"""The sentences that pages put together from facts: plain, true, and translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from babel.lists import format_list

from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.domain.letters import Channel
from outreach.locale import babel_locale, translations
from outreach.services.forms import NOT_HERE, REQUIRED, TOO_LONG


def _kinds(kind: str, n: int, language: str) -> str:
    t = translations(language)
    return {
        "office": t.ngettext("%(n)s office", "%(n)s offices", n),
        "representative": t.ngettext("%(n)s representative", "%(n)s representatives", n),
        "company": t.ngettext("%(n)s company", "%(n)s companies", n),
    }.get(kind, t.ngettext("%(n)s recipient", "%(n)s recipients", n)) % {"n": n}


def whom(targets: Sequence[TargetSpec], n: int, language: str) -> str:
    """"1 office", "2 recipients": `n` of these targets, by what they are."""
    kinds = {t.kind for t in targets}
    return _kinds(kinds.pop() if len(kinds) == 1 else "", n, language)


def button(channel: str, targets: Sequence[TargetSpec], n: int, language: str) -> str:
    """What the button will do: "Send my fax to 1 office"."""
    _ = translations(language).gettext
    text = _("Send my fax to %(whom)s") if channel == Channel.FAX else _("Send my e-mail to %(whom)s")
    return text % {"whom": whom(targets, n, language)}


def button_labels(targets: Sequence[TargetSpec], language: str) -> dict[str, list[str]]:
    """The button's texts for each channel and each number of recipients, for the browser to choose from."""
    return {c: [button(c, targets, n, language) for n in range(len(targets) + 1)] for c in ("fax", "email")}


def button_first(targets: Sequence[TargetSpec], n: int, language: str) -> dict[str, str]:
    """The button's texts before any script runs: with several targets they must stay true whatever is ticked."""
    if len(targets) == 1:
        return {c: button(c, targets, 1, language) for c in ("fax", "email")}
    _ = translations(language).gettext
    return {"fax": _("Send my fax to those ticked above"), "email": _("Send my e-mail to those ticked above")}


def channel_choice(channel: str, language: str) -> dict[str, str]:
    """A channel's radio button."""
    _ = translations(language).gettext
    if channel == Channel.FAX:
        return {"value": channel, "label": _("By fax"),
                "hint": _("A page comes out of the office’s machine. You see its picture here afterwards.")}
    return {"value": channel, "label": _("By e-mail"), "hint": _("Your letter lands in the office’s inbox.")}


def only_by(channels: Sequence[str], language: str) -> str:
    """How a target that lacks a channel can be reached."""
    _ = translations(language).gettext
    if not channels:
        return _("Cannot be reached from here at the moment.")
    return _("Only by fax.") if channels[0] == Channel.FAX else _("Only by e-mail.")


def written_in(language: str, ui: str) -> str:
    """That a target's letters are in another language than the page."""
    _ = translations(ui).gettext
    name = babel_locale(language).get_language_name(babel_locale(ui)) or language
    return _("Letters to this office are written in: %(language)s.") % {"language": name}


def out_of_reach(targets: Sequence[TargetSpec], channel: str, language: str) -> str:
    """Which of the chosen targets have no address on the chosen channel, and what to do about it."""
    t = translations(language)
    names = format_list([x.name for x in targets], locale=babel_locale(language))
    if channel == Channel.FAX:
        text = t.ngettext("%(names)s cannot be reached by fax. Choose e-mail, or take the tick from that office.",
                          "%(names)s cannot be reached by fax. Choose e-mail, or take the ticks from those offices.", len(targets))
    else:
        text = t.ngettext("%(names)s cannot be reached by e-mail. Choose fax, or take the tick from that office.",
                          "%(names)s cannot be reached by e-mail. Choose fax, or take the ticks from those offices.", len(targets))
    return text % {"names": names}


def error_list(errors: Mapping[str, str], language: str) -> dict[str, str]:
    """What is to be mended, as listed above the form: where a message would fit any field, with the field's name."""
    _ = translations(language).gettext
    labels = {"name": _("Your full name"), "email": _("Your e-mail address"), "street": _("Street and number"),
              "postal_code": _("Postal code"), "city": _("Town or city"), "phone": _("Telephone"),
              "affiliation": _("Organisation you write for"), "subject": _("Subject"), "body": _("Letter")}
    bare = {_(REQUIRED), _(TOO_LONG), _(NOT_HERE)}
    return {k: _("%(field)s: %(message)s") % {"field": labels[k], "message": v} if v in bare and k in labels else v
            for k, v in errors.items()}


def email_hint(*, confirm: bool, language: str) -> str:
    """Why the form asks for an e-mail address."""
    _ = translations(language).gettext
    if confirm:
        return _("We send a code there, so that nobody can write in your name. Answers to your letter go there too.")
    return _("It is used to send no letter twice. It is not checked, and the letter says so.")


def what_next(*, confirm: bool, language: str, unapproved: Sequence[str] = ()) -> str:
    """What the button leads to, told below it; `unapproved` targets have an address that the operator has still to approve."""
    _ = translations(language).gettext
    text = (_("Next, we send a six-digit code to your e-mail address. Your letter goes out once you have typed it in.") if confirm
            else _("Next, you see where your letter is and when it is likely to go out."))
    if not unapproved:
        return text
    names = format_list(list(unapproved), locale=babel_locale(language))
    return f"{text} " + _("Whoever runs this service has still to approve the address of %(names)s; letters there wait until then."
                          ) % {"names": names}


def consent_text(spec: CampaignSpec, language: str) -> str:
    """The wording of the first consent: where the letter goes and what that means."""
    _ = translations(language).gettext
    names = format_list([t.name for t in spec.targets[:6]], locale=babel_locale(language))
    if len(spec.targets) > 6:
        names = _("%(names)s and %(n)s more") % {"names": names, "n": len(spec.targets) - 6}
    if spec.copied_to:
        text = _("It goes with your name and what you filled in to those you chose (%(names)s), with a copy to the campaign (%(inbox)s). "
                 "They may keep or publish it, and it shows your opinion.")
    else:
        text = _("It goes with your name and what you filled in to those you chose (%(names)s). "
                 "They may keep or publish it, and it shows your opinion.")
    text += " " + _("If it would come too late by itself, it may go together with other letters, under your name.")
    return text % {"names": names, "inbox": spec.copied_to}


def ended(outcome: str, language: str) -> dict[str, str]:
    """What a campaign that was stopped came to, and thanks; `outcome` is won, changed, lost or other."""
    _ = translations(language).gettext
    title = {"won": _("This campaign has reached its aim"), "changed": _("Things have changed, and this campaign has ended"),
             "lost": _("It has been decided, and not as this campaign asked")}.get(outcome, _("This campaign has ended"))
    return {"title": title, "thanks": _("Thank you to everybody who wrote and called. Please do not write or call any more.")}


def closed(mode: str, language: str) -> dict[str, str]:
    """Why nothing can be sent here, and what one can do instead."""
    _ = translations(language).gettext
    instead = _("You can download the letter, write from your own mail, or call.")
    return {
        "open": {"title": "", "text": ""}, "ended": {"title": "", "text": ""},
        "paused": {"title": _("Sending is paused"),
                   "text": _("The campaign has paused for the moment, so nothing can be sent from this page.") + " " + instead},
        "suspended": {"title": _("This campaign is suspended"),
                      "text": _("Whoever runs this service has stopped it while it is looked into. Nothing is sent from this page, and "
                                "letters that wait are kept back.")},
        "down": {"title": _("Sending does not work at the moment"), "text": _("We are working on it.") + " " + instead},
        "late": {"title": _("The deadline has passed"), "text": _("No more letters are sent from this page.") + " " + instead},
        "closed": {"title": _("This campaign has ended"), "text": _("No more letters are sent from this page. Thank you for looking in.")},
    }[mode]

