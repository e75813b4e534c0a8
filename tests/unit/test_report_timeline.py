"""The page, the Markdown and the screen of `fail`: numbers are those of the result, texts are text,
and the axis shows a millisecond beside forty seconds."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcastplan.cli.show.page import Page as Screen
from mcastplan.cli.show.timeline import show_timeline
from mcastplan.errors import UsageError
from mcastplan.model.change import STAGES
from mcastplan.model.timeline import RouterTimeline, Span, Timeline
from mcastplan.report import timeline_read as read
from mcastplan.report.html import render_html
from mcastplan.report.json import render
from mcastplan.report.markdown import render_markdown
from mcastplan.report.saved import RESULTS, decode, kind_of
from mcastplan.report.timeline import headline
from mcastplan.report.timeline_axis import event_axis
from mcastplan.units import show_time
from tests import timelines
from tests.reports import MOST_BYTES
from tests.unit.test_report_html import Page

CASES = ("timeline", "repaired", "cut_off", "quiet", "large", "hostile")


def saved(name: str) -> Timeline:
    """As a file has it: floats to 12 digits."""
    found = decode(render(getattr(timelines, name)()), f"{name}.json")
    assert isinstance(found, Timeline)
    return found


def panes(html: str, section: str) -> dict[str, str]:
    """Scheme -> the HTML of its pane in a section."""
    (body,) = re.findall(rf'<section id="{section}">(.*?)</section>', html, re.DOTALL)
    parts = re.split(r'<div class="pane p\d+" data-name="([^"]+)">', body)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def lanes(pane: str) -> list[tuple[str, list[tuple[str, float, float]], str]]:
    """(name, bars as (class, left, width) in per cent, the text at the right)."""
    found = []
    for name, bars, end in re.findall(
        r'<div class=lane data-name="([^"]*)">.*?<div class=track>(.*?)</div><b[^>]*>(.*?)</b>',
        pane,
        re.DOTALL,
    ):
        drawn = re.findall(r'<i class=([\w-]+) style="left:([\d.]+)%;width:([\d.]+)%"', bars)
        found.append(
            (name, [(k, float(a), float(b)) for k, a, b in drawn], end.replace("\u00a0", " "))
        )
    return found


def test_even_instants_stand_on_a_linear_axis() -> None:
    """10, 20 .. 100 ms: the axis ends 3 % after the last one."""
    axis = event_axis([0.01 * n for n in range(1, 11)])
    assert not axis.bent and not axis.breaks
    for n in range(11):
        assert axis.place(0.01 * n) == pytest.approx(0.01 * n / 0.103)
    assert [tick.text for tick in axis.ticks] == ["0", "20 ms", "40 ms", "60 ms", "80 ms", "100 ms"]


def test_scales_apart_bend_the_axis() -> None:
    """Many instants within 90 ms, and some until 700 ms: 10 ms is still a visible step."""
    axis = event_axis([*(0.001 * n for n in range(10, 90)), 0.3, 0.5, 0.7])
    assert axis.bent and not axis.breaks
    assert axis.place(0.010) > 0.05
    assert axis.place(0.090) > 0.3 > 0.090 / 0.7


def test_a_dead_timer_breaks_the_axis() -> None:
    """Nothing between 4 ms and 40 s; then everything within 700 ms. The two ends of the idle time
    are next to each other, and what follows has most of the width."""
    axis = event_axis([0.004, 40.0, 40.05, 40.09, 40.7])
    ((left, right),) = axis.breaks
    assert axis.place(0.004) <= left < right <= axis.place(40.0)
    assert right - left == pytest.approx(0.05)
    assert axis.place(40.7) - axis.place(40.05) > 0.4
    assert "40 s" in [tick.text for tick in axis.ticks]
    assert any(tick.text.startswith("+") for tick in axis.ticks)


INSTANTS = st.lists(st.floats(1e-6, 1e7, allow_nan=False), max_size=40)


@given(INSTANTS)
def test_an_axis_keeps_the_order_and_its_ticks_apart(instants: list[float]) -> None:
    axis = event_axis(instants)
    places = [axis.place(s) for s in (0.0, *sorted(instants))]
    assert places[0] == 0 and all(0 <= place <= 1 for place in places)
    assert all(a <= b + 1e-9 for a, b in pairwise(places))
    ticks = [tick.place for tick in axis.ticks]
    assert ticks[0] == 0 and ticks == sorted(ticks) and ticks[-1] <= 1
    assert axis.parts[-1].right == 1


def test_the_table_holds_the_numbers_of_the_result() -> None:
    result = saved("timeline")
    page = Page(render_html(result))
    for row in result.schemes:
        assert row.restored_s is not None and row.settled_s is not None
        (push,) = row.transfers
        ready = max(cloud.ready_s or 0.0 for cloud in push.clouds)
        numbers = page.numbers[("summary", row.name)]
        assert numbers[0] == row.worst_outage_s
        assert numbers[1:3] == pytest.approx(
            [row.restored_s - timelines.AT_S, row.settled_s - timelines.AT_S]
        )
        assert numbers[3:5] == [push.lost_bytes, push.repaired_bytes]
        assert numbers[5:] == pytest.approx([ready, ready - 295.2], rel=1e-9)
        assert page.numbers[("meanwhile", row.name)] == [
            *(row.copies_before, row.copies_peak, row.copies_after),
            *(row.state_before, row.state_peak, row.state_after),
        ]
        for cloud in push.clouds[:3]:
            assert cloud.outage_s in page.numbers[("by-cloud", cloud.name)]


def test_packets_under_way_at_the_event_left_before_it() -> None:
    assert read.since(timelines.timeline(), timelines.AT_S - 0.001) == pytest.approx(-0.001)
    assert read.since(timelines.repaired(), timelines.UP_S + 2.0) == pytest.approx(2.0)


def test_the_headline_has_every_scheme_the_shortest_outage_first() -> None:
    """10 + 50 + 2 + 3 ms, and 4 ms on the way to the fifth cloud: 69 ms."""
    assert headline(saved("timeline")) == (
        "NL--BE fails at 10 s. Longest outage: Ingress replication 69 ms, BIER 78 ms,"
        " PIM-SM 135 ms, SR-P2MP 657 ms."
    )
    assert headline(saved("quiet")).endswith("Nobody misses a packet under any scheme.")
    assert headline(saved("cut_off")).endswith("1 cloud is cut off under every scheme.")


def test_bars_stand_where_the_axis_says_and_are_as_long_as_their_stages() -> None:
    """One scheme with one router: detection 10 ms, throttle 50, SPF 2, FIB 3, so a linear axis of
    1.03 x 69 + 4 ms: the last thing is the outage of the fifth cloud, 4 ms late, 69 ms long."""
    one = timelines.scheme("ingress-replication", routers=("NL",))
    pane = panes(render_html(timelines.timeline((one,))), "timeline")["ingress-replication"]
    router, *receivers = lanes(pane)
    end_ms = 1.03 * 73.0
    assert router[0] == "NL" and router[2] == "65 ms"
    assert [kind for kind, _, _ in router[1]] == ["sg-detection", "sg-throttle", "sg-spf", "sg-fib"]
    assert [width for _, _, width in router[1]] == pytest.approx(
        [100 * ms / end_ms for ms in (10, 50, 2, 3)], abs=0.02
    )
    assert [name for name, _, _ in receivers] == ["zurich", "madrid", "paris", "brussels"]
    _, bars, said = receivers[0]
    assert said == "69 ms"
    assert bars[0][1] == pytest.approx(100 * 4 / end_ms, abs=0.02)
    assert sum(width for *_, width in bars) == pytest.approx(100 * 69 / end_ms, abs=0.05)


def test_routers_stand_in_the_order_of_their_first_change() -> None:
    pane = panes(render_html(saved("timeline")), "timeline")["bier"]
    names = [name for name, _, _ in lanes(pane)][: len(timelines.ROUTERS)]
    pairs = [names[n : n + 2] for n in range(0, len(names), 2)]
    assert [set(pair) for pair in pairs] == [
        {"NL", "BE"},
        {"DE", "UK"},
        {"FR", "LU"},
        {"CH", "AT"},
        {"IT", "ES"},
        {"PT", "PL"},
    ]


def test_a_router_that_acts_early_stands_first_though_it_is_done_last() -> None:
    """SE has its backup in place after 12 ms and is done after 5 s; NL and BE write their FIBs
    after 65 ms, and all others later."""
    bier = timelines.scheme("bier")
    stages = (("protect", 0.010, 0.012), ("throttle", 0.012, 4.9), ("fib", 4.9, 5.0))
    spans = tuple(Span(name, timelines.AT_S + a, timelines.AT_S + b) for name, a, b in stages)
    late = msgspec.structs.replace(bier, routers=(*bier.routers, RouterTimeline("SE", spans)))
    pane = panes(render_html(timelines.timeline((late,))), "timeline")["bier"]
    assert [name for name, _, _ in lanes(pane)][:3] == ["SE", "BE", "NL"]


def test_outages_that_never_end_are_not_called_none() -> None:
    found = []
    for row in saved("cut_off").schemes:
        (push,) = row.transfers
        transfer = msgspec.structs.replace(push, clouds=push.clouds[:1])
        found.append(msgspec.structs.replace(row, worst_outage_s=None, transfers=(transfer,)))
    result = timelines.timeline(tuple(found))
    assert "Longest outage: Ingress replication no end, PIM-SM no end" in headline(result)
    assert re.search(r"^bier +no end ", show_timeline(result, "x", Screen(80, False)), re.MULTILINE)


def test_nobody_comes_back_and_no_scheme_is_the_shortest() -> None:
    found = []
    for row in saved("cut_off").schemes:
        (push,) = row.transfers
        transfer = msgspec.structs.replace(push, clouds=push.clouds[:1])
        found.append(msgspec.structs.replace(row, worst_outage_s=None, transfers=(transfer,)))
    html = render_html(timelines.timeline(tuple(found)))
    (answer,) = re.findall(r'<section id="answer">(.*?)</section>', html, re.DOTALL)
    assert answer.count(">cut off for good</b>") == len(found)
    assert "data-scheme" not in answer
    assert "The marked row" not in html and "The marked row" in render_html(saved("timeline"))


def test_the_banner_is_a_warning_where_clouds_are_lost() -> None:
    assert '<p class="answer lost"' in render_html(saved("cut_off"))
    assert "<p class=answer" in render_html(saved("timeline"))


def test_the_screen_counts_clouds_given_up_and_who_gets_the_model() -> None:
    """Of five clouds one is cut off; SR-P2MP gives up another; one more never had a way."""
    found = []
    for row in saved("cut_off").schemes:
        (push,) = row.transfers
        clouds = tuple(
            msgspec.structs.replace(each, ready_s=None) if each.name in push.evicted else each
            for each in push.clouds
        )
        transfer = msgspec.structs.replace(push, clouds=clouds, never=("miami",))
        found.append(msgspec.structs.replace(row, transfers=(transfer,)))
    result = timelines.timeline(tuple(found))
    text = show_timeline(result, "builtin:geant", Screen(120, False))
    lost = dict(re.findall(r"^([a-z0-9-]+) .*B +(\d)$", text, re.MULTILINE))
    assert lost == {"ingress-replication": "1", "pim-sm": "1", "sr-p2mp": "2", "bier": "1"}
    assert "\n1 cloud cannot be reached even without the failure: miami\n" in text
    said = "last ready and later by are of the {} of 6 clouds that get the model under {}\n"
    assert said.format(3, "sr-p2mp") in text
    assert said.format(4, "ingress-replication, pim-sm and bier") in text.replace(
        "ingress-replication, pim-sm, bier", "ingress-replication, pim-sm and bier"
    )
    assert "miami: cannot be reached even without the failure" in render_html(result)


def test_a_repair_has_a_chart_of_its_own() -> None:
    """Only PIM has a gap after it, of 35 ms of Joins."""
    found = panes(render_html(saved("repaired")), "timeline")
    assert all(pane.count("<h3>") == 2 for pane in found.values())
    after = found["pim-sm"].split("<h3>")[2]
    assert "sg-adjacency" in after and "35 ms" in after.replace("\u00a0", " ")
    assert "every receiver gets every packet" in found["bier"].split("<h3>")[2]


def test_a_gap_without_an_end_is_named_everywhere() -> None:
    result = saved("cut_off")
    html = render_html(result)
    assert "brussels: cannot be reached afterwards by any scheme" in html
    assert "paris: given up by SR-P2MP" in html
    brussels = next(
        lane for lane in lanes(panes(html, "timeline")["bier"]) if lane[0] == "brussels"
    )
    assert [kind for kind, _, _ in brussels[1]] == ["sg-endless"]
    assert brussels[1][0][2] == pytest.approx(100) and brussels[2] == "no end"
    assert "brussels: cannot be reached afterwards by any scheme" in render_markdown(result)


def test_a_cloud_that_is_cut_off_does_not_make_the_push_look_shorter() -> None:
    """The dead cloud alone would be ready after 295.2 s; the others take 375 s instead of that."""
    numbers = Page(render_html(saved("cut_off"))).numbers[("summary", "bier")]
    assert numbers[6] == pytest.approx(numbers[5] - 295.2)
    assert numbers[6] > 80


def test_many_clouds_and_routers_are_cut_short_and_counted() -> None:
    html = render_html(saved("large"))
    pane = panes(html, "timeline")["bier"]
    assert len(lanes(pane)) == 40 + 24
    assert "and 260 more routers" in pane and "and 351 more receivers" in pane  # 375 of 500 are hit
    assert len(html) < MOST_BYTES
    assert "480 more clouds in the JSON result" in html


def test_every_stage_has_a_colour_that_stands_out_in_both_themes() -> None:
    """WCAG 2.1, 1.4.11: parts of a graph need a contrast of 3:1 to what is beside them."""
    style = files("mcastplan.report").joinpath("assets/report.css").read_text()
    themes = style.split("@media (prefers-color-scheme: dark)", 1)
    for part, paper in ((themes[0], "#ffffff"), (themes[1], "#14181d")):
        colours = dict(re.findall(r"--sg-([\w]+): (#[0-9a-f]{6})", part))
        assert set(colours) == {*STAGES, "other"}
        assert len(set(colours.values())) == len(colours)
        for stage, colour in colours.items():
            assert contrast(colour, paper) >= 3, stage
    assert all(f".sg-{stage} " in style for stage in (*STAGES, "other", "endless"))


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", CASES)
def test_texts_are_text_and_nothing_is_fetched(name: str) -> None:
    html = render_html(saved(name))
    page = Page(html)
    assert html.count("<script") == 1 and "<img" not in html
    assert not [key for _, found in page.tags for key in found if key.startswith("on")]
    links = [v for _, found in page.tags for k, v in found.items() if k in ("src", "href")]
    assert links == ["data:,"]
    assert "<script" not in re.sub(r"\\<", "", render_markdown(saved(name)))


@pytest.mark.parametrize("name", CASES)
def test_the_same_result_gives_the_same_page(name: str) -> None:
    assert render_html(saved(name)) == render_html(saved(name))


def test_every_format_has_its_own_renderer() -> None:
    assert {kind.type for kind in RESULTS.values()} >= {Timeline}
    assert kind_of(timelines.timeline()) is RESULTS["mcastplan.timeline/1"]
    assert len({kind.chapters for kind in RESULTS.values()}) == len(RESULTS)


def test_no_scheme_no_failure_no_router() -> None:
    refused = timelines.timeline((timelines.refused("bier"),))
    assert "None of the schemes is possible here." in render_html(refused)
    assert "over the limit of 4 entries" in render_markdown(refused)
    assert show_timeline(refused, "x", Screen(80, False))
    nothing = timelines.timeline((), ())
    assert render_html(nothing) and render_markdown(nothing)
    assert show_timeline(nothing, "x", Screen(80, False))
    quiet = render_html(saved("quiet"))
    assert "No receiver misses a packet under any scheme." in quiet
    assert "No router changes anything, and nobody misses a packet." in quiet


BAD = [
    (("failures", 0, "at_s"), -1.0, "is out of range"),
    (("failures", 0, "up_at_s"), 5.0, "an end before its beginning"),
    (("schemes", 0, "worst_outage_s"), 1e40, "is out of range"),
    (("schemes", 0, "copies_peak"), -3, "is out of range"),
    (("schemes", 0, "routers", 0, "spans", 0, "to_s"), 1.0, "an end before its beginning"),
    (("schemes", 0, "transfers", 0, "clouds", 0, "outages", 0, "to_s"), 1.0, "an end before"),
    (("schemes", 0, "transfers", 0, "clouds", 0, "outages", 0, "stages", "fib"), -1, "out of"),
    (("schemes", 0, "transfers", 0, "lost_bytes"), "many", "Expected `float`"),
]


@pytest.mark.parametrize(("path", "value", "said"), BAD)
def test_numbers_that_cannot_be_drawn_are_refused(
    path: tuple[str | int, ...], value: object, said: str
) -> None:
    content = json.loads(render(timelines.timeline()))
    where = content
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    with pytest.raises(UsageError, match=said) as error:
        decode(json.dumps(content).encode(), "r.json")
    assert str(error.value).startswith("r.json: not a result as fail --json writes it: ")


def test_numbers_that_are_large_or_tiny_are_drawn() -> None:
    """From a picosecond to 10^29 seconds."""
    one = timelines.scheme("bier", routers=("NL",))
    for at_s in (1e-12, 1e29):
        spans = (msgspec.structs.replace(one.routers[0].spans[0], from_s=10.0, to_s=10.0 + at_s),)
        router = msgspec.structs.replace(one.routers[0], spans=spans)
        assert render_html(timelines.timeline((msgspec.structs.replace(one, routers=(router,)),)))


def test_markdown_says_what_the_page_says() -> None:
    result = saved("timeline")
    text = render_markdown(result)
    for row in result.schemes:
        assert row.worst_outage_s is not None
        assert show_time(row.worst_outage_s) in text
    assert "zurich, 657 ms: detection 10 ms, flooding 21 ms, compute 500 ms" in text
    assert "black hole at NL (no route)" in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", CASES[:-1])
def test_one_screen(name: str, width: int) -> None:
    text = show_timeline(saved(name), "builtin:geant", Screen(width, False))
    lines = text.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= max(width, 96 if name == "repaired" else 90)
    assert "\x1b" not in text


def test_the_screen_names_what_failed_what_it_waited_for_and_where_packets_ended() -> None:
    text = show_timeline(saved("cut_off"), "builtin:geant", Screen(120, False))
    assert text.startswith("geant: Router BE fails silently at 10 s\n")
    assert "UNREACHABLE afterwards by any scheme: 1 cloud: brussels" in text
    assert "GIVEN UP by sr-p2mp: 1 cloud: paris" in text
    assert "- sr-p2mp, zurich, 40.6 s: detection 40 s, flooding 21 ms, compute 500 ms" in text
    assert "- ingress-replication, zurich, 40.1 s: detection 40 s, throttle 50 ms" in text
    assert "- loop, ended at DE (TTL): every scheme" in text


def test_no_reason_and_no_note_is_cut_off() -> None:
    """Twenty sentences and two notes a scheme: the screen, the page and the Markdown have all."""
    base = timelines.timeline()
    schemes = tuple(
        msgspec.structs.replace(each, notes=(f"push: {each.name} one", f"{each.name} two"))
        for each in base.schemes
    )
    because = tuple(f"reason {number:02}" for number in range(20))
    result = msgspec.structs.replace(base, schemes=schemes, because=because)
    screen = show_timeline(result, "builtin:geant", Screen(120, False))
    html, text = render_html(result), render_markdown(result)
    for reason in because:
        assert f"- {reason}\n" in screen and reason in html and reason in text
    (notes,) = re.findall(r'<section id="notes">(.*?)</section>', html, re.DOTALL)
    for each in schemes:
        assert f"- {each.name}: {each.name} one; {each.name} two\n" in screen
        assert f": {each.name} one<" in notes and f": {each.name} two<" in notes
        assert f": {each.name} one\n" in text and f": {each.name} two\n" in text


def test_two_transfers_keep_their_names_in_notes() -> None:
    (each, *_) = timelines.timeline().schemes
    twice = msgspec.structs.replace(each, transfers=each.transfers * 2, notes=("push: one",))
    result = timelines.timeline((twice,))
    screen = show_timeline(result, "builtin:geant", Screen(120, False))
    assert f"- {each.name}: push: one\n" in screen
