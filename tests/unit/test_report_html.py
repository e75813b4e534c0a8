"""The page: its numbers are those of the result, its texts are text, nothing is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from mcastplan import compare, load_scenario
from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.report import words
from mcastplan.report.html import render_html
from mcastplan.report.json import render
from mcastplan.report.markdown import render_markdown
from mcastplan.report.saved import decode
from tests.reports import AWKWARD, MOST_BYTES, awkward


class Page(HTMLParser):
    """Numbers by table and row, texts, and what is inside which element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: dict[tuple[str, str], list[float]] = {}
        self._table = self._row = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "table":
            self._table = found.get("id") or ""
        elif tag == "figure":
            self._table = found.get("data-cost") or ""
        if tag in ("tr", "div") and "data-name" in found:
            self._row = found["data-name"] or ""
        if tag == "section":
            self._row = ""
        if "data-v" in found:
            value = float(found["data-v"] or "nan")
            self.numbers.setdefault((self._table, self._row), []).append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("table", "figure"):
            self._table = ""


@pytest.fixture(scope="module")
def minimal() -> Comparison:
    return decode(render(compare(load_scenario("builtin:minimal"))), "minimal")


@pytest.fixture(scope="module")
def strange() -> Comparison:
    return awkward()


def test_the_tables_hold_the_numbers_of_the_result(minimal: Comparison) -> None:
    page = Page(render_html(minimal))
    for row in minimal.schemes:
        totals = row.totals
        assert totals is not None
        when = page.numbers[("when", row.name)]
        (push,) = row.transfers
        assert when[3] == row.last_ready_s
        assert when[4:] == [push.completion_s, push.ratio_to_bound]
        cost = page.numbers[("cost", row.name)]
        assert cost[:3] == [totals.link_copies, totals.wire_bytes, totals.origin_egress_bytes]
        assert cost[5:] == [totals.state_entries, totals.header_bytes]
        assert page.numbers[("wire_bytes", row.name)] == [totals.wire_bytes]
        assert page.numbers[("state_entries", row.name)] == [totals.state_entries]


def test_half_of_the_replicas_are_ready_when_the_table_says(minimal: Comparison) -> None:
    """Three replicas: the second one makes it half of them."""
    page = Page(render_html(minimal))
    for row in minimal.schemes:
        ready = sorted(
            group.ready_s
            for each in row.transfers
            for cloud in each.clouds
            for group in cloud.replica_groups
            for _ in range(group.count)
        )
        assert len(ready) == 3
        when = page.numbers[("when", row.name)]
        assert when[:3] == [ready[0], ready[1], ready[2]]


def test_the_headline_is_the_recommendation(minimal: Comparison) -> None:
    page = Page(render_html(minimal))
    (answer,) = [found for _, found in page.tags if found.get("class") == "answer"]
    assert minimal.recommendation is not None
    assert answer["data-scheme"] == minimal.recommendation.scheme


def test_every_part_is_there_and_the_limits_are_named(minimal: Comparison) -> None:
    html = render_html(minimal)
    found = {attrs.get("id") for tag, attrs in Page(html).tags if tag == "section"}
    assert found == {
        *("answer", "schemes", "ready", "stages", "map", "costs", "bits", "question"),
        *("assumptions", "not-modelled", "words"),
    }
    for phrase in ("IGP", "Dual-homed", "non-BFR", "mLDP and RSVP-TE P2MP", "QoS"):
        assert phrase in html
        assert phrase in render_markdown(minimal)


def test_nothing_is_fetched_and_only_our_script_runs(strange: Comparison) -> None:
    page = Page(render_html(strange))
    links = [
        value
        for _, found in page.tags
        for name, value in found.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "background")
    ]
    assert links == ["data:,", "#words"]
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    (policy,) = [found["content"] for _, found in page.tags if "http-equiv" in found]
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")


def test_texts_from_files_are_text(strange: Comparison) -> None:
    html = render_html(strange)
    assert html.count("<script") == 1
    assert AWKWARD not in html
    assert "B (&lt;script&gt;alert(1)&lt;/script&gt;)" in html
    assert "<img" not in html
    assert "\x1b" not in html and "\u2028" not in html
    markdown = render_markdown(strange)
    assert "<script" not in re.sub(r"\\<", "", markdown)


def test_what_is_refused_or_cut_off_is_named(strange: Comparison) -> None:
    html = render_html(strange)
    refused = next(row for row in strange.schemes if not row.feasible)
    assert refused.reason is not None
    assert f"not possible: {refused.reason}" in html
    assert "sydney (delta): not reached by any scheme" in html
    assert "sydney (push): not reached by any scheme" in html
    assert "every replica it can reach" in html


def test_each_transfer_has_a_chart_and_the_largest_shows(strange: Comparison) -> None:
    page = Page(render_html(strange))
    radios = [found for tag, found in page.tags if found.get("name") == "ready-of"]
    assert [(found["value"], "checked" in found) for found in radios] == [
        ("delta", False),
        ("push", True),
    ]


def test_an_older_result_without_network_and_question_renders(minimal: Comparison) -> None:
    old = msgspec.structs.replace(minimal, network=None, question=None, bier_choice=())
    html = render_html(old)
    assert 'id="map"' not in html and 'id="bits"' not in html
    assert "does not repeat the question" in html
    assert "3 replicas in 2 GPU clouds" in html


def test_no_scheme_at_all(minimal: Comparison) -> None:
    refused = tuple(
        SchemeResult(row.name, False, "over a limit", (), (), (), None, ())
        for row in minimal.schemes
    )
    none = msgspec.structs.replace(minimal, schemes=refused, recommendation=None)
    assert "None of the schemes reaches a single cloud." in render_html(none)
    assert "over a limit" in render_markdown(none)


def test_an_unknown_scheme_is_shown_under_its_own_name(minimal: Comparison) -> None:
    new = msgspec.structs.replace(minimal.schemes[4], name="bier-te")
    html = render_html(msgspec.structs.replace(minimal, schemes=(*minimal.schemes, new)))
    assert html.count('data-name="bier-te"') >= 8


def test_the_demo_is_small_enough() -> None:
    result = compare(load_scenario("builtin:global-inference"))
    html = render_html(result)
    assert len(html.encode()) < MOST_BYTES
    assert "1,656 replicas in 62 GPU clouds" in html


def test_the_same_result_gives_the_same_page(minimal: Comparison) -> None:
    assert render_html(minimal) == render_html(decode(render(minimal), "again"))


def test_every_stage_has_words_and_a_colour() -> None:
    from importlib.resources import files

    from mcastplan.model.results import STAGES

    assert tuple(words.STAGES) == STAGES
    style = files("mcastplan.report").joinpath("assets/report.css").read_text()
    assert all(f".st-{stage} " in style for stage in STAGES)
