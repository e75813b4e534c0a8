"""What a scenario file and a topology file may say, key by key: the published formats.

Structure only: quantities and names are still text here, the other modules of this package resolve
them. The annotations also make the JSON schemas and the hints in error messages.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from mcastplan import units
from mcastplan.model.timers import Preset, SpfThrottle

SCENARIO_SCHEMA = "mcastplan.scenario/1"
TOPOLOGY_SCHEMA = "mcastplan.topology/1"
SCHEME_NAMES = ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier")

NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.-]*"
LINK_ID_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.:/#-]*"
MAX_NAME = 64  # characters
MAX_METRIC = 2**31
MAX_REPLICAS = 1_000_000

Rate = Annotated[
    str,
    Meta(
        description="a rate with its unit",
        examples=["40Gbps"],
        extra_json_schema={"pattern": units.quantity_pattern(units.RATE_UNITS)},
        extra={"quantity": "rate"},
    ),
]
Size = Annotated[
    str,
    Meta(
        description="a size with its unit, decimal (689GB = 689e9 bytes)",
        examples=["689GB"],
        extra_json_schema={"pattern": units.quantity_pattern(units.SIZE_UNITS)},
        extra={"quantity": "size"},
    ),
]
Time = Annotated[
    str,
    Meta(
        description="a time with its unit",
        examples=["10ms"],
        extra_json_schema={"pattern": units.quantity_pattern(units.TIME_UNITS)},
        extra={"quantity": "time"},
    ),
]
Name = Annotated[
    str,
    Meta(
        description="letters, digits, _ . -, at most 64, no '--'",
        examples=["ams"],
        extra_json_schema={"pattern": f"^{NAME_PATTERN}$", "maxLength": MAX_NAME},
    ),
]
NodeRef = Annotated[
    str,
    Meta(
        description="a node's name, or its label where only one node has it",
        examples=["NL"],
    ),
]
Metric = Annotated[int, Meta(ge=1, le=MAX_METRIC, description="IGP metric", examples=[10])]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="degrees east", examples=[4.89])]
Latitude = Annotated[float, Meta(ge=-90, le=90, description="degrees north", examples=[52.37])]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base: an unknown key is an error."""


class FileNode(_File, frozen=True):
    name: Name
    label: str = ""
    lon: Longitude | None = None
    lat: Latitude | None = None
    kind: Annotated[str, Meta(description="free text; 'waypoint' is a cable joint")] = ""


class FileLink(_File, frozen=True):
    """The reverse values default to the forward ones; forward is from ``a`` to ``b``."""

    a: NodeRef
    b: NodeRef
    id: str | None = None
    capacity: Rate | None = None
    capacity_reverse: Rate | None = None
    delay: Time | None = None
    metric: Metric | None = None
    metric_reverse: Metric | None = None
    srlgs: list[Name] = []


class FileTopology(_File, frozen=True):
    nodes: Annotated[list[FileNode], Meta(min_length=1)]
    links: list[FileLink] = []
    schema: Literal["mcastplan.topology/1"] = "mcastplan.topology/1"
    name: str | None = None
    source: str = ""
    licence: str = ""


class FileAttribute(_File, frozen=True):
    name: Annotated[str, Meta(description="of the edges' attribute", examples=["weight"])]


class FileRateAttribute(FileAttribute, frozen=True):
    unit: Annotated[Rate | None, Meta(description="what 1 is; none: each value has its unit")] = (
        None
    )


class FileTimeAttribute(FileAttribute, frozen=True):
    unit: Annotated[Time | None, Meta(description="what 1 is; none: each value has its unit")] = (
        None
    )


class FileAttributes(_File, frozen=True):
    """Which attributes of a GraphML file's edges are capacity, delay and metric."""

    capacity: FileRateAttribute | None = None
    delay: FileTimeAttribute | None = None
    metric: FileAttribute | None = None


