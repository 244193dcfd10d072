"""A fax call between two machines in memory: libspandsp 0.0.6 at both ends, joined by 20 ms blocks of 8 kHz audio.

Everything from the answer tone to the goodbye is the real T.30 protocol (V.21 control, V.17 page data, error correction);
only the telephone line is missing. Runs as fast as the processor goes. Call it in a process of its own
(`outreach.sandbox.call`): a fault in the C library ends that process and nothing else.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from outreach.sandbox import line

BLOCK = line.BLOCK
LONGEST_CALL_S = 2 * 3600
"""Line time after which a call that does not end by itself is hung up."""

_MODEMS = 0b111                 # V.27ter, V.29, V.17
_COMPRESSIONS = 0b111           # T.4 1-D, T.4 2-D, T.6
_RESOLUTIONS = 0x2_0003         # standard and fine, R8 horizontally
_SIZES = 0xF_0001               # 215 mm wide; A4, B4, US letter, US legal, unlimited length
_FCD = 0x06                     # facsimile coded data: one frame of a page in error correction mode (T.30, 5.3.6)
_PPR = 0xBC                     # partial page request: send these frames again (T.30, 5.3.6); its last bit is the sender's
_FCF_OFFSET = 2                 # a frame is address, control, facsimile control field, …

NAMES = ("libspandsp.so.2", "libspandsp.2.dylib", "libspandsp-2.dll")

_PhaseE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_Frame = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_uint8), ctypes.c_int)


class _Stats(ctypes.Structure):
    """`t30_stats_t` of 0.0.6, padded: a build with more fields must not write past it."""

    _fields_ = [(name, ctypes.c_int) for name in (
        "bit_rate", "error_correcting_mode", "pages_tx", "pages_rx", "pages_in_file", "x_resolution", "y_resolution", "width",
        "length", "image_size", "encoding", "bad_rows", "longest_bad_row_run", "error_correcting_mode_retries",
        "current_status", "rtp_events", "rtn_events")] + [("padding", ctypes.c_int * 64)]


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call went. Codes are spandsp's T.30 completion codes; 0 is "delivered, all pages confirmed"."""

    code: int
    message: str
    answer_code: int
    """The called machine's own code; -1 if no machine took part."""
    pages: int
    """Pages the called machine confirmed."""
    pages_in_file: int
    ecm: bool
    bit_rate: int
    """Bits per second of the page data when the call ended."""
    retries: int
    """Times the called machine asked for parts of a page again (PPR)."""
    line_seconds: float
    """How long the call would have taken on a telephone line."""
    caller_ident: str
    """What the called machine was told (TSI)."""
    remote_ident: str
    """What the caller was told (CSI)."""


def _find() -> str | None:
    found = ctypes.util.find_library("spandsp") or ""
    names: list[str] = [*NAMES, *([found] if found and ".3" not in found else [])]
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "fax_init": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "fax_free": (ctypes.c_int, (ctypes.c_void_p,)),
    "fax_rx": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)),
    "fax_tx": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)),
    "fax_set_transmit_on_idle": (None, (ctypes.c_void_p, ctypes.c_int)),
    "fax_get_t30_state": (ctypes.c_void_p, (ctypes.c_void_p,)),
    "t30_set_tx_ident": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p)),
    "t30_get_rx_ident": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "t30_set_tx_file": (None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
    "t30_set_rx_file": (None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)),
    "t30_set_ecm_capability": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
    "t30_set_supported_modems": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
    "t30_set_supported_compressions": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
    "t30_set_supported_resolutions": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
    "t30_set_supported_image_sizes": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
    "t30_set_phase_e_handler": (None, (ctypes.c_void_p, _PhaseE, ctypes.c_void_p)),
    "t30_set_real_time_frame_handler": (None, (ctypes.c_void_p, _Frame, ctypes.c_void_p)),
    "t30_get_transfer_statistics": (None, (ctypes.c_void_p, ctypes.POINTER(_Stats))),
    "t30_completion_code_to_str": (ctypes.c_char_p, (ctypes.c_int,)),
}


@cache
def library() -> ctypes.CDLL | None:
    """libspandsp with every signature set, or None where it is not installed (or is the incompatible version 3)."""
    if (name := _find()) is None:
        return None
    lib = ctypes.CDLL(name)
    for function, (result, arguments) in _SIGNATURES.items():
        if (f := getattr(lib, function, None)) is None:
            return None
        f.restype, f.argtypes = result, arguments
    return lib


def ident(number: str) -> bytes:
    """A station identity: at most 20 of digits, plus and space (T.30, 5.3.6.2.4)."""
    return "".join(c for c in number if c in "+ 0123456789")[:20].encode()


