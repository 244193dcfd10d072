"""The fax machine at the far end: makes the call in a child process, bounded in time, and puts its end into the provider's words.

Without libspandsp the faults of the line cannot be real; their outcomes are then stated (`real_call` is false).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outreach.sandbox.line import Fault

TIME_LIMIT_S = 90.0
SLOW_S = 3.0
BAD_MEDIA_CODE = 12300
"""Twilio's "invalid Content-Type": what it says of media that it cannot use."""
CRASHED_CODE = 34000
"""Ours: the call's process ended without a result. (T.30 codes are below 100.)"""

_STATED = {Fault.NO_ANSWER: (2, "Timed out waiting for initial communication"),
           Fault.VOICE: (2, "Timed out waiting for initial communication"),
           Fault.DROP: (21, "No response after sending a page")}
_HEARD = {Fault.VOICE: "a voice answered; ", Fault.DROP: "the line dropped; "}
"""What a telephone exchange knows beside the T.30 code."""


@dataclass(frozen=True, slots=True)
class Call:
    """How a call ended. `status` is the provider's word: delivered, busy, no-answer or failed."""

    status: str
    real_call: bool = False
    notice: str = ""
    code: int | None = None
    """spandsp's T.30 completion code; None when no machine spoke (busy) or the process gave none."""
    error_code: int | None = None
    message: str = ""
    answer_code: int | None = None
    pages: int = 0
    ecm: bool = False
    bit_rate: int = 0
    retries: int = 0
    line_seconds: float = 0.0
    caller_ident: str = ""
    remote_ident: str = ""


async def dial(media: Path, received: Path, *, caller: str, called: str, fault: Fault = Fault.NONE,
               time_limit: float = TIME_LIMIT_S) -> Call:
    """Send `media` (PDF or TIFF) and write what arrives to `received`. Never raises for what goes wrong in the call.

    `time_limit` is in seconds of the clock. Cancelling it ends the child.
    """
    if fault is Fault.BUSY:
        return Call("busy", message="the line is busy")
    if fault is Fault.SLOW:
        await asyncio.sleep(SLOW_S)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outreach.sandbox.call", str(media), str(received), "--from", caller, "--to", called,
        "--fault", fault.value, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env=_environment())
    try:
        out, _ = await asyncio.wait_for(child.communicate(), time_limit)
    except TimeoutError:
        return Call("failed", error_code=CRASHED_CODE, message=f"the call gave no result within {time_limit:g} s")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if exit_code := await child.wait():
        how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        return Call("failed", error_code=CRASHED_CODE, message=f"the call's process ended early ({how})")
    return outcome(json.loads(out), fault)


def outcome(result: dict[str, Any], fault: Fault) -> Call:
    """What the child printed, in the provider's words."""
    if why := result.get("bad_media"):
        return Call("failed", error_code=BAD_MEDIA_CODE, message=why)
    fields = ("real_call", "notice", "code", "message", "answer_code", "pages", "ecm", "bit_rate", "retries", "line_seconds",
              "caller_ident", "remote_ident")
    call = Call("delivered", **{f: result[f] for f in fields})
    if not call.real_call and fault in _STATED:
        code, message = _STATED[fault]
        call = replace(call, code=code, message=message, pages=0, remote_ident="")
    if call.code == 0:
        return call
    status = "no-answer" if fault is Fault.NO_ANSWER else "failed"
    return replace(call, status=status, error_code=call.code, message=_HEARD.get(fault, "") + call.message)


def _environment() -> dict[str, str]:
    """The child finds this package wherever it lies, and gets no secrets."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "SYSTEMROOT")}
    return {**kept, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PYTHONIOENCODING": "utf-8"}
