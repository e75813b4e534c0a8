"""The SR-P2MP controller: its link-state database, and what it does about failures."""

from __future__ import annotations

import math
import struct
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from mcastlab.errors import LabError
from mcastlab.lsdb import Links, RouterLsa, named, router_lsa
from mcastlab.schemes import sr_segments
from mcastlab.schemes.sr_segments import Branch, Lookup, Segment, read_segment, segment_value
from mcastlab.schemes.sr_tree import Routers, Tree
from mcastplan.study.compare import context_of
from tests.emulation.sandboxed import in_sandbox
from tests.emulation.sr_network import diamond

# RFC 2328 A.4.2, by hand: age 1, options 2, type 1; link state ID and advertising router
# 10.255.0.1, sequence number 0x80000001, checksum 0, length 60; no flags, three links:
# point-to-point to 10.255.0.2 by 10.1.0.0 (metric 999), its /31 as a stub, a transit network.
LSA = bytes.fromhex(
    "0001" "02" "01" "0aff0001" "0aff0001" "80000001" "0000" "003c" "0000" "0003"
    "0aff0002" "0a010000" "01" "00" "03e7"
    "0a010000" "fffffffe" "03" "00" "03e7"
    "0a090909" "0a090901" "02" "00" "0001"
)  # fmt: skip


def test_router_lsa() -> None:
    assert router_lsa(LSA) == RouterLsa("10.255.0.1", frozenset({"10.1.0.0"}))


def test_router_lsa_at_max_age_is_withdrawn() -> None:
    lsa = router_lsa(struct.pack("!H", 3600) + LSA[2:])
    assert lsa is not None and lsa.withdrawn


def test_other_lsas_are_none() -> None:
    assert router_lsa(LSA[:3] + b"\x02" + LSA[4:]) is None


@pytest.mark.parametrize("length", [0, 5, 19, 23, 30, 59])
def test_a_router_lsa_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"a router-LSA of {length} bytes is cut short"):
        router_lsa(LSA[:length])


def _shown(links: Links, without: str = "") -> None:
    for router in diamond().routers:
        ends = frozenset(port.address for port in router.ports if port.link != without)
        links.learn(RouterLsa(router.loopback, ends))


def test_a_link_is_up_when_both_ends_say_so() -> None:
    spec = diamond()
    links = Links(spec)
    assert named(spec, links.down) == ("A--B", "A--C", "B--D", "C--D")
    _shown(links)
    assert links.down == frozenset()
    b = spec.router_named["B"]
    half = frozenset(port.address for port in b.ports if port.link != "B--D")
    assert links.learn(RouterLsa(b.loopback, half)), "one end is enough to know"
    assert named(spec, links.down) == ("B--D",)
    assert len(links.down) == 2, "both directions"
    d = spec.router_named["D"]
    half = frozenset(port.address for port in d.ports if port.link != "B--D")
    assert not links.learn(RouterLsa(d.loopback, half)), "the other end tells nothing new"


def test_an_lsa_cannot_speak_for_another_router() -> None:
    links = Links(diamond())
    _shown(links, without="B--D")
    before = links.down
    d = diamond().router_named["D"]
    stolen = frozenset(port.address for port in d.ports)
    links.learn(RouterLsa("10.254.0.1", stolen))
    assert links.down == before


def test_a_withdrawn_lsa_takes_its_links_down() -> None:
    spec = diamond()
    links = Links(spec)
    _shown(links)
    d = spec.router_named["D"]
    ends = frozenset(port.address for port in d.ports)
    assert links.learn(RouterLsa(d.loopback, ends, withdrawn=True))
    assert named(spec, links.down) == ("B--D", "C--D")


def test_segments_read_back_as_written() -> None:
    spec = diamond()
    push, port = spec.pushes[0], spec.routers[0].ports[0]
    branches = (Branch(spec.routers[2], (port, 7)), Branch(spec.routers[1]))
    sites = tuple((site, 20 + place) for place, site in enumerate(spec.sites))
    value = segment_value(Segment(branches, sites), push, 3)
    found, ports = read_segment(value)
    # Pinned ones come last, for their SRH.
    assert found == (
        (bytes.fromhex("fd0000000002e0010003000000000000"), 0),
        (bytes.fromhex("fd0000000003e0010003000000000000"), 7),
    )
    assert ports == (20, 21, 22)


def test_a_segment_too_large_is_refused() -> None:
    spec = diamond()
    branches = (Branch(spec.routers[1]),) * (sr_segments.MOST_BRANCHES + 1)
    with pytest.raises(LabError, match="129 branches and 0 sites at one router"):
        segment_value(Segment(branches, ()), spec.pushes[0], 1)


