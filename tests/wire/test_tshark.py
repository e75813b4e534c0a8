"""Other people's dissectors read what is written: tshark (Debian's package of that name), scapy.

Every frame is read whole, so that every checksum can be verified; then cut, as `plan --pcap` does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mcastplan import load_scenario
from mcastplan.model.scenario import BierOptions, PimOptions, Scenario, SchemeOptions, SrP2mpOptions
from mcastplan.wire.capture import capture
from tests.networks import link, network, push
from tests.wire.reading import read
from tests.wire.test_capture import PINNED

DISSECTOR = Path(__file__).parents[2] / "docs" / "bier.lua"
GOOD, UNVERIFIED, ABSENT = "1", "2", "3"

NET = network(
    link("s", "a", delay_s=0.001), link("a", "b"), link("a", "c"), link("c", "d"), link("b", "d", 9)
)
MPLS = SchemeOptions(sr_p2mp=SrP2mpOptions(dataplane="mpls"))
ASM = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="c"))
LONG = SchemeOptions(bier=BierOptions(bsl=4096, sub_domain=9))

# scheme, scenario, the protocols that each kind of core frame consists of
CASES: dict[str, tuple[str, Scenario, set[str]]] = {
    "unicast": ("unicast", push(NET, "s", ("b", "d")), {"ip:tcp"}),
    "vxlan": (
        "ingress-replication",
        push(NET, "s", ("s", "b", "d")),
        {"ip:udp:vxlan:eth:ethertype:ip:udp:data"},
    ),
    "ssm": ("pim-sm", push(NET, "s", ("b", "d")), {"ip:udp:data"}),
    "asm": (
        "pim-sm",
        push(NET, "s", ("b", "d"), schemes=ASM),
        {"ip:udp:data", "ip:pim:ip:udp:data"},
    ),
    "srv6": ("sr-p2mp", push(NET, "s", ("b", "d")), {"ipv6:ip:udp:data"}),
    "srh": ("sr-p2mp", PINNED, {"ipv6:ip:udp:data", "ipv6:ipv6.routing:ip:udp:data"}),
    "mpls": ("sr-p2mp", push(NET, "s", ("d",), schemes=MPLS), {"mpls:ip:udp:data"}),
    "bier": ("bier", push(NET, "s", ("b", "d")), {"bier_eth:ip:udp:data"}),
    "bier-4096": ("bier", push(NET, "s", ("b", "d"), schemes=LONG), {"bier_eth:ip:udp:data"}),
}
CHECKSUMS = ("ip.checksum.status", "udp.checksum.status", "tcp.checksum.status")


@pytest.fixture(scope="module")
def tshark() -> str:
    path = shutil.which("tshark")
    if path is None:
        missing = "tshark is not installed (Debian: apt-get install tshark)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def dissect(tshark: str, file: Path, *fields: str) -> list[dict[str, list[str]]]:
    """The values of each field in each frame."""
    command = [tshark, "-n", "-X", f"lua_script:{DISSECTOR}", "-r", str(file), "-T", "fields"]
    for option in ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"):
        command += ["-o", f"{option}:TRUE"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(
        [*command, "-E", "separator=|"], capture_output=True, text=True, check=True
    )
    return [
        {
            field: value.split(",") if value else []
            for field, value in zip(fields, line.split("|"), strict=True)
        }
        for line in done.stdout.splitlines()
    ]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("case", CASES)
def test_tshark_understands_every_byte(tshark: str, tmp_path: Path, case: str, whole: bool) -> None:
    scheme, scenario, protocols = CASES[case]
    made = capture(scenario, scheme, whole=whole)
    file = tmp_path / "a.pcapng"
    file.write_bytes(made.data)
    rows = dissect(
        tshark,
        file,
        *("frame.interface_name", "frame.protocols", "_ws.malformed", "pim.cksum.status"),
        *CHECKSUMS,
    )
    seen = read(made.data)[1]
    assert [row["frame.interface_name"] for row in rows] == [[frame.arc] for frame in seen]
    found = set()
    for row, frame in zip(rows, seen, strict=True):
        assert row["_ws.malformed"] == []
        assert set(row["ip.checksum.status"]) <= {GOOD}
        assert row["ip.checksum.status"] or (scheme == "bier" and not whole)
        # A VXLAN tunnel's own UDP has no checksum; a sum over bytes cut off cannot be verified.
        sums = row["udp.checksum.status"] + row["tcp.checksum.status"]
        allowed = {GOOD} if whole else {UNVERIFIED}
        if scheme == "ingress-replication":
            allowed = allowed | {ABSENT}
        assert set(sums) <= allowed
        assert sums or (scheme == "bier" and not whole)
        assert set(row["pim.cksum.status"]) <= {GOOD}
        if ":" not in frame.arc:
            (stack,) = row["frame.protocols"]
            found.add(stack.removeprefix("eth:ethertype:").removesuffix(":http:data"))
    # The script that reads BIER leaves the packet inside alone where the frame is cut.
    assert found == ({"bier_eth:data"} if scheme == "bier" and not whole else protocols)


def test_tshark_reads_bier_field_by_field(tshark: str, tmp_path: Path) -> None:
    """b, d and s have BFR-ids 1, 2 and 3; d is behind c. Sub-domain 9, BSL code 7."""
    file = tmp_path / "a.pcapng"
    file.write_bytes(capture(CASES["bier-4096"][1], "bier").data)
    fields = (
        "src",
        "dst",
        "bsl",
        "bift_id.sd",
        "bift_id.si",
        "s",
        "tc",
        "ttl",
        "nibble",
        "proto",
        "bfir_id",
    )
    rows = dissect(
        tshark, file, "frame.interface_name", *(f"bier_eth.{f}" for f in (*fields, "bfr_id"))
    )
    by_arc = {row["frame.interface_name"][0]: row for row in rows}
    for arc, ttl, bfr_ids in (("s->a", "255", ["1", "2"]), ("c->d", "253", ["2"])):
        row = by_arc[arc]
        values = [row[f"bier_eth.{field}"] for field in fields]
        assert values[:2] == [["198.51.100.1"], ["232.1.0.1"]]
        assert values[2:] == [["7"], ["9"], ["0"], ["1"], ["0"], [ttl], ["0"], ["4"], ["3"]]
        assert row["bier_eth.bfr_id"] == bfr_ids


def test_tshark_reads_srh_and_labels(tshark: str, tmp_path: Path) -> None:
    file = tmp_path / "a.pcapng"
    file.write_bytes(capture(PINNED, "sr-p2mp").data)
    srh = "ipv6.routing.srh"
    fields = (
        "ipv6.dst",
        "ipv6.routing.type",
        "ipv6.routing.segleft",
        f"{srh}.addr",
        f"{srh}.last_entry",
    )
    rows = dissect(tshark, file, "frame.interface_name", *fields)
    (row,) = [row for row in rows if row["frame.interface_name"] == ["b->c"]]
    sid = ["fcbb:bb00:3:e001::"]
    assert [row[field] for field in fields] == [sid, ["4"], ["0"], sid, ["0"]]
    file.write_bytes(capture(CASES["mpls"][1], "sr-p2mp").data)
    fields = ("mpls.label", "mpls.bottom", "mpls.ttl")
    rows = dissect(tshark, file, "frame.interface_name", *fields)
    (row,) = [row for row in rows if row["frame.interface_name"] == ["c->d"]]
    # d is node 3, three hops from s: its Node-SID over the Replication-SID.
    assert [row[field] for field in fields] == [["16003", "500001"], ["0", "1"], ["253", "255"]]


@pytest.mark.parametrize("scheme", ["unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"])
def test_tshark_opens_a_real_network(tshark: str, tmp_path: Path, scheme: str) -> None:
    made = capture(load_scenario("builtin:global-inference"), scheme)
    file = tmp_path / "a.pcapng"
    file.write_bytes(made.data)
    rows = dissect(tshark, file, "frame.interface_name", "frame.time_epoch", "_ws.malformed")
    assert len(rows) == made.frames
    times = [float(row["frame.time_epoch"][0]) for row in rows]
    assert times == sorted(times)
    assert len({row["frame.interface_name"][0] for row in rows}) == made.arcs
    assert not any(row["_ws.malformed"] for row in rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("bier")])
def test_scapy_builds_the_same_bytes(case: str) -> None:
    """Dissected, lengths and checksums forgotten, built again: not a bit differs. (Its BIER is not
    that of RFC 8296; its PIM sums the whole Register.)"""
    pytest.importorskip("scapy", reason="scapy is not installed (pip install scapy)")
    from scapy.contrib.mpls import MPLS
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrSegmentRouting
    from scapy.layers.l2 import Ether
    from scapy.packet import NoPayload, bind_layers

    bind_layers(MPLS, IP, s=1)
    scheme, scenario, _ = CASES[case]
    forgotten = {
        IP: ("len", "chksum", "ihl"),
        UDP: ("len", "chksum"),
        TCP: ("chksum", "dataofs"),
        IPv6: ("plen",),
        IPv6ExtHdrSegmentRouting: ("len", "lastentry"),
    }
    for frame in read(capture(scenario, scheme, whole=True).data)[1]:
        packet = Ether(frame.data)
        layer = packet
        while not isinstance(layer, NoPayload):
            for field in forgotten.get(type(layer), ()):
                if (type(layer), field) == (UDP, "chksum") and layer.chksum == 0:
                    continue  # a VXLAN tunnel sends none
                delattr(layer, field)
            layer = layer.payload
        assert bytes(packet) == frame.data
