"""``kubectl isek``: the commands that make sense beside kubectl, which finds ``kubectl-isek`` by its name."""

import click

from isek.cli.main import Commands
from isek.cli.meshes import CLUSTER_ONLY

NAMES = ("ask", "explain", "nodes", "tree")


class _KubectlCommands(Commands):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in super().list_commands(ctx) if name in NAMES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) if cmd_name in NAMES else None


@click.group(
    name="kubectl isek",
    cls=_KubectlCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "obj": CLUSTER_ONLY},
)
def main() -> None:
    """Ask and look at the agents of a cluster; local meshes are left out."""


def run() -> None:
    """The program."""
    main(prog_name="kubectl isek")
