"""The commands and their options. What they do is in the other files, imported when needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .blame import blame
from .compare import compare
from .group import Commands
from .pipeline import pipelines
from .pipeline.commands import FREE
from .version import version_of

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Custom = Annotated[
    list[str] | None,
    typer.Option(
        "--custom", metavar="FILE.py:Class",
        help="A class of your own that the file names; your code is imported. May be repeated.",
    ),
]  # fmt: skip
ModelFolder = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A folder: of a model, a run, or of Diffusers.")
]

Strength = Annotated[float | None, typer.Option(help="Of guidance; instead of the model's.")]


@app.callback()
def diffusion(
    version: Annotated[
        bool,
        typer.Option("--version", callback=version_of, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Diffusion models assembled from modules: train, sample, evaluate, check."""


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=c", help="Change a value of the file. Repeatable."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs in all; instead of train.epochs.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the run lives; instead of train.folder.")
    ] = None,
    custom: Custom = None,
) -> None:
    """Train a model as CONFIG.yaml says; a run that was stopped continues.

    The final model is saved in FOLDER/model.
    """
    from .train import train as run

    run(config, set_ or [], epochs, folder, custom or [])


@app.command()
def sample(
    model: ModelFolder,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", "--prompt",
            help="The name of a class (3 is the class called 3), a text, or none. Repeatable: "
            "samples are shared out evenly.",
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "-n", "--number", min=1, show_default="16, or fewer: those of --start",
            help="Samples; items of --start and --known are taken in turn.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Network calls.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    guidance: Strength = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="Such as DDIM or '{DDIM: {eta: 0.5}}'; instead of the model's."),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="Such as Karras or '{Uniform: {variable: flow}}'.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="PICTURE|FOLDER|FILE", help="Items to noise, and to begin with."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(show_default="0.5", help="How far --start is noised: 1 leaves nothing."),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(metavar="PICTURE|FOLDER|FILE", help="Items that --mask keeps a part of."),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="PICTURE|FILE",
            help="What is kept: white; True in .npy or .npz; in .txt all characters but _.",
        ),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="What each text begins with.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out",
            help="FILE.png: a grid. FILE.gif: the denoising. FILE.npz: the items. FILE.txt: text. "
            "A folder: a picture for each sample.",
        ),
    ] = None,
    custom: Custom = None,
) -> None:  # fmt: skip
    """Draw samples from a trained model."""
    from .given import Given
    from .sample import Wish
    from .sample import sample as run

    given = Given(start, strength, known, mask, prefix)
    wish = Wish(tuple(label or ()), number, steps, seed, guidance, sampler, grid, given)
    run(model, wish, out, custom or [])


@app.command()
def evaluate(
    model: ModelFolder,
    source: Annotated[str, typer.Option(help="Real data: digits, a folder, a .npz file ...")],
    number: Annotated[int, typer.Option("-n", "--number", min=2, help="Items and samples.")] = 1000,
    steps: Annotated[int, typer.Option(min=1, help="Network calls for each sample.")] = 50,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    size: Annotated[int | None, typer.Option(help="Side of pictures from a folder.")] = None,
    method: Annotated[
        str, typer.Option(help="Of the likelihood: bound, importance (tighter) or ode (exact).")
    ] = "bound",
    draws: Annotated[int, typer.Option(min=1, help="Of the likelihood of each item.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    custom: Custom = None,
) -> None:
    """Measure a model: bits per dimension, and for labelled pictures what a classifier says."""
    from .evaluate import evaluate as run

    run(model, source, number, steps, seed, size, json, custom or [], method, draws)


@app.command()
def solvers(
    model: ModelFolder,
    calls: Annotated[str, typer.Option(help="Network calls to compare at.")] = "5,8,12,20,32",
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Starts.")] = 16,
    guidance: Strength = None,
    seed: Annotated[int, typer.Option(help="Of the starts.")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="FILE.png: a plot.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    custom: Custom = None,
) -> None:
    """Compare the samplers on a model: how far each ends from where its ODE leads."""
    from .solvers import solvers as run

    run(model, calls, number, guidance, seed, out, json, custom or [])


@app.command()
def tune(
    model: ModelFolder,
    steps: Annotated[int, typer.Option(min=1, help="Network calls of a sampling.")] = 10,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to search.")] = 60.0,
    number: Annotated[int, typer.Option("-n", "--number", min=2, help="Starts.")] = 32,
    guidance: Strength = None,
    seed: Annotated[int, typer.Option(help="Of the starts.")] = 0,
    custom: Custom = None,
) -> None:
    """Find the sampler and the noise levels for a number of steps; save them with the model."""
    from .solvers import tune as run

    run(model, steps, seconds, number, guidance, seed, custom or [])


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A CONFIG.yaml, a model folder, or code of your own: package.module:Name or "
            "path/to/file.py:Name, a class or an object. Your code is imported.",
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a=b", help="An argument of the class; for a file, a.b=c."),
    ] = None,
    custom: Custom = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show only what fails.")] = False,
) -> None:
    """Examine a module, or all modules of a model; exit code 1 if one fails."""
    from .check import check as run

    if not run(target, set_ or [], custom or [], quiet):
        raise typer.Exit(1)


@app.command()
def info(
    model: ModelFolder,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print model.yaml.")] = False,
    custom: Custom = None,
) -> None:
    """Show what a model is made of."""
    from .info import info as run

    run(model, yaml, custom or [])


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where pictures, model and numbers go.")] = Path(
        "out/demo"
    ),
    minutes: Annotated[float, typer.Option(min=0.1, help="Of two CPU cores, at most.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
) -> None:
    """Train a model of handwritten digits, sample it and measure it, in minutes."""
    from ..demo import run

    run(out, minutes, seed)


pipelines(app)
app.command(context_settings=FREE)(blame)
app.command(context_settings=FREE)(compare)