class Table:
    """As much of a `Map` as a tree writes to."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def update(self, key: bytes, value: bytes) -> None:
        self.held[key] = value

    def delete(self, key: bytes) -> bool:
        return self.held.pop(key, None) is not None


@pytest.mark.parametrize("update", ["make-before-break", "in-place"])
def test_a_root_without_links_delivers_to_its_own_site(
    update: Literal["make-before-break", "in-place"],
) -> None:
    """All links of A go and come back. The first instance is the last there is: 1 follows."""
    spec = diamond(update)
    context, push, hosts = context_of(spec.scenario), spec.pushes[0], [r.host for r in spec.routers]
    ports = [(router.host, port.name) for router in spec.routers for port in router.ports]
    ports += [(site.router, site.port) for site in spec.sites]
    segments, policies = {host: Table() for host in hosts}, {host: Table() for host in hosts}
    routers = cast(Routers, SimpleNamespace(segments=segments, policies=policies))
    lookup = Lookup(spec, {place: number for number, place in enumerate(ports, 1)})
    demand, last = context.demands[0], sr_segments.MOST_INSTANCES
    tree = Tree(spec, push, demand, context.routes, routers, lookup, last)

    def after(cause: Literal["open", "change"], *links: str) -> tuple[int, dict[str, int]]:
        known = enumerate(spec.scenario.topology.links)
        down = frozenset(arc for n, link in known if link.id in links for arc in (2 * n, 2 * n + 1))
        tree.compute(cause, 0, down)
        tree.tidy(math.inf)
        names = {spec.router[host].name: each for host, each in segments.items()}
        return tree.instance, {name: len(each.held) for name, each in names.items() if each.held}

    whole, alone = dict.fromkeys("ABD", 1), {"A": 1}
    first, second = (1, 2) if update == "make-before-break" else (last, last)
    assert after("open") == (last, whole)
    assert after("change", "A--B", "A--C") == (first, alone)
    assert after("change") == (second, whole)
    tree.close()
    assert not any(each.held for each in (*segments.values(), *policies.values()))


@pytest.fixture(scope="module")
def failed() -> dict[str, Any]:
    out: dict[str, Any] = in_sandbox("sr_controller_jobs:failure")
    return out


def test_tables_are_the_planners_before_during_and_after(failed: dict[str, Any]) -> None:
    assert failed["steady"] == [True] * 3
    assert failed["up"] == [True] * 3
    assert [(node, rows[0], same) for node, rows, same in failed["down"]] == [
        ("A", "root and bud", True),
        ("B", "leaf", True),
        ("D", "leaf", True),
    ]


def test_sids_heal_a_link_without_the_controller(failed: dict[str, Any]) -> None:
    # It was stopped until probes had come by the healed way for a while.
    healed_ns = failed["failed_ns"] + failed["healed_ms"] * 1e6
    assert failed["failed_ns"] < healed_ns < failed["rounds"][1]["heard_ns"]


def test_the_controller_moves_make_before_break(failed: dict[str, Any]) -> None:
    opened, moved, back = failed["rounds"]
    assert [each["instance"] for each in (opened, moved, back)] == [1, 2, 3]
    assert (moved["kind"], moved["down"]) == ("repaired", ["B--D"])
    assert (back["kind"], back["down"]) == ("fresh", [])
    for each in (moved, back):
        steps = [each[f"{name}_ns"] for name in ("heard", "computed", "programmed", "switched")]
        assert steps == sorted(steps)
    for cloud, found in failed["switch"].items():
        assert found == {"lost": [], "twice": 0}, cloud
    # Two (S,G) at the root; instance 3 alone where there were three.
    assert failed["held"] == {
        "r1": ["c6120102e8010001", "c6120102e8020001", "e0010003"],
        "r2": ["e0010003"],
        "r4": ["e0010003"],
    }


def test_nothing_is_left(failed: dict[str, Any]) -> None:
    assert failed["closed"] == {}
    assert failed["left"] == {
        "filters": [],
        "links": [],
        "configured": [],
        "pins": [],
        "files": [],
        "processes": "0",
    }


def test_two_roots_have_a_controller_each() -> None:
    out = in_sandbox("sr_controller_jobs:two_roots")
    assert out["roots"] == ["r1", "r4"]
    assert out["same"] and all(out["same"])
    every = list(range(50))
    assert out["got"] == {
        "back": {"c001-B": every, "c002-A": every},
        "there": {"c000-D": every, "c001-B": every},
    }
    assert out["delivered"] == 200, "a site got what it had not asked for"
    assert out["said"] == "SR-P2MP controller: push back is open already"
    assert out["held"] == {} and out["drops"] == {}
    assert set(map(str, out["left"].values())) == {"[]", "0"}


def test_a_dead_controller_is_named() -> None:
    out = in_sandbox("sr_controller_jobs:killed")
    assert out["said"] == [
        "the SR-P2MP controller ended; it was asked to status",
        "the SR-P2MP controller of A ended",
    ]
    assert out["same"] == [True] * 3, "the scheme starts again on the same network"
    assert set(map(str, out["left"].values())) == {"[]", "0"}


def test_links_of_abilene_fail_and_come_back() -> None:
    out = in_sandbox("sr_controller_jobs:latency", "abilene", 6)
    assert len(out["steps"]) == 12
    assert out["wrong"] == []
