"""Text that others typed, made safe to stand in a header, a letter or a page: NFC, no control characters, no hidden ones.

Both functions are idempotent, keep what a language needs (zero-width joiners of Persian and Hindi, LRM/RLM, no-break spaces)
and drop what only serves to deceive: bidi overrides and isolates (Unicode TR 36, 2.4; CVE-2021-42574), tag characters,
interlinear annotations, lone surrogates, noncharacters. A line (a name, a subject, a place) also loses whatever is not seen in it:
zero-width spaces, soft hyphens, fillers, and joiners and direction marks where no script of the line has a use for them.
"""

from __future__ import annotations

import re
import unicodedata

_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"     # control characters that are neither tabs nor line ends
    "\u202a-\u202e\u2066-\u2069"                    # bidi embeddings, overrides, isolates
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"      # BOM, annotations, tags
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]+")
_UNSEEN = re.compile("[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u206f\u3164\uffa0"
                     "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]+")
_JOINING = "\u0600-\u109f\u1780-\u18af\u1a00-\u1cff\ua800-\uabff\U00010a00-\U00011fff\U0001e900-\U0001e95f"
"""Blocks of the scripts whose letters change with a joiner beside them: Arabic and kin, those of India and the south-east."""
_LOOSE_JOINER = re.compile(
    f"(?<![{_JOINING}])\u200c|(?<![{_JOINING}\ufe0f\u2190-\u2bff\U0001f000-\U0001faff])\u200d")  # ZWJ also joins pictures
_MARKS = re.compile("[\u061c\u200e\u200f]+")
_RIGHT_TO_LEFT_LETTER = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefe"
                                   "\U00010800-\U00010fff\U0001e800-\U0001efff]")
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile(r"[ \t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_GAP = re.compile(r"\n{3,}")


def clean_line(text: str) -> str:
    """One line: line ends, tabs and runs of spaces become one space; nothing at either end, and nothing that is not seen."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = _UNSEEN.sub("", _UNWANTED.sub("", text))
    if not _RIGHT_TO_LEFT_LETTER.search(text):
        text = _MARKS.sub("", text)
    text = unicodedata.normalize("NFC", _LOOSE_JOINER.sub("", text))
    return _BLANKS.sub(" ", text).strip()


def clean_text(text: str) -> str:
    """Several lines: LF line ends, no trailing blanks, at most one empty line in a row; spaces inside a line stay."""
    text = text.replace("\r\n", "\n")
    if not text.replace("\n", "").isprintable():  # printable text needs none of the slow steps
        text = _LINE_END.sub("\n", _UNWANTED.sub("", text)).replace("\t", " ")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = "\n".join([line.rstrip() for line in text.split("\n")]).strip()
    return _GAP.sub("\n\n", text) if "\n\n\n" in text else text


def direction_of(language: str) -> str:
    """"rtl" or "ltr": which way this language's script runs; `language` may carry a region ("fa-IR")."""
    return "rtl" if language.replace("_", "-").split("-", 1)[0].lower() in _RIGHT_TO_LEFT else "ltr"


_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi", "ps", "sd", "ug", "ckb", "dv"})
