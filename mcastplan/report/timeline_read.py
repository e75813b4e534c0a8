"""What a timeline says, picked out for a reader: nothing here computes a result."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mcastplan.model.timeline import (
    CloudTimeline,
    Loss,
    Outage,
    SchemeTimeline,
    Timeline,
    TransferTimeline,
)
from mcastplan.report import timeline_words
from mcastplan.units import show_time

NONE = "-"


class Hit(msgspec.Struct, frozen=True):
    """A gap, whose it is, and its length (None: it does not end)."""

    transfer: TransferTimeline
    cloud: CloudTimeline
    outage: Outage

    @property
    def length_s(self) -> float | None:
        return None if self.outage.to_s is None else self.outage.to_s - self.outage.from_s


class Event(msgspec.Struct, frozen=True):
    """Something goes down or comes back: ``said`` in words."""

    at_s: float
    said: str


def events(result: Timeline) -> list[Event]:
    """In time order; those of one instant are one."""
    found: dict[float, list[str]] = {}
    for row in result.failures:
        many = timeline_words.several(row)
        thing = timeline_words.what(row)
        silent = " silently" if row.kind == "silent" else ""
        found.setdefault(row.at_s, []).append(f"{thing} {'fail' if many else 'fails'}{silent}")
        if row.up_at_s is not None:
            back = f"{thing} {'are' if many else 'is'} back"
            found.setdefault(row.up_at_s, []).append(back)
    return [Event(at_s, timeline_words.some(said)) for at_s, said in sorted(found.items())]


def since(result: Timeline, at_s: float | None) -> float | None:
    """Seconds since the last event before an instant; below 0 before the first one, for packets
    that are on their way when it comes."""
    if at_s is None:
        return None
    found = [event.at_s for event in events(result)]
    before = [event_s for event_s in found if event_s <= at_s]
    return at_s - max(before, default=min(found, default=0.0))


def later_event(result: Timeline, at_s: float | None) -> str:
    """``since 70 s``, where that is not the first event."""
    before = [event.at_s for event in events(result) if at_s is not None and event.at_s <= at_s]
    return f"since {show_time(before[-1])}" if len(before) > 1 else ""


def clouds(scheme: SchemeTimeline) -> Iterator[tuple[TransferTimeline, CloudTimeline]]:
    for transfer in scheme.transfers:
        for cloud in transfer.clouds:
            yield transfer, cloud


def hits(scheme: SchemeTimeline) -> list[Hit]:
    """Every gap: those that do not end, then the longest first."""
    found = [Hit(t, cloud, gap) for t, cloud in clouds(scheme) for gap in cloud.outages]
    far = float("inf")
    return sorted(
        found,
        key=lambda hit: (
            -(far if hit.length_s is None else hit.length_s),
            hit.outage.from_s,
            hit.cloud.name,
            hit.transfer.name,
        ),
    )


def worst(scheme: SchemeTimeline) -> Hit | None:
    """The longest gap that ends."""
    return next((hit for hit in hits(scheme) if hit.length_s is not None), None)


def longest(scheme: SchemeTimeline, endless: str = "no end") -> str:
    """The longest outage in words; one that ends counts first, ``endless`` if there is none."""
    if scheme.worst_outage_s:
        return show_time(scheme.worst_outage_s)
    return endless if hits(scheme) else "none"


def ranked(result: Timeline) -> list[SchemeTimeline]:
    """Feasible schemes, the shortest worst outage first; more clouds cut off is worse."""
    return sorted(
        (row for row in result.schemes if row.feasible),
        key=lambda row: (len(cut_off(row)), row.worst_outage_s or 0.0),
    )


def shortest(result: Timeline) -> SchemeTimeline | None:
    """Whose worst outage is shortest; none where nobody's outage ends."""
    ordered = ranked(result)
    return ordered[0] if any(row.worst_outage_s for row in ordered) else None


def label(scheme: SchemeTimeline, transfer: TransferTimeline, cloud: str) -> str:
    """A cloud, with its transfer where there are several."""
    return f"{cloud} ({transfer.name})" if len(scheme.transfers) > 1 else cloud


