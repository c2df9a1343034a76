"""The command line: train, sample, evaluate, check, info, demo."""


def main() -> None:
    """Run the command line."""
    from .app import app

    app()
