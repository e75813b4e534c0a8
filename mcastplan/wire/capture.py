"""What one packet of each transfer looks like on each arc it crosses, as a capture file.

The packet is walked over the rendered tables, one frame per copy and arc, access arcs too, in the
order of time: a frame's time is the propagation delay from the origin's PE to the arc's tail, whole
seconds later in each later phase (PIM ASM). TTLs start at 255; routers take one off the header they
forward by, and one off the IPv4 packet where they impose or remove a header (a VXLAN bridge does
not). A copy whose TTL ends is not forwarded and is counted. Not modelled: queueing and transmission
time, IP options, fragments, the frame check sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import msgspec

from mcastplan.errors import UsageError
from mcastplan.evaluate.scheme import Context, Installed, Plans
from mcastplan.model.plan import Flow, Native, Table
from mcastplan.model.scenario import Scenario
from mcastplan.model.topology import Arc, Node
from mcastplan.schemes.unicast import Segment
from mcastplan.study.plan import prepare
from mcastplan.wire.frames import MAX_NODES, Frames, Ttl
from mcastplan.wire.pcapng import Frame, Interface, pcapng

ENOUGH_FRAMES = 1_000  # no further packet is begun
FIRST_TTL = 255
NATIVE = (Native, Segment)


class Capture(msgspec.Struct, frozen=True):
    """A pcapng file and what is in it: ``packets`` of ``all_packets`` were walked."""

    data: bytes
    frames: int
    arcs: int
    packets: int
    all_packets: int
    expired: int


class Copy(msgspec.Struct, frozen=True):
    """One copy where it arrives; ``hops`` counts core arcs."""

    node: Node
    arrived: Arc | None
    packet: Hashable
    at_s: float
    hops: int
    ttl: Ttl


def capture(
    scenario: Scenario, scheme: str, to: Sequence[str] | None = None, *, whole: bool = False
) -> Capture:
    """One packet of every flow: of each transfer, of each cloud's pull. ``whole`` keeps payloads.

    A packet is shown on all its arcs or not at all: none is begun after `ENOUGH_FRAMES` frames.
    Raises as `mcastplan.study.plan.plan` does.
    """
    context, installed = prepare(scenario, scheme, to)
    if context.routes.graph.size > MAX_NODES:
        raise UsageError(f"a capture has addresses for {MAX_NODES:,} routers, not for more")
    recorder = _Recorder(context, installed, whole)
    packets = every = 0
    for place in range(len(installed.plans)):
        for moment, table, flow, frames in recorder.flows(place):
            every += 1
            if len(recorder.frames) < ENOUGH_FRAMES:
                packets += 1
                recorder.walk(place, moment, table, flow, frames)
    about = (
        f"{scenario.name}, {scheme}: what one packet looks like on each arc (interface), as"
        " planned, not measured; payloads are cut"
    )
    # Stable: copies of one instant stay in the order of the walk.
    recorder.frames.sort(key=lambda frame: frame.at_s)
    return Capture(
        pcapng(about, recorder.interfaces, recorder.frames),
        len(recorder.frames),
        len(recorder.interfaces),
        packets,
        every,
        recorder.expired,
    )


class Moment(msgspec.Struct, frozen=True):
    """When a phase is shown, and how frames say so where there are several."""

    start_s: float
    words: str


class _Recorder:
    """Walks packets and keeps a frame of every copy on every arc."""

    def __init__(self, context: Context, installed: Installed, whole: bool) -> None:
        self._context, self._installed, self._whole = context, installed, whole
        self._graph, self._space = context.routes.graph, context.space
        self.interfaces: list[Interface] = []
        self.frames: list[Frame] = []
        self.expired = 0
        self._interface: dict[tuple[Arc, str], int] = {}  # an origin's arc has one a transfer

    def flows(self, place: int) -> Iterator[tuple[Moment, Callable[[Node], Table], Flow, Frames]]:
        """Every flow of every phase of a transfer: its moment, the tables then, the frames."""
        scheme, plans, routes = self._installed.scheme, self._installed.plans, self._context.routes
        demand, _ = plans[place]
        phases = scheme.phases(routes, demand)
        for order, phase in enumerate(phases):
            moment = Moment(float(order), f", phase {phase.name}" if len(phases) > 1 else "")
            now = [*plans[:place], (demand, phase.plan), *plans[place + 1 :]]
            held: dict[Node, Table] = {}

            def table(node: Node, now: Plans = now, held: dict[Node, Table] = held) -> Table:
                if node not in held:
                    held[node] = scheme.table(routes, now, node)
                return held[node]

            frames = Frames(
                self._context, self._installed, demand, phase.plan, place + 1, self._whole
            )
            for flow in phase.plan.flows:
                yield moment, table, flow, frames

    def walk(
        self,
        place: int,
        moment: Moment,
        table: Callable[[Node], Table],
        flow: Flow,
        frames: Frames,
    ) -> None:
        demand, _ = self._installed.plans[place]
        pulled = self._installed.scheme.name == "unicast"
        cloud = flow.clouds[0] if pulled else ""
        about = flow.name + moment.words
        if flow.count > 1:
            about += f", one of {flow.count} pulls"
        start_s = moment.start_s
        ttl = Ttl(FIRST_TTL, FIRST_TTL, FIRST_TTL)
        origin = self._space.origin[demand.transfer]
        kept, words = frames.from_origin(ttl, cloud), f"{about}, from the origin"
        self._keep(origin, start_s, kept, words, demand.transfer)
        wave = [Copy(demand.origin, None, Native(flow.name), start_s, 0, ttl)]
        while wave:
            ahead: list[Copy] = []
            for copy in wave:
                hop = table(copy.node).forward(copy.arrived, copy.packet)
                if hop.delivered:
                    self._deliver(copy, hop.delivered, flow, frames, about)
                for arc, packet in hop.out:
                    ttl = self._onward(copy, packet)
                    if not (ttl.outer and ttl.inner):
                        self.expired += 1
                        continue
                    kept = frames.core(arc, packet, ttl, cloud)
                    self._keep(arc, copy.at_s, kept, f"{about}, hop {copy.hops + 1}")
                    at_s = copy.at_s + self._graph.delay_s[arc]
                    there = self._graph.head[arc]
                    ahead.append(Copy(there, arc, packet, at_s, copy.hops + 1, ttl))
            wave = ahead

    def _onward(self, copy: Copy, packet: Hashable) -> Ttl:
        """TTLs of what a node sends on."""
        ttl, was_native, is_native = copy.ttl, type(copy.packet) in NATIVE, type(packet) in NATIVE
        inner = ttl.inner - int((was_native or is_native) and not self._bridged)
        if was_native or is_native:
            return Ttl(FIRST_TTL, FIRST_TTL, inner)
        outer = ttl.outer - 1
        # A transit router touches the top label only; whoever changes the packet writes them all.
        return Ttl(outer, ttl.imposed if packet == copy.packet else outer, inner)

    @property
    def _bridged(self) -> bool:
        return self._installed.scheme.name == "ingress-replication"

    def _deliver(self, copy: Copy, delivered: int, flow: Flow, frames: Frames, about: str) -> None:
        clouds = self._context.scenario.cloud
        names = self._graph.names
        inner = copy.ttl.inner - int(not self._bridged)
        if not inner:
            self.expired += delivered
            return
        ttl = Ttl(FIRST_TTL, FIRST_TTL, inner)
        for _ in range(delivered):
            for name in flow.clouds:
                if clouds[name].node == names[copy.node]:
                    kept = frames.to_cloud(copy.node, name, ttl)
                    arc = self._space.cloud[name]
                    self._keep(arc, copy.at_s, kept, f"{about}, to cloud {name}")

    def _keep(
        self, arc: Arc, at_s: float, kept: tuple[bytes, int], comment: str, origin_of: str = ""
    ) -> None:
        data, wire_bytes = kept
        self.frames.append(Frame(self._number(arc, origin_of), at_s, data, wire_bytes, comment))

    def _number(self, arc: Arc, origin_of: str) -> int:
        place = arc, origin_of
        if place not in self._interface:
            self._interface[place] = len(self.interfaces)
            source, target, link = self._space.ends(arc, origin_of)
            name = f"{source}->{target}"
            if link is not None:
                name = self._context.scenario.topology.arc_name(arc)
            about = "access arc" if link is None else f"core arc, link {link}"
            self.interfaces.append(Interface(name, about, self._space.capacity_bps[arc]))
        return self._interface[place]