class FileUnderlay(_File, frozen=True):
    metric: Literal["delay", "hops", "explicit"] | None = None
    capacity: Rate | None = None
    ecmp: Literal["first", "hash"] = "first"
    mtu: Annotated[int, Meta(ge=576, le=65535, description="bytes", examples=[9000])] = 9000
    waypoints: Literal["merge", "keep"] = "merge"
    protection: Literal["none", "lfa", "ti-lfa"] = "none"
    route_factor: (
        Annotated[float, Meta(ge=1, le=10, description="fibre over great circle", examples=[1.5])]
        | None
    ) = None
    attributes: FileAttributes = FileAttributes()


class FileEngine(_File, frozen=True):
    """What a replica does after the last byte, as somebody measured it; ``like`` gives the rest."""

    like: Annotated[str, Meta(description="an engine whose other values hold")] | None = None
    hardware: str = ""
    verify: Rate | None = None
    load: Rate | None = None
    compile: Time | None = None
    compile_cached: Time | None = None
    graphs: Time | None = None
    warm_up: Time | None = None
    provision: Time | None = None
    source: str = ""


class FileCloud(_File, frozen=True):
    name: Name
    node: NodeRef
    ingress: Rate
    egress: Rate | None = None
    replicas: Annotated[int, Meta(ge=1, le=MAX_REPLICAS, description="GPU servers")] = 1
    fabric: Rate | None = None
    fanout: Literal["multicast", "cache"] = "multicast"
    engine: (
        Annotated[str, Meta(description="a row of `mcastplan engines`, or of `engines`")]
        | FileEngine
        | None
    ) = None
    provision: Time | None = None


class FileOrigin(_File, frozen=True):
    node: NodeRef
    egress: Rate | None = None


class FileTransfer(_File, frozen=True):
    """``model`` or ``size``, one of them."""

    name: Name
    origin: FileOrigin
    to: Annotated[
        Annotated[str, Meta(extra_json_schema={"const": "all"})]
        | Annotated[list[str], Meta(min_length=1)],
        Meta(description="'all' or a list of cloud names, each once", examples=["all"]),
    ]
    model: (
        Annotated[
            str,
            Meta(
                description="a row of `mcastplan models`, or a *.safetensors.index.json or"
                " *.bin.index.json file beside this one",
                examples=["deepseek-v3-fp8"],
            ),
        ]
        | None
    ) = None
    size: Size | None = None
    start: Time | None = None
    load: Literal["after", "streamed"] = "after"
    receivers: Literal["new", "known"] = "new"
    ship_compile_cache: bool = False


class FileUnicast(_File, frozen=True):
    per: Literal["replica", "cloud"] = "replica"
    per_pull: Rate | None = None


class FileIngressReplication(_File, frozen=True):
    """No options."""


class FilePim(_File, frozen=True):
    mode: Literal["ssm", "asm"] = "ssm"
    rp: NodeRef | None = None
    spt_switchover: bool = True
    register_limit: Rate | None = None
    mofrr: bool = False


class FileSrP2mp(_File, frozen=True):
    dataplane: Literal["srv6", "mpls"] = "srv6"
    objective: Literal["min-cost", "shortest"] = "min-cost"
    update: Literal["make-before-break", "in-place"] = "make-before-break"
    protected_adjacencies: bool = False


class FileBier(_File, frozen=True):
    bsl: Literal[64, 128, 256, 512, 1024, 2048, 4096] = 256
    bfr_ids: Literal["dense", "by-tree"] = "dense"
    ecmp: Literal["node", "bfer"] = "node"
    sub_domain: Annotated[int, Meta(ge=0, le=255, description="RFC 8279 sub-domain")] = 0
    frr: Literal["none", "tunnel", "lfa"] = "none"


SchemeName = Literal["unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"]


