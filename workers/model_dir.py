"""A registered model's folder: every file name in it, how it is written and how it is read.

spec.json          ModelSourceSpec: where the model lies, or what to download; written by the task
facts.json         a ModelFacts, written when all was looked at
log.txt, outcome.json, lock, progress.json    as in a stage's folder (stage_dir.py)

The weights stay where they are, below MODELS_DIR. That folder, or a model in it, may be a link, and files of a model may be links
into the cache it lies in; a link to anywhere else is not followed, since what it leads to would be shown, trained on or exported.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from workers.document import Spec
from workers.stage_dir import StageDir


def homes_of(folder: Path, models_dir: Path) -> list[Path]:
    """Name where a model's files may lie: below its folder, MODELS_DIR, or the `models--...` that the hub's cache keeps it in."""
    here = folder.resolve()
    cache = [here.parent.parent] if here.parent.name == "snapshots" else []
    return [here, models_dir.resolve(), *cache]


def leads_out(path: Path, homes: list[Path]) -> bool:
    """Tell whether a file is a link that leads to none of its homes."""
    return not any(path.resolve().is_relative_to(home) for home in homes)


class ModelSourceSpec(Spec):
    """A model to be looked at: `spec.json` in its folder."""

    folder: str  # absolute; where it lies, or is downloaded to
    hub: str = ""  # owner/name to download first; empty: the folder is there
    revision: str = ""  # of the hub: a branch, a tag or a commit; empty: its main branch


class ModelFacts(BaseModel):
    """What a model is; `digest` is the SHA-256 over all weight files. Sizes as its config.json says, weights as their files say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    architecture: str  # class name, as Qwen3ForCausalLM
    parameters: int = Field(ge=1, le=2**53)  # weights that several parts share count once
    dtypes: dict[str, int]  # number format -> parameters in it
    layers: int | None = None
    width: int | None = None
    vocabulary: int | None = None
    context: int | None = None  # tokens; None where the config does not say
    tokenizer: str  # class name
    tokens: int  # entries of the tokenizer
    chat_template: str
    sample: str  # a short conversation as the template writes it
    knows_thinking: bool  # enable_thinking changes what it writes
    knows_tools: bool
    n_weight_files: int
    weight_bytes: int
    folder_bytes: int
    revision: str = ""  # the hub's commit that was downloaded

    @property
    def dtype(self) -> str:
        """The format most weights are in."""
        return max(self.dtypes, key=lambda name: self.dtypes[name])

    @property
    def first_lines(self) -> str:
        """The beginning of the sample."""
        return "\n".join(self.sample.splitlines()[:12])


@dataclass(frozen=True)
class ModelDir:
    """The paths of a registered model's folder."""

    path: Path

    @property
    def process(self) -> StageDir:
        """The same folder, as the process that fills it sees it."""
        return StageDir(self.path)

    @property
    def facts(self) -> Path:
        return self.path / "facts.json"
