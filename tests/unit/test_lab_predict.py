"""What the lab should show, against numbers worked out by hand and against `fail`."""

from __future__ import annotations

import msgspec
import pytest

from mcastplan.errors import UsageError
from mcastplan.lab.build import build
from mcastplan.lab.control import control
from mcastplan.lab.predict import calibrated, predict
from mcastplan.lab.spec import LabSpec
from mcastplan.model.failure import Failure
from mcastplan.model.measurement import Calibration, Predicted
from mcastplan.model.timers import Timers
from mcastplan.scenario import load_scenario
from mcastplan.study.fail import fail
from tests.measurements import MACHINE
from tests.networks import link, network, push

# Hashing and loading take no time to speak of; timers are the preset's own.
QUICK = Calibration("2026-01-01", MACHINE, "ring", 1e15, 1e15, {}, 1)
MULTICAST = ("ingress-replication", "pim-sm", "sr-p2mp", "bier")
HEADER = {"ingress-replication": 50, "pim-sm": 0, "sr-p2mp": 40, "bier": 12 + 256 // 8}


@pytest.fixture(scope="module")
def diamond() -> LabSpec:
    return build(load_scenario("builtin:lab-diamond"))


def wire(said: Predicted) -> dict[str, float]:
    return {f"{each.source}->{each.target}": each.wire_bytes for each in said.links}


def counted_s(said: Predicted, announce_s: float = 0.060) -> float:
    """Counters run from the end of the network's set-up, before the push is announced."""
    return (said.ready_s or 0.0) - (said.setup_s or 0.0) + announce_s


@pytest.mark.parametrize("scheme", MULTICAST)
def test_uftp_at_95_per_cent_of_the_slowest_cloud(diamond: LabSpec, scheme: str) -> None:
    """25 Mb/s into delft; a packet of the largest size less the scheme's header is 38 B longer on
    the wire, and 52 B of it are IP, UDP and UFTP."""
    said = predict(diamond, diamond.pushes[0], scheme, QUICK)
    packet = 1500 - HEADER[scheme]
    payload = packet - 52
    bits = 8 * diamond.pushes[0].size_bytes
    assert said.transfer_s == pytest.approx(bits / (0.95 * 25e6 * payload / (packet + 38)))
    assert said.rate_bps == pytest.approx(0.95 * 25e6 * packet / (packet + 38))
    assert (said.binding_arc, said.worst_outage_s) == ("D->cloud:delft", None)
    assert said.binding == "cloud delft: ingress 25 Mb/s"
    assert said.setup_s is not None
    assert said.ready_s == pytest.approx(said.setup_s + (said.transfer_s or 0.0), rel=1e-4)


@pytest.mark.parametrize("scheme", MULTICAST)
def test_bytes_of_every_arc(diamond: LabSpec, scheme: str) -> None:
    """A->B carries delft's and bergen's copy under ingress replication, else one; links that carry
    no data carry hellos and BFD."""
    said = predict(diamond, diamond.pushes[0], scheme, QUICK)
    packet = 1500 - HEADER[scheme]
    per_byte = (1500 + 38) / (packet - 52)
    size = diamond.pushes[0].size_bytes
    talk = control(diamond.scenario.timers, scheme, v6=True).wire_bytes * counted_s(said)
    copies = 2 if scheme == "ingress-replication" else 1
    found = wire(said)
    assert found["A->B"] == pytest.approx(copies * size * per_byte + talk)
    assert found["B->D"] == pytest.approx(size * per_byte + talk)
    assert found["D->B"] == found["C->D"] == pytest.approx(talk)
    native = size * (packet + 38) / (packet - 52)
    assert found["origin:push->A"] == found["D->cloud:delft"] == pytest.approx(native)


def test_pulls(diamond: LabSpec) -> None:
    """Two replicas behind 25 Mb/s; 1,448 B of 1,538 are payload; an ACK of 90 B for every second
    segment comes back."""
    said = predict(diamond, diamond.pushes[0], "unicast", QUICK)
    size = diamond.pushes[0].size_bytes
    assert said.transfer_s == pytest.approx(2 * 8 * size / (25e6 * 1448 / 1538))
    assert said.rate_bps is None
    found = wire(said)
    talk = control(diamond.scenario.timers, "unicast", v6=True).wire_bytes * counted_s(said, 0.0)
    assert found["B->D"] == pytest.approx(2 * size * 1538 / 1448 + talk)
    assert found["D->B"] == pytest.approx(2 * size / 1448 / 2 * 90 + talk)
    assert found["origin:push->A"] == pytest.approx(6 * size * 1538 / 1448)


def test_control_traffic() -> None:
    """BFD 3 x 100 ms: 10 packets a second, 11.4 with jitter; a hello a second; PIM adds its own."""
    lab = control(Timers.of("lab"), "bier", v6=False)
    assert lab.packets == pytest.approx(10 / 0.875 + 1)
    assert lab.wire_bytes == pytest.approx(90 * 10 / 0.875 + 106)
    assert control(Timers.of("lab"), "pim-sm", v6=False).packets == pytest.approx(lab.packets + 1)
    both = control(Timers.of("lab"), "bier", v6=True)
    assert both.packets == pytest.approx(2 * lab.packets)
    slow = control(Timers.of("no-bfd"), "bier", v6=False)
    assert slow.packets == pytest.approx(0.1)


def test_the_probe_adds_a_thousand_packets_a_second(diamond: LabSpec) -> None:
    each = diamond.pushes[0]
    with_it, without = (predict(diamond, each, "bier", QUICK, probe=on) for on in (True, False))
    gone, more = wire(without), wire(with_it)
    extra = 1000 * counted_s(with_it) * (8 + 28 + 44 + 38)
    assert more["B->D"] - gone["B->D"] == pytest.approx(extra)
    assert more["D->B"] == gone["D->B"]
    assert with_it.worst_outage_s == 0


@pytest.mark.parametrize("kind", ["carrier", "silent"])
@pytest.mark.parametrize("scheme", [*MULTICAST, "unicast"])
def test_a_failure_is_that_of_fail(diamond: LabSpec, scheme: str, kind: str) -> None:
    failure = Failure(4.0, links=("B--D",), kind=kind)  # type: ignore[arg-type]
    said = predict(diamond, diamond.pushes[0], scheme, QUICK, failure, probe=True)
    only = msgspec.structs.replace(diamond.scenario.schemes, only=(scheme,))
    (row,) = fail(msgspec.structs.replace(diamond.scenario, schemes=only), [failure]).schemes
    assert said.worst_outage_s == pytest.approx(row.worst_outage_s)
    outages = {cloud.name: cloud.outage_s for cloud in said.clouds}
    assert outages["bergen"] == outages["cadiz"] == 0
    least = 0.350 if kind == "silent" else 0.060
    assert least < (outages["delft"] or 0.0) < least + 0.030
    if scheme != "unicast":
        assert said.repaired_bytes == pytest.approx((outages["delft"] or 0.0) * 25e6 / 8, rel=0.15)


@pytest.mark.parametrize("scheme", ["pim-sm", "bier"])
def test_bytes_move_to_the_other_way(diamond: LabSpec, scheme: str) -> None:
    """All that D gets is on B->D until the failure, less what the dead link does not take, and on
    C->D afterwards, repairs included; nothing is counted on a link without carrier."""
    failure = Failure(4.0, links=("B--D",))
    calm = predict(diamond, diamond.pushes[0], scheme, QUICK)
    hit = predict(diamond, diamond.pushes[0], scheme, QUICK, failure)
    before, after = wire(calm), wire(hit)
    assert after["B->D"] < 0.45 * before["B->D"]
    again = hit.repaired_bytes / diamond.pushes[0].size_bytes
    whole = before["B->D"] * (1 + again)
    outage = (hit.worst_outage_s or 0.0) / (calm.transfer_s or 1.0)
    assert after["B->D"] + after["C->D"] == pytest.approx(whole - outage * before["B->D"], rel=0.01)


def test_pushes_are_predicted_alone() -> None:
    """Four pushes from one origin; each has the network for itself."""
    spec = build(load_scenario("builtin:lab-churn"))
    for scheme in MULTICAST:
        both = [predict(spec, each, scheme, QUICK) for each in (spec.pushes[0], spec.pushes[2])]
        assert both[0].transfer_s == pytest.approx(both[1].transfer_s)
        assert {cloud.name for cloud in both[1].clouds} == {"mike", "romeo"}


def test_constants_come_from_the_calibration(diamond: LabSpec) -> None:
    """Six replicas load at once, on as many cores as the machine has."""
    slow = msgspec.structs.replace(QUICK, load_bps=1e8, timers={"signal": 2.0, "carrier": 0.2})
    was = predict(diamond, diamond.pushes[0], "bier", QUICK)
    now = predict(diamond, diamond.pushes[0], "bier", slow)
    longer = 1.9 + 8 * diamond.pushes[0].size_bytes / (1e8 * MACHINE.cores / 6)
    assert (now.ready_s or 0.0) - (was.ready_s or 0.0) == pytest.approx(longer, rel=1e-3)
    failure = Failure(4.0, links=("B--D",))
    late = predict(diamond, diamond.pushes[0], "bier", slow, failure)
    assert late.worst_outage_s is not None
    assert 0.25 < late.worst_outage_s < 0.26  # and 50 ms of SPF delay
    odd = msgspec.structs.replace(QUICK, timers={"patience": 1.0})
    with pytest.raises(UsageError, match="no timer 'patience'"):
        calibrated(diamond.scenario, odd, replicas=6)


def test_replicas_share_the_machine_and_no_more(diamond: LabSpec) -> None:
    """Fewer replicas than cores: each hashes as fast as one does alone."""
    for replicas, share in ((1, 1.0), (MACHINE.cores, 1.0), (4 * MACHINE.cores, 0.25)):
        scenario = calibrated(diamond.scenario, QUICK, replicas)
        rates = {(c.engine.verify_bps, c.engine.load_bps) for c in scenario.clouds if c.engine}
        assert rates == {(share * QUICK.verify_bps, share * QUICK.load_bps)}


def test_origins_of_other_pushes_keep_their_bfr_ids() -> None:
    """Rows of a BIFT are written one by one: another push's origin is one of them."""
    line = network(link("A", "B"), link("B", "C"), link("A", "C", 5), link("C", "D"))
    scenario = push(line, "A", ("B", "C"), timers=Timers.of("lab", write_s=0.010))
    (first,) = scenario.transfers
    other = msgspec.structs.replace(first, name="zzz", origin="D")
    two = msgspec.structs.replace(scenario, transfers=(first, other))
    failure = Failure(1.0, links=("B--C",))
    outages = [
        predict(spec, spec.pushes[0], "bier", QUICK, failure).worst_outage_s or 0.0
        for spec in map(build, (scenario, two))
    ]
    assert outages[1] > outages[0] + 0.005
