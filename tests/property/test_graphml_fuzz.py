"""Whatever a GraphML file or a generator's name holds: a network, or one line of text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mcastplan.errors import ScenarioError
from mcastplan.scenario import load_topology
from mcastplan.scenario.complete import complete
from mcastplan.scenario.graphml import raw_from_graphml
from mcastplan.scenario.raw import Underlay

HEAD = """<graphml><key id="s" for="edge" attr.name="LinkSpeedRaw"/>
<key id="l" for="node" attr.name="label"/><key id="x" for="node" attr.name="Longitude"/>
<key id="y" for="node" attr.name="Latitude"/>"""

texts = st.one_of(
    st.sampled_from(["", "0", "1e9", "nan", "inf", "-1", "1e400", "Berlin", "\x00", "&lt;", "91"]),
    st.text(max_size=6),
)
pieces = st.one_of(
    st.sampled_from(
        [
            *("<graph>", "</graph>", '<node id="0">', '<node id="1"/>', "</node>", "</graphml>"),
            *('<edge source="0" target="1">', '<edge source="1" target="1"/>', "</edge>"),
            *('<data key="s">1e9</data>', '<data key="x">200</data>', '<data key="y">5</data>'),
            *(
                "<hyperedge/>",
                "<!-- -->",
                "<?x?>",
                "<![CDATA[<]]>",
                "<!DOCTYPE a>",
                "&a;",
                "<y:a/>",
            ),
        ]
    ),
    texts.map(lambda text: f'<data key="l">{text}</data>'),
    texts.map(lambda text: f'<data key="s">{text}</data>'),
    texts.map(lambda text: f'<node id="{text}"/>'),
    texts.map(lambda text: f'<edge source="0" target="{text}"/>'),
)
sound = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), texts), min_size=1, max_size=6
).map(
    lambda edges: (
        "<graph>"
        + "".join(f'<node id="{n}"/>' for n in range(5))
        + "".join(
            f'<edge source="{a}" target="{b}"><data key="s">{speed}</data></edge>'
            for a, b, speed in edges
        )
        + "</graph></graphml>"
    )
)


def answered(text: str) -> None:
    try:
        topology = complete(raw_from_graphml(text, "fuzz"), Underlay()).topology
    except ScenarioError as error:
        assert "\n" not in str(error)
    else:
        assert topology.nodes


@settings(max_examples=500)
@given(st.one_of(st.lists(pieces, max_size=12).map("".join).map(HEAD.__add__), st.text()))
def test_any_pieces(text: str) -> None:
    answered(text)


@settings(max_examples=300)
@given(sound)
def test_sound_structure_with_any_values(body: str) -> None:
    answered(HEAD + body)


@settings(max_examples=300)
@given(
    st.sampled_from(["fat-tree", "gabriel", "star", "chain", "ring", "", "x"]),
    st.lists(
        st.tuples(
            st.sampled_from(["k", "nodes", "seed", "leaves", "", "K"]),
            st.one_of(st.integers(-2, 40).map(str), st.text(max_size=4)),
        ),
        max_size=3,
    ),
)
def test_any_generator(name: str, given_parameters: list[tuple[str, str]]) -> None:
    text = ",".join(f"{key}={value}" for key, value in given_parameters)
    try:
        topology = load_topology(f"generate:{name}/{text}")
    except ScenarioError as error:
        assert "\n" not in str(error)
    else:
        assert topology.links
