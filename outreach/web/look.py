"""One accent colour a campaign, made readable: contrast by WCAG 2.2 (relative luminance, success criterion 1.4.3)."""

from __future__ import annotations

import re
from colorsys import hls_to_rgb, rgb_to_hls
from functools import lru_cache

DEFAULT_ACCENT = "#a32a22"
"""The red of a rubber stamp."""

LEAST = 4.7
"""A little over the 4.5 : 1 of criterion 1.4.3, so that rounding never falls under it."""

DAY_DESK, DAY_PAPER = "#e8e4da", "#fffdf7"
NIGHT_DESK, NIGHT_PAPER, NIGHT_INK = "#171614", "#282622", "#161513"
_HEX = re.compile(r"^#[0-9a-f]{6}$")


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 (black) to 1 (white)."""
    parts = (int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    a, b = sorted((luminance(one), luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def _lit(colour: str, share: float, goal: float) -> str:
    """`colour` with its lightness moved by `share` towards `goal` (0 or 1), its hue and saturation kept."""
    hue, light, saturation = rgb_to_hls(*(int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)))
    return "#" + "".join(f"{round(c * 255):02x}" for c in hls_to_rgb(hue, light * (1 - share) + goal * share, saturation))


def readable(accent: str, grounds: tuple[str, ...], goal: float) -> str:
    """`accent`, made darker (goal 0) or lighter (goal 1) just as far as text on all `grounds` needs."""
    shades = (_lit(accent, step / 100, goal) for step in range(101))
    return next((c for c in shades if all(contrast(c, ground) >= LEAST for ground in grounds)), "#ffffff" if goal else "#000000")


def clean_accent(accent: str) -> str:
    """`accent` in the form #rrggbb, or the default when it is not a colour."""
    accent = accent.lower()
    return accent if _HEX.match(accent) else DEFAULT_ACCENT


def accent_url(accent: str) -> str:
    """The address of a campaign's accent stylesheet."""
    return f"/accent/{clean_accent(accent)[1:]}.css"


@lru_cache(maxsize=256)
def accent_css(accent: str) -> str:
    """The stylesheet that sets a campaign's accent, by day and by night, with the ink that is readable upon it."""
    accent = clean_accent(accent)
    day = readable(accent, (DAY_DESK, DAY_PAPER, "#ffffff"), 0)
    night = readable(accent, (NIGHT_DESK, NIGHT_PAPER, NIGHT_INK), 1)
    return (f":root{{--accent:{day};--on-accent:#fff}}"
            f"@media(prefers-color-scheme:dark){{:root{{--accent:{night};--on-accent:{NIGHT_INK}}}}}")
