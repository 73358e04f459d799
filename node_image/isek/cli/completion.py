"""``isek completion``."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ISEK_COMPLETE"
"""What the script sets when it asks for words; click looks at it."""


@click.command
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands and options.

    \b
    bash: isek completion bash > ~/.local/share/bash-completion/completions/isek
    zsh:  isek completion zsh > "${fpath[1]}/_isek"
    fish: isek completion fish > ~/.config/fish/completions/isek.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101  (click knows all three)
    click.echo(made(context.find_root().command, {}, "isek", VARIABLE).source())
