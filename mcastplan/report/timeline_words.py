"""Words of the timeline: events, stages, losses, and what is left out. No numbers live here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcastplan.dataplane.flight import LINK_DOWN
from mcastplan.dataplane.step import NO_ROUTE, NO_STATE, WRONG_INTERFACE
from mcastplan.dataplane.walk import EXPIRED
from mcastplan.model.change import STAGES
from mcastplan.model.timeline import FailureRow, Loss, Timeline
from mcastplan.report import words
from mcastplan.units import counted, show_time

_NAMES_SHOWN = 4

# Stages whose name is an abbreviation.
_NAMES = {"spf": "SPF", "fib": "FIB", "bift": "BIFT"}

NOT_MODELLED: tuple[tuple[str, str], ...] = (
    ("Load of loops", "packets that loop end at their TTL; the room they take on links is not."),
    (
        "Half-broken elements",
        "a link or router is up or down: no flapping, no errored frames, no router that answers"
        " but does not forward.",
    ),
    ("Control traffic", "LSAs, Joins and controller messages are never lost and never queue."),
    (
        "Queues, bursts",
        "rates are ideal fair shares, before a failure and after it; no packet is lost to a full"
        " queue.",
    ),
    *(
        (what, about)
        for what, about in words.NOT_MODELLED
        if what not in ("Failures", "Loss, queues, bursts")
    ),
)

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("outage", "a time without packets at one receiver, measured there."),
    ("black hole", "a router that has no route or no state for a packet, and drops it."),
    (
        "loop",
        "routers that send a packet to each other because they do not know the same yet; it ends"
        " when its TTL is used up.",
    ),
    (
        "wrong interface",
        "the packet came from another neighbour than the source's tree says; PIM drops it (RPF"
        " check).",
    ),
    ("FIB, BIFT", "the tables by which a router forwards: unicast routes, and BIER's bits."),
    ("IGP, LSA, SPF", "the routing protocol, its announcement of a change, its computation."),
    ("SPF throttle", "the time a router waits for more announcements before it computes."),
)


def stage(name: str) -> str:
    return _NAMES.get(name, name)


def in_order(stages: Mapping[str, float]) -> list[tuple[str, float]]:
    """Stages that take time, in the order in which a failure meets them; unknown ones last."""
    known = [(name, stages[name]) for name in STAGES if name in stages]
    rest = [(name, seconds) for name, seconds in stages.items() if name not in STAGES]
    return [(name, seconds) for name, seconds in (*known, *rest) if seconds > 0]


def stage_line(stages: Mapping[str, float]) -> str:
    """``detection 10 ms, flooding 12 ms``."""
    return ", ".join(f"{stage(name)} {show_time(s)}" for name, s in in_order(stages))


def what(row: FailureRow) -> str:
    """``NL--BE``, ``router DE``, ``risk group conduit (3 links)``."""
    parts = []
    if row.srlgs:
        links = f" ({counted(len(row.links), 'link')})" if row.links else ""
        parts.append(f"risk group {some(row.srlgs)}{links}")
    elif row.links:
        parts.append(some(row.links))
    if row.nodes:
        parts.append(("router " if len(row.nodes) == 1 else "routers ") + some(row.nodes))
    return " and ".join(parts) or "nothing"


def some(names: Sequence[str], limit: int = _NAMES_SHOWN) -> str:
    """``a, b and 4 more``, ``a, b and c``."""
    shown = list(names[:limit])
    last = f"{len(names) - limit} more" if len(names) > limit else shown.pop() if shown else ""
    return f"{', '.join(shown)} and {last}" if shown else last


def capital(sentence: str) -> str:
    """Our own first word in upper case; an element's name keeps its letters."""
    ours = sentence.startswith(("router ", "routers ", "risk group "))
    return sentence[:1].upper() + sentence[1:] if ours else sentence


def several(row: FailureRow) -> bool:
    """Whether the failed elements take a plural."""
    return not row.srlgs and len(row.links) + len(row.nodes) > 1


def failure(row: FailureRow) -> str:
    """``NL--BE fails at 10 s and is back at 60 s``."""
    silent = " silently" if row.kind == "silent" else ""
    said = f"{what(row)} {'fail' if several(row) else 'fails'}{silent} at {show_time(row.at_s)}"
    if row.up_at_s is None:
        return said
    return f"{said} and {'are' if several(row) else 'is'} back at {show_time(row.up_at_s)}"


def failures(result: Timeline) -> str:
    shown = [failure(row) for row in result.failures[:_NAMES_SHOWN]]
    more = len(result.failures) - len(shown)
    return "; ".join(shown) + (f"; and {counted(more, 'more failure')}" if more > 0 else "")


def loss(row: Loss) -> str:
    """What became of the packets, and where."""
    said = {
        LINK_DOWN: f"sent into the dead link {row.place}",
        NO_ROUTE: f"black hole at {row.place} (no route)",
        NO_STATE: f"black hole at {row.place} (no state)",
        WRONG_INTERFACE: f"wrong interface at {row.place} (RPF check)",
        EXPIRED: f"loop, ended at {row.place} (TTL)",
    }
    return said.get(row.reason, f"{row.reason} at {row.place}")
