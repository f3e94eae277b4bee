"""``omni-connector completion``: the script that has a shell complete the command line."""

import click
from click.shell_completion import get_completion_class

from omni_connector.cli import exit_codes
from omni_connector.cli.command_name import NAME

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_OMNI_CONNECTOR_COMPLETE"
"""By which click is asked for completions; it makes the name out of the command's."""

INSTALLING = f"""\b
Install it, for new shells:
    bash   echo 'eval "$({NAME} completion bash)"' >> ~/.bashrc
    zsh    echo 'eval "$({NAME} completion zsh)"' >> ~/.zshrc
    fish   {NAME} completion fish > ~/.config/fish/completions/{NAME}.fish

{exit_codes.EXPLAINED}"""


@click.command(short_help="Print the script that completes commands in a shell.", epilog=INSTALLING)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script that has SHELL complete commands, options and their values.

    Values are completed as well: files, modes, and the sources, runs and documents in the directory of --data. In zsh,
    compinit must have run before.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click does not complete for {shell}.")
    click.echo(kind(context.find_root().command, {}, NAME, VARIABLE).source())
