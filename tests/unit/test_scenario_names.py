"""Names of imported nodes, and how references find nodes."""

from __future__ import annotations

import itertools

import pytest

from mcastplan.errors import ScenarioError
from mcastplan.model.topology import NodeInfo
from mcastplan.scenario.names import Namer, NodeFinder, check_link_id, check_name, is_name, slug
from mcastplan.scenario.words import hint, shown


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("NL", "NL"),
        ("São Paulo", "Sao-Paulo"),
        ("Ḩalwān", "Halwan"),
        ("Halle (Saale)", "Halle-Saale"),
        ("Gasteiz / Vitoria", "Gasteiz-Vitoria"),
        ("St. Louis", "St.-Louis"),
        ("  -x-  ", "x"),
        ("a--b", "a-b"),
        ("a - b", "a-b"),
        ("_.-", ""),
        ("東京", ""),
        ("Łódź", "odz"),  # the stroke of L is no accent to NFKD: dropped, as the contract says
        ("½", "12"),  # NFKD: 1, fraction slash (dropped), 2
        ("", ""),
        ("x" * 70, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
        ("New\nYork", "New-York"),
    ],
)
def test_slug(label: str, name: str) -> None:
    assert slug(label) == name
    assert not name or is_name(name)


def test_taken_names_get_the_next_free_number_in_source_order() -> None:
    namer = Namer()
    labels = ["X", "X", "X-2", "X", "", "", "東京", "x"]
    names = [namer.name(label, 10 + i) for i, label in enumerate(labels)]
    # The third label wants X-2, which the second node has by then.
    assert names == ["X", "X-2", "X-2-2", "X-3", "n14", "n15", "n16", "x"]


def test_numbers_skip_what_labels_took() -> None:
    namer = Namer()
    assert [namer.name(label, 0) for label in ["X-2", "X-3", "X", "X", "X"]] == [
        "X-2",
        "X-3",
        "X",
        "X-4",
        "X-5",
    ]


def test_ids_that_make_no_name() -> None:
    namer = Namer()
    assert namer.name("", "a b") == "na-b"
    assert namer.name("", "東") == "n"
    assert namer.name("", "京") == "n-2"


def test_long_labels_stay_unique_and_short() -> None:
    # 3 x 2,000 nodes whose names share their first 60 characters and more.
    namer = Namer()
    labels = ["y" * 62 + a + b for a, b in itertools.product("abcdefghijklmnopqrst", repeat=2)]
    names = [namer.name(label, 0) for label in labels * 15]
    assert len(set(names)) == len(names) == 6000
    assert all(is_name(name) for name in names)


def test_many_equal_labels_take_linear_time() -> None:
    namer = Namer()
    names = [namer.name("Springfield", i) for i in range(50_000)]
    assert names[-1] == "Springfield-50000"


@pytest.mark.parametrize("text", ["a", "A.b_c-d", "9", "x" * 64, "a-"])
def test_valid_names(text: str) -> None:
    assert check_name(text, "here") == text


@pytest.mark.parametrize("text", ["", "-a", ".a", "_a", "a b", "a--b", "x" * 65, "é", "a\n", "a/b"])
def test_invalid_names(text: str) -> None:
    with pytest.raises(ScenarioError, match="is not a name"):
        check_name(text, "here")


def test_link_ids() -> None:
    for text in ["A--B", "A--B#2", "trunk/1:2", "x" * 140]:
        assert check_link_id(text, "here") == text
    for text in ["", "#1", "a b", "x" * 141, "a\n"]:
        with pytest.raises(ScenarioError, match="is not a link id"):
            check_link_id(text, "here")


NODES = [
    NodeInfo("Springfield", label="Springfield"),
    NodeInfo("Springfield-2", label="Springfield"),
    NodeInfo("n5", label="東京"),
    NodeInfo("A", label="twin"),
    NodeInfo("B", label="twin"),
    NodeInfo("w", kind="waypoint"),
]


def test_references() -> None:
    finder = NodeFinder(NODES, merged=["n99"])
    assert finder.find("n5", "x") == "n5"
    assert finder.find("東京", "x") == "n5"
    assert finder.find("Springfield", "x") == "Springfield"  # a name wins over labels
    assert finder.namesakes("Springfield") == 1
    assert finder.namesakes("n5") == 0
    with pytest.raises(ScenarioError, match=r"x: 2 nodes have the label 'twin'.*names A, B"):
        finder.find("twin", "x")
    with pytest.raises(ScenarioError, match="did you mean 'Springfield-2' or 'Springfield'"):
        finder.find("Springfeld-2", "x")
    with pytest.raises(ScenarioError, match="'n99' is a cable waypoint that was merged"):
        finder.find("n99", "x")
    assert finder.find("w", "x") == "w"
    for name in ("w", "n99"):
        with pytest.raises(ScenarioError, match="is a cable waypoint, not a router"):
            finder.find_pe(name, "x")


def test_hints() -> None:
    assert hint("ingres", ["ingress", "node"]) == "; did you mean 'ingress'?"
    assert hint("INGRESS", ["ingress", "node"]) == "; did you mean 'ingress'?"
    assert hint("zz", ["a", "b"]) == "; known: a, b"
    assert hint("zz", []) == ""
    assert hint("zz", [str(n) for n in range(100)]) == ""
    assert hint("q" * 100_000, ["a"]) == "; known: a"


def test_shown_is_one_short_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert shown(None) == "null"
    assert shown(True) == "true"
    assert len(shown("x" * 1000)) == 60
    assert shown("\ud800").isprintable()
