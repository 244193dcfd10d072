"""One fax call in a process of its own: `python -m outreach.sandbox.call media out.tiff --from … --to … [--fault noise]`.

Prints one JSON object: `real_call`, `notice`, and the fields of `t30.CallResult`; or `{"bad_media": why}`. Where libspandsp is
missing, the pages are decoded and written as they are, with a notice that says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from outreach.sandbox import raster, t30
from outreach.sandbox.line import Fault

NO_LIBRARY = ("No telephone call was made: libspandsp (Debian: libspandsp2) is not installed. The pages were decoded and kept "
              "as the far end would have got them.")


def prepare(media: Path, tiff: Path) -> Path:
    """The TIFF to send: the media itself when it is one, else its pages. Raises BadMedia."""
    with media.open("rb") as f:
        head = f.read(1024)
    if raster.is_tiff(head):
        return media
    if not raster.is_pdf(head):
        raise raster.BadMedia("the media is neither a PDF nor a TIFF")
    raster.write_tiff(raster.pages_of_pdf(media.read_bytes()), tiff)
    return tiff


def without_library(tiff: Path, received: Path, called: str) -> dict[str, Any]:
    """What the result looks like when nothing but the picture can be checked. Raises BadMedia."""
    pages = raster.pages_of_tiff(tiff)
    raster.write_tiff([p.convert("1") for p in pages], received)
    return {"real_call": False, "notice": NO_LIBRARY, "code": 0, "message": "decoded without a call", "answer_code": 0,
            "pages": len(pages), "pages_in_file": len(pages), "ecm": False, "bit_rate": 0, "retries": 0, "line_seconds": 0.0,
            "caller_ident": "", "remote_ident": called}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m outreach.sandbox.call", description=__doc__.partition("\n")[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("received", type=Path)
    parser.add_argument("--from", dest="caller", default="")
    parser.add_argument("--to", dest="called", default="")
    parser.add_argument("--fault", type=Fault, default=Fault.NONE)
    given = parser.parse_args(arguments)
    prepared = given.received.with_name(f"{given.received.name}.prepared")
    try:
        tiff = prepare(given.media, prepared)
        if t30.library() is None:
            result = without_library(tiff, given.received, given.called)
        else:
            called = t30.call(tiff, given.received, caller=given.caller, called=given.called, fault=given.fault)
            result = {"real_call": True, "notice": "", **asdict(called)}
    except raster.BadMedia as e:
        result = {"bad_media": str(e)}
    finally:
        prepared.unlink(missing_ok=True)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
