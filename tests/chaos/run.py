"""One run on one database, in a process of its own: `python -m tests.chaos.run FOLDER DATABASE FORM SEED`, started by `__main__`.

Letters are put in bit by bit; between the bits the plan is carried out, one shot a step, once some letters have gone. A blow that
finds nothing to hit is dealt again later; in the end whatever has not happened is said. Then everything is let come to rest, swept,
asked by `outreach doctor`, stopped, and judged. Leaves `report.json` in FOLDER.
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

from tests.chaos import checker, evidence, exercise, fax_sink, mail_sink, truth
from tests.chaos.evidence import Evidence, Finding
from tests.chaos.plan import FORMS, Form, plan, still_to_come
from tests.chaos.scene import HALT

SMTP_TIMEOUT, HTTP_TIMEOUT = 3.0, 3.0
WINDOW = 4
STEPS = (30, 120, 900, 2 * 3600, 8 * 3600, 24 * 3600)
"""Seconds by which the clock goes forward while nothing moves any more: retries, back-offs and polls come due."""
STANDSTILL, LINES_FREE = 6.0, 150
"""Seconds in which nothing missing happens, after which the clock is set forward, and by how much: a line held in doubt frees itself."""
SLOW = 2.0
"""Seconds after which a blow is worth a line of its own."""
ENOUGH = 8
"""Letters that wait, of which some will go soon."""
GIVE_UP = 60.0
"""Seconds without any change after the last of these steps."""


def settings_for(folder: Path, port: int, form: Form) -> dict[str, str]:
    """The service's environment: short time-outs, so that leases are short; no confirmation; no operator's ceiling."""
    return {
        "OUTREACH_DATA_DIR": str(folder / "var"), "OUTREACH_PORT": str(port), "OUTREACH_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OUTREACH_CONFIRM": "none", "OUTREACH_PROOF_OF_WORK": "off", "OUTREACH_MAX_EMAIL_RATE": "none", "OUTREACH_MAX_FAX_RATE": "none",
        "OUTREACH_MAIL_FROM": "letters@campaign.example", "OUTREACH_OPERATOR_NAME": "Chaos", "OUTREACH_OPERATOR_ADDRESS": "1 Test Street",
        "OUTREACH_OPERATOR_CONTACT": "op@operator.example", "OUTREACH_SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "OUTREACH_COPIES_PER_HOUR": "100000", "OUTREACH_FAX_LINES": str(form.lines),
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
    for name, args in (("mail", ()), ("fax", (str(form.fetched), str(form.call)))):
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
        from tests.chaos.blows import Blows
        from tests.chaos.crowd import Crowd

        self.folder, self.form, self.seed, self.database = folder, form, seed, database
        self.settings = get_settings()
        logs.configure("error")
        migrate.upgrade()
        self.crowd = Crowd(form, seed, folder, self.settings.public_url)
        self.crowd.found()
        self.arena = Arena(self.settings, folder, seed, LEASES)
        self.blows = Blows(self.arena, sinks, seed)
        self.blows.bring = self._bring
        self.plan = plan(form, database, seed)
        self.chance = random.Random(seed + 1)
        self.began = time.monotonic()
        self.notes: list[str] = []
        self.blows.while_full = lambda: self.notes.append(f"a form while the disk was full: {self.crowd.try_while_full()}")

    def carry_out(self) -> dict[str, Any]:
        """Everything; returns the report."""
        self.arena.start()
        try:
            self._fight()
            fought = time.monotonic() - self.began
            self._come_to_rest()
            self._tell("at rest")
            swept = self._command("sweep")
            doctor = self._command("doctor")
            stubborn = self.arena.stop()
            self._tell("stopped")
        finally:
            self.arena.kill_all()
        known = self.evidence()
        found = [Finding("never happened", what, f"{n} short of the plan") for what, n in sorted(self._missing().items())]
        found += [Finding("never happened", what) for what in exercise.missing(known)]
        found += checker.check(known)
        if doctor.returncode:
            found.append(Finding("doctor", "", doctor.stdout.strip()[-1500:] + doctor.stderr.strip()[-500:]))
        found += [Finding("did not stop", name) for name in stubborn]
        return self._report(known, found, fought, swept.stdout.split("\n"))

    def _fight(self) -> None:
        """The plan, step by step; what found no chance is dealt again with each step, and at the end until it has happened."""
        self.crowd.begin()
        self._tell("begun")
        owed: list[str] = []
        for i, step in enumerate(self.plan):
            share = self._share(i + 1) - self._share(i)
            self.crowd.write(share)
            self._let_some_go(self.chance.randint(1, max(2, share // 2)))
            owed = [what for what in [*owed, *step] if not self._deal(what)]
            self._tell(f"{i + 1}/{len(self.plan)} {', '.join(step)}" + (f"; owed: {', '.join(owed)}" if owed else ""))
        self._make_up()

    def _deal(self, what: str) -> bool:
        began = time.monotonic()
        done = self.blows.deal(what)
        if (took := time.monotonic() - began) > SLOW:
            self._tell(f"{what}: {took:.1f} s{'' if done else ', in vain'}")
        return done

    def _make_up(self) -> None:
        """Deal what has not happened until it has; bring work where none waits, and let time pass where what waits must wait."""
        end, last, since = time.monotonic() + self.form.patience, Counter[str](), time.monotonic()
        while (missing := self._missing()) and time.monotonic() < end:
            if missing != last:
                last, since = missing, time.monotonic()
                self._tell(f"missing: {', '.join(sorted(missing))}")
            for what in missing - self.arena.sleepers.coming():
                word, kind = what.split()[:2]
                if word == "arm":
                    self._bring("email" if kind == "mail" else kind)
                else:
                    self.blows.deal(what)
            if time.monotonic() - since > STANDSTILL and not self._under_way(self._moving()):
                self.blows.deal(f"clock +{LINES_FREE}")
                since = time.monotonic()
            time.sleep(0.5)

    def _bring(self, kind: str) -> None:
        """Something to do for workers of this kind, unless enough waits."""
        if kind in (HALT, "notice") or self._ask(
                f"SELECT COUNT(*) FROM letters WHERE state = 'queued' AND channel = '{kind}'")[0][0] < ENOUGH:
            self.crowd.bring(kind)

    def _share(self, steps: int) -> int:
        """How many letters have been put in after so many steps."""
        return (self.form.letters - 2 * self.form.special) * steps // len(self.plan)

    def _missing(self) -> Counter[str]:
        """What the plan deals and has not happened: by what the sinks tell of faults, and the arena of all else."""
        faults = Counter(f"arm {sink} {r['kind']}" for sink, file in zip(("mail", "fax"), evidence.sink_files(self.folder), strict=True)
                         for r in truth.read(file) if r["what"] == "fault")
        return still_to_come(self.plan, self.blows.did + self.arena.sleepers.did + faults)

    def _tell(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)

    def _command(self, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "outreach", name], capture_output=True, text=True, check=False, timeout=300)

    def _kept(self) -> int:
        """How much the sinks have seen: their files grow with every hand-over."""
        return sum(int(f.stat().st_size) for f in evidence.sink_files(self.folder) if f.exists())

    def _let_some_go(self, letters: int) -> None:
        """Until about so many hand-overs have happened, or nothing has for a while."""
        before, size = self._kept(), 180
        last, moved = before, time.monotonic()
        while last < before + letters * size and time.monotonic() - moved < 2:
            time.sleep(0.02)
            if (now := self._kept()) != last:
                last, moved = now, time.monotonic()

    def _ask(self, query: str) -> list[Any]:
        return [tuple(r.values()) for r in evidence.read(evidence.path_of(self.settings.db_url), query)]

    def _moving(self) -> dict[str, int]:
        """What is not at rest: letters by state, notices, faxes without an end."""
        queries = {
            "letters": "SELECT state, COUNT(*) FROM letters WHERE state IN ('unconfirmed', 'held', 'queued', 'sending') GROUP BY state",
            "faxes": "SELECT state, COUNT(*) FROM letters WHERE channel = 'fax' AND state IN ('sent', 'unknown') GROUP BY state",
            "notices": "SELECT state, COUNT(*) FROM notices WHERE state IN ('queued', 'sending') GROUP BY state",
            "copies": "SELECT state, COUNT(*) FROM copies WHERE state = 'offered' GROUP BY state"}
        return {f"{name} {state}": n for name, query in queries.items() for state, n in self._ask(query)}

    def _come_to_rest(self) -> None:
        """Wait while anything moves; while nothing does, set the clock forward. Ends when all is at rest, or no step helps any more."""
        useless = 0
        last, since = None, time.monotonic()
        while (moving := self._moving()) or self.arena.sleepers:
            now = (tuple(sorted(moving.items())), self._kept())
            if now != last:
                useless = 0 if last is None or now[0] != last[0] else useless
                last, since = now, time.monotonic()
            elif useless == len(STEPS):
                if time.monotonic() - since > GIVE_UP:
                    self.notes.append(f"did not come to rest: {moving}")
                    return
            elif time.monotonic() - since > self.form.calm and not self._under_way(moving):
                self.blows.deal(f"clock +{STEPS[useless]}")
                self._tell(f"clock +{STEPS[useless]} s: {moving}")
                useless, since = useless + 1, time.monotonic()
            time.sleep(0.25)

    def _under_way(self, moving: dict[str, int]) -> bool:
        """Whether a hand-over, a call or a sleep is not over yet, so that the clock has to wait."""
        calls = Counter(r["what"] for r in truth.read(evidence.sink_files(self.folder)[1]))
        return bool(self.arena.sleepers or moving.get("letters sending") or calls["accepted"] > calls["final"])

    def evidence(self) -> Evidence:
        mail, fax = (truth.read(f) for f in evidence.sink_files(self.folder))
        arena, promises = truth.read(self.folder / "arena.jsonl"), self.crowd.scene.promises
        return evidence.gather(
            evidence.path_of(self.settings.db_url), mail=mail, fax=fax, answered=self.crowd.answered, doubtful=self._doubtful(mail),
            limits=promises.limits, shares=promises.shares, hours=promises.hours, deadlines=promises.deadlines,
            detours=promises.detours, inboxes=promises.inboxes, lines=self.form.lines,
            steps=[(r["mono"], float(r["name"].split()[1])) for r in arena if r["what"] == "did" and r["name"].startswith("clock")],
            called_off={r["slug"]: r for r in arena if r["what"] == "called off"}, woken=[r for r in arena if r["what"] == "woken"])

    def _doubtful(self, mail: list[dict[str, Any]]) -> int:
        """A window for each shot at a worker that mails, or sleep past its lease, and for each such worker when the database goes away:
        it cannot know then what it has committed. One for each mail after which the answer did not come, or came to nobody."""
        did = self.blows.did + self.arena.sleepers.did
        shots = sum(n for what, n in did.items() if what.startswith(("kill email", "stop email")))
        faults = sum(r["what"] == "left" or (r["what"] == "fault" and r["kind"] in mail_sink.DOUBTFUL) for r in mail)
        return WINDOW * (shots + 2 * (did["fill disk"] + did["cut database"])) + int(faults)

    def _report(self, e: Evidence, found: list[Finding], fought: float, swept: list[str]) -> dict[str, Any]:
        faults = Counter(f"{sink} {r['kind']}" for sink, rows in (("mail", e.mail), ("fax", e.fax)) for r in rows if r["what"] == "fault")
        did = self.blows.did + self.arena.sleepers.did
        states = Counter(f"{x['channel']} {x['state']}" for x in e.letters)
        return {"database": self.database, "seed": self.seed, "seconds": round(time.monotonic() - self.began), "fought": round(fought),
                "letters": len(e.letters), "states": dict(sorted(states.items())), "did": dict(sorted(did.items())),
                "kills": sum(n for what, n in did.items() if what.startswith("kill")),
                "faults": sum(faults.values()), "fault_kinds": dict(sorted(faults.items())), "exercised": exercise.figures(e),
                "mails": sum(r["what"] == "kept" for r in e.mail), "faxes": sum(r["what"] == "accepted" for r in e.fax),
                "attempts": len(e.attempts), "unknown": states["email unknown"] + states["fax unknown"], "unknown_allowed": e.doubtful,
                "findings": [asdict(f) for f in found], "notes": self.notes + [line for line in swept if line]}


def main(folder: Path, database: str, form_name: str, seed: int) -> None:
    form = FORMS[form_name]
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    with sinks(folder, form, seed) as started:
        report = Run(folder, database, form, seed, started).carry_out()
    (folder / "report.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
