"""A browser's name, so that its owner knows it again in a list of sessions: "Firefox on Linux". Nothing else of it is kept."""

from __future__ import annotations

_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
             ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("CrOS", "ChromeOS"), ("Windows", "Windows"),
            ("Macintosh", "Mac"), ("Linux", "Linux"))
"""The first that the header names counts: many browsers name others before themselves."""


def browser_name(user_agent: str) -> str:
    """The browser and its system, as far as the header tells."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
