"""The page, the Markdown and the screen of a measurement: every number is the result's, measured
and predicted are told apart, and texts are texts."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import jsonschema
import msgspec
import pytest

from mcastplan.cli import app
from mcastplan.cli.show.measurement import show_measurement
from mcastplan.cli.show.page import Page as Screen
from mcastplan.errors import UsageError
from mcastplan.model.measurement import Measurement
from mcastplan.report.html import render_html
from mcastplan.report.json import render
from mcastplan.report.markdown import render_markdown
from mcastplan.report.measurement import headline
from mcastplan.report.saved import decode, kind_of
from mcastplan.scenario import schemas
from mcastplan.units import show_time
from tests import measurements
from tests.measurements import replace_measured
from tests.unit.test_report_html import Page

CASES = {
    "calm": measurements.calm,
    "failing": measurements.failing,
    "silent": lambda: measurements.failing(silent=True),
    "churn": lambda: measurements.calm("lab-churn"),
    "hostile": measurements.hostile,
}


def saved(name: str) -> Measurement:
    """As a file has it."""
    found = decode(render(CASES[name]()), f"{name}.json")
    assert isinstance(found, Measurement)
    return found


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ").replace("\u2060", "")


def section(html: str, key: str) -> str:
    (body,) = re.findall(rf'<section id="{key}">(.*?)</section>', html, re.DOTALL)
    return str(body)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_result_fits_its_schema(name: str) -> None:
    data = msgspec.json.decode(render(CASES[name]()))
    jsonschema.Draft202012Validator(schemas()["mcastplan.measurement/1"]).validate(data)
    assert kind_of(saved(name)).command == "lab run"
    assert render(saved(name)) == render(CASES[name]())


@pytest.mark.parametrize("name", CASES)
def test_pages_are_whole(name: str) -> None:
    """Well-formed, the same twice, and nothing on them comes from outside."""
    html = render_html(saved(name))
    tags = Page(html).tags
    assert html == render_html(saved(name))
    assert [tag for tag, _ in tags].count("script") == 1
    assert not re.search(r'(?:src|href)="(?!data:,)', html)
    sections = [found["id"] for tag, found in tags if tag == "section"]
    assert len(set(sections)) == len(sections)


def test_measured_stands_next_to_predicted() -> None:
    result = saved("failing")
    answer = section(render_html(result), "answer")
    for run in result.runs:
        if run.invalid or run.measured.worst_outage_s is None:
            continue
        measured, predicted = run.measured.worst_outage_s, run.predicted.worst_outage_s
        assert predicted is not None
        bars = re.findall(rf'<div data-name="{run.scheme}">(.*?)</div>', answer, re.DOTALL)
        assert f'data-v="{measured:.12g}"' in bars[0]
        assert f"predicted {show_time(predicted)}" in plain(bars[0])
        widths = [float(each) for each in re.findall(r"width:([\d.]+)%", bars[0])]
        assert widths[0] / widths[1] == pytest.approx(measured / predicted, rel=0.01)


def test_the_soonest_stands_first_in_the_headline() -> None:
    assert headline(saved("failing")) == (
        "Outage when B--D loses its carrier: SR-P2MP 60.4 ms, Ingress replication 63.5 ms, BIER"
        " 65.7 ms, PIM-SM 78.2 ms."
    )
    assert headline(saved("silent")).startswith("Outage when B--D goes silent: SR-P2MP ")
    assert headline(msgspec.structs.replace(saved("calm"), runs=())) == "Nothing was measured."


def test_every_replica_has_a_lane() -> None:
    result = saved("calm")
    starts = section(render_html(result), "cold-start")
    assert starts.count("<div class=lane ") == 5 * 16
    pane = starts.split('data-name="bier"')[1]
    run = next(run for run in result.runs if run.scheme == "bier")
    for one in run.measured.replicas:
        lane = re.search(rf'data-name="{one.cloud} {one.index}" .*?</b>', pane, re.DOTALL)
        assert lane is not None
        assert f'data-v="{one.ready_s:.12g}"' in lane[0]
        edges = [
            (float(left), float(left) + float(width))
            for left, width in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", lane[0])
        ]
        assert len(edges) == 5
        assert all(a[1] == pytest.approx(b[0], abs=0.02) for a, b in pairwise(edges))
        assert lane[0].count("<u ") == 1


def test_a_replica_that_was_given_up_says_so() -> None:
    result = saved("failing")
    html = render_html(result)
    assert "<b class=lost>gave-up</b>" in section(html, "cold-start")
    assert "replica 1 of delft was given up by the sender" in section(html, "answer")
    assert '<p class="answer lost">' in html


def test_every_busy_arc_with_measured_and_plan() -> None:
    result = saved("calm")
    links = section(render_html(result), "links")
    run = result.runs[0]
    busy = [each for each in run.measured.links if each.wire_bytes > 1e6]
    pane = links.split('class="pane p2"')[0]
    assert pane.count("<u ") == len(busy)
    for each in busy:
        assert f'data-v="{each.wire_bytes:.12g}"' in pane


def test_runs_that_do_not_count_are_shown_as_such() -> None:
    html = render_html(saved("failing"))
    assert "no: 2 BFD sessions flapped" in section(html, "runs")
    assert "1 (1)" in section(html, "schemes")


def test_tables_that_differ_are_named() -> None:
    held = plain(section(render_html(saved("failing")), "tables"))
    assert "17 of 18 tables hold just what the planner says." in held
    assert "PIM-SM, B, show ip mroute: found iif e1; the planner says iif e1, oif c1" in held


def test_machine_and_calibration() -> None:
    result = saved("calm")
    said = plain(section(render_html(result), "machine"))
    assert "Example CPU at 2.5 GHz, 4 cores" in said
    assert "2026-03-01, on the network ring-with-chord, 10 samples" in said
    assert "of another machine" not in said
    other = msgspec.structs.replace(result.machine, cores=64)
    moved = msgspec.structs.replace(result, machine=other)
    assert "The calibration is of another machine" in render_html(moved)


@pytest.mark.parametrize("name", CASES)
def test_markdown_and_screen_say_the_same(name: str) -> None:
    result = saved(name)
    text = render_markdown(result)
    assert not re.search(r"(?<!\\)<", text)
    screen = show_measurement(result, "lab.yaml", Screen(width=100, colour=False))
    assert all(len(line) <= 100 for line in screen.splitlines()) or name == "hostile"
    for run in result.runs:
        ready_s = run.measured.ready_s
        if not run.invalid and ready_s is not None:
            assert show_time(ready_s) in text
            assert show_time(ready_s) in screen


def test_screen() -> None:
    screen = show_measurement(saved("failing"), "a b.yaml", Screen(width=100, colour=False))
    row = next(line for line in screen.splitlines() if line.startswith("bier "))
    assert " ".join(row.split()) == "bier 1 65.7 ms 62.6 ms +5.0 % 12.7 s 11.8 s +7.6 %"
    assert "Farther off than promised: pim-sm transfer +22 %" in screen
    assert "NOT READY: ingress-replication delft 1 (gave-up)" in screen
    assert "C->D" in screen
    assert "mcastplan compare 'a b.yaml'" in " ".join(screen.split())


def test_report_takes_a_saved_measurement(tmp_path: Path) -> None:
    source = tmp_path / "run.json"
    source.write_bytes(render(measurements.failing()))
    assert app.run(["report", str(source), "--out", str(tmp_path / "page")]) == 0
    assert "The push in the lab" in (tmp_path / "page" / "report.html").read_text()


def test_what_is_no_measurement_is_refused() -> None:
    run = saved("failing").runs[0]
    bad = replace_measured(run, cpu=-1.0)
    broken = msgspec.structs.replace(saved("failing"), runs=(bad,))
    with pytest.raises(UsageError, match=r"out of range - at \$\.runs\[0\]\.measured\.cpu"):
        decode(render(broken), "x.json")
