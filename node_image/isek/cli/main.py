"""The ``isek`` command. A command is imported when it is used or listed, so each keeps its module light."""

import os
from importlib import import_module
from importlib.metadata import entry_points

import click

from isek import __version__

COMMANDS = {
    "ask": "isek.cli.ask:ask",
    "chat": "isek.cli.chat:chat",
    "clean": "isek.cli.clean:clean",
    "completion": "isek.cli.completion:completion",
    "doctor": "isek.cli.doctor:doctor",
    "down": "isek.cli.down:down",
    "example": "isek.cli.example:example",
    "nodes": "isek.cli.nodes:nodes",
    "registry": "isek.cli.registry:registry",
    "setup": "isek.cli.setup:setup",
    "topic": "isek.cli.topic:topic",
    "tree": "isek.cli.tree:tree",
    "version": "isek.cli.version:version",
}
"""The commands of this package, by where they are."""

ENTRY_POINTS = "isek.commands"
"""The group of entry points through which other packages add commands."""


class Commands(click.Group):
    """Those of this package and of others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted({*COMMANDS, *entry_points(group=ENTRY_POINTS).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name].partition(":")
            command = getattr(import_module(module), name)
        else:
            found = entry_points(group=ENTRY_POINTS, name=cmd_name)
            command = next(iter(found)).load() if found else None
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=Commands,
    epilog="Start with: isek example list",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Agents that find each other, talk to each other and solve tasks together."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        context.color = False


if __name__ == "__main__":
    main()
