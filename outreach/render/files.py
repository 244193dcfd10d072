"""Where the templates are: beside the package in a source checkout, inside it once installed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import outreach


@lru_cache(maxsize=1)
def template_dir() -> Path:
    """The folder that holds `email/`, `fax/`, `supporter/`… Raises FileNotFoundError when the installation lacks it."""
    package = Path(outreach.__file__).resolve().parent
    for folder in (package / "_templates", package.parent / "templates"):
        if (folder / "fax" / "letter.typ").is_file():
            return folder
    raise FileNotFoundError(f"no templates beside or inside {package.name}: the installation is incomplete, install it again")
