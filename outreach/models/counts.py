"""Figures that are kept because counting anew would be too slow, or the rows are gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from outreach.models.base import Base, BigKey


class Counter(Base):
    """Folded counts. `name` is letter:STATE, submissions or refused:REASON. Readers add `counter_deltas`."""

    __tablename__ = "counters"
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    target_id: Mapped[int] = mapped_column(primary_key=True)
    """0 where no target is meant."""
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class CounterDelta(Base):
    """Changes of counts, appended in the transaction that moved the letter: a hot counter row would be a queue of its own."""

    __tablename__ = "counter_deltas"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    campaign_id: Mapped[int]
    target_id: Mapped[int]
    channel: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(60))
    delta: Mapped[int]
    hour: Mapped[int | None]
    """The hour in which it happened (see `CounterHour`); None: that in which it is folded."""


class CounterHour(Base):
    """What changed within one hour, all targets together: the sum over all hours is what `counters` say (letter:STATE, submissions)."""

    __tablename__ = "counter_hours"
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    """Whole hours since 1970 began, UTC."""
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class NetworkUse(Base):
    """Submissions per network prefix (a keyed hash) in slots of five minutes; rows live a day."""

    __tablename__ = "network_use"
    network: Mapped[str] = mapped_column(String(32), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    n: Mapped[int]


class ServiceDay(Base):
    """How many hand-overs the whole service has started on a UTC day; only kept where MAX_PER_DAY is set."""

    __tablename__ = "service_days"
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    used: Mapped[int]
