"""The map of the failures that hurt most, and of the link to build."""

from __future__ import annotations

from mcastplan.model.question import NetworkLink
from mcastplan.model.sweep import Harmful, Sweep
from mcastplan.report import sweep_words, words
from mcastplan.report.geo import WIDTH, Point
from mcastplan.report.layout import Layout, layout_of
from mcastplan.report.linkmap import drawing, label, positions
from mcastplan.report.markup import attributes, prose, section
from mcastplan.units import counted, show_time

# Kind of line -> what such a failure does, the worst first.
_KINDS = {
    "l4": "cuts clouds off",
    "l3": "cuts clouds off under some schemes",
    "l2": "makes pushes later",
    "l1": "outage only",
}
_FAR = 0.5 * WIDTH  # a longer link may be drawn off both edges: its middle is not on it


def harm_map(result: Sweep) -> str:
    network = result.network
    if network is None or not network.nodes or not (result.worst or result.remedy):
        return ""
    layout = layout_of(network, ())
    if layout is None:
        said = f"{len(network.nodes):,} routers without positions are too many to draw."
        return section("map", "The failures that hurt most", said)
    links = {each.link: each for each in network.links}
    drawn, labels = [], []
    for number, row in reversed(list(enumerate(result.worst, 1))):
        kind = _kind(row)
        ends = [links[name] for name in row.links if name in links]
        tip = attributes(data_tip=f"{number}. {about(row)}")
        drawn += [
            f'<path class={kind} d="{line}"{tip}/>'
            for each in ends
            if (line := layout.line(each.source, each.target))
        ]
        place = _between(layout, ends[0]) if ends else layout.places.get(row.failure)
        if not ends and place is not None:
            drawn.append(f'<path class="{kind} spot" d="M{place[0]:.5g} {place[1]:.5g}h0"{tip}/>')
        if place is not None:
            labels.append(label(layout, place, str(number), f"rank {kind}"))
    dashed, named = _remedy(result, layout)
    return section(
        "map",
        "The failures that hurt most, on the map",
        "Numbers are the ranks in the table below; hover shows what a failure does.",
        drawing(
            network,
            layout,
            "".join(drawn) + dashed,
            "".join(labels) + named,
            about="the network and the failures that hurt most",
        ),
        f"<ul class=legend>{_legend(result)}"
        '<li><i class="line remedy"></i>the link that removes most harm'
        '<li><i class="line idle"></i>other link</ul>',
        positions(network, layout, network.nodes[0].name),
    )


def _kind(row: Harmful) -> str:
    if row.cut_off:
        return "l4"
    if any(each.unreachable for each in row.schemes):
        return "l3"
    return "l2" if any(each.delay_s for each in row.schemes) else "l1"


def _legend(result: Sweep) -> str:
    """The kinds that are on this map."""
    drawn = {_kind(row) for row in result.worst}
    return "".join(
        f'<li><i class="line {kind}"></i>{said}' for kind, said in _KINDS.items() if kind in drawn
    )


def _between(layout: Layout, link: NetworkLink) -> Point | None:
    """The middle of a link, or its end where the middle is not on the drawn line."""
    a, b = layout.places.get(link.source), layout.places.get(link.target)
    if a is None or b is None:
        return a or b
    return _middle(a, b)


def _middle(a: Point, b: Point) -> Point:
    return b if abs(a[0] - b[0]) > _FAR else ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _remedy(result: Sweep, layout: Layout) -> tuple[str, str]:
    best = result.remedy
    if best is None or not (line := layout.line(best.a, best.b)):
        return "", ""
    tip = attributes(data_tip=sweep_words.remedy(result))
    verb = "double" if best.kind == "doubled" else "add"
    place = _middle(layout.places[best.a], layout.places[best.b])
    named = label(layout, place, f"{verb} {best.a}--{best.b}", "main remedy")
    return f'<path class=remedy d="{line}"{tip}/>', named


def about(row: Harmful) -> str:
    """What a failure does, in lines."""
    lines = [row.failure]
    if row.cut_off:
        lines[0] += f": cuts off {counted(len(row.cut_off), 'cloud')}"
    for each in row.schemes:
        parts = []
        if each.unreachable:
            parts.append(f"{counted(each.unreachable, 'cloud')} not reached")
        if each.delay_s:
            parts.append(f"{show_time(each.delay_s)} later")
        if each.outage_s:
            parts.append(f"outage {show_time(each.outage_s)}")
        if parts:
            lines.append(f"{words.title(each.name)}: {', '.join(parts)}")
    return "\n".join(lines)


def remedy_said(result: Sweep) -> str:
    said = sweep_words.remedy(result)
    if said is None:
        return ""
    return section("remedy", "What to build first", "", f"<p>{prose(said)}</p>")
