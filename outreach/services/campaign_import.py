"""A campaign file becomes rows: idempotent, one transaction, addresses shared by all campaigns."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, update

from outreach.campaign_files import read_campaign, spec_digest, spec_from_json, spec_to_json
from outreach.db import dialect_insert, reading, unit_of_work
from outreach.domain.campaign import CampaignSpec, TargetSpec
from outreach.errors import Conflict
from outreach.models import Address, Campaign, CampaignVersion, Lane, Target, TargetAddress, table
from outreach.queries import campaigns as queries
from outreach.services import audit, bringing, changes, foresight, lanes, reroute, revivals
from outreach.services.changes import Change, Tally, Waiting
from outreach.services.reroute import Rerouted
from outreach.settings import get_settings

_CAMPAIGNS, _VERSIONS, _TARGETS = table(Campaign), table(CampaignVersion), table(Target)
_ADDRESSES, _TARGET_ADDRESSES, _LANES = table(Address), table(TargetAddress), table(Lane)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do. `changes` says it in words; empty when the campaign was already as the file says."""

    slug: str
    state: str
    version: int
    created: bool
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    letters: tuple[str, ...] = ()
    """In words, what became of letters that were there before, and of how many."""
    begun: Rerouted | None = None
    """What has been brought to other addresses, where that is more than one transaction takes."""

    @property
    def changed(self) -> bool:
        return bool(self.changes)


def import_campaign(path: Path, *, now: datetime, who: str = audit.COMMAND_LINE, waiting: Waiting = Waiting.SEND,
                    dry_run: bool = False) -> ImportResult:
    """Store the campaign in a folder or TOML file; the same content again changes nothing.

    A new campaign is a draft. Changed content is a new version, in force at once. Letters already submitted keep theirs; where
    their text, deadline or addresses changed, `waiting` says what becomes of those that have not gone. With `dry_run` nothing is
    stored or locked, only told. Raises CampaignFileInvalid with every mistake.
    """
    spec, warnings = read_campaign(path, get_settings(), now)
    return store_campaign(spec, now=now, who=who, warnings=tuple(warnings), waiting=waiting, dry_run=dry_run)


def store_campaign(spec: CampaignSpec, *, now: datetime, who: str = audit.COMMAND_LINE, warnings: tuple[str, ...] = (),
                   waiting: Waiting = Waiting.SEND, dry_run: bool = False, fresh: bool = False, over: int | None = None,
                   finish: Callable[[Connection, int], None] | None = None) -> ImportResult:
    """The same for a campaign that has been read already.

    With `fresh` it must be a new one: raises Conflict where its slug is taken. `over` is the id of the version that whoever asks
    has seen: raises Conflict where another one is in force by now. `finish` is called with the campaign's id, in the same
    transaction.
    """
    if dry_run:
        return _foretold(spec, now, waiting, warnings=warnings, fresh=fresh, over=over)
    with unit_of_work() as c:
        result = _store(c, spec, now, waiting, who=who, warnings=warnings, over=over)
        if fresh and not result.created:
            raise Conflict(f"another campaign has the address /c/{spec.slug}; choose another one")
        row = queries.by_slug(c, spec.slug)
        if finish is not None and row is not None:
            finish(c, row.id)
    if result.changed and row is not None and row.version_id is not None:
        done, left = bringing.go_on(row.version_id, now) if waiting is not Waiting.SEND else (Tally(), False)
        revived = revivals.go_on(row.version_id, now)
        words = (done + Tally(asked=revived.asked)).words(waiting) if done else ()
        rerouted = revived.rerouted + (result.begun + reroute.go_on(row.id, now) if result.begun else Rerouted())
        rest = foresight.went_on(rerouted.moved, rerouted.ended)
        more = ("there are more: they follow within minutes",) if left or revived.left or rerouted.left else ()
        result = replace(result, letters=(*result.letters, *words, *rest, *more))
    return result


def _foretold(spec: CampaignSpec, now: datetime, waiting: Waiting, *, warnings: tuple[str, ...], fresh: bool,
              over: int | None) -> ImportResult:
    """What storing it would come to. Locks nothing: whoever looks holds up neither a drain nor the stop."""
    with reading() as c:
        warnings = (*warnings, *_blocked(c, spec))
        row = queries.by_slug(c, spec.slug)
        if row is None or row.version_id is None:
            return ImportResult(spec.slug, "draft", 1, True, ("new campaign",), warnings)
        if fresh:
            raise Conflict(f"another campaign has the address /c/{spec.slug}; choose another one")
        _same_as_seen(row, over)
        known = queries.version(c, row.version_id)
        if known.digest == spec_digest(spec):
            return ImportResult(spec.slug, row.state, known.number, False, (), warnings)
        old = spec_from_json(known.definition)
        letters = tuple(foresight.letters(c, row, spec, changes.between(old, spec), waiting=waiting, now=now))
        return ImportResult(spec.slug, row.state, known.number + 1, False, tuple(_changes(old, spec)) or ("rewritten",), warnings, letters)


