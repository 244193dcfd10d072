"""The telephone line between two fax machines: what each end hears of the other, and what can go wrong on the way."""

from __future__ import annotations

import ctypes
import math
import random
from enum import StrEnum

RATE = 8000
BLOCK = 160
"""Samples a block: 20 ms of 16-bit audio at 8 kHz."""
Block = ctypes.c_int16 * BLOCK
_SIZE = 2 * BLOCK

DROP_AFTER = 1
"""Page frames the far end hears before the line drops."""
BURST_EVERY, BURST_LONG, BURSTS = 60, 5, 8
"""Noise, in blocks: one burst of 100 ms each 1.2 s of page data, eight in all, so that error correction can win."""


class Fault(StrEnum):
    """What happens to a call."""

    NONE = "none"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    VOICE = "voice"
    DROP = "drop"
    NOISE = "noise"
    BUSY_TWICE = "busy_twice"
    SLOW = "slow"


class Line:
    """Joins two ends block by block. `page_frames` is what the caller of `tick` knows: frames of pages heard so far."""

    def __init__(self, fault: Fault, chance: random.Random) -> None:
        self.fault, self._chance = fault, chance
        self.to_near, self.to_far = Block(), Block()
        self.answered = fault not in (Fault.NO_ANSWER, Fault.VOICE)
        self.page_frames = self._blocks = self._page_blocks = 0

    @property
    def seconds(self) -> float:
        """Line time so far."""
        return self._blocks * BLOCK / RATE

    def tick(self, from_near: ctypes.Array[ctypes.c_int16], from_far: ctypes.Array[ctypes.c_int16]) -> None:
        """Carry one block each way."""
        self._blocks += 1
        if self.fault is Fault.VOICE:
            self._talk()
        elif self.fault is Fault.NO_ANSWER or (self.fault is Fault.DROP and self.page_frames >= DROP_AFTER):
            ctypes.memset(self.to_near, 0, _SIZE)
            ctypes.memset(self.to_far, 0, _SIZE)
        else:
            ctypes.memmove(self.to_near, from_far, _SIZE)
            ctypes.memmove(self.to_far, from_near, _SIZE)
            if self.fault is Fault.NOISE and self.page_frames:
                self._crackle()

    def _crackle(self) -> None:
        """Strong noise over the page data, in bursts that begin once pages are under way."""
        burst, phase = divmod(self._page_blocks, BURST_EVERY)
        self._page_blocks += 1
        if burst < BURSTS and phase < BURST_LONG:
            for i in range(BLOCK):
                self.to_far[i] = max(-32768, min(32767, self.to_far[i] + int(self._chance.gauss(0, 6000))))

    def _talk(self) -> None:
        """Somebody says hello: harmonics of a voice that rise and fall four times a second, with a pause now and then."""
        start = self._blocks * BLOCK
        for i in range(BLOCK):
            t = (start + i) / RATE
            loud = max(0.0, math.sin(2 * math.pi * 4 * t)) * (1.0 if t % 3 < 2 else 0.0)
            pitch = 140 + 25 * math.sin(2 * math.pi * 0.7 * t)
            tone = sum(math.sin(2 * math.pi * pitch * k * t) / k for k in (1, 2, 3, 5))
            self.to_near[i] = int(4000 * loud * tone + self._chance.gauss(0, 60))
