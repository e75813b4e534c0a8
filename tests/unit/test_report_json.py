"""JSON of results: order of keys, 12 digits, null for no number, the same bytes always."""

from __future__ import annotations

import json
import math

import msgspec

from mcastplan.model.results import LinkLoad
from mcastplan.report.json import render


class Numbers(msgspec.Struct, frozen=True):
    zeta: float
    alpha: tuple[float, ...]
    whole: int
    none: float | None = None


def test_keys_keep_the_order_of_the_structure_and_files_end_with_a_newline() -> None:
    assert render(Numbers(0.5, (), 3)) == (
        b'{\n  "zeta": 0.5,\n  "alpha": [],\n  "whole": 3,\n  "none": null\n}\n'
    )


def test_floats_carry_12_significant_digits() -> None:
    """1/3 has 16 digits in a double; 0.1 + 0.2 is 0.3 to 12; 1e22 and integers stay."""
    values = json.loads(render(Numbers(1 / 3, (0.1 + 0.2, 123456789.0123456, 1e22), 2**60)))
    assert values["zeta"] == 0.333333333333
    assert values["alpha"] == [0.3, 123456789.012, 1e22]
    assert values["whole"] == 2**60


def test_a_number_without_a_value_is_null_and_zero_has_no_sign() -> None:
    text = render(Numbers(-0.0, (math.nan, math.inf, -math.inf), 0)).decode()
    assert json.loads(text)["alpha"] == [None, None, None]
    assert "-0" not in text


def test_contract_words_that_python_reserves() -> None:
    row = json.loads(render(LinkLoad("A", "B", None, "access", 1, 2.0, 0.5)))
    assert list(row) == [
        "from",
        "to",
        "link",
        "kind",
        "copies",
        "wire_bytes",
        "busiest_utilisation",
    ]


def test_text_is_utf8_as_it_is() -> None:
    assert render({"a": "São \x1b"}) == '{\n  "a": "São \\u001b"\n}\n'.encode()