def _same_as_seen(row: Row[Any], over: int | None) -> None:
    if over is not None and row.version_id != over:
        raise Conflict("somebody has changed this campaign since you opened the page; look at it again")


def _store(c: Connection, spec: CampaignSpec, now: datetime, waiting: Waiting, *, who: str, warnings: tuple[str, ...],
           over: int | None) -> ImportResult:
    warnings = (*warnings, *_blocked(c, spec))
    created = _create(c, spec, now)
    row = queries.by_slug_locked(c, spec.slug)
    if row is None:
        raise AssertionError("a campaign that was just made is gone")
    _same_as_seen(row, over)
    number, change = 1, None
    said: tuple[str, ...] = ("new campaign",)
    if row.version_id is not None:
        known = queries.version(c, row.version_id)
        if known.digest == spec_digest(spec):
            return ImportResult(spec.slug, row.state, known.number, False, (), warnings)
        number = known.number + 1
        old = spec_from_json(known.definition)
        said, change = tuple(_changes(old, spec)) or ("rewritten",), changes.between(old, spec)
    version_id = _write(c, row, spec, number, now, who=who, moves_letters=bool(change))
    letters, begun = ((), None) if change is None else _letters(c, row, spec, change, version_id, waiting=waiting, now=now)
    lanes.mark(c, queries.letter_lanes(c, row.id), now)  # limits, hours or the deadline may now let more through
    audit.note(c, "campaign imported", at=now, who=who, campaign_id=row.id, detail=f"version {number}: {'; '.join((*said, *letters))}")
    return ImportResult(spec.slug, row.state, number, created, said, warnings, letters, begun)


def _blocked(c: Connection, spec: CampaignSpec) -> Iterator[str]:
    places = {place: t for t in spec.targets for place, _ in _places(t)}
    for place, row in sorted(queries.addresses(c, places).items()):
        if row.state != "ok":
            yield f"{place[1]} ({places[place].name}) is {row.state}: {row.state_reason or 'no reason given'}; nothing is sent there"


def _create(c: Connection, spec: CampaignSpec, now: datetime) -> bool:
    made = c.execute(dialect_insert(c, _CAMPAIGNS).values(
        slug=spec.slug, state="draft", title=spec.title, deadline=spec.deadline, fingerprint_key=secrets.token_bytes(32),
        on_unknown=spec.on_unknown, revision=0, created_at=now)
        .on_conflict_do_nothing(index_elements=["slug"]).returning(_CAMPAIGNS.c.id)).scalar()
    return made is not None


def _write(c: Connection, row: Row[Any], spec: CampaignSpec, number: int, now: datetime, *, who: str, moves_letters: bool) -> int:
    version_id = c.execute(insert(CampaignVersion).values(
        campaign_id=row.id, number=number, digest=spec_digest(spec), definition=spec_to_json(spec), created_at=now, who=who[:320])
        .returning(_VERSIONS.c.id)).scalar_one()
    c.execute(update(Campaign).where(_CAMPAIGNS.c.id == row.id).values(
        version_id=version_id, title=spec.title, deadline=spec.deadline, on_unknown=spec.on_unknown, fall_back=spec.fall_back,
        moderation=spec.moderation, revision=_CAMPAIGNS.c.revision + 1))
    address_ids = _addresses(c, spec)
    if moves_letters:
        # The lanes that letters wait in and those they may come to, before any letter: the order in which the ledger locks.
        queries.lanes_locked(c, sorted({*queries.letter_lanes(c, row.id), *address_ids.values()}))
    target_ids = _targets(c, row.id, spec)
    for target in spec.targets:
        _attach(c, target_ids[target.id], target, address_ids)
    return int(version_id)


def _letters(c: Connection, row: Row[Any], spec: CampaignSpec, change: Change, version_id: int, *, waiting: Waiting,
             now: datetime) -> tuple[tuple[str, ...], Rerouted | None]:
    """Bring letters that were there before in line with the new version; says what became of how many. Where many are to be moved
    that is only noted: `bringing` does it once the lanes are free again. Of very many that lose their address the first go on, which
    is returned."""
    said = list[str]()
    back, asked = 0, Tally()
    if change.deadline:
        revivals.begin(c, row.id, version_id, waiting)
        back, asked = foresight.comes_back(c, row, spec, waiting=waiting, now=now)
    if back:
        said.append(foresight.came_back(back))
    ids, n = changes.concerned(c, row.id, change)
    if waiting is not Waiting.SEND and n > changes.AT_ONCE:
        bringing.begin(c, version_id, waiting, ids)
    elif waiting is not Waiting.SEND and change:
        rows = queries.waiting_letters_locked(c, row.id, ids)
        if rows or asked:
            said += (changes.bring(c, rows, waiting, now) + asked).words(waiting)
    elif n + back:
        said.append(changes.as_written(n + back))
    rerouted = reroute.away_from_unusable(c, [row.id], now, most=reroute.AT_ONCE) if change.targets else Rerouted()
    if not rerouted.left:  # otherwise all of it is told of once it is done
        said += foresight.went_on(rerouted.moved, rerouted.ended)
    said += foresight.earlier(row, spec, change)
    return tuple(said), rerouted if rerouted.left else None


