"""Every failure, all schemes, in aggregate: which links must never fail during a push.

`one` is pure and picklable, and `sweep` takes the map that runs it, so that processes or a cluster
can: the numbers are the same whoever evaluates which failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from mcastplan.converge.igp import LinkState
from mcastplan.converge.watch import Watch
from mcastplan.errors import InfeasibleError
from mcastplan.evaluate.arcs import ArcSpace
from mcastplan.evaluate.scheme import Context, install
from mcastplan.model.failure import Failure
from mcastplan.model.scenario import Scenario
from mcastplan.model.sweep import Case, Row, SchemeRow, Sweep
from mcastplan.schemes.base import demand
from mcastplan.study.after import Failed, Outcome, Standing
from mcastplan.study.compare import Progress, assumptions, chosen_schemes
from mcastplan.study.failures import Kind, Places, cases_of
from mcastplan.study.harm import Verdict, harmful, harms, scheme_sweeps
from mcastplan.study.question import network_of
from mcastplan.study.remedy import remedy
from mcastplan.study.sweep_words import because
from mcastplan.underlay.routes import IgpRoutes

SCHEMA = "mcastplan.sweep/1"

Evaluate = Callable[[Case], Row]
# Like the builtin: rows in any order, fewer where somebody interrupts it.
Map = Callable[[Evaluate, Sequence[Case]], Iterable[Row]]


class Base(msgspec.Struct, frozen=True):
    """Everything `one` needs: the network without failure and every scheme on it.

    ``standing``: by scheme, in the order of results; ``reasons`` of those that are infeasible;
    ``watches`` only where transitions are asked for.
    """

    context: Context
    places: Places
    standing: dict[str, Standing]
    reasons: dict[str, str]
    transient: bool
    watches: dict[str, Watch] = {}

    def before(self, name: str) -> Outcome:
        return self.standing[name].before


def prepare(scenario: Scenario, *, transient: bool = False) -> Base:
    """Plan and evaluate every scheme without failure."""
    routes = IgpRoutes(scenario.topology.graph, scenario.ecmp)
    demands = tuple(demand(scenario, routes, transfer) for transfer in scenario.transfers)
    context = Context(scenario, routes, ArcSpace(scenario, routes), demands, (), ())
    standing: dict[str, Standing] = {}
    reasons: dict[str, str] = {}
    for kind in chosen_schemes(scenario):
        try:
            installed = install(context, kind)
        except InfeasibleError as limit:
            reasons[kind.name] = str(limit)
        else:
            standing[kind.name] = Standing(context, installed.scheme, installed.plans)
    watches = {
        name: Watch(context, each.scheme, each.plans)
        for name, each in standing.items()
        if transient
    }
    return Base(context, Places(scenario.topology), standing, reasons, transient, watches)


def one(base: Base, case: Case) -> Row:
    """One failure, all feasible schemes."""
    failed = Failed(base.context, base.places, case)
    igp: LinkState | None = None
    rows = []
    for name, standing in base.standing.items():
        found = standing.after(failed)
        outage_s: float | None = None
        outage_sum_s: float | None = None
        if base.transient and not found.touched:
            outage_s, outage_sum_s = 0.0, 0.0
        elif base.transient:
            if igp is None:
                failure = Failure(0.0, case.links, case.nodes, case.srlgs)
                igp = LinkState(base.context.scenario, base.context.routes, [failure])
            outage_s, outage_sum_s = _outages(base.watches[name], igp)
        rows.append(
            SchemeRow(
                name,
                found.touched,
                found.completion_s,
                found.wire_bytes,
                found.unreachable,
                outage_s,
                outage_sum_s,
                found.fresh,
            )
        )
    return Row(case.name, tuple(rows))


def _outages(watch: Watch, igp: LinkState) -> tuple[float | None, float | None]:
    """Nothing where the scheme's transition is not modelled (PIM-SM with an RP)."""
    try:
        longest_s, total_s = watch.outage(igp)
    except InfeasibleError:
        return None, None
    return longest_s or 0.0, total_s


