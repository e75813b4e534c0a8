"""`compare` on one screen: the question, the answer by scheme, the costs, why."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from mcastplan.cli.show.hardware import hardware_line
from mcastplan.cli.show.page import Column, Page, some
from mcastplan.cli.show.replicas import ready_line, stage_table
from mcastplan.model.results import Comparison, SchemeResult, TransferResult
from mcastplan.model.scenario import Scenario
from mcastplan.model.transfer import Transfer
from mcastplan.report.read import nobody
from mcastplan.study.bier_choice import better_choice
from mcastplan.units import counted, show_rate, show_size, show_time

NONE = "-"
_MAX_TRANSFERS = 6  # lines about single transfers before "and 4 more"


def show_compare(
    result: Comparison, scenario: Scenario, source: str, *, verified: bool = False, page: Page
) -> str:
    """The screen; ``source`` is the scenario as the user named it."""
    page.heading(f"{scenario.name}: {_question(scenario)}")
    _bounds(page, result, scenario)
    page.line()
    _when(page, result)
    _by_transfer(page, result)
    _refusals(page, result)
    page.line()
    _costs(page, result)
    chosen = _chosen(result)
    if chosen is not None and chosen.last_ready_s is not None:
        page.line()
        page.heading(f"Replicas under {chosen.name}, {ready_line(chosen)}")
        stage_table(page, chosen)
    page.line()
    _advice(page, result)
    _more(page, result, source, chosen, verified)
    return page.text()


def _question(scenario: Scenario) -> str:
    receiving = {name for transfer in scenario.transfers for name in transfer.clouds}
    replicas = sum(scenario.cloud[name].replicas for name in receiving)
    where = f"to {counted(len(receiving), 'cloud')}, {counted(replicas, 'replica')}"
    if len(scenario.transfers) == 1:
        return f"{_what(scenario.transfers[0])} {where}"
    size = sum(transfer.size_bytes for transfer in scenario.transfers)
    return f"{len(scenario.transfers)} transfers, {show_size(size)} together, {where}"


def _what(transfer: Transfer) -> str:
    size = show_size(transfer.size_bytes)
    what = f"{transfer.model} ({size})" if transfer.model else size
    rate = transfer.origin_egress_bps
    egress = "" if math.isinf(rate) else f" (egress {show_rate(rate)})"
    return f"push {what} from {transfer.origin}{egress}"


def _bounds(page: Page, result: Comparison, scenario: Scenario) -> None:
    several = len(result.transfers) > 1
    details = {transfer.name: transfer for transfer in scenario.transfers}
    for bound in result.transfers[:_MAX_TRANSFERS]:
        about = ""
        if several and bound.name in details:
            transfer = details[bound.name]
            start = f" at {show_time(transfer.start_s)}" if transfer.start_s else ""
            clouds = counted(len(transfer.clouds), "cloud")
            about = f"{bound.name}: {_what(transfer)} to {clouds}{start}; "
        if bound.bound_s is None:
            full = result.full_of_background
            why = f"no receiver can be served: {full}" if full else "no receiver can be reached"
            page.line(f"{about}{why}")
        else:
            page.line(
                f"{about}no scheme can move it in under {show_time(bound.bound_s)}"
                f" ({bound.binding or 'nothing binds'})"
            )
    if len(result.transfers) > _MAX_TRANSFERS:
        page.line(f"and {len(result.transfers) - _MAX_TRANSFERS} more transfers")


def _strong(result: Comparison) -> int | None:
    names = [scheme.name for scheme in result.schemes]
    chosen = result.recommendation.scheme if result.recommendation else None
    return names.index(chosen) if chosen in names else None


def _marked(result: Comparison, scheme: SchemeResult) -> str:
    taken = result.recommendation is not None and result.recommendation.scheme == scheme.name
    return f"{scheme.name} *" if taken else scheme.name


def _time(seconds: float | None) -> str:
    return NONE if seconds is None else show_time(seconds)


def _slowest(scheme: SchemeResult) -> TransferResult | None:
    ended = [transfer for transfer in scheme.transfers if transfer.completion_s is not None]
    return max(ended, key=lambda transfer: transfer.completion_s or 0.0, default=None)


def _first_ready_s(scheme: SchemeResult) -> float | None:
    groups = [g for t in scheme.transfers for cloud in t.clouds for g in cloud.replica_groups]
    return min((group.ready_s for group in groups), default=None)


def _when(page: Page, result: Comparison) -> None:
    columns = [
        Column("scheme"),
        Column("first\nready"),
        Column("last\nready"),
        Column("transfer"),
        Column("x bound"),
        Column("what binds", wrap=True),
    ]
    several = len(result.transfers) > 1
    rows = []
    for scheme in result.schemes:
        slowest = _slowest(scheme)
        if not scheme.feasible or slowest is None:
            why = nobody(scheme) if scheme.feasible else "not feasible, see below"
            rows.append((_marked(result, scheme), NONE, NONE, NONE, NONE, why))
            continue
        ratio = slowest.ratio_to_bound
        rows.append(
            (
                _marked(result, scheme),
                _time(_first_ready_s(scheme)),
                _time(scheme.last_ready_s),
                _time(slowest.completion_s),
                NONE if ratio is None else f"{ratio:.2f}",
                (f"{slowest.name}: " if several else "") + (slowest.binding or NONE),
            )
        )
    page.table(columns, rows, strong=_strong(result))


def _by_transfer(page: Page, result: Comparison) -> None:
    """With several transfers: when the last replica of each is ready, scheme by scheme."""
    if len(result.transfers) < 2:
        return
    feasible = [scheme for scheme in result.schemes if scheme.feasible]
    if not feasible:
        return
    last: dict[tuple[str, str], float] = {}
    for scheme in feasible:
        for transfer in scheme.transfers:
            ready = [g.ready_s for cloud in transfer.clouds for g in cloud.replica_groups]
            if ready:
                last[scheme.name, transfer.name] = max(ready)
    page.line()
    columns = [Column("last ready, from its start")]
    columns += [Column(_marked(result, scheme)) for scheme in feasible]
    rows = [
        (transfer.name, *(_time(last.get((scheme.name, transfer.name))) for scheme in feasible))
        for transfer in result.transfers[:_MAX_TRANSFERS]
    ]
    page.table(columns, rows)


def _refusals(page: Page, result: Comparison) -> None:
    """Schemes that cannot serve this scenario, and receivers that cannot be served."""
    for scheme in result.schemes:
        if not scheme.feasible:
            page.line(f"{scheme.name} is not feasible here: {scheme.reason}")
    missed: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for scheme in result.schemes:
        for transfer in scheme.transfers:
            full = transfer.no_room
            no_way = tuple(name for name in transfer.unreachable if name not in full)
            for said, clouds in (("UNREACHABLE by", no_way), ("NO ROOM under", full)):
                if clouds:
                    missed.setdefault((said, transfer.name, clouds), []).append(scheme.name)
    feasible = sum(scheme.feasible for scheme in result.schemes)
    for (said, transfer_name, clouds), schemes in list(missed.items())[:_MAX_TRANSFERS]:
        by = "any scheme" if len(schemes) == feasible else some(schemes)
        why = f"; {result.full_of_background}" if said == "NO ROOM under" else ""
        page.line(
            f"{said} {by}: {counted(len(clouds), 'cloud')} of {transfer_name}: {some(clouds)}{why}",
            style="bold red",
        )


def _costs(page: Page, result: Comparison) -> None:
    columns = [
        Column("cost to the network"),
        Column("link\ncopies"),
        Column("core\ntraffic"),
        Column("origin\negress"),
        Column("busiest\narc"),
        Column("state,\nworst"),
        Column("state,\nall"),
        Column("header\nbytes"),
    ]
    priced = any(s.totals and s.totals.egress_usd is not None for s in result.schemes)
    if priced:
        columns.append(Column("egress\nUSD"))
    rows = []
    for scheme in result.schemes:
        totals = scheme.totals
        if totals is None:
            rows.append([_marked(result, scheme)] + [NONE] * (len(columns) - 1))
            continue
        core = [load.busiest_utilisation for load in scheme.links if load.kind == "core"]
        row = [
            _marked(result, scheme),
            f"{totals.link_copies:,}",
            show_size(totals.wire_bytes),
            show_size(totals.origin_egress_bytes),
            f"{max(core):.0%}" if core else NONE,
            f"{max((node.state_entries for node in scheme.nodes), default=0):,}",
            f"{totals.state_entries:,}",
            f"{totals.header_bytes}",
        ]
        if priced:
            row.append(NONE if totals.egress_usd is None else f"{totals.egress_usd:,.2f}")
        rows.append(row)
    page.table(columns, rows, strong=_strong(result))
    advice = better_choice(result.bier_choice)
    if advice is not None:
        page.line(advice)
    hardware = hardware_line(result)
    if hardware is not None:
        page.line(hardware)


def _chosen(result: Comparison) -> SchemeResult | None:
    """The recommended scheme."""
    if result.recommendation is None:
        return None
    name = result.recommendation.scheme
    return next((scheme for scheme in result.schemes if scheme.name == name), None)


def _advice(page: Page, result: Comparison) -> None:
    if result.recommendation is None:
        page.heading("No scheme can be recommended.")
        return
    page.heading(f"* Take {result.recommendation.scheme}:")
    for sentence in result.recommendation.because:
        page.bullet(sentence)


def _more(
    page: Page,
    result: Comparison,
    source: str,
    chosen: SchemeResult | None,
    verified: bool,
) -> None:
    if verified:
        page.line("Verified: every scheme's tables were walked packet by packet, and agree.")
    hints: Sequence[str] = (
        *((f"mcastplan plan {shlex.quote(source)} --scheme {chosen.name}",) if chosen else ()),
        f"--json FILE ({counted(len(result.assumptions), 'assumption')}, every link and cloud)",
    )
    page.line(f"More: {'; '.join(hints)}")
