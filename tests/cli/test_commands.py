"""Commands end to end inside one process: the planner replaced by hand-made results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import mcastplan.scenario
from mcastplan import __version__
from mcastplan.cli import app
from mcastplan.errors import EnvironmentLacksError, InfeasibleError, ScenarioError
from mcastplan.model.results import Comparison, PlanResult
from mcastplan.model.scenario import Scenario
from mcastplan.model.timers import PRESETS, TIMER_ROWS, Timers
from mcastplan.study import compare as compare_module
from mcastplan.study import plan as plan_module


@pytest.fixture
def fake(
    monkeypatch: pytest.MonkeyPatch,
    comparison: Comparison,
    scenario: Scenario,
    plan_result: PlanResult,
) -> Callable[[object], None]:
    """Makes the planner return, or raise, what it is given."""

    def use(answer: object = comparison) -> None:
        def planner(*args: object, **options: object) -> object:
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(mcastplan.scenario, "load_scenario", lambda source, **given: scenario)
        monkeypatch.setattr(compare_module, "compare", planner)
        monkeypatch.setattr(plan_module, "plan", planner)

    use()
    return use


def test_compare_prints_the_screen(
    fake: object, capfd: pytest.CaptureFixture[str], root: Path
) -> None:
    assert app.run(["compare", "builtin:hand-made"]) == 0
    out, err = capfd.readouterr()
    assert out == (root / "tests/golden/terminal/compare.txt").read_text()
    assert err == ""


def test_json_to_stdout_is_json_and_nothing_else(
    fake: object, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["compare", "x.yaml", "--json", "-"]) == 0
    out, err = capfd.readouterr()
    result = json.loads(out)
    assert list(result) == [
        *("schema", "scenario", "assumptions", "transfers", "schemes", "recommendation"),
        *("network", "question", "bier_choice", "full_of_background"),
    ]
    assert result["schemes"][0]["links"][0]["from"] == "P00"
    assert err == ""


def test_json_to_a_file_prints_the_screen_and_ends_with_the_path(
    fake: object, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "answer.json"
    assert app.run(["compare", "x.yaml", "--json", str(target)]) == 0
    out, _ = capfd.readouterr()
    assert out.splitlines()[0].startswith("hand-made: push")
    assert out.splitlines()[-1] == str(target)
    assert json.loads(target.read_text())["schema"] == "mcastplan.compare/1"
    assert list(tmp_path.iterdir()) == [target]


def test_an_unreachable_receiver_is_exit_1_with_the_full_answer(
    fake: Callable[[object], None],
    awkward: tuple[Comparison, Scenario],
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake(awkward[0])
    assert app.run(["compare", "x.yaml", "--json", "-"]) == 1
    assert json.loads(capfd.readouterr().out)["schemes"]


def test_plan(
    fake: Callable[[object], None], plan_result: PlanResult, capfd: pytest.CaptureFixture[str]
) -> None:
    fake(plan_result)  # with a cloud that cannot be reached
    assert app.run(["plan", "x.yaml", "--scheme", "bier"]) == 1
    assert "BIFT 1, SI 0, BSL 64" in capfd.readouterr().out
    assert app.run(["plan", "x.yaml", "--scheme", "bier", "--node", "R", "--json", "-"]) == 1
    assert json.loads(capfd.readouterr().out)["schema"] == "mcastplan.plan/1"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            ScenarioError("at least 1", "links[3].capacity", "x.yaml"),
            2,
            "mcastplan compare: x.yaml: links[3].capacity: at least 1\n",
        ),
        (InfeasibleError("300 SIs\nand more"), 2, "mcastplan compare: 300 SIs and more\n"),
        (EnvironmentLacksError("no \x1b[31mred"), 3, "mcastplan compare: no \\x1b[31mred\n"),
        (KeyboardInterrupt(), 130, "mcastplan compare: interrupted\n"),
        (MemoryError(), 3, "mcastplan compare: not enough memory for this scenario\n"),
        (
            FileNotFoundError(2, "No such file", "x.yaml"),
            2,
            "mcastplan compare: x.yaml: No such file\n",
        ),
        (
            ZeroDivisionError("oh"),
            70,
            "mcastplan compare: internal error: ZeroDivisionError: oh; please report it with the"
            " output of MCASTPLAN_DEBUG=1\n",
        ),
    ],
)
def test_every_error_is_one_line_and_a_code(
    fake: Callable[[object], None],
    error: BaseException,
    code: int,
    line: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake(error)
    assert app.run(["compare", "x.yaml"]) == code
    out, err = capfd.readouterr()
    assert (out, err) == ("", line)


def test_debug_keeps_the_traceback(
    fake: Callable[[object], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake(ZeroDivisionError("oh"))
    monkeypatch.setenv("MCASTPLAN_DEBUG", "1")
    assert app.run(["compare", "x.yaml"]) == 70
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["compare"], "mcastplan compare: Missing argument 'SCENARIO'.\n"),
        (["compare", "a", "b"], "mcastplan compare: Got unexpected extra argument (b)\n"),
        (["plan", "a"], "mcastplan plan: Missing option '--scheme'.\n"),
        (["--nonsense"], "mcastplan: No such option '--nonsense'.\n"),
        (["nonsense"], "mcastplan: No such command 'nonsense'.\n"),
        (["timers", "--json"], "mcastplan timers: Option '--json' requires an argument.\n"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    args: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app.run(args) == 2
    assert capfd.readouterr() == ("", line)


def test_version_and_bare_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capfd.readouterr().out == f"mcastplan {__version__}\n"
    assert app.run([]) == 0
    assert capfd.readouterr().out.startswith("Usage: mcastplan ")


def test_catalogues(capfd: pytest.CaptureFixture[str]) -> None:
    """One row each, the first word its name; in JSON every row has a source."""
    for name in ("models", "engines", "timers"):
        assert app.run([name]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert app.run([name, "--json", "-"]) == 0
        result = json.loads(capfd.readouterr().out)
        assert result["schema"] == f"mcastplan.{name}/1"
        assert all(row["source"] for row in result[name])
        words = {line.split(" ")[0] for line in lines[1:]}
        assert {row.get("name", row.get("key")) for row in result[name]} <= words
        assert max(map(len, lines)) <= 100
    assert [row["key"] for row in result["timers"]] == [row.key for row in TIMER_ROWS]


def test_timers_of_every_preset(capfd: pytest.CaptureFixture[str]) -> None:
    """A column and a JSON value for each preset; the silent failure as facts and RFC 2328 have it:
    BFD 3 x 50, 3 x 300, 3 x 100 ms, or RouterDeadInterval 40 s."""
    assert app.run(["timers"]) == 0
    out = capfd.readouterr().out
    lines = out.splitlines()
    assert lines[0].split()[:5] == ["timer", *PRESETS]
    silent = next(line for line in lines if line.startswith("silent "))
    assert " ".join(silent.split()).startswith("silent 150 ms 900 ms 40 s 300 ms a failure")
    assert "tuned rfc8405, frr-defaults frr-throttle, no-bfd frr-throttle, lab" in out
    assert app.run(["timers", "--json", "-"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["presets"] == list(PRESETS)
    assert result["spf"] == {name: Timers.of(name).spf for name in PRESETS}
    row = next(row for row in result["timers"] if row["key"] == "silent")
    assert row["default_s"] == 0.15
    assert row["presets_s"] == {"tuned": 0.15, "frr-defaults": 0.9, "no-bfd": 40, "lab": 0.3}


def test_every_command_has_help_and_is_in_the_readme(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    readme = (root / "README.md").read_text()
    context = click.Context(app.cli)
    commands: dict[str, click.Command] = {}
    for name in app.COMMANDS:
        command = app.cli.get_command(context, name)
        assert command is not None
        below = command.commands if isinstance(command, click.Group) else {"": command}
        commands |= {f"{name} {each}".strip(): one for each, one in below.items()}
    for name, command in commands.items():
        assert command.help
        assert command.short_help
        assert all(p.help for p in command.params if isinstance(p, click.Option))
        assert f"mcastplan {name}" in readme, f"the README does not name {name}"
        assert app.run([*name.split(), "--help"]) == 0
        out = capfd.readouterr().out
        assert out.startswith(f"Usage: mcastplan {name} ")
        assert "--json" in out


def test_plan_help_names_every_scheme(capfd: pytest.CaptureFixture[str]) -> None:
    from mcastplan.schemes import SCHEMES

    assert app.run(["plan", "--help"]) == 0
    words = " ".join(capfd.readouterr().out.split()).replace(",", "").replace(".", "").split()
    assert {scheme.name for scheme in SCHEMES} <= set(words)


def test_a_closed_stdout_is_no_error(monkeypatch: pytest.MonkeyPatch, fake: object) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert app.run(["compare", "x.yaml"]) == 0