def cut_off(scheme: SchemeTimeline) -> list[str]:
    """Clouds that the failure leaves without a way."""
    return [label(scheme, each, name) for each in scheme.transfers for name in each.unreachable]


def evicted(scheme: SchemeTimeline) -> list[str]:
    return [label(scheme, each, name) for each in scheme.transfers for name in each.evicted]


def lost(scheme: SchemeTimeline) -> list[str]:
    """Clouds cut off, then those given up."""
    return cut_off(scheme) + evicted(scheme)


def never(scheme: SchemeTimeline) -> list[str]:
    """Clouds without a way even without the failure."""
    return [label(scheme, each, name) for each in scheme.transfers for name in each.never]


def get_it(scheme: SchemeTimeline) -> tuple[int, int]:
    """(clouds that get the model, all that it is pushed to)."""
    found = [cloud for _, cloud in clouds(scheme)]
    served = sum(cloud.ready_s is not None for cloud in found)
    return served, len(found) + len(never(scheme))


_PICKS = {"unreachable": cut_off, "evicted": evicted, "never": never}


def by_clouds(result: Timeline, pick: str) -> dict[str, list[str]]:
    """Cloud -> schemes; ``pick`` is unreachable, evicted or never."""
    found: dict[str, list[str]] = {}
    for scheme in result.schemes:
        for name in _PICKS[pick](scheme):
            found.setdefault(name, []).append(scheme.name)
    return dict(sorted(found.items()))


def notes(scheme: SchemeTimeline) -> list[str]:
    """What it says of itself; a single transfer is not named again and again."""
    if len(scheme.transfers) != 1:
        return list(scheme.notes)
    return [note.removeprefix(f"{scheme.transfers[0].name}: ") for note in scheme.notes]


def lost_bytes(scheme: SchemeTimeline) -> float:
    return sum(each.lost_bytes for each in scheme.transfers)


def repaired_bytes(scheme: SchemeTimeline) -> float:
    return sum(each.repaired_bytes for each in scheme.transfers)


def last_ready(scheme: SchemeTimeline) -> tuple[float, float] | None:
    """When the last replica is ready (with, without the failure) [s], over the clouds that are
    ready in both: a cloud that is cut off would make the push look shorter."""
    both = [
        (cloud.ready_s, cloud.ready_without_s)
        for _, cloud in clouds(scheme)
        if cloud.ready_s is not None and cloud.ready_without_s is not None
    ]
    if not both:
        return None
    return max(ready for ready, _ in both), max(without for _, without in both)


def signed(seconds: float) -> str:
    """``+250 ms``; a change that no clock shows is none."""
    if abs(seconds) < 1e-9:
        return "0 s"
    return f"{'+' if seconds > 0 else '-'}{show_time(abs(seconds))}"


def time(seconds: float | None) -> str:
    return NONE if seconds is None else show_time(seconds)


def steps(*values: int | None) -> str:
    """``27 > 30 > 28``: before, at most, after."""
    return " > ".join(NONE if value is None else f"{value:,}" for value in values)


class Ending(msgspec.Struct, frozen=True):
    """Losses of one kind at one place under one scheme."""

    scheme: str
    transfer: str
    said: str
    times: int
    from_s: float
    to_s: float | None
    clouds: tuple[str, ...]


def endings(scheme: SchemeTimeline) -> list[Ending]:
    """Where packets ended, in order of the first loss."""
    found: dict[tuple[str, str], list[Loss]] = {}
    for row in scheme.losses:
        found.setdefault((row.transfer, timeline_words.loss(row)), []).append(row)
    done = []
    for (transfer, said), rows in found.items():
        ends = [row.to_s for row in rows if row.to_s is not None]
        done.append(
            Ending(
                scheme.name,
                transfer,
                said,
                len(rows),
                min(row.from_s for row in rows),
                max(ends) if len(ends) == len(rows) else None,
                tuple(sorted({name for row in rows for name in row.clouds})),
            )
        )
    return sorted(done, key=lambda each: (each.from_s, each.said, each.transfer))
