"""`make bench`: a table of figures, each beside its floor measured in the same run; also left in var/bench.json.

Run it on a quiet machine; trust the ratios, not the absolute figures. Where nothing can be measured beside it, the floor is what
is promised. One that breaks is told of and stops none of the others; then the exit code is 1.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.bench import delivery, desk, fax, lanes, latency, receipts, rivals, scale, stop, ticker, web
from tests.bench.places import POSTGRES, Place, place

OUT = Path("var/bench.json")
MOST = 900
"""Seconds after which one is given up: far longer than any takes on a machine of its own."""
Run = Callable[[Place, Callable[..., None]], None]


def _mails(name: str, aim: float, *, workers: int = 1) -> Run:
    return lambda here, note: delivery.measure(here, note, name, aim=f"aim ≥ {aim}", workers=workers)


BENCHES: tuple[tuple[tuple[str, ...], str, Run], ...] = (
    (("submit_vs_bare_insert", "page_vs_bare_read", "web"), "sqlite", web.measure),
    (("mail_vs_smtplib",), "sqlite", _mails("mail_vs_smtplib", 0.8)),
    (("mail_vs_smtplib_2_workers",), "sqlite", _mails("mail_vs_smtplib_2_workers", 1.2, workers=2)),
    (("mail_vs_smtplib_postgres",), "postgres", _mails("mail_vs_smtplib_postgres", 0.6)),
    (("mail_vs_smtplib_2_workers_postgres",), "postgres", _mails("mail_vs_smtplib_2_workers_postgres", 1.0, workers=2)),
    (("mail_vs_job_per_letter",), "sqlite", rivals.measure_jobs),
    (("mail_vs_django_post_office",), "sqlite", rivals.measure_django),
    (("receipts_vs_bulk_insert",), "sqlite", receipts.measure),
    (("doctor_1m", "claim_1m_vs_1k", "claim_put_off_1m_vs_1k", "stats_1m_vs_1k"), "sqlite", scale.measure),
    (("doctor_1m_postgres", "claim_1m_vs_1k_postgres", "claim_put_off_1m_vs_1k_postgres", "stats_1m_vs_1k_postgres"), "postgres",
     lambda here, note: scale.measure(here, note, "_postgres", POSTGRES)),
    (("ticker_share",), "sqlite", ticker.measure),
    (("desk_1m_vs_1k_postgres",), "postgres", lambda here, note: desk.measure(here, note, POSTGRES)),
    (("export_memory_1m_postgres",), "postgres", desk.measure_export),
    (tuple(f"{page}_limits_1m_vs_1k_postgres" for page in lanes.PAGES), "postgres",
     lambda here, note: lanes.measure(here, note, POSTGRES)),
    (("desk_343_targets_1m_vs_1k_postgres",), "postgres",
     lambda here, note: lanes.measure(here, note, POSTGRES, "343_targets", 343, ("desk",))),
    (("stop_seconds", "stop_command_seconds"), "postgres", stop.measure),
    (("worker_memory_100k",), "sqlite", scale.measure_memory),
    (("fax_pages_per_second",), "sqlite", lambda _here, note: fax.measure(note)),
    (("click_to_accept", "worker_peak_memory"), "sqlite", latency.measure),
)
"""Names, where it runs, and how. What is written to var/bench.json is what `note` is given."""


def main(chosen: list[str]) -> int:
    """Run all benchmarks, or those named; a word that is no name stands for all whose names contain it. Returns the exit code."""
    results: dict[str, dict[str, float | None]] = json.loads(OUT.read_text()) if chosen and OUT.exists() else {}
    broken: list[str] = []
    OUT.parent.mkdir(exist_ok=True)

    def note(name: str, value: float, floor: float | None, unit: str, aim: str = "") -> None:
        ratio = value / floor if floor else None
        results[name] = {"value": round(value, 4), "floor": round(floor, 4) if floor else None, "ratio": round(ratio, 3) if ratio else None}
        print(f"{name:38} {_said(value):>12} {unit:10} floor {_said(floor or 0):>12}   ratio {ratio or 0:6.2f}   {aim}", flush=True)
        OUT.write_text(json.dumps(results, indent=2) + "\n")

    signal.signal(signal.SIGALRM, _give_up)
    known = {name for names, _, _ in BENCHES for name in names}
    for names, where, run in BENCHES:
        if not chosen or any(word == name or (word not in known and word in name) for word in chosen for name in names):
            began = time.monotonic()
            signal.alarm(MOST)
            try:
                with place(where, POSTGRES if where == "postgres" else "") as here:
                    run(here, note)
            except Exception:
                traceback.print_exc()
                broken += names
            finally:
                signal.alarm(0)
            print(f"{'':38} {time.monotonic() - began:12,.0f} s for {', '.join(names)}", file=sys.stderr, flush=True)
    if broken:
        print(f"Not measured, or not to the end: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"not done within {MOST} s")


def _said(figure: float) -> str:
    return f"{figure:,.1f}" if figure >= 100 or not figure else f"{figure:,.3f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
