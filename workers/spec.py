"""The documents of a cascade: what to train, and how.

A `RecipeSpec` is written by a person and validated here, before anything is stored. A `ResolvedStageSpec` and a
`ScoringSpec` are what a worker writes into a folder for the trainer: the same stage with its start, its teachers and
its seed filled in. All are frozen and refuse unknown keys. Every setting carries its default, range, unit and source
here and nowhere else: forms, API schema and documentation are generated from these fields.

Sources are abbreviated: C2 is the Nemotron-Cascade 2 paper (arXiv 2603.19220), C1 the Nemotron-Cascade paper
(arXiv 2512.13607), "tiny" our own measurements with models of 0.3 to 0.8 M parameters.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from workers import rules
from workers.catalogue import DOMAINS
from workers.document import Slug, Spec, Text, setting
from workers.judge_rules import check_judging
from workers.metrics import Metric
from workers.rules import BASE, BEST, SpecRuleError
from workers.stage_parts import FolderName, FolderRewardSpec, JudgeRewardSpec, LoRASpec, RewardModelSpec
from workers.stage_spec import GRPOSpec, MOPDSpec, SFTSpec, StageSpec
from workers.task_spec import TaskAccess, TaskBenchmarkSpec

__all__ = [
    "BASE", "BEST", "AnyBenchmarkSpec", "BenchmarkSpec", "DataSetSpec", "FolderModelSpec", "FolderRewardSpec", "GRPOSpec",
    "GateSpec", "JudgeRewardSpec", "LoRASpec", "MOPDSpec", "ModelSpec", "RecipeSpec", "ResolvedStageSpec",
    "RewardModelSpec", "SFTSpec", "ScoringSpec", "Spec", "SpecRuleError", "StageSpec", "TaskAccess",
    "TaskBenchmarkSpec", "TinyModelSpec", "TopUpSpec",
]  # fmt: skip


# Models ---------------------------------------------------------------------------------------------------------


class TinyModelSpec(Spec):
    """A small Qwen3-architecture model with its own tokenizer, built from random weights by the first stage."""

    kind: Literal["tiny"] = "tiny"
    hidden_size: int = setting(
        160, about="Width of the residual stream.", unit="features", source="tiny", ge=16, le=1024
    )
    layers: int = setting(3, about="Transformer blocks.", unit="blocks", source="tiny", ge=1, le=24)
    heads: int = setting(4, about="Attention heads per block.", unit="heads", source="tiny", ge=1, le=32)
    head_size: int = setting(
        40, about="Width of one attention head; even.", unit="features", source="tiny", ge=4, le=128, multiple_of=2
    )
    mlp_size: int = setting(
        320, about="Width inside the feed-forward part.", unit="features", source="tiny", ge=16, le=4096
    )
    init_std: float = setting(0.05, about="Spread of the random initial weights.", source="tiny", gt=0, le=1)
    max_positions: int = setting(
        64, about="Longest prompt plus response.", unit="tokens", source="tiny", ge=32, le=4096
    )
    vocabulary: Literal["domains", "text"] = setting(
        "domains",
        about="What is a single token besides letters: pieces of the built-in domains, or common words of English, JSON and "
        "Python as well, for rows of text.",
        source="tiny: rows of text in a third of the tokens",
    )


class FolderModelSpec(Spec):
    """A Hugging Face causal language model in a folder below MODELS_DIR (safetensors and a tokenizer)."""

    kind: Literal["folder"] = "folder"
    folder: FolderName = setting(
        about="Name of the model's folder below MODELS_DIR on every worker.", min_length=1, max_length=200
    )
    max_positions: int = setting(32768, about="Longest prompt plus response.", unit="tokens", ge=32, le=4_194_304)


ModelSpec = Annotated[TinyModelSpec | FolderModelSpec, Field(discriminator="kind")]


# Benchmarks, gates and the recipe -------------------------------------------------------------------------------


class BenchmarkSpec(Spec):
    """A domain's held-out problems and how answers to them are sampled."""

    domain: str = setting(about="The domain whose problems are asked.", essential=True)
    n_problems: int = setting(
        256, about="Test problems.", unit="problems", source="tiny: SE of 3 points", essential=True, ge=8, le=100_000
    )
    n_validation: int = setting(
        128, about="Validation problems, which only choose teachers.", unit="problems", source="tiny", ge=8, le=100_000
    )
    samples_per_problem: int = setting(
        1, about="Answers to each problem from each seed: k of avg@k.", unit="samples", ge=1, le=256
    )
    temperature: float = setting(1.0, about="Sampling temperature; 0 is greedy.", ge=0, le=2)
    top_p: float = setting(1.0, about="Nucleus sampling.", gt=0, le=1)
    max_response_tokens: int = setting(16, about="Longest response.", unit="tokens", ge=1, le=1_000_000)
    metric: Metric = setting(
        "avg",
        about="What a problem's result is: avg, the mean grade of its answers; pass, how likely one of k answers is right; or "
        "exact, the share of its answers that are wholly right.",
        source="pass: arXiv 2107.03374 Eq. 1",
    )
    k: int = setting(1, about="k of pass@k, with metric pass alone.", unit="answers", ge=1, le=256)
    seeds: int = setting(
        1, about="Generators that each sample so many answers; a problem's answers are counted together.", ge=1, le=64
    )

    thinking: bool | None = setting(
        None,
        about="What the chat template is told of thinking (enable_thinking). Left out: nothing, so that it does as it does.",
        source="C2 App. A; C1: IFEval off, others on",
    )

    @property
    def n_answers(self) -> int:
        """Answers per problem, of all seeds together."""
        return self.seeds * self.samples_per_problem

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        rules.check_metric(self)
        return self


