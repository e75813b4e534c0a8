"""What a careless or hostile file does to the command: one line, exit 2, no waiting."""

from __future__ import annotations

import os
import random
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mcastplan.cli import app
from mcastplan.scenario import builtin_path, load_scenario
from mcastplan.scenario.reading import MAX_FILE_BYTES
from mcastplan.scenario.yamlcore import MAX_VALUES

MCASTPLAN = str(Path(sys.executable).with_name("mcastplan"))
MEMORY_BYTES = 600 * 2**20  # address space; the interpreter and its libraries take a third

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(args: list[str], capfd: Capture) -> str:
    """The one line on stderr, less the command's name."""
    assert app.run(args) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"mcastplan {args[0]}: ")
    return err.removeprefix(f"mcastplan {args[0]}: ").rstrip("\n")


def test_a_file_of_100_mb_is_not_read(here: Path) -> None:
    """Within bounded memory; the file is sparse, its size alone says enough."""
    with (here / "big.yaml").open("wb") as file:
        file.truncate(100_000_000)

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    done = subprocess.run(
        [MCASTPLAN, "compare", "big.yaml"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_memory,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "mcastplan compare: big.yaml: is larger than 32 MiB; split off or shrink the topology\n"
    )


@pytest.mark.parametrize("name", ["many.yaml", "many.json"])
def test_a_file_within_the_limit_but_of_too_many_values(
    here: Path, name: str, capfd: Capture
) -> None:
    text = '{"schema": "mcastplan.scenario/1", "clouds": [' + "1," * (MAX_VALUES + 1) + "1]}"
    assert len(text) < MAX_FILE_BYTES
    Path(name).write_text(text)
    message = refused(["compare", name], capfd)
    assert message == f"{name}: holds more than 2,000,000 values; split off or shrink the topology"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_binary_garbage(seed: int, suffix: str, capfd: Capture) -> None:
    name = f"garbage.{suffix}"
    Path(name).write_bytes(random.Random(seed).randbytes(1000 * seed + 1))
    assert refused(["compare", name], capfd).startswith(name)


def test_a_yaml_bomb_is_not_expanded(capfd: Capture) -> None:
    """Nine levels of ten aliases each would be a billion values."""
    lines = ["schema: mcastplan.scenario/1", "a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for old, new in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]")
    Path("bomb.yaml").write_text("\n".join(lines))
    message = refused(["compare", "bomb.yaml"], capfd)
    assert message == "bomb.yaml: a: anchor &a: write the value out instead (line 2)"


def test_no_norway_and_no_sexagesimal_time(capfd: Capture) -> None:
    """`node: NO` is the node NO, and 12:30 is text: a bad time, but a good label."""
    Path("x.yaml").write_text(
        builtin_path("builtin:minimal", "scenario")
        .read_text()
        .replace("{name: C}", "{name: NO, label: 12:30}")
        .replace("node: C", "node: NO")
        .replace("a: A, b: C", "a: A, b: 12:30")
        .replace("a: B, b: C", "a: B, b: NO")
    )
    scenario = load_scenario("x.yaml")
    assert scenario.cloud["west"].node == "NO"
    assert scenario.topology.nodes[2].label == "12:30"
    assert app.run(["compare", "x.yaml"]) == 0


def special(name: str) -> str:
    """Make, or name, something that is no ordinary file."""
    match name:
        case "pipe":
            os.mkfifo("pipe")
        case "folder":
            Path("folder").mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind("socket")
        case "dangling":
            Path("dangling").symlink_to("nowhere")
        case "loop":
            Path("loop").symlink_to("loop")
        case "under":
            Path("file").touch()
            return "file/under.yaml"
        case "long":
            return "x" * 5000
        case "nul":
            return "a\0b"
        case "newline":
            return "a\nb.yaml"
        case "empty":
            return ""
        case _:
            return name
    return name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pipe", "pipe: is not a regular file; save it to one"),
        ("folder", "folder: is a folder; name the file in it"),
        ("socket", "socket: is not a regular file; save it to one"),
        ("/dev/zero", "/dev/zero: is not a regular file; save it to one"),
        ("dangling", "dangling: no such file; give a path, or builtin:NAME for a shipped scenario"),
        ("loop", "loop: cannot be read: Too many levels of symbolic links"),
        ("under", "file/under.yaml: cannot be read: Not a directory"),
        ("long", "cannot be read: File name too long"),
        ("nul", "a b: cannot be read: a file name holds no null byte"),
        ("newline", "a b.yaml: no such file; give a path, or builtin:NAME for a shipped scenario"),
        ("empty", "is a folder; name the file in it"),
    ],
)
@pytest.mark.parametrize("command", [["compare"], ["plan", "--scheme", "bier"]])
def test_a_scenario_that_is_no_file(
    name: str, words: str, command: list[str], capfd: Capture
) -> None:
    """Reading a pipe without a writer would wait for ever, and /dev/zero never ends."""
    message = refused([*command, special(name)], capfd)
    assert message.endswith(words)


SCENARIO = """\
schema: mcastplan.scenario/1
name: inside
topology: TOPOLOGY
clouds: [{name: east, node: B, ingress: 10Gbps}]
transfers: [{name: push, size: 1GB, origin: {node: A}, to: all}]
"""
TOPOLOGY = "nodes: [{name: A}, {name: B}]\nlinks: [{a: A, b: B, delay: 1ms}]\n"


