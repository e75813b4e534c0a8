"""What the report says in its own words: schemes, stages, terms, limits. No numbers live here."""

from __future__ import annotations

# Scheme -> its name in a sentence, and what it does, for a reader who knows neither.
SCHEMES: dict[str, tuple[str, str]] = {
    "unicast": (
        "Unicast",
        "every replica (or every cloud's cache) fetches its own copy from the origin over HTTP or"
        " the like; what people do today",
    ),
    "ingress-replication": (
        "Ingress replication",
        "the router next to the origin makes one tunnelled copy for each router that serves a"
        " cloud; the routers between need nothing new",
    ),
    "pim-sm": (
        "PIM-SM",
        "classic IP multicast: routers remember a tree for each push and copy packets where it"
        " branches",
    ),
    "sr-p2mp": (
        "SR-P2MP",
        "segment routing: a controller computes the tree and programs it into the routers where it"
        " branches",
    ),
    "bier": (
        "BIER",
        "each packet carries one bit for each receiving router; routers copy packets by those bits"
        " and remember nothing about single pushes",
    ),
}

# Stage -> (its name, what happens in it), in the order of the pipeline.
STAGES: dict[str, tuple[str, str]] = {
    "provision": ("provision", "machines are made ready to receive"),
    "setup": ("set-up", "the network learns who receives"),
    "transfer": ("transfer", "bytes cross the network to the cloud"),
    "repair": ("repair", "lost bytes are sent again"),
    "fan_out": ("fan-out", "copies spread inside the cloud after its last byte arrived"),
    "verify": ("verify", "checksums of what arrived"),
    "load": ("load", "weights go into GPU memory"),
    "compile": ("compile", "the engine compiles its kernels"),
    "graphs": ("graphs", "CUDA graphs are captured"),
    "warm_up": ("warm-up", "until the first request is answered"),
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("arc", "one direction of a link, written A->B."),
    (
        "binds",
        "is the bottleneck: the one link, uplink or downlink that a faster push would need to be"
        " wider.",
    ),
    (
        "bound",
        "the shortest time any way of copying could take: the size divided by the narrowest of the"
        " origin's uplink, a cloud's downlink and the network between them. 1.01 x bound is 1 %"
        " above it.",
    ),
    ("cloud", "a site with GPU servers, attached to one router of the network."),
    (
        "cold start",
        "everything between the request for a replica and its first answer, the transfer included.",
    ),
    ("copies", "how many times the same packet crosses a link. One is the least possible."),
    ("core", "the links between routers, without those of the origin and of the clouds."),
    ("egress, ingress", "the rate out of the origin; the rate into a cloud."),
    ("engine", "the inference software of a replica, with the times of its start-up stages."),
    ("fabric, fan-out", "a cloud's own network; how the model spreads over it to the replicas."),
    (
        "header",
        "bytes that a scheme adds to each packet of up to the network's packet size (MTU).",
    ),
    ("PE", "provider edge: the router that a cloud or the origin is attached to."),
    ("push, transfer", "one model or file, from one origin to the named clouds, at one time."),
    ("replica", "a GPU server, or a group of them, that holds one full copy and answers requests."),
    (
        "state",
        "entries in routers' forwarding tables that exist only because of the scheme. Routers have"
        " room for a limited number.",
    ),
    (
        "BFR, BFER, BSL, SI",
        "BIER's words: a router that forwards by bits; one that receives; the length of the bit"
        " string in a packet; the set identifier. Receivers beyond one bit string's length need a"
        " second set, and a second copy.",
    ),
)

# Terms in the planner's reasons, for a bubble over each.
TERMS: dict[str, str] = {
    "arc": "one direction of a link",
    "binds": "is the bottleneck",
    "bound": "the shortest time that any way of copying could take",
    "core": "the links between routers",
    "egress": "the rate out of the origin",
    "entries": "rows in routers' forwarding tables",
    "ingress": "the rate into a cloud",
}

NOT_MODELLED: tuple[tuple[str, str], ...] = (
    (
        "More than one network",
        "all routers are one link-state routing domain (IGP) that you operate. Pushes across"
        " several operators, or over the public Internet, are another question.",
    ),
    ("Dual-homed clouds", "each cloud hangs on one router; a second uplink adds nothing here."),
    (
        "Routers that cannot do it",
        "every router is assumed to speak the scheme. Partial deployment, such as routers that do"
        " not forward BIER (non-BFR nodes), is left out.",
    ),
    (
        "What you may already run",
        "mLDP and RSVP-TE P2MP, the multicast of an installed MPLS network, are not among the"
        " schemes compared.",
    ),
    (
        "Traffic classes",
        "there is no QoS: the push shares links with the stated background load, neither favoured"
        " nor held back.",
    ),
    (
        "Loss, queues, bursts",
        "rates are ideal fair shares. TCP's slow start and recovery, and the repair traffic of"
        " reliable multicast, come on top.",
    ),
    ("Failures", "every link and router works during the push."),
    (
        "Help between clouds",
        "no cloud serves another one: no peer-to-peer, no relays, no CDN. All receivers of a"
        " multicast push go at the pace of the slowest.",
    ),
    (
        "Contention inside a site",
        "replicas do not compete for disks, PCIe or CPUs while they load.",
    ),
)


def title(scheme: str) -> str:
    """The scheme's name in a sentence; a later one is called as in the result."""
    return SCHEMES.get(scheme, (scheme, ""))[0]


def what_it_does(scheme: str) -> str:
    return SCHEMES.get(scheme, ("", ""))[1]
