"""What a sweep says, in words and picked out for a reader: nothing here computes a result."""

from __future__ import annotations

from mcastplan.model.sweep import Distribution, Harmful, HarmfulScheme, Remedy, SchemeSweep, Sweep
from mcastplan.report import words
from mcastplan.report.timeline_words import some
from mcastplan.units import counted, show_time

NONE = "-"
_SLOWEST = "Slowest push"
_LISTED = 10  # of the worst failures, at most

# --failures -> one of them, and several.
_KINDS = {
    "single-link": ("link", "links"),
    "single-node": ("router", "routers"),
    "srlg": ("risk group", "risk groups"),
    "double-link": ("pair of links", "pairs of links"),
}

NOT_MODELLED: tuple[tuple[str, str], ...] = (
    (
        "How likely a failure is",
        "every failure counts the same; the sweep knows no failure rates and no repair times.",
    ),
    (
        "The time before routes have converged",
        "completion is that of a push made after convergence; what happens in between is the outage"
        " (--transient).",
    ),
    *((what, about) for what, about in words.NOT_MODELLED if what != "Failures"),
)

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("touched", "failures after which the scheme forwards any copy, or holds state, differently."),
    ("harmless", "failures after which it serves everybody as fast as before, within 1 %."),
    ("cut off", "a cloud that no scheme reaches any more: no way of copying would help it."),
    ("p50, p90, p99", "half, 90 % and 99 % of the failures are not worse than this."),
    ("harm", "replicas cut off first, then seconds of delay, summed over failures and schemes."),
)


def kind(result: Sweep, number: int = 1) -> str:
    one, many = _KINDS.get(result.failures, (f"{result.failures} failure",) * 2)
    return one if number == 1 else many


def failures(result: Sweep, number: int) -> str:
    """``61 links``."""
    return counted(number, kind(result), kind(result, 2))


def feasible(result: Sweep) -> list[SchemeSweep]:
    return [row for row in result.schemes if row.feasible]


def hurt(result: Sweep, scheme: SchemeSweep) -> int:
    """Failures after which it serves somebody later, or not at all."""
    return max(0, result.evaluated - scheme.harmless)


def raised(found: Distribution | None) -> list[float]:
    """How far the values lie above the one without failure, sorted."""
    if found is None:
        return []
    base = found.base or 0.0
    return [value - base for value in found.values if value > base]


def cutting(result: Sweep) -> list[Harmful]:
    return [row for row in result.worst if row.cut_off]


def of(row: Harmful, scheme: str) -> HarmfulScheme | None:
    return next((each for each in row.schemes if each.name == scheme), None)


def bier_alone(result: Sweep) -> list[Harmful]:
    """Of the worst failures those after which BIER reaches clouds that another scheme does not."""
    found = []
    for row in result.worst:
        bier = of(row, "bier")
        if bier is not None and any(each.unreachable > bier.unreachable for each in row.schemes):
            found.append(row)
    return found


def headline(result: Sweep) -> str:
    """Which of them must never fail, and whether BIER would have helped."""
    if not feasible(result):
        return "None of the schemes is possible here."
    if not result.evaluated:
        return "No failure was evaluated."
    return " ".join((*_never_reached(result), _never(result), *_helped(result), *_slowest(result)))


def _never_reached(result: Sweep) -> list[str]:
    gone = result.unreachable
    if not gone:
        return []
    full = f" ({result.full_of_background})" if result.full_of_background else ""
    return [f"Not reached even without a failure: {some(gone, 6)}{full}."]


def _never(result: Sweep) -> str:
    cut = cutting(result)
    if not cut:
        whom = "another cloud" if result.unreachable else "a cloud"
        return f"None of {failures(result, result.evaluated)} cuts {whom} off when it fails."
    # Only the worst are listed: if all of them cut clouds off, there may be more.
    least = "at least " if len(cut) == len(result.worst) >= _LISTED else ""
    clouds = {name for row in cut for name in row.cut_off}
    verb = "cuts" if len(cut) == 1 else "cut"
    return (
        f"{some([row.failure for row in cut], 3)} must never fail: {least}{len(cut)} of"
        f" {failures(result, result.evaluated)} {verb} {counted(len(clouds), 'cloud')} off,"
        " whatever the scheme."
    )


def _helped(result: Sweep) -> list[str]:
    if not any(row.name == "bier" for row in feasible(result)):
        return []
    saved = bier_alone(result)
    if saved:
        return [f"BIER keeps clouds that another scheme loses after {len(saved)} of the worst."]
    if cutting(result):
        return ["BIER would not have helped them: nothing leads there any more."]
    return []


def _slowest(result: Sweep) -> list[str]:
    """The worst outage of each scheme, or else the worst completion; or that there is none."""
    schemes = feasible(result)
    hurts = any(raised(row.completion_s) for row in schemes)
    for what, dists in (
        ("Longest outage", [(row.name, row.outage_s) for row in schemes]),
        (_SLOWEST, [(row.name, row.completion_s) for row in schemes]),
    ):
        found = [(d.worst, name) for name, d in dists if d is not None and d.worst is not None]
        if any(worst > 0 for worst, _ in found) and (what != _SLOWEST or hurts):
            said = ", ".join(f"{words.title(name)} {show_time(worst)}" for worst, name in found)
            return [f"{what}: {said}."]
    if any(hurt(result, row) for row in schemes):
        return []
    return ["Nobody is served later either, under any scheme."]


def remedy(result: Sweep) -> str | None:
    """What to build, in a sentence."""
    best: Remedy | None = result.remedy
    if best is None:
        return None
    verb = "Doubling" if best.kind == "doubled" else "A new link"
    effects = []
    if best.replicas_before != best.replicas_after:
        effects.append(f"{best.replicas_before:,} to {best.replicas_after:,} replicas cut off")
    before, after = show_time(best.delay_before_s), show_time(best.delay_after_s)
    if before != after:
        effects.append(f"{before} to {after} of delay")
    said = f"{verb} {best.a}--{best.b} removes most harm of {counted(best.tried, 'link')} looked at"
    if not effects:
        return f"{said}, by less than 1 %."
    return f"{said}: {', '.join(effects)}, summed over all failures and schemes."


def scope(result: Sweep) -> str:
    """How much of it was done."""
    said = f"{failures(result, result.evaluated)} of {result.total:,} evaluated"
    if result.chosen < result.total:
        seed = "" if result.seed is None else f", seed {result.seed}"
        said += f" (a sample of {result.chosen:,}{seed})"
    if not result.complete:
        said += "; interrupted, so this is not the whole answer"
    return f"{said}."
