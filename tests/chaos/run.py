"""One run on one database, in a process of its own: `python -m tests.chaos.run FOLDER DATABASE FORM SEED`, started by `__main__`.

Letters are put in bit by bit; between the bits the plan is carried out, one shot a step, once some letters have gone. Then
everything is let come to rest, swept, asked by `outreach doctor`, stopped, and judged. Leaves `report.json` in FOLDER.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos import checker, fax_sink, mail_sink, truth
from tests.chaos.plan import FORMS, Form, plan

SMTP_TIMEOUT, HTTP_TIMEOUT = 3.0, 3.0
WINDOW = 4
STEPS = (30, 90, 600, 1800, 3 * 3600, 8 * 3600, 24 * 3600)
"""Seconds by which the clock goes forward while nothing moves any more: retries, back-offs and polls come due."""
GIVE_UP = 60.0
"""Seconds without any change after the last of these steps."""


def settings_for(folder: Path, port: int) -> dict[str, str]:
    """The service's environment: short time-outs, so that leases are short; no confirmation; no operator's ceiling."""
    return {
        "OUTREACH_DATA_DIR": str(folder / "var"), "OUTREACH_PORT": str(port), "OUTREACH_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OUTREACH_CONFIRM": "none", "OUTREACH_PROOF_OF_WORK": "off", "OUTREACH_MAX_EMAIL_RATE": "none", "OUTREACH_MAX_FAX_RATE": "none",
        "OUTREACH_MAIL_FROM": "letters@campaign.example", "OUTREACH_OPERATOR_NAME": "Chaos", "OUTREACH_OPERATOR_ADDRESS": "1 Test Street",
        "OUTREACH_OPERATOR_CONTACT": "op@operator.example", "OUTREACH_SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "OUTREACH_FAX_FROM": "+14165550199", "OUTREACH_FAX_TTL_MINUTES": "5", "OUTREACH_WINDOW": str(WINDOW),
        "OUTREACH_SLICE_SECONDS": "4", "OUTREACH_SMTP_TIMEOUT": str(SMTP_TIMEOUT), "OUTREACH_HTTP_TIMEOUT": str(HTTP_TIMEOUT),
        "OUTREACH_EMAIL_TRANSPORT": "smtp", "OUTREACH_FAX_TRANSPORT": "twilio", "OUTREACH_TWILIO_ACCOUNT_SID": fax_sink.SID,
        "OUTREACH_TWILIO_AUTH_TOKEN": fax_sink.TOKEN, "OUTREACH_LOG_LEVEL": "info"}


LEASES = {"email": 2 * (5 * SMTP_TIMEOUT + 15) + 30, "fax": 2 * 2 * HTTP_TIMEOUT + 30}
"""Seconds; as `services/deliver.py` makes them of these time-outs."""


@contextmanager
def sinks(folder: Path, form: Form, seed: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Mail server and fax provider; sets where the service finds them."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    for name, args in (("mail", ()), ("fax", (str(form.fetched),))):
        started[name] = subprocess.Popen([sys.executable, "-m", f"tests.chaos.{name}_sink", str(folder), str(seed), *args],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ports = {name: int(p.stdout.readline()) for name, p in started.items() if p.stdout}
        os.environ["OUTREACH_SMTP_URL"] = f"smtp://127.0.0.1:{ports['mail']}"
        os.environ["OUTREACH_TWILIO_FAX_URL"] = f"http://127.0.0.1:{ports['fax']}/Accounts/{fax_sink.SID}/Faxes"
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.wait()


class Run:
    """The run, once settings and sinks are there."""

    def __init__(self, folder: Path, database: str, form: Form, seed: int, sinks: dict[str, subprocess.Popen[bytes]]) -> None:
        from outreach import logs, migrate
        from outreach.settings import get_settings
        from tests.chaos.arena import Arena
        from tests.chaos.crowd import Crowd

        self.folder, self.form, self.seed, self.database = folder, form, seed, database
        self.settings = get_settings()
        logs.configure("error")
        migrate.upgrade()
        self.crowd = Crowd(form, seed, folder, self.settings.public_url)
        self.crowd.found()
        self.arena = Arena(self.settings, folder, seed, LEASES)
        self.arena.sinks = sinks
        self.chance = random.Random(seed + 1)
        self.began = time.monotonic()
        self.notes: list[str] = []
        self.arena.while_full = lambda: self.notes.append(f"a form while the disk was full: {self.crowd.try_while_full()}")

    def carry_out(self) -> dict[str, Any]:
        """Everything; returns the report."""
        self.arena.start()
        try:
            steps = plan(self.form, self.database, self.seed)
            for i, step in enumerate(steps):
                share = self.form.letters * (i + 1) // len(steps) - self.form.letters * i // len(steps)
                self.crowd.write(share)
                self._let_some_go(self.chance.randint(1, max(2, share // 2)))
                for what in step:
                    self.arena.do(what)
                self._tell(f"{i + 1}/{len(steps)} {', '.join(step)}")
            fought = time.monotonic() - self.began
            self._come_to_rest()
            self._tell("at rest")
            swept = self._command("sweep")
            doctor = self._command("doctor")
            stubborn = self.arena.stop()
            self._tell("stopped")
        finally:
            self.arena.kill_all()
        found = checker.check(self.evidence())
        if doctor.returncode:
            found.append(checker.Finding("doctor", "", doctor.stdout.strip()[-1500:] + doctor.stderr.strip()[-500:]))
        found += [checker.Finding("did not stop", name) for name in stubborn]
        return self._report(found, fought, swept.stdout.split("\n"))

    def _tell(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)

    def _command(self, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "outreach", name], capture_output=True, text=True, check=False, timeout=300)

    def _kept(self) -> int:
        """How much the sinks have seen: their files grow with every hand-over."""
        return sum(f.stat().st_size for f in checker.sink_files(self.folder) if f.exists())

    def _let_some_go(self, letters: int) -> None:
        """Until about so many hand-overs have happened, or nothing has for a while."""
        before, size = self._kept(), 180
        last, moved = before, time.monotonic()
        while last < before + letters * size and time.monotonic() - moved < 2:
            time.sleep(0.02)
            if (now := self._kept()) != last:
                last, moved = now, time.monotonic()

    def _ask(self, query: str) -> list[Any]:
        """Own words to the database; the arena may be cutting connections just now."""
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        from outreach.db import engine

        for _ in range(50):
            try:
                with engine().connect() as c:
                    return [tuple(r) for r in c.execute(text(query))]
            except DBAPIError:
                time.sleep(0.2)
        raise AssertionError("the database does not answer")

    def _moving(self) -> dict[str, int]:
        """What is not at rest: letters by state, notices, faxes without an end."""
        queries = {
            "letters": "SELECT state, COUNT(*) FROM letters WHERE state IN ('unconfirmed', 'held', 'queued', 'sending') GROUP BY state",
            "faxes": "SELECT state, COUNT(*) FROM letters WHERE channel = 'fax' AND state IN ('sent', 'unknown') GROUP BY state",
            "notices": "SELECT state, COUNT(*) FROM notices WHERE state IN ('queued', 'sending') GROUP BY state"}
        return {f"{name} {state}": n for name, query in queries.items() for state, n in self._ask(query)}

    def _come_to_rest(self) -> None:
        """Wait while anything moves; while nothing does, set the clock forward. Ends when all is at rest, or no step helps any more."""
        useless = 0
        last, since = None, time.monotonic()
        while (moving := self._moving()) or self.arena.stopped:
            now = (tuple(sorted(moving.items())), self._kept())
            if now != last:
                useless = 0 if last is None or now[0] != last[0] else useless
                last, since = now, time.monotonic()
            elif useless == len(STEPS):
                if time.monotonic() - since > GIVE_UP:
                    self.notes.append(f"did not come to rest: {moving}")
                    return
            elif time.monotonic() - since > self.form.calm and not self._under_way(moving):
                self.arena.do(f"clock +{STEPS[useless]}")
                self._tell(f"clock +{STEPS[useless]} s: {moving}")
                useless, since = useless + 1, time.monotonic()
            time.sleep(0.25)

    def _under_way(self, moving: dict[str, int]) -> bool:
        """Whether a hand-over, a call or a sleep is not over yet, so that the clock has to wait."""
        calls = Counter(r["what"] for r in truth.read(checker.sink_files(self.folder)[1]))
        return bool(self.arena.stopped or moving.get("letters sending") or calls["accepted"] > calls["final"])

    def evidence(self) -> checker.Evidence:
        mail, fax = (truth.read(f) for f in checker.sink_files(self.folder))
        return checker.gather(checker.path_of(self.settings.db_url), mail=mail, fax=fax, answered=self.crowd.answered,
                              limits=self.crowd.limits, doubtful=self._doubtful(mail))

    def _doubtful(self, mail: list[dict[str, Any]]) -> int:
        """A window for each shot at a worker that mails, or sleep past its lease, and for each such worker when the database goes away:
        it cannot know then what it has committed. One for each mail after which the answer did not come, or came to nobody."""
        shots = sum(n for what, n in self.arena.did.items() if what.startswith(("kill email", "stop email")))
        faults = sum(r["what"] == "left" or (r["what"] == "fault" and r["kind"] in mail_sink.DOUBTFUL) for r in mail)
        return WINDOW * (shots + 2 * (self.arena.did["fill disk"] + self.arena.did["cut database"])) + faults

    def _report(self, found: list[checker.Finding], fought: float, swept: list[str]) -> dict[str, Any]:
        mail, fax = (truth.read(f) for f in checker.sink_files(self.folder))
        faults = Counter(f"mail {r['kind']}" for r in mail if r["what"] == "fault")
        faults += Counter(f"fax {r['kind']}" for r in fax if r["what"] == "fault")
        states = dict(sorted((f"{channel} {state}", n) for channel, state, n in self._ask(
            "SELECT channel, state, COUNT(*) FROM letters GROUP BY channel, state")))
        return {"database": self.database, "seed": self.seed, "seconds": round(time.monotonic() - self.began), "fought": round(fought),
                "letters": sum(states.values()), "states": states, "did": dict(sorted(self.arena.did.items())),
                "kills": sum(n for what, n in self.arena.did.items() if what.startswith("kill")),
                "faults": sum(faults.values()), "fault_kinds": dict(sorted(faults.items())),
                "mails": sum(r["what"] == "kept" for r in mail), "faxes": sum(r["what"] == "accepted" for r in fax),
                "attempts": self._ask("SELECT COUNT(*) FROM attempts")[0][0], "unknown_allowed": self._doubtful(mail),
                "findings": [asdict(f) for f in found], "notes": self.notes + [line for line in swept if line]}


def main(folder: Path, database: str, form_name: str, seed: int) -> None:
    form = FORMS[form_name]
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    with sinks(folder, form, seed) as started:
        report = Run(folder, database, form, seed, started).carry_out()
    (folder / "report.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
