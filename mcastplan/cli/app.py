"""The command group: commands imported when they are asked for, errors reduced to one line.

Exit codes: 0 done; 1 the answer is "no"; 2 bad usage or a bad file; 3 the environment lacks
something; 130 interrupted; 143 terminated. 70 is a defect of this program: ``MCASTPLAN_DEBUG=1``
shows where.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from mcastplan import __version__
from mcastplan.cli import how_ended
from mcastplan.cli.output import SUBCOMMAND, complain, silence_stdout
from mcastplan.errors import EnvironmentLacksError, McastplanError, UsageError

PROG = "mcastplan"
INTERNAL_ERROR = 70

# Command -> its module and the attribute in it, in the order of ``mcastplan --help``.
COMMANDS: dict[str, tuple[str, str]] = {
    "compare": ("mcastplan.cli.compare", "command"),
    "fail": ("mcastplan.cli.fail", "command"),
    "plan": ("mcastplan.cli.plan", "command"),
    "sweep": ("mcastplan.cli.sweep", "command"),
    "campaign": ("mcastplan.cli.campaign", "command"),
    "lab": ("mcastplan.cli.lab", "group"),
    "report": ("mcastplan.cli.report", "command"),
    "topology": ("mcastplan.cli.topology", "group"),
    "models": ("mcastplan.cli.lists", "models"),
    "engines": ("mcastplan.cli.lists", "engines"),
    "timers": ("mcastplan.cli.lists", "timers"),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is looked up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Plan the push of a large model to many GPU clouds.

    For each way a network can replicate the bytes - unicast pulls, ingress replication, PIM-SM,
    SR-P2MP, BIER - mcastplan says when every replica is ready, what it costs the network, and
    what binds. SCENARIO is a YAML or JSON file, or builtin:NAME; start with

        mcastplan compare builtin:minimal

    Exit codes: 0 done, 1 a requested receiver cannot be reached, 2 bad usage or bad file, 3 the
    machine lacks something, 130 interrupted, 143 terminated.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str]) -> int:
    """Run one command; its exit code. Whatever goes wrong ends as one line on stderr."""
    if f"_{PROG.upper()}_COMPLETE" in os.environ:  # the shell asks for completions
        cli.main(args=list(args), prog_name=PROG)
    context = None
    try:
        with cli.make_context(PROG, list(args)) as context:
            code = cli.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        silence_stdout()
        return 0
    except KeyboardInterrupt as end:
        code, word = how_ended(end)
        complain(_name(context), word)
        return code
    except Exception as error:
        if os.environ.get("MCASTPLAN_DEBUG"):
            traceback.print_exc()
        if isinstance(error, click.UsageError) and error.ctx is not None:
            context = error.ctx
        code, message = _explain(error)
        complain(_name(context), message)
        return code


def _name(context: click.Context | None) -> str:
    if context is None:
        return PROG
    invoked = context.invoked_subcommand
    within = context.meta.get(SUBCOMMAND) if invoked is not None else None
    return " ".join((context.command_path, *filter(None, (invoked, within))))


def _explain(error: Exception) -> tuple[int, str]:
    if isinstance(error, click.ClickException):
        return UsageError.exit_code, error.format_message()
    if isinstance(error, McastplanError):
        return error.exit_code, str(error)
    if isinstance(error, MemoryError):
        return EnvironmentLacksError.exit_code, "not enough memory for this scenario"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return UsageError.exit_code, f"{place}{error.strerror}"
    return INTERNAL_ERROR, (
        f"internal error: {type(error).__name__}: {error};"
        " please report it with the output of MCASTPLAN_DEBUG=1"
    )
