"""Groups of commands that are imported only when one of them is used, so that help answers at once."""

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose subcommands are imported on use.

    Args:
        *args: as for `click.Group`.
        lines: name of each subcommand -> one line for people.
        module: where a subcommand lies, as `command`, with "{}" for its name (with "_" for "-").
        section: heading of the subcommands in the help.
        **kwargs: as for `click.Group`.
    """

    def __init__(self, *args: Any, lines: dict[str, str], module: str, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = lines
        self.module = module
        self.section = section

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all subcommands."""
        return list(self.lines)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one subcommand."""
        if name not in self.lines:
            return None
        command = import_module(self.module.format(name.replace("-", "_"))).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; a near miss names the one that was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(self.lines), n=1)
            raise click.UsageError(error.message + (f" Did you mean {near[0]!r}?" if near else ""), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the subcommands without importing them."""
        with formatter.section(self.section):
            formatter.write_dl(list(self.lines.items()))
