"""The first screen: the question, the answer, the reasons."""

from __future__ import annotations

import re

from mcastplan.model.results import Comparison, SchemeResult
from mcastplan.report import read, words
from mcastplan.report.colours import colour
from mcastplan.report.markup import attributes, bar, esc, items, precise, prose
from mcastplan.units import counted, show_size, show_time

# A term as a word of its own, not as a part of a name.
_TERM = re.compile(rf"(?<![\w.\-/&;])(?:{'|'.join(words.TERMS)})(?![\w.\-/])")


def answer(result: Comparison) -> str:
    pick = read.chosen(result)
    return (
        f"<header><p class=over>{esc(result.scenario)}</p>"
        f"<h1>{prose(question(result))}</h1></header>"
        f'<section id="answer">{_headline(result, pick)}'
        f"<div class=two><div><h2>Until every replica is ready</h2>{_bars(result)}</div>"
        f"<div><h2>Why</h2>{_reasons(result)}</div></div>"
        f"{_missing(result)}</section>\n"
    )


def question(result: Comparison) -> str:
    """The question in one sentence."""
    verb = "send" if len(result.transfers) != 1 else "copy"
    return f"What is the best way to {verb} {read.what(result)} to {read.receivers(result)}?"


def headline(result: Comparison) -> str:
    """The answer in one sentence."""
    pick = read.chosen(result)
    if pick is None or pick.last_ready_s is None:
        return "None of the schemes reaches a single cloud."
    all_of_them = "every replica" if not pick.unreachable else "every replica it can reach"
    when = show_time(pick.last_ready_s)
    if len(result.transfers) > 1:
        return f"{words.title(pick.name)}: {all_of_them} is ready within {when} of its push."
    return f"{words.title(pick.name)}: {all_of_them} is ready after {when}."


def _headline(result: Comparison, pick: SchemeResult | None) -> str:
    if pick is None or pick.last_ready_s is None:
        return f"<p class=answer>{esc(headline(result))}</p>"
    does = words.what_it_does(pick.name)
    about = f"<p class=lead>{esc(does[:1].upper() + does[1:])}.</p>" if does else ""
    facts = "".join(
        f"<div><b>{prose(big)}</b><span>{prose(small)}</span></div>"
        for big, small in _facts(result, pick)
    )
    return (
        f"<p class=answer{attributes(data_scheme=pick.name, data_v=precise(pick.last_ready_s))}>"
        f"{prose(headline(result))}</p>{about}<div class=facts>{facts}</div>"
    )


def _facts(result: Comparison, pick: SchemeResult) -> list[tuple[str, str]]:
    """Big words and what they mean."""
    facts = []
    today = next((row for row in read.served(result) if row.name == "unicast"), None)
    assert pick.last_ready_s is not None
    if today is not None and today is not pick and today.last_ready_s is not None:
        times = today.last_ready_s / pick.last_ready_s if pick.last_ready_s else 0.0
        if times >= 1.05:
            facts.append(
                (
                    f"{times:.3g} x as fast",
                    f"as unicast, today's way, which needs {show_time(today.last_ready_s)}",
                )
            )
    transfer, last = read.last_ready(pick)
    bound = next((each for each in result.transfers if each.name == transfer.name), None)
    limit = ""
    if bound is not None and bound.bound_s is not None:
        # A cloud with a fast uplink may have its bytes before the slowest one can.
        it = "it" if last.stages.transfer >= bound.bound_s else "the whole push"
        limit = f"; no scheme could make {it} shorter than {show_time(bound.bound_s)}"
    facts.append((show_time(last.stages.transfer), f"of this is the transfer{limit}"))
    worst = read.slowest(pick)
    if worst is not None and worst.binding:
        facts.append(_narrowest(worst.binding))
    if pick.totals is not None and pick.totals.wire_bytes > 0:
        against = ""
        if today is not None and today is not pick and today.totals and today.totals.wire_bytes > 0:
            share = 100 * pick.totals.wire_bytes / today.totals.wire_bytes
            against = f", {share:.3g} % of what unicast puts there"
        facts.append((show_size(pick.totals.wire_bytes), f"on the network's links in all{against}"))
        if pick.totals.egress_usd is not None:
            facts.append((f"{pick.totals.egress_usd:,.2f} USD", "of egress at the stated prices"))
    return facts


def _narrowest(binding: str) -> tuple[str, str]:
    """``cloud auckland: ingress 10 Gb/s`` -> ``cloud auckland``, and what about it."""
    kind, _, rest = binding.partition(" ")
    place, colon, about = binding.partition(": ")
    if kind in ("cloud", "origin") and colon:
        return place, f"is the bottleneck: {about}"
    if kind == "ceiling":
        return "each pull", f"has a ceiling: {rest.removesuffix(' of each pull')}"
    return ("one link" if kind == "arc" else "the network"), f"is the bottleneck: {rest}"


def _bars(result: Comparison) -> str:
    rows = []
    times = [row.last_ready_s for row in read.served(result) if row.last_ready_s is not None]
    longest = max(times, default=0.0)
    picked = read.chosen(result)
    for number, row in enumerate(result.schemes):
        last = row.last_ready_s
        name = esc(words.title(row.name)) + (" <em>recommended</em>" if row is picked else "")
        if last is None:
            why = row.reason if not row.feasible else "reaches no cloud"
            rows.append(
                f"<div class=out{attributes(data_name=row.name)}><span>{name}</span>"
                f"<small>{'not possible: ' if not row.feasible else ''}{esc(why)}</small></div>"
            )
            continue
        rows.append(
            f"<div{attributes(class_='pick' if row is picked else None, data_name=row.name)}>"
            f"<span>{name}</span><b{attributes(data_v=precise(last))}>{esc(show_time(last))}</b>"
            f"{bar(colour(row.name, number), last, longest)}</div>"
        )
    return f"<div class=race>{''.join(rows)}</div>"


def _reasons(result: Comparison) -> str:
    if result.recommendation is None:
        return items([row.reason or "reaches no cloud" for row in result.schemes])
    said = "".join(f"<li>{_told(sentence)}" for sentence in result.recommendation.because)
    return (
        f"<ul class=because>{said}</ul>"
        '<p class=small>The words are explained <a href="#words">below</a>.</p>'
    )


def _told(sentence: str) -> str:
    """A reason as HTML: a scheme at its beginning as the page calls it, and terms with a bubble."""
    first, blank, rest = sentence.partition(" ")
    text = f"{words.title(first)}{blank}{rest}"
    return _TERM.sub(
        lambda found: f"<dfn{attributes(data_tip=words.TERMS[found[0]])}>{found[0]}</dfn>",
        prose(text[:1].upper() + text[1:]),
    )


def _missing(result: Comparison) -> str:
    missing = read.unreachable(result)
    if not missing:
        return ""
    everyone = [row.name for row in result.schemes if row.feasible]
    full = read.no_room(result)
    lines = []
    for cloud, schemes in missing.items():
        by = "any scheme" if schemes == everyone else ", ".join(map(words.title, schemes))
        room = ", for want of room beside the background" if full.get(cloud) == schemes else ""
        lines.append(f"{cloud}: not reached by {by}{room}")
    head = counted(len(missing), "receiver") + " cannot be served"
    if result.full_of_background:
        head += f": {result.full_of_background}"
    return f"<div class=warning><h2>{esc(head)}</h2>{items(lines)}</div>"
