"""The network with the load that each scheme puts on its links, origin, clouds and bottleneck."""

from __future__ import annotations

from collections.abc import Sequence

from mcastplan.model.question import Network
from mcastplan.model.results import Comparison, LinkLoad, SchemeResult
from mcastplan.report import read, words
from mcastplan.report.geo import WIDTH, Point, coastline
from mcastplan.report.layout import Layout, layout_of
from mcastplan.report.markup import attributes, esc, prose, section, switch
from mcastplan.report.sites import Sites, narrow_clouds, necks
from mcastplan.units import counted, show_size

# Fewest copies of a class of links, and its name in the legend.
CLASSES = ((1, "1 copy"), (2, "2 to 9"), (10, "10 to 99"), (100, "100 to 999"), (1000, "1,000 up"))
_MANY = 200  # routers or clouds; with more, their marks are smaller
_FEW = 20  # routers in a picture without geography; with fewer, there is nothing to zoom into
_NAMES_SHOWN = 20  # clouds; with more, only the origin and the bottleneck are named


def linkmap(result: Comparison) -> str:
    schemes = read.served(result)
    if result.network is None or not schemes:
        return ""
    sites = Sites(result)
    layout = layout_of(result.network, sites.origins)
    if layout is None:
        said = f"{len(result.network.nodes):,} routers without positions are too many to draw."
        return section("map", "The network", said)
    picked = read.chosen(result)
    place = schemes.index(picked) if picked in schemes else 0
    choices = [(scheme.name, words.title(scheme.name)) for scheme in schemes]
    picture = _picture(result.network, layout, schemes, sites)
    return section(
        "map",
        "The network, and what each scheme puts on its links",
        "The wider and redder a link, the more often the same bytes cross it. Multicast schemes"
        " send each byte over a link once.",
        switch("map-of", choices, place, picture),
        _legend(schemes),
        positions(result.network, layout),
    )


def _picture(
    network: Network, layout: Layout, schemes: Sequence[SchemeResult], sites: Sites
) -> str:
    drawn = "".join(
        f'<g class="pane p{number}"{attributes(data_name=scheme.name)}>'
        f"{_loads(layout, scheme)}{_sites(layout, scheme, sites)}</g>"
        for number, scheme in enumerate(schemes, 1)
    )
    said = "".join(
        f'<p class="pane p{number} small">{prose(_caption(network, scheme))}</p>'
        for number, scheme in enumerate(schemes, 1)
    )
    shown = drawing(
        network,
        layout,
        drawn,
        _labels(layout, schemes, sites),
        about="the network and the load on its links",
        crowd=len(sites.routers) > _MANY,
    )
    return f"{shown}{said}"


def drawing(
    network: Network, layout: Layout, drawn: str, labels: str, *, about: str, crowd: bool = False
) -> str:
    """Land, links and routers, with what is ``drawn`` over them; ``about`` says it in words."""
    land = ""
    if layout.view is not None:
        land = f'<path class=land transform="scale(.1)" d="{coastline(layout.view)}"/>'
    idle = "".join(layout.line(link.source, link.target) for link in network.links)
    dots = "".join(f"M{x:.5g} {y:.5g}h0" for x, y in layout.places.values())
    many = " many" if len(layout.places) > _MANY else ""
    many += " few" if layout.view is None and len(layout.places) <= _FEW else ""
    many += " crowd" if crowd else ""
    return (
        f'<div class="map{many}" data-width="{WIDTH:g}" data-height="{layout.height:.6g}">'
        f'<svg viewBox="0 0 {WIDTH:g} {layout.height:.6g}" role=img{attributes(aria_label=about)}>'
        f'{land}<path class=idle d="{idle}"/><path class=dots d="{dots}"/>{drawn}</svg>'
        f"<div class=labels>{labels}</div></div>"
    )


def _class(copies: int) -> int:
    return sum(1 for least, _ in CLASSES if copies >= least)


def _loads(layout: Layout, scheme: SchemeResult) -> str:
    by_link: dict[str, list[LinkLoad]] = {}
    for row in scheme.links:
        if row.link is not None:
            by_link.setdefault(row.link, []).append(row)
    drawn = []
    for rows in by_link.values():
        most = max(row.copies for row in rows)
        if line := layout.line(rows[0].source, rows[0].target):
            tip = attributes(data_tip="\n".join(map(_about, rows)))
            drawn.append((most, f'<path class=l{_class(most)} d="{line}"{tip}/>'))
    drawn.sort(key=lambda item: item[0])  # the loaded ones on top
    narrow = "".join(
        f'<path class=neck d="{line}"/>'
        for arc in necks(scheme)
        if arc.link is not None and (line := layout.line(arc.source, arc.target))
    )
    return narrow + "".join(path for _, path in drawn)