def _addresses(c: Connection, spec: CampaignSpec) -> dict[tuple[str, str], int]:
    """Make the addresses and lanes that are not there yet; all of the campaign's, by channel and value."""
    places = {place for t in spec.targets for place, _ in _places(t)}
    if spec.inbox:
        places.add(("email", spec.inbox))
    for channel, value in sorted(places):  # in one order everywhere, so that two imports never wait for each other in a ring
        c.execute(dialect_insert(c, _ADDRESSES).values(channel=channel, value=value)
                  .on_conflict_do_nothing(index_elements=["channel", "value"]))
    ids = {place: row.id for place, row in queries.addresses(c, places).items()}
    waiting = {place for t in spec.targets for place, _ in _places(t) if place[0] in queries.LETTER_CHANNELS}
    for address_id, channel in sorted((ids[place], place[0]) for place in waiting):
        c.execute(dialect_insert(c, _LANES).values(address_id=address_id, queue=channel)
                  .on_conflict_do_nothing(index_elements=["address_id"]))
    return ids


def _places(target: TargetSpec) -> Iterator[tuple[tuple[str, str], int]]:
    """Each address of a target as (channel, value), with its rank within the channel from 0."""
    for channel, values in (("email", target.email), ("fax", target.fax), ("phone", target.phone)):
        for rank, value in enumerate(values):
            yield (channel, value), rank


def _targets(c: Connection, campaign_id: int, spec: CampaignSpec) -> dict[str, int]:
    """Bring the campaign's targets up to date by key; those no longer named become inactive, never deleted: letters refer to them."""
    known = {row.key: row for row in queries.targets(c, campaign_id)}
    ids = {}
    for position, t in enumerate(spec.targets):
        values = {"position": position, "name": t.name, "timezone": t.timezone, "hours": t.hours, "active": True}
        row = known.get(t.id)
        if row is None:
            ids[t.id] = c.execute(insert(Target).values(campaign_id=campaign_id, key=t.id, **values)
                                  .returning(_TARGETS.c.id)).scalar_one()
            continue
        ids[t.id] = row.id
        if any(row._mapping[name] != value for name, value in values.items()):
            c.execute(update(Target).where(_TARGETS.c.id == row.id).values(**values))
    gone = [row.id for key, row in known.items() if key not in ids and row.active]
    if gone:
        c.execute(update(Target).where(_TARGETS.c.id.in_(gone)).values(active=False))
    return ids


def _attach(c: Connection, target_id: int, target: TargetSpec, address_ids: dict[tuple[str, str], int]) -> None:
    """The target's addresses, in order of preference and with the campaign's limits; others are let go."""
    kept = []
    for place, rank in _places(target):
        values = {"rank": rank, "limits": target.limits.get(place[0], ""), "share": target.share.get(place[0], "")}
        kept.append(address_ids[place])
        c.execute(dialect_insert(c, _TARGET_ADDRESSES).values(target_id=target_id, address_id=address_ids[place], **values)
                  .on_conflict_do_update(index_elements=["target_id", "address_id"], set_=values))
    c.execute(delete(TargetAddress).where(and_(
        _TARGET_ADDRESSES.c.target_id == target_id, _TARGET_ADDRESSES.c.address_id.not_in(kept))))


def _changes(old: CampaignSpec, new: CampaignSpec) -> Iterator[str]:
    """In words, what differs."""
    names = [f.name for f in fields(CampaignSpec) if f.name != "targets" and getattr(old, f.name) != getattr(new, f.name)]
    if names:
        yield f"{', '.join(names)} changed"
    before, after = {t.id: t for t in old.targets}, {t.id: t for t in new.targets}
    for what, ids in (("added", after.keys() - before.keys()), ("dropped", before.keys() - after.keys()),
                      ("changed", {i for i in after.keys() & before.keys() if after[i] != before[i]})):
        if ids:
            shown = ", ".join(sorted(ids)[:5]) + (", …" if len(ids) > 5 else "")
            yield f"{len(ids)} target{'s' if len(ids) > 1 else ''} {what}: {shown}"
    if list(before) != list(after) and before.keys() == after.keys():
        yield "targets in another order"
