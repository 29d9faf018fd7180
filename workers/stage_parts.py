"""Documents that a stage may hold: where learned rewards come from, adapters to train in place of the weights."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from workers.document import Spec, Text, setting

_LONGEST_NAME = 255  # bytes


def _stay_below_models_dir(folder: str) -> str:
    if folder.startswith("/") or ".." in folder.split("/"):
        raise ValueError(
            f"found '{folder}', expected a folder name below MODELS_DIR; drop the leading '/' and any '..'"
        )
    if longest := max((part for part in folder.split("/") if len(part.encode()) > _LONGEST_NAME), key=len, default=""):
        raise ValueError(
            f"found a name of {len(longest.encode())} bytes, expected at most {_LONGEST_NAME}, as file systems have; shorten it"
        )
    return folder


FolderName = Annotated[Text, AfterValidator(_stay_below_models_dir)]


class RewardModelSpec(Spec):
    """A Bradley-Terry reward model, trained by the stage before its first step on preference pairs."""

    kind: Literal["trained"] = "trained"
    steps: int = setting(
        200, about="Optimiser updates of the reward model.", unit="steps", source="tiny", ge=1, le=100_000
    )
    pairs_per_step: int = setting(64, about="Preference pairs per update.", unit="pairs", source="tiny", ge=1, le=4096)
    learning_rate: float = setting(3e-3, about="AdamW learning rate.", source="tiny", gt=0, le=1)
    hidden_size: int = setting(
        48, about="Width of the reward model.", unit="features", source="tiny", ge=8, le=1024, multiple_of=8
    )
    layers: int = setting(2, about="Transformer blocks of the reward model.", unit="blocks", source="tiny", ge=1, le=24)
    hard_negatives: float = setting(
        0.3,
        about="Share of the built-in domain's pairs whose worse answer is polite spam. 0 invites reward hacking.",
        source="tiny",
        ge=0,
        le=1,
    )
    length_bias: float = setting(
        0.15,
        about="How far the built-in domain's annotators favour the longer answer, per token of difference.",
        unit="utility per token",
        source="tiny",
        ge=0,
        le=2,
    )


class FolderRewardSpec(Spec):
    """A reward model as Hugging Face keeps them: a classifier with one label, in a folder below MODELS_DIR."""

    kind: Literal["folder"] = "folder"
    folder: FolderName = setting(
        about="Name of the reward model's folder below MODELS_DIR on every worker.", min_length=1, max_length=200
    )
    batch_tokens: int = setting(
        16384,
        about="Tokens, padding included, that run through the reward model at once. Bounds memory; changes no reward.",
        unit="tokens",
        source="ours",
        ge=64,
        le=4_194_304,
    )


class JudgeRewardSpec(Spec):
    """A generative reward model (GenRM): a judge compares all pairs of a group's answers, and scores both (NANO §3.3.2)."""

    kind: Literal["judge"] = "judge"
    judge: str | None = setting(
        None, about="The judge that compares. Left out: the recipe's.", source="C2 §4.5", min_length=1, max_length=40
    )


LearnedRewardSpec = Annotated[RewardModelSpec | FolderRewardSpec | JudgeRewardSpec, Field(discriminator="kind")]


class LoRASpec(Spec):
    """Low-rank adapters: a linear layer computes W x + alpha / rank * B A x, and only A and B are trained."""

    rank: int = setting(
        16, about="Rows of A and columns of B.", unit="features", source="arXiv 2106.09685", ge=1, le=1024
    )
    alpha: int = setting(
        32, about="Weight of the adapter, divided by its rank.", source="common use: twice the rank", ge=1, le=4096
    )
    target_modules: Text = setting(
        "all-linear",
        about="Which linear layers get one: all-linear (all but the output head), or names as q_proj, v_proj.",
        source="arXiv 2305.14314: all-linear",
        min_length=1,
        max_length=200,
        pattern=r"^[\w.-]+( *, *[\w.-]+)*$",
    )
