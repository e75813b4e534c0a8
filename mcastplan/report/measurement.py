"""What the lab measured beside the plan: the chapters of its page, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mcastplan.model.measurement import Measurement
from mcastplan.report import measurement_read as read
from mcastplan.report import words
from mcastplan.report.colours import colour
from mcastplan.report.markdown_parts import bullets, chapter, table_lines, text
from mcastplan.report.markup import attributes, esc, items, percent, precise, prose, section
from mcastplan.report.measurement_links import links
from mcastplan.report.measurement_starts import starts
from mcastplan.report.measurement_tables import (
    CLOUDS,
    RUNS,
    cloud_rows,
    drop_lines,
    outages,
    run_rows,
    runs,
    summary,
    summary_columns,
    summary_rows,
    tables,
    tables_line,
    wrong_tables,
)
from mcastplan.study.beside import Summary, became, not_ready
from mcastplan.study.beside import tables as checked
from mcastplan.study.verdict import verdict
from mcastplan.units import counted, show_rate, show_size, show_time

_MAX_QUESTIONS = 6
_NAMED = 12  # replicas that did not get ready

NOT_IN_LAB: tuple[tuple[str, str], ...] = (
    (
        "Real rates",
        "rates and bytes are scaled down so that one machine carries them; timers are not scaled,"
        " so outages are those of the real network, and transfers are not.",
    ),
    (
        "Hardware",
        "routers are Linux namespaces: a table is written in microseconds, a packet takes a CPU,"
        " and all of them share the machine's.",
    ),
    ("GPUs", "a replica reads every tensor into memory; there is no engine behind it."),
    (
        "Delay of links",
        "packets cross a link at once where the kernel has no netem; the prediction has none then"
        " either.",
    ),
)
GLOSSARY: tuple[tuple[str, str], ...] = (
    ("measured", "read off clocks, counters and tables of the lab."),
    ("predicted", "computed by the planner for the scaled network, before the run."),
    (
        "calibration",
        "constants of this machine (hashing, loading, writing tables) that predictions use,"
        " measured on another network than this one.",
    ),
    ("outage", "how long a replica got no packets, by a probe of 1,000 packets a second."),
    ("BFD", "Bidirectional Forwarding Detection: packets that tell a dead link by their absence."),
    ("UFTP", "the reliable transport over every multicast scheme; lost blocks are sent again."),
)


def headline(result: Measurement) -> str:
    """``B--D loses its carrier. Back after: BIER 69 ms, PIM-SM 88 ms.``"""
    asked = read.questions(result)
    if not asked:
        return "Nothing was measured."
    first = asked[0]
    ranked = _ranked(first)
    more = f" (and {counted(len(asked) - 1, 'more question')})" if len(asked) > 1 else ""
    if not ranked:
        return f"{first.said}: no run counts{more}."
    gaps = ", ".join(f"{words.title(each.scheme)} {show_time(seconds)}" for seconds, each in ranked)
    return f"{first.said}: {gaps}{more}."


def _ranked(asked: read.Question) -> list[tuple[float, Summary]]:
    """Schemes with a run that counts, the soonest first."""
    found = [
        (row.measured, each)
        for each in asked.rows
        if each.counts and (row := each.row(asked.kind)) and row.measured is not None
    ]
    return sorted(found, key=lambda one: (one[0], one[1].scheme))


def _answer(result: Measurement) -> str:
    asked = read.questions(result)
    missing = not_ready(result)
    bad = bool(missing) or any(not each.counts for one in asked for each in one.rows)
    kind = '"answer lost"' if bad else "answer"
    groups = "".join(f"<h2>{prose(each.said)}</h2>{_bars(each)}" for each in asked[:_MAX_QUESTIONS])
    return (
        f"<header><p class=over>{esc(result.scenario)}, measured {esc(result.date)}</p>"
        "<h1>The push in the lab, beside the plan</h1></header>"
        f'<section id="answer"><p class={kind}>{prose(headline(result))}</p>'
        f"<p class=lead>{prose(_setting(result))}</p>"
        f"<div class=two><div>{groups}{_key()}</div>"
        f"<div><h2>What it says</h2>{items(verdict(result), 'because')}</div></div>"
        f"{_missing(result)}</section>\n"
    )


def _setting(result: Measurement) -> str:
    lab = result.lab
    return (
        f"{counted(lab.routers, 'router')} running FRR, {counted(lab.links, 'link')},"
        f" {counted(lab.replicas, 'replica')} on one machine; rates x {lab.rate_scale:g},"
        f" {show_size(lab.size_bytes)} in {counted(lab.shards, 'file')}, timers as they are."
    )


def _key() -> str:
    return (
        "<p class=small>Full bar: measured. Faint bar under it: predicted before the run, from a"
        " calibration on another network.</p>"
    )


def _bars(asked: read.Question) -> str:
    known = [row for each in asked.rows if (row := each.row(asked.kind))]
    longest = max((max(row.measured or 0.0, row.predicted or 0.0) for row in known), default=0.0)
    return (
        f"<div class=race>{''.join(_bar(asked, n, longest) for n in range(len(asked.rows)))}</div>"
    )


def _bar(asked: read.Question, number: int, longest: float) -> str:
    each = asked.rows[number]
    row, kind = each.row(asked.kind), colour(each.scheme, number)
    name = attributes(data_name=each.scheme)
    title = esc(words.title(each.scheme))
    if row is None or row.measured is None:
        return (
            f"<div class=out{name}><span>{title}</span><small>{esc(read.plan(row))}</small></div>"
        )
    mark = "" if each.counts else "<small> (no run counts)</small>"
    bars = _one(kind, row.measured, longest)
    if row.predicted is not None:
        bars += _one(f'"{kind} plan"', row.predicted, longest)
    return (
        f"<div{name}><span>{title}{mark}</span>"
        f"<b{attributes(data_v=precise(row.measured))}>{prose(read.value(row))}</b>{bars}"
        f"<small class=across>{prose(read.plan(row))}</small></div>"
    )


def _one(kind: str, seconds: float, longest: float) -> str:
    return f'<i class={kind} style="width:{percent(seconds, longest)}"></i>'


def _missing(result: Measurement) -> str:
    lines = _missing_lines(result)
    if not lines:
        return ""
    return f"<div class=warning><h2>Replicas that did not get ready</h2>{items(lines)}</div>"


def _missing_lines(result: Measurement) -> list[str]:
    found = [f"{words.title(run.scheme)}: {became(replica)}" for run, replica in not_ready(result)]
    left = len(found) - _NAMED
    return [*found[:_NAMED], *([f"and {left:,} more"] if left > 0 else [])]


def machine_rows(result: Measurement) -> list[tuple[str, str]]:
    machine, told, lab = result.machine, result.calibration, result.lab
    timers = ", ".join(
        f"{key} {show_time(seconds)}" for key, seconds in sorted(told.timers.items())
    )
    return [
        (
            "machine",
            f"{machine.cpu}, {counted(machine.cores, 'core')}, {show_size(machine.memory_bytes)};"
            f" Linux {machine.kernel}",
        ),
        (
            "programs",
            f"FRR {machine.frr}, UFTP {machine.uftp}, Mininet {machine.mininet}",
        ),
        (
            "network",
            f"up and converged after {show_time(lab.converged_s)}; rates before the experiment at"
            f" most {100 * lab.worst_link_error:.2g} % from those asked for; MTU {lab.mtu} B; link"
            f" delays {'by netem' if lab.netem else 'none'}",
        ),
        (
            "scale",
            f"rates x {lab.rate_scale:g}, bytes x {lab.size_scale:.3g}, timers x 1",
        ),
        (
            "calibration",
            f"{told.date}, on the network {told.topology}, {counted(told.samples, 'sample')}:"
            f" hashing {show_rate(told.verify_bps)}, loading {show_rate(told.load_bps)}"
            + (f"; {timers}" if timers else ""),
        ),
    ]


def _machine(result: Measurement) -> str:
    same = result.machine == result.calibration.machine
    other = "" if same else " The calibration is of another machine: predictions may be off."
    return section(
        "machine",
        "Where it was measured",
        f"Another machine will give other numbers.{other}",
        _definitions(machine_rows(result)),
    )


def _closing(result: Measurement) -> str:
    return (
        section(
            "assumptions",
            "What the predictions take for granted",
            "",
            items(result.assumptions),
        )
        + section("not-modelled", "What the lab is not", "", _definitions(NOT_IN_LAB))
        + section("words", "The words", "", _definitions((*GLOSSARY, *words.GLOSSARY)))
    )


def _definitions(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{esc(term)}<dd>{prose(about)}" for term, about in rows) + "</dl>"


CHAPTERS: tuple[Callable[[Measurement], str], ...] = (
    _answer,
    summary,
    outages,
    starts,
    links,
    tables,
    runs,
    _machine,
    _closing,
)


def markdown(result: Measurement) -> str:
    lines = ["# The push in the lab, beside the plan", "", f"**{text(headline(result))}**", ""]
    lines += [text(_setting(result)), "", *bullets(verdict(result)), ""]
    lines += chapter("Replicas that did not get ready", bullets(_missing_lines(result)))
    lines += chapter(
        "Measured, and what was predicted",
        table_lines(summary_columns(result), summary_rows(result)),
    )
    clouds = cloud_rows(result)
    if clouds:
        lines += chapter("Who missed packets, and for how long", table_lines(CLOUDS, clouds))
    lines += chapter("Every run", table_lines(RUNS, run_rows(result)))
    if checked(result):
        held = [tables_line(result), *wrong_tables(result), *drop_lines(result)]
        lines += chapter("What the routers held", bullets(held))
    lines += chapter(
        "Where it was measured", bullets(f"{what}: {said}" for what, said in machine_rows(result))
    )
    lines += chapter("What the predictions take for granted", bullets(result.assumptions))
    lines += chapter("What the lab is not", bullets(f"{a}: {b}" for a, b in NOT_IN_LAB))
    return "\n".join(lines) + "\n"
