"""Reads the circular that went round by mail: what it says of addresses, dates and words, and where. Pure; guesses are marked as such."""

from outreach.domain.circular.draft import read_circular, slug_of
from outreach.domain.circular.found import EXCERPT, LONGEST, Circular, Finding, Number, ReadNumber

__all__ = ["EXCERPT", "LONGEST", "Circular", "Finding", "Number", "ReadNumber", "read_circular", "slug_of"]
