"""`diffusion --version`."""

import typer


def version_of(show: bool) -> None:
    """Print the installed version, and end."""
    if show:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(version("diffusion-modules"))
        except PackageNotFoundError:  # run from a source tree that is not installed
            from .. import __version__

            typer.echo(__version__)
        raise typer.Exit
