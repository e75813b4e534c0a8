"""The page in a real browser: silent, alone, inside its window, and its parts work."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcastplan import compare, load_scenario
from tests.browser.chrome import Chrome

NAMES = ("global-inference", "minimal", "geant", "awkward")
COMPLAINTS = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
CENTRE = """((found) => {{
  found.scrollIntoView({{block: 'center'}});
  const box = found.getBoundingClientRect();
  return [box.left + box.width * {across}, box.top + box.height / 2];
}})(document.querySelector({selector!r}))"""


def centre(chrome: Chrome, selector: str, across: float = 0.5) -> tuple[float, float]:
    """A point on the element, after scrolling to it."""
    x, y = chrome.value(CENTRE.format(selector=selector, across=across))
    chrome.settle()
    return float(x), float(y)


def bubble(chrome: Chrome) -> str | None:
    """What the hover shows; None while it is hidden."""
    shown = chrome.value("(t => t.hidden ? null : t.textContent)(document.getElementById('tip'))")
    return None if shown is None else str(shown)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_silent_alone_and_not_wider_than_its_window(
    chrome: Chrome, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    chrome.look(width, dark=dark)
    chrome.open(pages[name])
    # Every choice is made once, every table sorted: nothing may fail or be fetched later either.
    chrome.value("document.querySelectorAll('input[type=radio]').forEach(x => x.click())")
    chrome.value("document.querySelectorAll('th button').forEach(x => x.click())")
    complaints = [event for event in chrome.events if event["method"] in COMPLAINTS]
    assert complaints == []
    asked = [
        event["params"]["request"]["url"]
        for event in chrome.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert chrome.value("document.documentElement.scrollWidth") == width
    colour = chrome.value("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")


def test_the_numbers_are_those_of_the_result(chrome: Chrome, pages: dict[str, Path]) -> None:
    result = compare(load_scenario("builtin:minimal"))
    chrome.look(1280)
    chrome.open(pages["minimal"])
    for row in result.schemes:
        assert row.totals is not None and row.last_ready_s is not None
        cells = chrome.value(
            f"""[...document.querySelectorAll('#when tr[data-name="{row.name}"] td,"""
            f""" #cost tr[data-name="{row.name}"] td')].map(cell => Number(cell.dataset.v))"""
        )
        assert cells[3] == float(f"{row.last_ready_s:.12g}")
        assert cells[8] == float(f"{row.totals.wire_bytes:.12g}")
        assert cells[12] == row.totals.state_entries


def test_a_heading_sorts_up_and_down(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(pages["global-inference"])
    order = "[...document.querySelectorAll('#cost tbody tr')].map(row => row.dataset.name)"
    chrome.value("document.querySelectorAll('#cost th button')[2].click()")
    up = chrome.value(order)
    chrome.value("document.querySelectorAll('#cost th button')[2].click()")
    assert chrome.value(order) == up[::-1]
    assert up[0] == "sr-p2mp" and up[-1] == "unicast"


def test_a_choice_shows_one_scheme_only(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(pages["geant"])
    shown = (
        "[...document.querySelectorAll('.map g.pane')]"
        ".filter(g => getComputedStyle(g).display !== 'none').map(g => g.dataset.name)"
    )
    for scheme in ("unicast", "bier"):
        chrome.value(f"document.querySelector('input[name=map-of][value={scheme}]').click()")
        assert chrome.value(shown) == [scheme]


def test_hover_shows_numbers(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(pages["geant"])
    chrome.value("document.querySelector('input[name=map-of][value=unicast]').click()")
    chrome.mouse(*centre(chrome, ".map g.p1 path[data-tip]:not(.cloud):not(.origin)"))
    said = bubble(chrome)
    assert said is not None and "busy at most" in said
    chrome.value("document.querySelector('input[name=stages-of][value=unicast]').click()")
    chrome.mouse(*centre(chrome, ".p1 .stack b"))
    said = bubble(chrome)
    assert said is not None and "transfer" in said and "ready after" in said
    chrome.mouse(*centre(chrome, ".plot", across=0.99))
    said = bubble(chrome)
    assert said is not None and "BIER: " in said and " ready" in said
    chrome.mouse(1, 1)
    assert bubble(chrome) is None


def test_the_map_zooms_and_labels_follow(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(pages["geant"])
    whole = chrome.value("document.querySelector('.map svg').getAttribute('viewBox')")
    place = "document.querySelector('.labels .main').style.left"
    before = chrome.value(place)
    chrome.value("document.querySelector('.zoom button').click()")
    assert chrome.value("document.querySelector('.map svg').getAttribute('viewBox')") != whole
    assert chrome.value(place) != before
    chrome.value("document.querySelectorAll('.zoom button')[2].click()")
    now = chrome.value("document.querySelector('.map svg').getAttribute('viewBox')")
    assert [float(x) for x in now.split()] == pytest.approx([float(x) for x in whole.split()])


def test_text_from_files_does_nothing(chrome: Chrome, pages: dict[str, Path]) -> None:
    """An alert would stop the page before it answers; the label is there as text."""
    chrome.look(1280)
    chrome.open(pages["awkward"])
    assert chrome.value("document.scripts.length") == 1
    assert chrome.value("document.images.length") == 0
    assert "<script>alert(1)</script>" in chrome.value(
        "document.querySelector('#clouds').innerText"
    )
    assert chrome.value("document.querySelector('.over').textContent").startswith(
        'awkward "quotes"'
    )


def test_without_a_script_the_page_still_answers(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(390)
    chrome.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chrome.open(pages["geant"])
        found = chrome.call("DOM.getDocument")["root"]["nodeId"]
        answer = chrome.call("DOM.querySelector", nodeId=found, selector="p.answer")
        html = chrome.call("DOM.getOuterHTML", nodeId=answer["nodeId"])["outerHTML"]
        assert "every replica is ready after" in html
    finally:
        chrome.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints(chrome: Chrome, pages: dict[str, Path]) -> None:
    chrome.look(1280)
    chrome.open(pages["minimal"])
    paper = chrome.call("Page.printToPDF", printBackground=True)
    assert len(paper["data"]) > 10_000
