"""A model put on the Hugging Face hub."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileError, require
from .card import CARD, card
from .remote import REPOSITORY, client
from .save import save

if TYPE_CHECKING:
    from ..model import Model


def push(
    model: Model[Any], name: str, licence: str, *, private: bool = False, token: str | None = None,
) -> str:  # fmt: skip
    """Write the model in the format of Diffusers, with a card, and upload it in one commit.

    Args:
        name: "owner/name"; made if it is not there. licence: of the weights; it stands in the card.
        token: of the hub; None is the one of `hf auth login`.

    Returns: the commit's hash, for `load(name, revision=hash)`.
    """
    require(bool(REPOSITORY.fullmatch(name)), "push.name", "owner/name", repr(name))
    require(bool(licence.strip()), "push.licence", "an identifier, such as 'cc-by-4.0'", "none")
    hub = client()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        save(model, folder)
        (folder / CARD).write_text(card(model, licence, name), "utf-8")
        api = hub.HfApi(token=token)
        try:
            api.create_repo(name, private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=name, folder_path=folder, commit_message="Model by diffusion-modules"
            )
        except (hub.errors.HfHubHTTPError, OSError) as error:
            raise FileError(f"push: {name} was not uploaded: {error}") from error
    return str(done.oid)
