"""Why a fax did not get through, told by free text or by T.30 codes: to a reason, and whether another call is worth it."""

from __future__ import annotations

import re

from outreach.domain.letters import Reason

_WORDS: tuple[tuple[re.Pattern[str], Reason, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason, retryable) for pattern, reason, retryable in (
        # A person picked up: calling again would ring them again.
        (r"\bvoice\b|\bhuman\b|answering machine|\bperson answered", Reason.VOICE, False),
        (r"invalid (?:phone |destination |fax |to )?number|not a valid|unallocated|no such number|disconnected number"
         r"|number (?:is )?(?:not in service|invalid)|does not exist|number changed", Reason.BAD_NUMBER, False),
        (r"\bbusy\b", Reason.BUSY, True),
        (r"no[- ]answer|did not answer|not answered|no response from the callee", Reason.NO_ANSWER, True),
        (r"call dropped|call disconnected|hung up|hangup|disconnected|\bdropped\b", Reason.CALL_DROPPED, True),
    ))


def reason_of_text(text: str) -> tuple[Reason, bool]:
    """What a provider's own words mean; FAX_ERROR, worth another call, when they say nothing that is known."""
    for pattern, reason, retryable in _WORDS:
        if pattern.search(text):
            return reason, retryable
    return Reason.FAX_ERROR, True