class _End:
    """One fax machine. Keeps its C callbacks referenced as long as it lives."""

    def __init__(self, lib: ctypes.CDLL, *, calling: bool, own_ident: str, on_frame: Callable[[int], None] | None = None) -> None:
        self.lib = lib
        self.code: int | None = None
        self.audio = line.Block()
        self.fax = lib.fax_init(None, int(calling))
        if not self.fax:
            raise MemoryError("fax_init gave nothing")
        lib.fax_set_transmit_on_idle(self.fax, 1)
        self.t30 = lib.fax_get_t30_state(self.fax)
        lib.t30_set_tx_ident(self.t30, ident(own_ident))
        lib.t30_set_ecm_capability(self.t30, 1)
        lib.t30_set_supported_modems(self.t30, _MODEMS)
        lib.t30_set_supported_compressions(self.t30, _COMPRESSIONS)
        lib.t30_set_supported_resolutions(self.t30, _RESOLUTIONS)
        lib.t30_set_supported_image_sizes(self.t30, _SIZES)
        self._ended = _PhaseE(self._phase_e)
        lib.t30_set_phase_e_handler(self.t30, self._ended, None)
        if on_frame:
            self._framed = _Frame(
                lambda _t30, _user, _way, frame, size: on_frame(frame[_FCF_OFFSET]) if size > _FCF_OFFSET else None)
            lib.t30_set_real_time_frame_handler(self.t30, self._framed, None)

    def _phase_e(self, _t30: int, _user: int, code: int) -> None:
        self.code = code

    def speak(self) -> ctypes.Array[ctypes.c_int16]:
        made = max(0, self.lib.fax_tx(self.fax, self.audio, BLOCK))
        if made < BLOCK:
            ctypes.memset(ctypes.byref(self.audio, 2 * made), 0, 2 * (BLOCK - made))
        return self.audio

    def hear(self, audio: ctypes.Array[ctypes.c_int16]) -> None:
        self.lib.fax_rx(self.fax, audio, BLOCK)

    def stats(self) -> _Stats:
        stats = _Stats()
        self.lib.t30_get_transfer_statistics(self.t30, ctypes.byref(stats))
        return stats

    def heard_ident(self) -> str:
        return (self.lib.t30_get_rx_ident(self.t30) or b"").decode("ascii", "replace").strip()

    def close(self) -> None:
        self.lib.fax_free(self.fax)


def call(tiff: Path, received: Path, *, caller: str, called: str, fault: line.Fault = line.Fault.NONE) -> CallResult:
    """Send `tiff` (1728 wide, dpi tags 204×196 or 204×98) from `caller` to `called`; the far end writes `received`.

    `fault` is what happens to the line. Raises RuntimeError where the library is missing.
    """
    if (lib := library()) is None:
        raise RuntimeError("libspandsp 2 is not installed")
    wire = line.Line(fault, random.Random(20))  # noqa: S311 - noise that is the same each time
    near = _End(lib, calling=True, own_ident=caller)
    frames: Counter[int] = Counter()

    def heard(fcf: int) -> None:
        frames[fcf] += 1
        wire.page_frames = frames[_FCD]

    far = _End(lib, calling=False, own_ident=called, on_frame=heard)
    try:
        lib.t30_set_tx_file(near.t30, str(tiff).encode(), -1, -1)
        lib.t30_set_rx_file(far.t30, str(received).encode(), -1)
        while near.code is None or (far.code is None and wire.answered):
            from_near, from_far = near.speak(), far.speak()
            wire.tick(from_near, from_far)
            near.hear(wire.to_near)
            if wire.answered:
                far.hear(wire.to_far)
            if wire.seconds > LONGEST_CALL_S:
                break
        return _result(lib, near, far, wire.seconds, frames[_PPR] + frames[_PPR | 1])
    finally:
        near.close()
        far.close()


def _result(lib: ctypes.CDLL, near: _End, far: _End, seconds: float, retries: int) -> CallResult:
    sent, got = near.stats(), far.stats()
    code = -1 if near.code is None else near.code
    text = (lib.t30_completion_code_to_str(code) or b"").decode("ascii", "replace") if code >= 0 else "the call did not end"
    return CallResult(
        code=code, message=text, answer_code=-1 if far.code is None else far.code, pages=sent.pages_tx if code == 0 else
        min(sent.pages_tx, got.pages_rx), pages_in_file=sent.pages_in_file, ecm=bool(sent.error_correcting_mode),
        bit_rate=sent.bit_rate, retries=retries,
        line_seconds=round(seconds, 2), caller_ident=far.heard_ident(), remote_ident=near.heard_ident())