def _kind_of_benchmark(given: Any) -> str:
    is_task = isinstance(given, TaskBenchmarkSpec) or (isinstance(given, dict) and "task" in given)
    return "of_task" if is_task else "of_domain"


AnyBenchmarkSpec = Annotated[
    Annotated[BenchmarkSpec, Tag("of_domain")] | Annotated[TaskBenchmarkSpec, Tag("of_task")],
    Discriminator(_kind_of_benchmark),
]


class DataSetSpec(Spec):
    """A registered data set, pinned to the rows that it had when the recipe was saved."""

    digest: str = setting(about="SHA-256 of the rows.", pattern=r"^[0-9a-f]{64}$")
    splits: dict[str, int] = setting(about="How many rows each split has.", unit="rows")
    n_responses: int = setting(0, about="Rows with a right answer to learn from.", unit="rows", ge=0)
    n_judged: int = setting(0, about="Rows that only a judge can grade.", unit="rows", ge=0)
    n_preferences: int = setting(0, about="Rows about which answer is better.", unit="rows", ge=0)
    n_pairs: int = setting(0, about="Of them, rows with a chosen and a rejected answer.", unit="rows", ge=0)
    n_baselines: int = setting(0, about="Of them, rows with an answer to compare others with.", unit="rows", ge=0)
    n_questions: int = setting(
        0, about="Rows that the recipe's judge grades, where it names one, and a rule otherwise.", unit="rows", ge=0
    )

    def asks_judge(self, *, in_benchmark: bool) -> bool:
        """Tell whether a judge is asked about some rows, where the recipe names one."""
        return bool(self.n_judged or self.n_questions or (in_benchmark and self.n_preferences))


def _all_benchmarks() -> tuple[BenchmarkSpec, ...]:
    return tuple(BenchmarkSpec(domain=name) for name in DOMAINS)


class GateSpec(Spec):
    """A rule on drift: how far a domain's score may fall by the end of a stage, and what follows where it fell further."""

    after: str | None = setting(
        None, about="The stage at whose end it is checked; left out, at the end of every stage.", essential=True
    )
    domain: str | None = setting(
        None,
        about="The domain whose score may not fall; left out, every domain that an earlier stage trained.",
        essential=True,
    )
    since: Literal["start", "previous", "peak"] = setting(
        "previous",
        about="What the score is held against: that of the first sft stage, of the checkpoint before, or the best so far.",
        essential=True,
    )
    drop: float = setting(
        0.0,
        about="How much may be lost; a larger loss trips the gate.",
        unit="points",
        source="ours",
        essential=True,
        ge=0,
        lt=100,
    )
    significant: bool = setting(
        True,
        about="Let only a loss that is more than noise trip it: p < 0.05, after Holm's correction over the domains it looks at.",
        source="ours",
        essential=True,
    )
    then: Literal["warn", "hold"] = setting(
        "warn",
        about="What follows: people are told, or no further stage starts until a reviewer approves.",
        essential=True,
    )

    def is_asked_after(self, stage: str) -> bool:
        """Whether this gate is checked at the end of a stage."""
        return self.after in (None, stage)


