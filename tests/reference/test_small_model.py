"""The small model itself, on numbers derived by hand, and that it owes the program nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import tests.small_model
from tests.small_model.rates import Flow, run, shares
from tests.small_model.ready import loaded, through, when


def test_it_imports_nothing_of_the_program() -> None:
    for path in Path(tests.small_model.__file__).parent.glob("*.py"):
        assert "mcastplan" not in path.read_text().replace("mcastplan.scenario/1", "")


def test_shares_are_max_min() -> None:
    """Two of three flows share x (10), where the second is held too by y (3): 3 for it, 7 for the
    first. The third has what the second leaves of z (8): 5."""
    weights = [
        {"x": Fraction(1)},
        {"x": Fraction(1), "y": Fraction(1), "z": Fraction(1)},
        {"z": Fraction(1)},
    ]
    room = {"x": Fraction(10), "y": Fraction(3), "z": Fraction(8)}
    assert shares(weights, room) == [7, 3, 5]


def test_a_later_flow_halves_the_rate() -> None:
    """100 bits alone at 10 bit/s for 4 s, then at 5 with another of 30 bits: that one ends after
    6 s, at 10, when 30 of the first are left: 3 s more. Two copies of it would fill the place."""
    first = Flow(Fraction(0), Fraction(100), {"x": Fraction(1)})
    other = Flow(Fraction(4), Fraction(30), {"x": Fraction(1)})
    (one, two), peak = run([first, other], {"x": Fraction(10)})
    assert (one[-1], two[-1]) == ((13, 100), (10, 30))
    assert peak == {"x": 10}


def test_a_queue_in_front_of_a_fabric() -> None:
    """30 bits come in 3 s, then 10 in 10 s; the fabric takes 5 bit/s. After 3 s 15 wait, which
    shrink by 4 a second: gone at 6.75, when 33.75 have left; from then on bits leave as they come.
    """
    out = through([(Fraction(0), Fraction(0)), (Fraction(3), Fraction(30)),
                   (Fraction(13), Fraction(40))], 5.0)  # fmt: skip
    assert out[1:] == [(3, 15), (Fraction(27, 4), Fraction(135, 4)), (13, 40)]
    assert when(out, Fraction(20)) == 4


def test_files_one_after_the_other() -> None:
    """There at 1 and 2, verified in 3 s each (4, 7), loaded in 1 s each: 5 and 8."""
    assert loaded([Fraction(1), Fraction(2)], Fraction(3), Fraction(1)) == 8
