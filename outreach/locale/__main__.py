"""`python -m outreach.locale`: bring every catalogue up to date with the messages that code and templates hold."""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from outreach.locale import HERE

ROOT = HERE.parent.parent
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.jinja", "jinja2")]
OPTIONS = {"**.html": {"newstyle_gettext": "true", "silent": "false"}, "**.jinja": {"silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "N_": None, "translate": None, "ngettext": (1, 2)}


def messages() -> Catalog:
    """Every message of the package and its templates, untranslated. Works in a checkout."""
    found = Catalog(project="Outreach", charset="utf-8")
    for folder in ("outreach", "templates"):
        for name, _line, message, _comments, context in extract_from_dir(ROOT / folder, METHODS, OPTIONS, KEYWORDS):
            found.add(message, locations=[(f"{folder}/{name}", 0)], context=context)
    return found


def refresh(path: Path) -> Catalog:
    """Add what is new to a catalogue, drop what is gone, keep translations. Returns it as written."""
    with path.open("rb") as old:
        catalog = read_po(old, locale=path.parts[-3])
    catalog.update(messages(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.fuzzy = False
    catalog.header_comment = f"# Outreach's interface: {path.parts[-3]}. Refresh with `python -m outreach.locale`."
    with path.open("wb") as new:
        write_po(new, catalog, width=130, include_lineno=False, sort_output=True, omit_header=False)
    return catalog


if __name__ == "__main__":
    for po in sorted(HERE.glob("*/LC_MESSAGES/messages.po")):
        missing = [m.id for m in refresh(po) if m.id and not m.string]
        print(f"{po.parts[-3]}: {len(missing)} messages without a translation")
        for one in missing:
            print(f"  {one}")
