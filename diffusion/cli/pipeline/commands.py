"""`diffusion run`, `show`, `doctor` and `lock`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="A saved pipeline.")]
Custom = Annotated[
    list[str] | None,
    typer.Option(
        "--custom", metavar="FILE.py:Class",
        help="A block of your own that the file names; your code is imported. Repeatable.",
    ),
]  # fmt: skip
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="a.b=c",
        help="Change a value: denoise.steps=20, 'denoise.sampler={id: sampler.DDIM}'. Repeatable.",
    ),
]  # fmt: skip
Locked = Annotated[
    bool, typer.Option("--locked", help="Refuse whatever differs from the lock file beside it.")
]
Inputs = Annotated[
    Path | None,
    typer.Option(help="A trace, a block in it (run.trace/decode), or a folder with inputs.json."),
]
FREE = {"allow_extra_args": True, "ignore_unknown_options": True}


def pipelines(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command(context_settings=FREE)(run)
    app.command()(show)
    app.command()(doctor)
    app.command()(lock)


def run(
    context: typer.Context,
    pipeline: PipelineFile,
    set_: Set = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="A folder for what it makes.")] = Path(
        "out"
    ),
    only: Annotated[
        str | None, typer.Option(metavar="BLOCK", help="Run this block alone, such as decode.")
    ] = None,
    inputs: Inputs = None,
    locked: Locked = False,
    device: Annotated[str, typer.Option(help="Where its models run.")] = "cpu",
    custom: Custom = None,
) -> None:
    """Run a pipeline. Its inputs are options: --prompt "a cat" --seed 0 --image photo.png.

    `diffusion show PIPELINE.yaml` lists them. Text is read as the input's type says; repeated
    options make a list. Pictures are written as PNG, other outputs as JSON and safetensors.
    """
    from ..load import classes
    from .run import Wish
    from .run import run as work

    wish = Wish(out, only, inputs, tuple(set_ or ()), locked, device)
    work(pipeline, context.args, wish, classes(custom or []))


def show(
    pipeline: PipelineFile,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a reference page of it, as Markdown.")
    ] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid diagram.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it.")] = None,
    set_: Set = None,
    locked: Locked = False,
    custom: Custom = None,
) -> None:
    """Show a pipeline: its inputs and outputs, blocks, versions, weights and their memory."""
    from ..load import classes
    from .show import show as work

    work(pipeline, markdown, mermaid, svg, set_ or [], locked, classes(custom or []))


def doctor(
    pipeline: PipelineFile,
    inputs: Inputs = None,
    modules: Annotated[
        bool, typer.Option(help="Examine the models and modules too; large ones take long.")
    ] = True,
    set_: Set = None,
    device: Annotated[str, typer.Option(help="Where its models run.")] = "cpu",
    custom: Custom = None,
) -> None:
    """Examine every block of a pipeline alone, and the modules in it; exit code 1 if one fails."""
    from ..load import classes
    from .doctor import doctor as work

    if not work(pipeline, inputs, modules, set_ or [], device, classes(custom or [])):
        raise typer.Exit(1)


def lock(pipeline: PipelineFile, custom: Custom = None) -> None:
    """Write the lock file of a pipeline: hashes and revisions of all it is made of."""
    from ...block.file import lock as work
    from ..load import classes

    typer.echo(f"wrote {work(pipeline, classes(custom or []))}")