def _about(row: LinkLoad) -> str:
    return (
        f"{row.source} \u2192 {row.target}: {counted(row.copies, 'copy', 'copies')},"
        f" {show_size(row.wire_bytes)}, {row.busiest_utilisation:.0%} busy at most"
    )


def _sites(layout: Layout, scheme: SchemeResult, sites: Sites) -> str:
    """Clouds, those that bind and the origins, each with what is known about it."""
    marks = []
    narrow = narrow_clouds(scheme)
    for node, tip in sites.cloud_tips(scheme).items():
        if node in layout.places:
            kind = "cloud bound" if narrow.intersection(sites.routers[node]) else "cloud"
            marks.append(_mark(layout.places[node], kind, tip))
    for node in sites.origins:
        if node in layout.places:
            marks.append(_mark(layout.places[node], "origin", sites.origin_tip(node)))
    return "".join(marks)


def _mark(place: Point, kind: str, tip: str) -> str:
    at = f"M{place[0]:.5g} {place[1]:.5g}h0"
    about = attributes(data_tip=tip)
    return f'<path class="halo {kind}" d="{at}"/><path class="{kind}" d="{at}"{about}/>'


def _labels(layout: Layout, schemes: Sequence[SchemeResult], sites: Sites) -> str:
    labels = []
    if len(sites.routers) <= _NAMES_SHOWN:
        for node, names in sites.routers.items():
            if node not in sites.origins:
                labels.append(_label(layout, node, ", ".join(names), "minor"))
    labels += (_label(layout, node, f"origin {node}", "main") for node in sites.origins)
    home = {name: node for node, names in sites.routers.items() for name in names}
    for number, scheme in enumerate(schemes, 1):
        kind = f"main narrow pane p{number}"
        for name in sorted(narrow_clouds(scheme)):
            labels.append(_label(layout, home.get(name, ""), f"bottleneck: {name}", kind))
        for arc in necks(scheme):
            if arc.link is not None:
                text = f"bottleneck: {arc.source} -> {arc.target}"
                labels.append(_label(layout, arc.target, text, kind))
    return "".join(dict.fromkeys(labels))


def _label(layout: Layout, node: str, text: str, kind: str) -> str:
    return label(layout, layout.places[node], text, kind) if node in layout.places else ""


def label(layout: Layout, place: Point, text: str, kind: str) -> str:
    """A text beside a place on the map."""
    x, y = place
    # Long texts turn inwards before short ones do: on a phone they are half as wide as the map.
    side = " left" if x > (0.6 if "main" in kind else 0.8) * WIDTH else ""
    return (
        f'<span class="{kind}{side}" data-x="{x:.5g}" data-y="{y:.5g}"'
        f' style="left:{100 * x / WIDTH:.4g}%;top:{100 * y / layout.height:.4g}%">'
        f"{prose(text)}</span>"
    )


def _caption(network: Network, scheme: SchemeResult) -> str:
    core = [row for row in scheme.links if row.kind == "core"]
    used = len({row.link for row in core})
    said = f"{words.title(scheme.name)}: {used:,} of {len(network.links):,} links carry the push"
    most = max(core, key=lambda row: (row.copies, row.busiest_utilisation), default=None)
    if most is not None and most.copies > 1:
        said += f"; the most copies are on {_about(most)}"
    elif most is not None:
        said += f", none more than once; the busiest is {_about(most)}"
    necks = list(dict.fromkeys(each.binding for each in scheme.transfers if each.binding))
    shown = "; ".join(necks[:3]) + (f" and {len(necks) - 3} more" if len(necks) > 3 else "")
    return f"{said}. Bottleneck: {shown}." if necks else f"{said}."


def _legend(schemes: Sequence[SchemeResult]) -> str:
    present = {
        _class(row.copies) for scheme in schemes for row in scheme.links if row.kind == "core"
    }
    links = "".join(
        f'<li><i class="line l{number}"></i>{esc(name)}'
        for number, (_, name) in enumerate(CLASSES, 1)
        if number in present
    )
    return (
        "<ul class=legend><li><i class=origin></i>origin<li><i class=cloud></i>cloud"
        '<li><i class="cloud bound"></i>bottleneck<li><i class="line idle"></i>link not used'
        f"{links}</ul>"
    )


def positions(network: Network, layout: Layout, columns_from: str = "the origin") -> str:
    """How the routers came to stand where they do, in words."""
    if layout.view is None:
        text = (
            "The routers have no positions: columns show how many links they are away from"
            f" {columns_from}."
        )
    else:
        text = "Coastlines: Natural Earth. Links are drawn as straight lines, not as cables run."
        missing = len(network.nodes) - len(layout.places)
        if missing:
            text += f" {counted(missing, 'router')} without a position not drawn."
    return f"<p class=small>{esc(text)}</p>"
