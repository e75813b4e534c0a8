"""What was seen of a push, as rows of its `Measured`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcastlab.probe import Outages
from mcastlab.replica import Replica
from mcastplan.lab.spec import LabSpec
from mcastplan.model.measurement import ArcBytes
from mcastplan.model.measurement import Replica as ReplicaRow

NANO = 1e9


def replica_row(
    replica: Replica, begin_ns: int, setup_s: float, outages: Mapping[str, Outages]
) -> ReplicaRow:
    """Times go on from the set-up's end; ``outages`` by host, where a probe looked for them."""

    def at(instant_ns: int | None) -> float | None:
        return None if instant_ns is None else setup_s + (instant_ns - begin_ns) / NANO

    own, missed = replica.replica, outages.get(replica.replica.host)
    ready = replica.status == "ready"
    return ReplicaRow(
        cloud=own.cloud,
        index=own.index,
        status=replica.status,
        why=replica.why,
        first_byte_s=at(replica.first_byte_ns),
        last_byte_s=at(replica.last_byte_ns),
        verified_s=at(replica.verified_ns),
        loaded_s=at(replica.loaded_ns),
        ready_s=at(replica.ready_ns) if ready else None,
        outage_s=missed.outage_s if missed is not None else None,
        outages=missed.gaps if missed is not None else None,
        probes_lost=missed.lost if missed is not None else None,
    )


def worst_outage_s(rows: Sequence[ReplicaRow]) -> float | None:
    """The longest; None: nobody looked, or one has no end."""
    outages = [row.outage_s for row in rows if row.outages is not None]
    lasted = [each for each in outages if each is not None]
    return max(lasted) if lasted and len(lasted) == len(outages) else None


def arc_name(spec: LabSpec, row: ArcBytes) -> str:
    """As the planner names arcs: parallel links by their ids."""
    if row.link is None:
        return f"{row.source}->{row.target}"
    topology = spec.scenario.topology
    for arc in range(2 * len(topology.links)):
        link = topology.links[arc >> 1]
        ends = (link.b, link.a) if arc & 1 else (link.a, link.b)
        if link.id == row.link and ends == (row.source, row.target):
            return topology.arc_name(arc)
    raise KeyError(row.link)