class RecipeSpec(Spec):
    """A whole cascade: base model, stages in order, what every checkpoint is scored on, and how far a score may fall."""

    name: Slug = setting(about="Short name of the recipe.", essential=True)
    description: Text = setting("", about="What this recipe is for.", max_length=2000)
    seed: int = setting(0, about="Everything random follows from it.", essential=True, ge=0, le=2**31 - 1)
    model: ModelSpec = setting(default=TinyModelSpec(), about="The base model.", essential=True)
    stages: tuple[StageSpec, ...] = setting(
        about="The stages, each after those it starts from or learns from.", min_length=1, max_length=64, strict=False
    )
    benchmarks: tuple[AnyBenchmarkSpec, ...] = setting(
        default_factory=_all_benchmarks, about="One benchmark per domain.", min_length=1, strict=False
    )
    gates: tuple[GateSpec, ...] = setting(
        (), about="Rules on drift, checked as the checkpoints are scored.", max_length=32, strict=False
    )
    judge: str | None = setting(
        None,
        about="The judge, of those that the server's operator declared, for rows that only a model can grade.",
        source="C2 §4.6",
        essential=True,
        min_length=1,
        max_length=40,
    )
    data_sets: dict[Slug, DataSetSpec] = setting(
        {}, about="The data sets that stages and benchmarks name as domains; filled in when the recipe is saved."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        rules.check_recipe(self)
        check_judging(self)
        return self

    def stage(self, name: str) -> "SFTSpec | GRPOSpec | MOPDSpec":
        """Find a stage by its name; KeyError if there is none."""
        return {stage.name: stage for stage in self.stages}[name]

    def start_of(self, position: int) -> str:
        """Name what a stage starts from: an earlier stage or 'base'."""
        named = self.stages[position].starts_from
        if named is not None:
            return named
        return self.stages[position - 1].name if position else BASE

    def ancestors_of(self, name: str) -> list[str]:
        """Name the stages that a stage descends from, the nearest first; 'base' is none of them."""
        names = [stage.name for stage in self.stages]
        found: list[str] = []
        while (name := self.start_of(names.index(name))) != BASE:
            found.append(name)
        return found


# What a worker writes for the trainer ---------------------------------------------------------------------------


class ResolvedStageSpec(Spec):
    """One stage with everything decided: `spec.json` in the stage's folder. Folders are relative to that folder or absolute."""

    run: str
    recipe: str = ""  # name and version, for the model card
    seed: int
    model: ModelSpec
    stage: StageSpec
    start_folder: str | None  # None: build the model of `model` from its seed
    teachers: dict[str, str] = {}  # domain -> stage name or 'base'; never 'best'
    teacher_folders: dict[str, str] = {}  # domain -> checkpoint folder
    data_folders: dict[str, str] = {}  # data set -> its folder
    judge: str | None = None  # the recipe's, where some rows of the stage ask it
    reward_folder: str | None = None  # of a reward model that is read from a folder


class ScoringSpec(Spec):
    """One checkpoint to be scored on every benchmark: `spec.json` in its scoring folder."""

    run: str
    seed: int
    checkpoint_folder: str
    benchmarks: tuple[AnyBenchmarkSpec, ...] = Field(strict=False)
    data_folders: dict[str, str] = {}  # data set -> its folder
    digests: dict[str, str] = {}  # data set -> SHA-256 of its rows, part of what makes scores comparable
    judge: str | None = None  # the recipe's, where some rows ask it
    tasks: TaskAccess = TaskAccess()


class TopUpSpec(Spec):
    """One checkpoint that gets further answers to a benchmark's test problems: `spec.json` in its top-up folder."""

    run: str
    seed: int
    checkpoint_folder: str
    benchmark: BenchmarkSpec
    version: int  # of the domain's problems, which the answers that are there are to
    n_scored: int  # answers per problem that the checkpoint's scoring left
    n_answers: int  # answers per problem to have in the end
    data_folders: dict[str, str] = {}  # data set -> its folder
    digests: dict[str, str] = {}  # data set -> SHA-256 of its rows
    judge: str | None = None  # the recipe's, where some rows ask it
