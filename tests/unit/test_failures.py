"""Failures as physical facts, by hand.

a --1-- b --2-- c        link ids a--b and b--c; duct = both
"""

from __future__ import annotations

import math

import msgspec
import pytest

from mcastplan.converge.failures import failure_rows, physical
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from tests.networks import link, network, push

NEVER = math.inf


def line() -> Scenario:
    links = (link("a", "b"), link("b", "c"))
    return push(
        network(*(msgspec.structs.replace(each, srlgs=("duct",)) for each in links)), "a", ("c",)
    )


def down(*failures: Failure) -> dict[int, tuple[tuple[float, float], ...]]:
    """By link; both directions must agree."""
    found = physical(line(), failures)
    assert all(found.down[arc] == found.down[arc ^ 1] for arc in found.down)
    assert found.links == {arc >> 1: spans for arc, spans in found.down.items()}
    return dict(found.links)


def test_a_link_and_a_group() -> None:
    assert down(Failure(3.0, links=("a--b",))) == {0: ((3.0, NEVER),)}
    assert down(Failure(3.0, srlgs=("duct",), up_at_s=4.0)) == {0: ((3.0, 4.0),), 1: ((3.0, 4.0),)}
    assert down(Failure(3.0, links=("a--b",), srlgs=("duct",))) == {
        0: ((3.0, NEVER),),
        1: ((3.0, NEVER),),
    }


def test_a_node_takes_its_links() -> None:
    found = physical(line(), [Failure(1.0, nodes=("b",), up_at_s=2.0)])
    assert found.nodes == {1: ((1.0, 2.0),)}
    assert found.links == {0: ((1.0, 2.0),), 1: ((1.0, 2.0),)}


def test_overlaps_merge() -> None:
    """1 to 4 and 3 to 6 is one time, and 1 to 4 and 4 to 6. A repair ends its own failure only."""
    one = Failure(1.0, links=("a--b",), up_at_s=4.0)
    for at_s in (3.0, 4.0):
        assert down(one, Failure(at_s, nodes=("a",), up_at_s=6.0)) == {0: ((1.0, 6.0),)}
    assert down(one, Failure(2.0, links=("a--b",), up_at_s=3.0)) == {0: ((1.0, 4.0),)}
    assert down(one, Failure(2.0, links=("a--b",))) == {0: ((1.0, NEVER),)}
    assert down(one, Failure(5.0, links=("a--b",), up_at_s=6.0)) == {0: ((1.0, 4.0), (5.0, 6.0))}


def test_order_and_repetition_do_not_matter() -> None:
    failures = [
        Failure(5.0, links=("a--b", "a--b")),
        Failure(1.0, links=("a--b",), up_at_s=2.0),
        Failure(1.0, links=("a--b",), up_at_s=2.0),
    ]
    assert down(*failures) == down(*reversed(failures)) == {0: ((1.0, 2.0), (5.0, NEVER))}


def test_a_failure_of_no_length_is_none() -> None:
    assert down(Failure(1.0, links=("a--b",), up_at_s=1.0)) == {}


def test_only_a_carrier_failure_is_dark() -> None:
    found = physical(
        line(),
        [
            Failure(1.0, links=("a--b",), kind="silent", up_at_s=9.0),
            Failure(2.0, links=("a--b",), up_at_s=3.0),
        ],
    )
    assert (found.links[0], found.dark[0]) == (((1.0, 9.0),), ((2.0, 3.0),))


def test_an_unknown_name() -> None:
    for failure in (Failure(1.0, links=("a--c",)), Failure(1.0, nodes=("d",))):
        with pytest.raises(KeyError):
            physical(line(), [failure])


def test_rows_of_a_result() -> None:
    """SRLGs are resolved to links; a node's own links are not repeated; in time order."""
    later = Failure(2.0, nodes=("b",), up_at_s=3.0)
    rows = failure_rows(line(), [later, Failure(1.0, srlgs=("duct",), kind="silent")])
    assert [(row.at_s, row.up_at_s, row.kind) for row in rows] == [
        (1.0, None, "silent"),
        (2.0, 3.0, "carrier"),
    ]
    assert [row.links for row in rows] == [("a--b", "b--c"), ()]
    assert [(row.nodes, row.srlgs) for row in rows] == [((), ("duct",)), (("b",), ())]