@pytest.fixture
def fenced(here: Path) -> Path:
    """home/ with a scenario; outside it a topology, and links that lead there."""
    (here / "net.yaml").write_text(TOPOLOGY)
    home = here / "home"
    (home / "sub").mkdir(parents=True)
    (home / "own.yaml").write_text(TOPOLOGY)
    (home / "link.yaml").symlink_to("../net.yaml")
    (home / "up").symlink_to("..")
    (home / "alias.yaml").symlink_to("own.yaml")
    (here / "door").symlink_to("home")
    return home


OUTSIDE = ["../net.yaml", "sub/../../net.yaml", "ABSOLUTE", "link.yaml", "up/net.yaml"]


@pytest.mark.parametrize("folder", ["home", "door", "home/sub/..", "door/../home"])
@pytest.mark.parametrize("reference", OUTSIDE)
def test_a_topology_outside_the_scenarios_folder(
    fenced: Path, folder: str, reference: str, capfd: Capture
) -> None:
    """Refused however it is spelled, unless the user, not the file, allows it."""
    reference = reference.replace("ABSOLUTE", str(fenced.parent / "net.yaml"))
    (fenced / "s.yaml").write_text(SCENARIO.replace("TOPOLOGY", reference))
    message = refused(["compare", f"{folder}/s.yaml"], capfd)
    assert message.endswith(
        " lies outside the scenario's folder; copy the topology beside the scenario, or give"
        " --allow-outside (line 3)"
    )
    assert refused(["plan", f"{folder}/s.yaml", "--scheme", "bier"], capfd) == message
    assert app.run(["compare", f"{folder}/s.yaml", "--allow-outside"]) == 0
    plan = ["plan", f"{folder}/s.yaml", "--scheme", "bier", "--allow-outside"]
    assert app.run(plan) == 0
    assert load_scenario(fenced / "s.yaml", allow_outside=True).topology.name == "net"


@pytest.mark.parametrize("folder", ["home", "door", "."])
@pytest.mark.parametrize("reference", ["own.yaml", "alias.yaml", "sub/../own.yaml", "./own.yaml"])
def test_a_topology_inside_is_welcome(
    fenced: Path, folder: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fenced / "s.yaml").write_text(SCENARIO.replace("TOPOLOGY", reference))
    if folder == ".":
        monkeypatch.chdir(fenced)
    assert app.run(["compare", f"{folder}/s.yaml"]) == 0


@pytest.mark.parametrize("reference", ["/dev/zero", "pipe", "sub"])
def test_allow_outside_still_reads_files_only(fenced: Path, reference: str, capfd: Capture) -> None:
    os.mkfifo(fenced / "pipe")
    (fenced / "s.yaml").write_text(SCENARIO.replace("TOPOLOGY", reference))
    message = refused(["compare", "home/s.yaml", "--allow-outside"], capfd)
    assert "is not a regular file" in message or "is a folder" in message


def islands(receivers: str) -> str:
    return f"""\
schema: mcastplan.scenario/1
name: islands
topology: {{nodes: [{{name: A}}, {{name: B}}, {{name: X}}], links: [{{a: A, b: B}}]}}
clouds: [{{name: near, node: B, ingress: 10Gbps}}, {{name: far, node: X, ingress: 10Gbps}}]
transfers: [{{name: push, size: 1GB, origin: {{node: A}}, to: {receivers}}}]
"""


def test_an_unreachable_receiver_is_an_answer(capfd: Capture) -> None:
    Path("x.yaml").write_text(islands("all"))
    assert app.run(["compare", "x.yaml"]) == 1
    out, err = capfd.readouterr()
    assert "UNREACHABLE by any scheme: 1 cloud of push: far" in out
    assert "Take " in out
    assert err == ""
    for scheme in ("unicast", "ingress-replication", "pim-sm", "sr-p2mp", "bier"):
        assert app.run(["plan", "x.yaml", "--scheme", scheme]) == 1
        assert "UNREACHABLE: far" in capfd.readouterr().out


def many_pes(pes: int, bsl: int) -> str:
    """A star: the origin H and ``pes`` receiver PEs, each with a cloud."""
    names = [f"P{i}" for i in range(pes)]
    nodes = ", ".join(f"{{name: {name}}}" for name in names)
    links = ", ".join(f"{{a: H, b: {name}, delay: 1ms}}" for name in names)
    clouds = ", ".join(f"{{name: c{name}, node: {name}, ingress: 1Gbps}}" for name in names)
    return f"""\
schema: mcastplan.scenario/1
name: star
topology: {{nodes: [{{name: H}}, {nodes}], links: [{links}]}}
clouds: [{clouds}]
transfers: [{{name: push, size: 1GB, origin: {{node: H}}, to: all}}]
schemes: {{bier: {{bsl: {bsl}}}, only: [bier, pim-sm]}}
"""


def test_more_bfers_than_sis_allow(capfd: Capture) -> None:
    """BSL 64 and 256 SIs number 16,384 BFERs. 16,384 receivers and the origin are one too many:
    infeasible for that scheme, not an error; `plan` of it is refused."""
    Path("star.yaml").write_text(many_pes(16_384, 64))
    assert app.run(["compare", "star.yaml"]) == 0
    out, err = capfd.readouterr()
    assert "bier is not feasible here: " in out
    assert "* Take pim-sm" in out
    assert err == ""
    message = refused(["plan", "star.yaml", "--scheme", "bier"], capfd)
    assert message.startswith("bier cannot serve star: ")
