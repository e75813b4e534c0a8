"""The page, the Markdown and the screen of `sweep`: numbers are those of the result, in words."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from mcastplan.cli.show.page import Page as Screen
from mcastplan.cli.show.sweep import show_sweep
from mcastplan.errors import UsageError
from mcastplan.model.sweep import SchemeSweep, Sweep
from mcastplan.report.html import render_html
from mcastplan.report.json import render
from mcastplan.report.markdown import render_markdown
from mcastplan.report.saved import decode
from mcastplan.report.sweep import headline
from tests import timelines
from tests.unit.test_report_html import Page


def saved(result: Sweep) -> Sweep:
    found = decode(render(result), "sweep.json")
    assert isinstance(found, Sweep)
    return found


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return saved(timelines.sweep())


def hostile() -> Sweep:
    script = timelines.SCRIPT
    found = timelines.sweep()
    worst = (msgspec.structs.replace(found.worst[0], failure=script, cut_off=(script,)),)
    remedy = msgspec.structs.replace(found.remedy, kind=script)
    more = {"scenario": script, "because": (script,), "failures": script}
    return msgspec.structs.replace(found, worst=worst, remedy=remedy, **more)


def test_the_headline_names_the_links_and_answers_about_bier(swept: Sweep) -> None:
    assert headline(swept).startswith(
        "IE--UK and IS--UK must never fail: 2 of 58 links cut 2 clouds off, whatever the scheme."
        " BIER would not have helped them: nothing leads there any more. Longest outage: Unicast"
    )
    assert headline(timelines.harmless()) == (
        "None of 58 links cuts a cloud off when it fails. Nobody is served later either, under any"
        " scheme."
    )


def test_where_bier_keeps_what_another_scheme_loses_the_headline_says_so() -> None:
    """After the third failure unicast alone loses a cloud."""
    found = timelines.sweep()
    third = found.worst[2]
    lost = (msgspec.structs.replace(third.schemes[0], unreachable=1), *third.schemes[1:])
    worst = (*found.worst[:2], msgspec.structs.replace(third, schemes=lost), *found.worst[3:])
    said = headline(msgspec.structs.replace(found, worst=worst))
    assert "BIER keeps clouds that another scheme loses after 1 of the worst." in said
    assert "would not have helped" not in said


def test_the_tables_hold_the_numbers_of_the_result(swept: Sweep) -> None:
    page = Page(render_html(swept))
    for row in swept.schemes:
        push, gaps = row.completion_s, row.outage_s
        assert push is not None and gaps is not None
        numbers = page.numbers[("schemes-table", row.name)]
        assert numbers[:5] == [push.base, push.p50, push.p90, push.p99, push.worst]
        assert numbers[5:] == [row.touched, 58 - row.harmless, 2, 1]
        assert page.numbers[("outages-table", row.name)][:4] == [
            *(gaps.p50, gaps.p90, gaps.p99, gaps.worst)
        ]
    for rank, bad in enumerate(swept.worst, 1):
        # A scheme that loses a cloud shows no delay: that of the others says nothing of it.
        delays = [each.delay_s for each in bad.schemes if not each.unreachable]
        numbers = page.numbers[("worst-table", bad.failure)]
        assert numbers == [rank, bad.replicas_cut_off, *delays]


def test_each_failure_that_costs_something_is_in_one_bar(swept: Sweep) -> None:
    """The bars of a strip count all its failures, and stand in the order of their seconds."""
    html = render_html(swept)
    (later, gaps) = re.findall(r'<div class="lanes strips">(.*?)<div class=ticks>', html, re.DOTALL)
    for part, pick in ((later, "completion_s"), (gaps, "outage_s")):
        for row in swept.schemes:
            found = getattr(row, pick)
            lane = part.split(f'data-name="{row.name}"')[1].split("</b>")[0]
            counts = [int(n) for n in re.findall(r": (\d+) of \d+ failures here", lane)]
            places = [float(left) for left in re.findall(r"left:([\d.]+)%", lane)]
            assert sum(counts) == len(found.values)
            (worst,) = re.findall(r'<b data-v="([^"]+)">', lane)
            assert float(worst) == pytest.approx(found.worst - found.base)
            assert places == sorted(places) and places[0] >= 0 and places[-1] < 100


def test_the_map_shows_each_of_the_worst_links_and_the_link_to_build(swept: Sweep) -> None:
    html = render_html(swept)
    (drawn,) = re.findall(r'<section id="map">(.*?)</section>', html, re.DOTALL)
    assert len(re.findall(r'<path class="?l4"? ', drawn)) == 2
    assert len(re.findall(r'<path class="?l2"? ', drawn)) == 3
    assert len(re.findall(r"<path class=remedy ", drawn)) == 1
    ranks = re.findall(r'<span class="rank l\d[^"]*"[^>]*>(\d+)</span>', drawn)
    assert sorted(ranks) == ["1", "2", "3", "4", "5"]


def test_the_map_says_what_each_line_does_and_no_more() -> None:
    """The third failure with an outage only, the fourth as one scheme's loss; the rest as before,
    and of the kinds those that are drawn."""
    found = timelines.sweep()
    calm = [msgspec.structs.replace(each, delay_s=0.0) for each in found.worst[2].schemes]
    third = msgspec.structs.replace(found.worst[2], schemes=tuple(calm))
    first, *rest = found.worst[3].schemes
    lost = (msgspec.structs.replace(first, unreachable=1), *rest)
    fourth = msgspec.structs.replace(found.worst[3], schemes=lost)
    worst = (*found.worst[:2], third, fourth, *found.worst[4:])
    html = render_html(msgspec.structs.replace(found, worst=worst))
    legend = re.findall(r'<i class="line (l\d)"></i>([^<]+)', html)
    assert dict(legend) == {
        "l4": "cuts clouds off",
        "l3": "cuts clouds off under some schemes",
        "l2": "makes pushes later",
        "l1": "outage only",
    }
    assert len(re.findall(r'<path class="?l1"? ', html)) == 1
    html = render_html(msgspec.structs.replace(found, worst=(third,)))
    assert re.findall(r'<i class="line (l\d)"></i>', html) == ["l1"]


def test_a_number_that_does_not_change_is_no_effect_of_the_link() -> None:
    found = timelines.sweep()
    assert found.remedy is not None
    same = msgspec.structs.replace(found.remedy, replicas_before=72, replicas_after=72)
    text = render_markdown(msgspec.structs.replace(found, remedy=same))
    assert "72" not in text and "looked at: 6 min 50 s to 99.5 s of delay, summed" in text
    same = msgspec.structs.replace(found.remedy, delay_before_s=8220.0, delay_after_s=8220.0)
    text = render_markdown(msgspec.structs.replace(found, remedy=same))
    assert "looked at: 32 to 8 replicas cut off, summed" in text


def test_clouds_never_reached_are_in_the_headline() -> None:
    found = msgspec.structs.replace(timelines.harmless(), unreachable=("miami",))
    assert headline(found).startswith(
        "Not reached even without a failure: miami. None of 58 links cuts another cloud off"
    )


def test_a_router_of_a_node_sweep_is_a_spot() -> None:
    html = render_html(saved(timelines.sweep(False, "single-node")))
    assert '<path class="l4 spot"' in html
    assert "Which of our routers must never fail during a push?" in html
    assert "Longest outage while routes converge" not in html


def test_without_positions_or_network() -> None:
    found = timelines.sweep()
    assert found.network is not None
    nodes = tuple(msgspec.structs.replace(n, lon=None, lat=None) for n in found.network.nodes)
    flat = msgspec.structs.replace(found.network, nodes=nodes)
    html = render_html(msgspec.structs.replace(found, network=flat))
    assert "class=remedy" in html and "The routers have no positions" in html
    html = render_html(msgspec.structs.replace(found, network=None))
    assert 'id="map"' not in html


def test_texts_are_text() -> None:
    html = render_html(saved(hostile()))
    assert html.count("<script") == 1 and timelines.SCRIPT not in html
    page = Page(html)
    assert not [key for _, found in page.tags for key in found if key.startswith("on")]
    assert "<script" not in re.sub(r"\\<", "", render_markdown(saved(hostile())))


BAD = [
    (("evaluated",), -1, "is out of range"),
    (("worst", 0, "schemes", 0, "delay_s"), -2.0, "is out of range"),
    (("schemes", 0, "completion_s", "values", 0), 1e31, "is out of range"),
    (("remedy", "delay_after_s"), -0.5, "is out of range"),
]


@pytest.mark.parametrize(("path", "value", "said"), BAD)
def test_numbers_that_cannot_be_drawn_are_refused(
    path: tuple[str | int, ...], value: object, said: str
) -> None:
    content = json.loads(render(timelines.sweep()))
    where = content
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    with pytest.raises(UsageError, match=said):
        decode(json.dumps(content).encode(), "r.json")


def test_nothing_touched_nothing_possible_nothing_done() -> None:
    quiet = saved(timelines.harmless())
    html = render_html(quiet)
    assert "No failure hurts anybody." in html
    assert "No failure makes the push any later under any scheme." in html
    assert "No receiver misses a packet while routes converge." in html
    refused = tuple(SchemeSweep(name=n, feasible=False, reason="no room") for n in ("bier", "x"))
    none = msgspec.structs.replace(
        quiet, schemes=refused, evaluated=0, complete=False, network=None
    )
    assert "None of the schemes is possible here." in render_html(none)
    empty = msgspec.structs.replace(
        quiet.schemes[0], completion_s=timelines.distribution(None, ()), outage_s=None
    )
    alone = msgspec.structs.replace(quiet, schemes=(empty,), evaluated=0)
    for result in (quiet, none, alone):
        assert render_html(saved(result)) and render_markdown(saved(result))
        assert show_sweep(result, "x.yaml", Screen(80, False))
    assert "interrupted" in show_sweep(none, "x.yaml", Screen(80, False))


@pytest.mark.parametrize("width", [80, 120])
def test_one_screen_with_the_answer_first(swept: Sweep, width: int) -> None:
    text = show_sweep(swept, "builtin:geant", Screen(width, False))
    lines = text.splitlines()
    assert len(lines) <= 48 and max(map(len, lines)) <= width
    assert lines[0] == "geant: 58 links of 58 evaluated."
    assert lines[1] == "- 2 of 58 links cut a cloud off when they fail, whatever the scheme"
    row = r"^DE--NL +0 +\+12.2 s bier +\+61 s unicast +70 ms unicast +none$"
    assert re.search(row, text, re.MULTILINE)
    assert re.search(r"^sr-p2mp +31 +10 +2 ", text, re.MULTILINE)


def test_markdown_has_the_tables(swept: Sweep) -> None:
    text = render_markdown(swept)
    assert "| BIER | 55.4 s | 55.4 s | 55.4 s | 67.6 s | 67.6 s | 28 | 9 | 2 | 1 |" in text
    assert "A new link" in text and "## The worst failures" in text


def lost(unreachable: int, delay_s: float | None) -> Sweep:
    """The third failure of the hand-made sweep, as if unicast lost clouds by it."""
    found = timelines.sweep(transient=False)
    third = found.worst[2]
    first = msgspec.structs.replace(third.schemes[0], unreachable=unreachable, delay_s=delay_s)
    third = msgspec.structs.replace(third, schemes=(first, *third.schemes[1:]))
    return msgspec.structs.replace(found, worst=(third,))


def test_a_scheme_that_loses_clouds_is_not_0_s_late() -> None:
    html = render_html(lost(3, 0.0))
    row = html.split('<table class=sortable id="worst-table">')[1].split("</table>")[0]
    unicast = row.split('data-name="DE--NL"')[1].split("<td")[4]
    assert ">-<" in unicast and "3 not reached" in unicast and "0 s" not in unicast
    assert "3 not reached, +7 s for the others" in render_markdown(lost(3, 7.0)).replace("\n", " ")
    assert "- (2 not reached)" in render_markdown(lost(2, None)).replace("\n", " ")


def test_the_screen_says_which_scheme_loses_more_and_no_outage_unasked() -> None:
    text = show_sweep(lost(3, 0.0), "builtin:geant", Screen(120, False))
    assert re.search(r"^DE--NL +0 +none +\+48.8 s \S+ +none; more: unicast 3$", text, re.MULTILINE)
    assert "longest outage" not in text
