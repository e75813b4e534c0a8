"""BIER's two choices: the length of the bit string, and who gets which bit."""

from __future__ import annotations

from mcastplan.model.results import BierChoice, Comparison
from mcastplan.report import read
from mcastplan.report.markup import Cell, Column, section, table
from mcastplan.units import show_size

COLUMNS = (
    Column("bit string (BSL)", words=True, tip="bits, that is receiving routers, in one packet"),
    Column("BFR-ids", words=True, tip="how receiving routers are numbered"),
    Column("sets (SI)", tip="groups of receivers; each needs its own copy of a packet"),
    Column("copies on links"),
    Column("x least", tip="copies against one on every link"),
    Column("header, bytes a packet"),
    Column("traffic on links"),
    Column("", words=True),
)


def bits(result: Comparison) -> str:
    if not result.bier_choice:
        return ""
    best = next((row for row in result.bier_choice if row.best), None)
    said = (
        "A BIER packet carries one bit for each receiving router. A short bit string needs several"
        " sets, and each set its own copies; a long one is a longer header on every packet."
        " Numbering routers along the tree (by-tree) can keep neighbours in one set."
    )
    if best is not None and best.wire_bytes is not None:
        said += (
            f" Least traffic here: {best.bsl} bits, {best.numbering}, {show_size(best.wire_bytes)}."
        )
    rows = [(_name(same), _cells(same)) for same in _alike(result)]
    strong = next((_name(same) for same in _alike(result) if best in same), None)
    return section(
        "bits",
        "BIER: which bit string, which numbering",
        said,
        table(COLUMNS, rows, strong, "bits-table"),
    )


def _name(same: list[BierChoice]) -> str:
    return f"{same[0].bsl} {same[0].numbering}"


def _alike(result: Comparison) -> list[list[BierChoice]]:
    """Rows of one BSL whose numberings cost the same stand together."""
    found: list[list[BierChoice]] = []
    for row in result.bier_choice:
        last = found[-1][-1] if found else None
        if last is not None and _cost(last) == _cost(row):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _cost(row: BierChoice) -> tuple[object, ...]:
    return row.bsl, row.set_identifiers, row.core_copies, row.wire_bytes, row.reason


def _cells(same: list[BierChoice]) -> list[Cell]:
    row = same[0]
    marks = [
        text
        for on, text in (
            (any(each.best for each in same), "least traffic"),
            (any(each.configured for each in same), "in this scenario"),
        )
        if on
    ]
    ratio, wire, copies = row.copies_ratio, row.wire_bytes, row.core_copies
    return [
        Cell(f"{row.bsl:,}", row.bsl),
        Cell(" or ".join(each.numbering for each in same)),
        Cell(f"{row.set_identifiers:,}", row.set_identifiers),
        Cell(read.NONE if copies is None else f"{copies:,}", copies),
        Cell(read.NONE if ratio is None else f"{ratio:.2f}", ratio),
        Cell(f"{row.header_bytes}", row.header_bytes),
        Cell(read.NONE if wire is None else show_size(wire), wire),
        Cell(", ".join(marks) if row.feasible else row.reason or "not possible"),
    ]