class FileSchemes(_File, frozen=True):
    """Options of each scheme; ``only`` leaves the other schemes out of the result."""

    unicast: FileUnicast = FileUnicast()
    ingress_replication: FileIngressReplication = field(
        name="ingress-replication", default=FileIngressReplication()
    )
    pim_sm: FilePim = field(name="pim-sm", default=FilePim())
    sr_p2mp: FileSrP2mp = field(name="sr-p2mp", default=FileSrP2mp())
    bier: FileBier = FileBier()
    only: Annotated[list[SchemeName], Meta(min_length=1)] | None = None


class FileTimers(_File, frozen=True):
    """A preset and, over it, the rows of `mcastplan.model.timers.TIMER_ROWS`."""

    preset: Preset = "tuned"
    spf: SpfThrottle | None = None
    announce: Time | None = None
    igmp: Time | None = None
    join: Time | None = None
    discovery: Time | None = None
    compute: Time | None = None
    program: Time | None = None
    signal: Time | None = None
    write: Time | None = None
    carrier: Time | None = None
    silent: Time | None = None
    adjacency: Time | None = None
    lsa_interval: Time | None = None
    flood: Time | None = None
    spf_initial: Time | None = None
    spf_short: Time | None = None
    spf_long: Time | None = None
    spf_learn: Time | None = None
    spf_holddown: Time | None = None
    spf_delay: Time | None = None
    spf_hold: Time | None = None
    spf_max_hold: Time | None = None
    spf_run: Time | None = None
    protect: Time | None = None
    pim_hello: Time | None = None
    mbb_hold: Time | None = None
    rto: Time | None = None


class FileTransport(_File, frozen=True):
    """Reliable multicast of a push: what happens to bytes that a failure lost."""

    profile: Literal["nack-ideal", "uftp"] = "nack-ideal"
    evict_after: Time | None = None


class FileFailure(_File, frozen=True):
    """A link is ``[A, B]`` (all parallel links between the two) or a link id."""

    links: list[str | Annotated[list[NodeRef], Meta(min_length=2, max_length=2)]] = []
    nodes: list[NodeRef] = []
    srlgs: list[str] = []
    kind: Literal["carrier", "silent"] = "carrier"
    at: Time | None = None
    up_at: Time | None = None


class FileBackground(_File, frozen=True, rename={"source": "from", "target": "to"}):
    source: NodeRef
    target: NodeRef
    rate: Rate


class FileBackgroundDemands(_File, frozen=True):
    """The topology's own traffic matrix as background: each of its units is ``unit``."""

    unit: Rate


class FilePrice(_File, frozen=True, rename={"source": "from", "target": "to"}):
    source: NodeRef
    target: NodeRef
    usd_per_gb: Annotated[float, Meta(ge=0, le=1e6, description="USD per GB", examples=[0.02])]


class FileLimits(_File, frozen=True):
    state_entries: Annotated[int, Meta(ge=1, le=2**31, description="per node")] | None = None


class FileScenario(_File, frozen=True):
    schema: Literal["mcastplan.scenario/1"]
    name: Annotated[str, Meta(description="one line of text", examples=["night-push"])]
    topology: Annotated[
        str | FileTopology,
        Meta(
            description="topohub:GROUP/NAME, builtin:NAME, generate:KIND/..., a YAML, JSON or"
            " GraphML file beside this one, or inline",
            examples=["topohub:topozoo/Geant2012"],
        ),
    ]
    clouds: Annotated[list[FileCloud], Meta(min_length=1)]
    transfers: Annotated[list[FileTransfer], Meta(min_length=1)]
    engines: dict[str, FileEngine] = {}
    underlay: FileUnderlay = FileUnderlay()
    schemes: FileSchemes = FileSchemes()
    timers: Preset | FileTimers = "tuned"
    transport: FileTransport = FileTransport()
    failures: list[FileFailure] = []
    background: list[FileBackground] = []
    background_demands: FileBackgroundDemands | None = None
    prices: list[FilePrice] = []
    limits: FileLimits = FileLimits()
