"""`plan`: tables of one scheme, and what keeps a scheme from having any."""

from __future__ import annotations

import msgspec
import pytest

from mcastplan.errors import InfeasibleError, UsageError
from mcastplan.model.scenario import PimOptions, SchemeOptions
from mcastplan.study.plan import plan
from tests.networks import link, network, push

NET = network(link("s", "a", tag="#1"), link("s", "a", tag="#2"), link("a", "b"), link("a", "c"))


def test_every_router_a_packet_meets() -> None:
    result = plan(push(NET, "s", ("b", "c")), "bier")
    assert [node.name for node in result.nodes] == ["a", "b", "c", "s"]
    (phase,) = result.transfers[0].phases
    assert dict(phase.copies) == {"s->a (a--s#1)": 1, "a->b": 1, "a->c": 1}
    assert phase.delivered == ("b", "c")


def test_one_router() -> None:
    (only,) = plan(push(NET, "s", ("b",)), "sr-p2mp", "b").nodes
    assert (only.name, only.state_entries) == ("b", 1)
    assert next(table.title for table in only.tables) == "replication segments"


def test_asm_shows_its_phases() -> None:
    options = SchemeOptions(pim_sm=PimOptions(mode="asm", rp="a"))
    (transfer,) = plan(push(NET, "s", ("b", "c"), schemes=options), "pim-sm").transfers
    assert [phase.name for phase in transfer.phases] == ["register", "rpt", "spt"]
    assert all(phase.delivered == ("b", "c") for phase in transfer.phases)


@pytest.mark.parametrize(
    ("scheme", "node", "said"),
    [
        ("mldp", None, "no scheme 'mldp'; there are unicast, ingress-replication"),
        ("bier", "z", "no node 'z' in topology test"),
    ],
)
def test_names_that_do_not_exist(scheme: str, node: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(push(NET, "s", ("b",)), scheme, node)


def test_limits_that_rule_a_scheme_out() -> None:
    scenario = push(NET, "s", ("b", "c"), state_limit=2)
    with pytest.raises(InfeasibleError, match="bier cannot serve test: a would hold 3 entries"):
        plan(scenario, "bier")
    assert plan(scenario, "pim-sm").state_entries == 4
    tiny = msgspec.structs.replace(scenario, state_limit=None, mtu=50)
    with pytest.raises(InfeasibleError, match="an MTU of 50 B"):
        plan(tiny, "bier")
