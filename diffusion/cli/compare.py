"""`diffusion compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .pipeline.commands import Custom, PipelineFile


def compare(
    context: typer.Context,
    pipeline: PipelineFile,
    choose: Annotated[
        list[str],
        typer.Option(
            "--choose", metavar="a.b=c",
            help="One value to compare: denoise.steps=20, 'denoise.sampler={id: sampler.DDIM}'. "
            "Repeatable; values of several paths are combined.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="FILE.png: a grid of pictures; or FILE.html.")
    ] = Path("out/compare.png"),
    inputs: Annotated[
        Path | None, typer.Option(help="An inputs.json, a folder with one, or a trace.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where models run.")] = "cpu",
    custom: Custom = None,
) -> None:  # fmt: skip
    """Run a pipeline with every combination of choices, and show the pictures side by side.

    Its inputs are options: --seed 3. The last path's values are the columns.
    """
    from ..block.compare import compare as work
    from ..block.trace import inputs as recorded
    from ..errors import choose as among
    from .load import classes
    from .pipeline.given import given
    from .pipeline.run import read

    among("--out: the ending", out.suffix.lower(), (".png", ".html"))
    known = classes(custom or [])
    block = read(pipeline, known, device)
    found = {} if inputs is None else recorded(inputs)
    found |= given(context.args, block.ports().inputs, device)
    choices: dict[str, list[Any]] = {}
    for text in choose:
        path = text.partition("=")[0]
        changed = read(pipeline, known, device, [text])
        choices.setdefault(path, []).append(_at(changed, path))
    made = work(block, choices, **found)
    made.save(out)
    typer.echo(f"{made}\nwrote {out}")


def _at(value: Any, path: str) -> Any:
    """What stands at a path of a pipeline."""
    from ..block import Block

    for name in path.split("."):
        value = value[name] if isinstance(value, Block) else getattr(value, name)
    return value