class _EnoughError(Exception):
    """Whoever asked for the sweep waits no longer."""


def _again(enough: Callable[[], bool], scenario: Scenario, cases: Sequence[Case]) -> list[Row]:
    base = prepare(scenario)
    rows = []
    for case in cases:
        if enough():
            raise _EnoughError
        rows.append(one(base, case))
    return rows


def sweep(
    scenario: Scenario,
    kind: Kind,
    *,
    sample: int | None = None,
    seed: int = 0,
    transient: bool = False,
    map: Map = map,  # noqa: A002  (it is one)
    progress: Progress | None = None,
    done: Mapping[str, Row] | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> Sweep:
    """All failures of one kind, or a seeded ``sample`` of them.

    ``done`` are rows already known, by failure. Where ``map`` ends early, or ``enough`` says so
    while the link that helps most is looked for, the result is of what is there, says ``complete:
    false``, and names no remedy. Raises `UsageError` where there is nothing to fail, or too much
    without a sample.
    """
    tell = progress or (lambda what, share: None)
    total, cases = cases_of(scenario.topology, kind, sample, seed)
    tell("plans without failure", 0.0)
    base = prepare(scenario, transient=transient)
    known = dict(done or {})
    rows = {case.name: known[case.name] for case in cases if case.name in known}
    todo = [case for case in cases if case.name not in rows]
    tell("failures", len(rows) / len(cases))
    for row in map(partial(one, base), todo):
        rows[row.failure] = row
        tell("failures", len(rows) / len(cases))
    ordered = [rows[case.name] for case in cases if case.name in rows]
    complete = len(ordered) == len(cases)
    verdict = Verdict(base.context, base.places, {n: base.before(n) for n in base.standing})
    judged = harms(verdict, [case for case in cases if case.name in rows], ordered)
    best = None
    if complete:
        tell("one more link", 1.0)
        try:
            best = remedy(scenario, verdict, judged, partial(_again, enough))
        except _EnoughError:
            complete = False
    result = Sweep(
        schema=SCHEMA,
        scenario=scenario.name,
        assumptions=(*assumptions(base.context), *_assumed(scenario)),
        failures=kind,
        total=total,
        chosen=len(cases),
        evaluated=len(ordered),
        seed=None if len(cases) == total else seed,
        transient=transient,
        complete=complete,
        schemes=scheme_sweeps(verdict, base.reasons, ordered, chosen_schemes(scenario)),
        worst=harmful(verdict, judged),
        remedy=best,
        network=network_of(scenario.topology),
        unreachable=_unreachable(base),
        full_of_background=base.context.space.filled(),
    )
    return msgspec.structs.replace(result, because=because(result, ordered))


def _unreachable(base: Base) -> tuple[str, ...]:
    """Clouds that no scheme reaches without failure; ``push/ams`` where there are several."""
    several = len(base.context.demands) > 1
    plans = [[each for each, _ in standing.plans] for standing in base.standing.values()]
    found = [
        {
            f"{each.transfer}/{name}" if several else name
            for each in demands
            for name in each.unreachable
        }
        for demands in plans or [list(base.context.demands)]
    ]
    return tuple(sorted(set.intersection(*found)))


def _assumed(scenario: Scenario) -> tuple[str, ...]:
    said = [
        "each failure alone, for good, before the first byte: completion is that of a whole push"
        " over the network that is left",
        "both directions of a link fail together; a node fails with all its links",
        "a push that a failure makes less than 1 % longer is not later: such delays count as none",
    ]
    if scenario.background:
        said.append(
            "a cloud whose every way is full of background after a failure counts as cut off"
        )
    if scenario.schemes.sr_p2mp.objective == "min-cost":
        said.append(
            "a min-cost tree that lost nothing stays, another is repaired, and replaced where the"
            " repaired one is over 5 % dearer than a new one"
        )
    return tuple(said)
