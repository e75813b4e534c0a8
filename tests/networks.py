"""Small networks and scenarios for tests, drawn at random or by hand."""

from __future__ import annotations

from hypothesis import strategies as st

from mcastplan.model.cloud import Cloud
from mcastplan.model.scenario import BierOptions, PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.model.topology import Link, NodeInfo, Topology
from mcastplan.model.transfer import Transfer

GBPS = 1e9


def link(
    a: str,
    b: str,
    metric: int = 1,
    back: int | None = None,
    *,
    tag: str = "",
    gbps: float = 100,
    delay_s: float = 0.0,
) -> Link:
    """A link between two named nodes; ``back`` is the metric of the other direction."""
    low, high = sorted((a, b))
    return Link(
        id=f"{low}--{high}{tag}",
        a=a,
        b=b,
        capacity_bps=gbps * GBPS,
        capacity_reverse_bps=gbps * GBPS,
        delay_s=delay_s,
        metric=metric,
        metric_reverse=metric if back is None else back,
    )


def network(*links: Link, extra: tuple[str, ...] = ()) -> Topology:
    """A topology of these links; ``extra`` nodes have none."""
    names = {end for each in links for end in (each.a, each.b)} | set(extra)
    return Topology.make("test", tuple(NodeInfo(name) for name in names), links)


def push(
    topology: Topology,
    origin: str,
    receivers: tuple[str, ...],
    *,
    ingress_gbps: float = 10,
    size_gb: float = 10,
    **options: object,
) -> Scenario:
    """One transfer from ``origin`` to one cloud per name in ``receivers`` (repeats: several clouds
    on one PE), each with one replica."""
    clouds = tuple(
        Cloud(name=f"c{place:03}-{node}", node=node, ingress_bps=ingress_gbps * GBPS)
        for place, node in enumerate(receivers)
    )
    transfer = Transfer(
        name="push",
        size_bytes=int(size_gb * GBPS),
        shards=1,
        origin=origin,
        clouds=tuple(cloud.name for cloud in clouds),
    )
    return Scenario("test", topology, clouds, (transfer,), **options)  # type: ignore[arg-type]


@st.composite
def topologies(draw: st.DrawFn, max_nodes: int = 12) -> Topology:
    """Connected or not, with ties, bridges, parallel links and asymmetric metrics."""
    size = draw(st.integers(2, max_nodes))
    names = [f"n{rank:02}" for rank in range(size)]
    metrics = st.sampled_from((1, 1, 1, 2, 3, 7))
    symmetric = draw(st.booleans())
    links = []
    pairs: dict[tuple[int, int], int] = {}

    def add(a: int, b: int) -> None:
        forward = draw(metrics)
        back = forward if symmetric else draw(metrics)
        pair = min(a, b), max(a, b)
        pairs[pair] = pairs.get(pair, 0) + 1
        delay_s = draw(st.sampled_from((0.0, 0.001, 0.020)))
        tag = f"#{pairs[pair]}"
        links.append(link(names[a], names[b], forward, back, tag=tag, delay_s=delay_s))

    for node in range(1, size):
        if draw(st.integers(0, 14)):  # now and then a part of its own
            add(node, draw(st.integers(0, node - 1)))
    for _ in range(draw(st.integers(0, 2 * size))):
        a = draw(st.integers(0, size - 1))
        b = draw(st.integers(0, size - 1))
        if a != b:
            add(a, b)
    return network(*links, extra=tuple(names))


@st.composite
def scenarios(draw: st.DrawFn, max_nodes: int = 12, ecmp: str | None = None) -> Scenario:
    """One or two transfers with any scheme options; BIER may be given BFR-ids sparse enough for
    several set identifiers by a very small BSL (tests only)."""
    topology = draw(topologies(max_nodes))
    names = [node.name for node in topology.nodes]
    node = st.sampled_from(names)
    clouds = []
    for place in range(draw(st.integers(1, 8))):
        at = draw(node)
        clouds.append(
            Cloud(
                name=f"c{place}",
                node=at,
                ingress_bps=draw(st.sampled_from((1.0, 10.0, 40.0, 400.0))) * GBPS,
                replicas=draw(st.integers(1, 3)),
            )
        )
    chosen = st.lists(st.sampled_from([c.name for c in clouds]), min_size=1, unique=True)
    transfers = []
    for name in ("push", "second")[: draw(st.integers(1, 2))]:
        transfers.append(
            Transfer(
                name=name,
                size_bytes=10**9,
                shards=1,
                origin=draw(node),
                clouds=tuple(sorted(draw(chosen))),
                start_s=draw(st.sampled_from((0.0, 0.5))),
            )
        )
    asm = draw(st.booleans())
    options = SchemeOptions(
        pim_sm=PimOptions(
            mode="asm" if asm else "ssm",
            rp=draw(node) if asm else None,
            spt_switchover=draw(st.booleans()),
            mofrr=not asm and draw(st.booleans()),
        ),
        sr_p2mp=SrP2mpOptions(
            dataplane=draw(st.sampled_from(("srv6", "mpls"))),
            objective=draw(st.sampled_from(("min-cost", "shortest"))),
        ),
        bier=BierOptions(
            bsl=draw(st.sampled_from((2, 3, 64, 256))),  # type: ignore[arg-type]
            bfr_ids=draw(st.sampled_from(("dense", "by-tree"))),
            ecmp=draw(st.sampled_from(("node", "bfer"))),
        ),
    )
    return Scenario(
        "test",
        topology,
        tuple(clouds),
        tuple(transfers),
        ecmp=ecmp or draw(st.sampled_from(("first", "hash"))),  # type: ignore[arg-type]
        schemes=options,
    )
