"""`python -m outreach.sandbox`: serve on loopback until stopped."""

from __future__ import annotations

import sys

from outreach import files
from outreach.errors import OutreachError
from outreach.sandbox.server import run
from outreach.settings import get_settings

if __name__ == "__main__":
    files.close_to_others()
    try:
        run(get_settings())
    except OutreachError as e:
        sys.exit(str(e))
