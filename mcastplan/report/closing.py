"""The question in full, what the numbers take for granted, what is left out, and the words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcastplan.model.question import Question
from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.report import read, words
from mcastplan.report.markup import Cell, Column, esc, items, prose, section, table
from mcastplan.units import show_size, show_time

CLOUDS = (
    Column("cloud", words=True),
    Column("router (PE)", words=True),
    Column("ingress"),
    Column("replicas"),
    Column("fabric"),
    Column("fan-out", words=True),
    Column("engine", words=True),
    Column("all ready", tip="under the recommended scheme"),
)
PUSHES = (
    Column("transfer", words=True),
    Column("model", words=True),
    Column("size"),
    Column("origin", words=True),
    Column("egress"),
    Column("start"),
    Column("clouds"),
    Column("not under", tip="what no scheme can beat"),
    Column("because of", words=True),
)


def asked(result: Comparison) -> str:
    if result.question is None:
        return section(
            "question",
            "The question in full",
            "This result does not repeat the question.",
        )
    network = result.network
    about = ""
    if network is not None:
        about = (
            f"<p>Network <b>{esc(network.name)}</b>: {len(network.nodes):,} routers,"
            f" {len(network.links):,} links."
            + (f" Source: {esc(network.source)}." if network.source else "")
            + (f" Licence of its data: {esc(network.licence)}." if network.licence else "")
        )
    return section(
        "question",
        "The question in full",
        "",
        about,
        "<h3>What is pushed</h3>",
        _pushes(result, result.question),
        "<h3>Where it goes</h3>",
        f"<div class=scroll tabindex=0>{_clouds(result, result.question)}</div>",
        _options(result.question),
    )


def _pushes(result: Comparison, question: Question) -> str:
    bounds = {each.name: each for each in result.transfers}
    rows = []
    for each in question.transfers:
        bound = bounds.get(each.name)
        limit_s = bound.bound_s if bound else None
        cells = [
            Cell(each.name),
            Cell(each.model or read.NONE),
            Cell(show_size(each.size_bytes), each.size_bytes),
            Cell(each.origin, note=read.labels(result).get(each.origin, "")),
            Cell(read.rate(each.origin_egress_bps), each.origin_egress_bps),
            Cell(show_time(each.start_s), each.start_s),
            Cell(f"{len(each.clouds):,}", len(each.clouds)),
            Cell(read.time(limit_s), limit_s),
            Cell((bound.binding if bound else None) or read.NONE),
        ]
        rows.append((each.name, cells))
    return table(PUSHES, rows, key="pushes")


def _clouds(result: Comparison, question: Question) -> str:
    ready = _ready(read.chosen(result))
    labels = read.labels(result)
    rows = []
    for each in question.clouds:
        cells = [
            Cell(each.name),
            Cell(each.node, note=labels.get(each.node, "")),
            Cell(read.rate(each.ingress_bps), each.ingress_bps),
            Cell(f"{each.replicas:,}", each.replicas),
            Cell(read.rate(each.fabric_bps), each.fabric_bps),
            Cell(each.fanout),
            Cell(each.engine or read.NONE),
            Cell(read.time(ready.get(each.name)), ready.get(each.name)),
        ]
        rows.append((each.name, cells))
    return table(CLOUDS, rows, key="clouds")


def _ready(scheme: SchemeResult | None) -> dict[str, float]:
    """Cloud -> when its last replica is ready, over all transfers [s]."""
    ready: dict[str, float] = {}
    for each in scheme.transfers if scheme else ():
        for cloud in each.clouds:
            last = max((group.ready_s for group in cloud.replica_groups), default=0.0)
            ready[cloud.name] = max(last, ready.get(cloud.name, 0.0))
    return ready


def _options(question: Question) -> str:
    said = [
        f"{words.title(name)}: "
        + ", ".join(_option(key, value) for key, value in chosen.items() if value is not None)
        for name, chosen in question.options.items()
        if chosen
    ]
    return f"<h3>Options of the schemes</h3>{items(said)}" if said else ""


def _option(key: str, value: object) -> str:
    """``spt_switchover`` True -> ``spt switchover: yes``."""
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif isinstance(value, int | float) and key.endswith("_bps"):
        key, shown = key.removesuffix("_bps"), read.rate(value)
    else:
        shown = str(value)
    return f"{key.replace('_', ' ')} {shown}"


def closing(result: Comparison) -> str:
    notes = [f"{words.title(row.name)}: {note}" for row in result.schemes for note in row.notes]
    parts = [items(result.assumptions)]
    if notes:
        parts += ["<h3>About single schemes</h3>", items(notes)]
    return (
        section(
            "assumptions",
            "What these numbers take for granted",
            "This is a plan, computed from stated capacities; nothing here was measured.",
            *parts,
        )
        + section(
            "not-modelled",
            "What is left out",
            "Things that a real push meets and this plan does not know of.",
            _definitions(words.NOT_MODELLED),
        )
        + section("words", "The words", "", _definitions(words.GLOSSARY))
    )


def failure_closing(
    computed_from: str,
    assumptions: Sequence[str],
    left_out: Iterable[tuple[str, str]],
    terms: Iterable[tuple[str, str]],
) -> str:
    """The last chapter of a page about failures; ``terms`` come before those of every page."""
    return (
        section(
            "assumptions",
            "What these numbers take for granted",
            f"This is a prediction, computed from {computed_from}; nothing here was measured.",
            items(assumptions),
        )
        + section("not-modelled", "What is left out", "", _definitions(left_out))
        + section("words", "The words", "", _definitions((*terms, *words.GLOSSARY)))
    )


def _definitions(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{esc(term)}<dd>{prose(about)}" for term, about in rows) + "</dl>"
