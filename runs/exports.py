"""Export of a promoted checkpoint: its folder in Hugging Face layout, with the card of its sign-off, as one archive.

Weights leave as safetensors only. What a stage needs to resume lies in a folder of its own and stays here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.urls import reverse

from runs import audit
from runs.cards import sign_off_card
from runs.exchange.archive import Member, archive_blocks, archive_length
from runs.ingest import checkpoint_folder, run_folder
from runs.lifecycle import NotPossibleError
from runs.models import Checkpoint, Role
from runs.standings import Standing
from runs.streams import download
from workers.model_dir import homes_of, leads_out
from workers.spec import BASE
from workers.stage_dir import MODEL_CARD, is_whole, step_name

EXPORT = Role.RUNNER
MEDIA_TYPE = "application/x-tar"
_OTHER_WEIGHTS = (".bin", ".ckpt", ".h5", ".msgpack", ".pickle", ".pkl", ".pt", ".pth")  # some run code when read


@dataclass(frozen=True)
class Export:
    """What an export holds: its files, the card first."""

    stem: str  # the archive's name without its ending, and that of the folder in it
    dated: int  # when the scores were frozen, so that what was approved is the same archive every time
    members: tuple[Member, ...]

    @property
    def n_bytes(self) -> int:
        return sum(member.n_bytes for member in self.members)


def find_export(standing: Standing) -> Export:
    """List what an export of a proposed checkpoint would hold. Raises NotPossibleError where its weights are not there."""
    checkpoint = standing.proposal.checkpoint
    card = sign_off_card(standing).encode()
    files = sorted(_files(checkpoint), key=lambda member: member.name)
    if not any(member.name.endswith(".safetensors") for member in files):
        raise NotPossibleError(
            f"found no weights (*.safetensors) in the folder of {standing.proposal}: it is gone or was emptied; "
            "restore it from a backup, or train the stage again in a new run",
            "weights_missing",
        )
    dated = int(standing.proposal.frozen_at.timestamp())
    return Export(_stem(checkpoint), dated, (Member(MODEL_CARD, len(card), card), *files))


def begin_export(standing: Standing, *, by: User) -> Export:
    """Compare a promoted checkpoint's files with their checksums, log who takes it, and list what is to be sent.

    The comparison reads the weights once, about a second a gigabyte: what was sent cannot be taken back.
    """
    proposal = standing.proposal
    if standing.state != "promoted":
        raise NotPossibleError(
            f"this proposal is {standing.state}, only a promoted checkpoint can be exported; promote it first",
            "not_promoted",
        )
    found = find_export(standing)
    if not is_whole(checkpoint_folder(proposal.checkpoint), meanwhile=lambda: None):
        raise NotPossibleError(
            f"the folder of {proposal} is damaged: its files are not those that were written; "
            "restore it from a backup, or train the stage again in a new run",
            "weights_damaged",
        )
    url = reverse("proposal", args=(proposal.project.slug, proposal.public_id))
    facts = {"files": len(found.members), "bytes": found.n_bytes, "scores": proposal.digest}
    audit.record(proposal.project, "checkpoint.exported", by=by, subject=str(proposal), url=url, after=facts)
    return found


def answer(export: Export) -> StreamingHttpResponse:
    """Send an export as it is made."""
    return download(
        archive_blocks(export.members, folder=export.stem, dated=export.dated),
        name=f"{export.stem}.tar",
        n_bytes=archive_length(export.members, folder=export.stem, dated=export.dated),
        content_type=MEDIA_TYPE,
    )


def _stem(checkpoint: Checkpoint) -> str:
    run = checkpoint.run
    name = checkpoint.stage.name if checkpoint.stage else BASE
    return f"{run.project.slug}-{run.number}-{name}-{step_name(checkpoint.at_step)}"


def _files(checkpoint: Checkpoint) -> Iterator[Member]:
    """Yield the files of a checkpoint but its card, hidden ones, and weights in formats that are no safetensors.

    A base model's files may be links into a cache; a link that leads anywhere else is passed over.
    """
    folder = checkpoint_folder(checkpoint)
    is_model = not folder.is_relative_to(run_folder(checkpoint.run))
    homes = homes_of(folder, Path(settings.MODELS_DIR) if is_model else folder)
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        is_ours = name.as_posix() != MODEL_CARD and not any(part.startswith(".") for part in name.parts)
        if is_ours and path.suffix not in _OTHER_WEIGHTS and path.is_file() and not leads_out(path, homes):
            yield Member(name.as_posix(), path.stat().st_size, path)
