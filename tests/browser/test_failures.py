"""The pages of `fail` and `sweep` in a real browser: silent, alone, every text in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcastplan.report.html import render_html
from tests import timelines
from tests.browser.chrome import Chrome
from tests.browser.test_page import COMPLAINTS, bubble, centre

RESULTS = {
    "fail": timelines.timeline,
    "repaired": timelines.repaired,
    "cut-off": timelines.cut_off,
    "quiet": timelines.quiet,
    "large": timelines.large,
    "hostile": timelines.hostile,
    "sweep": timelines.sweep,
    "harmless": timelines.harmless,
}

# Texts that reach beyond the page, ticks that touch each other, and bars beside their track.
TROUBLE = """(() => {
  const found = [];
  const shown = (one) => one.getClientRects().length > 0;
  const box = (one) => one.getBoundingClientRect();
  const texts = '.lanes *, .race *, .legend *, h1, h2, h3, .answer';
  for (const one of document.querySelectorAll(texts)) {
    if (shown(one) && (box(one).right > innerWidth + 0.5 || box(one).left < -0.5))
      found.push('off the page: ' + one.className + ' ' + one.textContent.slice(0, 40));
  }
  for (const row of document.querySelectorAll('.ticks')) {
    const all = [...row.children].filter(shown).map(box);
    all.forEach((a, n) => {
      if (n && a.left < all[n - 1].right + 1) found.push('ticks touch: ' + row.textContent);
      if (a.top < box(row).top - 1 || a.bottom > box(row).bottom + 1) found.push('tick outside');
    });
  }
  for (const track of document.querySelectorAll('.track')) {
    const outer = box(track);
    for (const bar of track.children) {
      if (!shown(bar)) continue;
      const inner = box(bar);
      // A bar that is too short to be seen is drawn 2 pixels wide.
      if (inner.left < outer.left - 0.5 || inner.right > outer.right + 2.5)
        found.push('bar outside: ' + bar.dataset.tip);
    }
  }
  for (const lane of document.querySelectorAll('.lane')) {
    if (!shown(lane)) continue;
    const [name, track, end] = [...lane.children].map(box);
    if (name.right > track.left + 0.5 || track.right > end.left + 0.5)
      found.push('over a chart: ' + lane.dataset.name);
    const said = lane.lastElementChild;
    if (said.scrollWidth > said.clientWidth + 1) found.push('cut: ' + said.textContent);
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name -> the page's file."""
    folder = tmp_path_factory.mktemp("failures")
    found = {}
    for name, result in RESULTS.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_html(result()), encoding="utf-8")
    return found


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_silent_alone_and_no_text_over_a_chart(
    chrome: Chrome, drawn: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    chrome.look(width, dark=dark)
    chrome.open(drawn[name])
    assert chrome.value("document.documentElement.scrollWidth") == width
    choices = chrome.value("document.querySelectorAll('input[type=radio]').length")
    assert chrome.value(TROUBLE) == []
    for number in range(choices):
        chrome.value(f"document.querySelectorAll('input[type=radio]')[{number}].click()")
        assert chrome.value(TROUBLE) == []
    chrome.value("document.querySelectorAll('th button').forEach(x => x.click())")
    assert [event for event in chrome.events if event["method"] in COMPLAINTS] == []
    asked = [
        event["params"]["request"]["url"]
        for event in chrome.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [drawn[name].as_uri()]


def test_the_longest_bar_is_the_longest_outage(chrome: Chrome, drawn: dict[str, Path]) -> None:
    """Pixels against the result: outages of 69, 135, 657 and 78 ms, drawn to one linear scale."""
    chrome.look(1280)
    chrome.open(drawn["fail"])
    script = "[...document.querySelectorAll('.race .parts')].map(x => x.getBoundingClientRect()"
    widths = chrome.value(f"{script}.width)")
    gaps = [row.worst_outage_s or 0.0 for row in timelines.timeline().schemes]
    assert [w / max(widths) for w in widths] == pytest.approx(
        [g / max(gaps) for g in gaps], abs=0.01
    )
    said = chrome.value("[...document.querySelectorAll('.race b')].map(x => Number(x.dataset.v))")
    assert said == [float(f"{gap:.12g}") for gap in gaps]


def test_an_outage_begins_on_the_axis_where_its_routers_do(
    chrome: Chrome, drawn: dict[str, Path]
) -> None:
    """Routers and receivers share one axis: the first span starts at the event, the gaps 4 ms
    later; under BIER the gap of the last receiver outlasts the FIB of the first router."""
    chrome.look(1280)
    chrome.open(drawn["fail"])
    chrome.value("document.querySelector('input[name=timeline-of][value=bier]').click()")
    ends = """(name => {
      const lane = document.querySelector(`#timeline .p4 .lane[data-name="${name}"] .track`);
      return [lane.firstElementChild.getBoundingClientRect().left,
              lane.lastElementChild.getBoundingClientRect().right];
    })"""
    nl, zurich = chrome.value(f"{ends}('NL')"), chrome.value(f"{ends}('zurich')")
    line = chrome.value(
        "document.querySelector('#timeline .p4 .gridlines i').getBoundingClientRect().left"
    )
    assert nl[0] == pytest.approx(line, abs=1)
    assert zurich[0] > nl[0] and zurich[1] > nl[1]


def test_hover_names_the_stage_and_the_failure(chrome: Chrome, drawn: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(drawn["fail"])
    chrome.value("document.querySelector('input[name=timeline-of][value=pim-sm]').click()")
    chrome.mouse(*centre(chrome, "#timeline .p2 .sg-throttle"))
    said = bubble(chrome)
    assert said is not None and "throttle 50 ms" in said and "SPF throttle waits" in said
    chrome.open(drawn["sweep"])
    chrome.mouse(*centre(chrome, ".map path.l4"))
    said = bubble(chrome)
    assert said is not None and "cuts off 1 cloud" in said


def test_the_page_of_a_failure_prints_and_works_without_scripts(
    chrome: Chrome, drawn: dict[str, Path]
) -> None:
    chrome.look(1280)
    chrome.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chrome.open(drawn["cut-off"])
        assert len(chrome.call("Page.printToPDF", printBackground=True)["data"]) > 10_000
        found = chrome.call("DOM.getDocument")["root"]["nodeId"]
        lanes = chrome.call("DOM.querySelectorAll", nodeId=found, selector=".p1 .lane")
        assert len(lanes["nodeIds"]) == 16  # 12 routers and 4 receivers
    finally:
        chrome.call("Emulation.setScriptExecutionDisabled", value=False)
