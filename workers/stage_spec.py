"""The stages of a cascade: every setting of SFT, GRPO and MOPD, with default, range, unit and source.

Forms and API schema are generated from these fields; docs/algorithms.md tells where each acts. Sources are abbreviated as
in `workers/spec.py`; NANO is the Nemotron 3 Nano report.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from workers import rules
from workers.catalogue import describe
from workers.document import Slug, Spec, setting
from workers.rules import BEST, SpecRuleError, check_weights
from workers.stage_parts import LearnedRewardSpec, LoRASpec

Weights = dict[str, float]


class _StageSpec(Spec):
    """What SFT, GRPO and MOPD stages have in common."""

    name: Slug = setting(about="Short name, unique within the recipe.", essential=True)
    starts_from: str | None = setting(
        None,
        about="An earlier stage, or 'base'. Left out: the stage before.",
        source="C2 §4.4: lineage is a graph",
        essential=True,
    )
    domains: Weights = setting(
        about="Domains to train on, with mixing weights.", unit="relative weight", essential=True
    )
    steps: int = setting(
        about="Optimiser updates.", unit="steps", source="C2 Tables 8-10", essential=True, ge=1, le=1_000_000
    )
    learning_rate: float = setting(about="Peak learning rate.", source="C2 Tables 8-10", essential=True, gt=0, le=1)
    warmup_steps: int = setting(
        3, about="Steps of linear rise to the peak learning rate.", unit="steps", ge=0, le=100_000
    )
    warmup_from: float = setting(
        0.0, about="Learning rate that the warm-up rises from.", source="C2 §4.4: 2e-7 in MOPD", ge=0, le=1
    )
    schedule: Literal["constant", "linear", "cosine"] = setting("constant", about="Learning rate after warm-up.")
    final_learning_rate: float = setting(0.0, about="Where a linear or cosine schedule ends.", ge=0, le=1)
    optimizer: Literal["adamw", "muon"] = setting(
        "adamw",
        about="Muon orthogonalises the update of hidden matrices and leaves the rest to AdamW.",
        source="C2 Tables 8-10: AdamW",
    )
    adamw_learning_rate: float | None = setting(
        None,
        about="With Muon: the learning rate of embeddings and norms, which AdamW trains.",
        source="tiny",
        gt=0,
        le=1,
    )
    beta1: float = setting(0.9, about="AdamW's first-moment decay.", source="C2 Tables 8-10", ge=0, lt=1)
    beta2: float = setting(0.95, about="AdamW's second-moment decay.", source="C2 Tables 8-10", ge=0, lt=1)
    weight_decay: float = setting(0.0, about="Decoupled weight decay.", ge=0, le=1)
    max_grad_norm: float = setting(1.0, about="Gradient norm above which the gradient is scaled down.", gt=0, le=1e6)
    thinking: bool | None = setting(
        None,
        about="What the chat template is told of thinking (enable_thinking). Left out: nothing, so that it does as it does.",
        source="C2 §4.2, §4.5: on",
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32",
        about="What the model computes in. With bfloat16 the optimiser keeps float32 weights, so that small steps are not lost.",
        source="ours; on a CPU bfloat16 is no faster",
    )
    gradient_checkpointing: bool = setting(
        False,
        about="Keep only each block's input and compute the rest again for the backward pass: less memory, a third more time.",
        source="arXiv 1604.06174",
    )
    micro_batch_tokens: int = setting(
        2048,
        about="Tokens that run through the model at once. Bounds memory; changes no gradient.",
        unit="tokens",
        source="tiny: what fits the cache of a CPU core",
        ge=64,
        le=4_194_304,
    )
    lora: LoRASpec | None = setting(
        None, about="Train low-rank adapters instead of the weights.", source="arXiv 2106.09685"
    )
    liger: bool = setting(
        False,
        about="Use Liger's kernels; needs an NVIDIA GPU and requirements-liger.txt.",
        source="arXiv 2410.10989",
    )
    cpu_threads: int = setting(
        1,
        about="Threads of each trainer process where it runs on a CPU. More than there are idle cores slow it down.",
        unit="threads",
        source="tiny: 1.6 times as fast on 2 idle cores, nothing on shared ones",
        ge=1,
        le=256,
    )
    processes: int = setting(
        1,
        about="Processes that train together, each on a GPU of its own. FSDP2 splits the model among them.",
        unit="processes",
        source="PyTorch: fully_shard",
        ge=1,
        le=64,
    )
    checkpoint_every: int = setting(20, about="Steps between resumable checkpoints.", unit="steps", ge=1, le=100_000)
    keep_last: int = setting(
        0,
        about="How many of the resumable checkpoints stay as model folders, the last ones. The stage's end always stays.",
        unit="checkpoints",
        ge=0,
        le=1000,
    )
    score_every: int = setting(
        0,
        about="Steps between checkpoints of the stage's middle that are kept and scored, for the curves and the stability gap. "
        "No stage waits for them. 0 scores only the stage's end.",
        unit="steps",
        source="arXiv 2205.13452",
        ge=0,
        le=100_000,
    )

    @field_validator("domains")
    @classmethod
    def _domains_exist(cls, domains: Weights) -> Weights:
        return check_weights(domains)

    @model_validator(mode="after")
    def _schedule_is_possible(self) -> Self:
        rules.check_schedule(self)
        rules.check_score_every(self)
        return self

    def mid_stage_steps(self) -> range:
        """The steps in the middle of the stage whose checkpoints are kept to be scored."""
        return range(self.score_every, self.steps, self.score_every) if self.score_every else range(0)

    @model_validator(mode="after")
    def _adapters_have_an_optimizer(self) -> Self:
        rules.check_lora(self)
        return self


class SFTSpec(_StageSpec):
    """Supervised fine-tuning on demonstrations."""

    kind: Literal["sft"] = "sft"
    batch_size: int = setting(
        64, about="Demonstrations per step.", unit="demonstrations", source="C2 Table 7", essential=True, ge=1, le=65536
    )
    loss_average: Literal["token", "sequence"] = setting(
        "token",
        about="Average the loss over all tokens, or over demonstrations first, so that short ones count as much as long.",
        source="tiny: by sequence, short answers are learned far sooner",
    )
    style_noise: float = setting(
        0.0,
        about="Share of demonstrations in another answer style than the graded one.",
        source="tiny: a shared style makes drift visible",
        ge=0,
        le=1,
    )
    early_domains: Weights = setting(
        default={}, about="Mixing weights for the first part of the stage, where given.", source="tiny"
    )
    early_share: float = setting(0.0, about="Share of the steps that use early_domains.", source="tiny", ge=0, le=1)

    @field_validator("early_domains")
    @classmethod
    def _early_domains_exist(cls, domains: Weights) -> Weights:
        return check_weights(domains, may_be_empty=True)

    @model_validator(mode="after")
    def _early_domains_are_trained(self) -> Self:
        unknown = set(self.early_domains) - set(self.domains)
        if unknown:
            raise SpecRuleError(
                ("early_domains",),
                f"found early_domains {sorted(unknown)} that domains does not list; add them to domains or drop them",
            )
        if self.early_share > 0 and not self.early_domains:
            raise SpecRuleError(
                ("early_share",),
                f"found early_share {self.early_share} without early_domains; give early_domains or set early_share to 0",
            )
        return self


class _RolloutStageSpec(_StageSpec):
    """A stage that samples from the policy it trains: GRPO and MOPD."""

    prompts_per_step: int = setting(
        128, about="Prompts sampled per step.", unit="prompts", source="C2 Tables 8-10", essential=True, ge=1, le=65536
    )
    temperature: float = setting(1.0, about="Sampling temperature of rollouts.", source="C2 Tables 8-10", gt=0, le=2)
    top_p: float = setting(
        1.0,
        about="Nucleus sampling: smallest set of tokens with this probability.",
        source="C2 Tables 8-10",
        gt=0,
        le=1,
    )
    max_response_tokens: int = setting(
        16, about="Longest response.", unit="tokens", source="C2 Tables 8-10", essential=True, ge=1, le=1_000_000
    )
    engine: Literal["auto", "torch", "vllm"] = setting(
        "auto",
        about="What samples: vLLM, plain torch, or vLLM where it is installed and there is a GPU.",
        source="tiny",
    )


class GRPOSpec(_RolloutStageSpec):
    """Group relative policy optimisation; by default strictly on-policy, one update per batch of rollouts (C2 §4.1.2, Eq. 1)."""

    kind: Literal["grpo"] = "grpo"
    rollouts_per_prompt: int = setting(
        16, about="Group size G.", unit="rollouts", source="C2 Tables 8-10", essential=True, ge=2, le=1024
    )
    baseline: Literal["mean", "leave_one_out"] = setting(
        "mean",
        about="What a reward is compared with: the mean of its group, or of the others in it (RLOO).",
        source="C2 Eq. 1: mean; RLOO: arXiv 2402.14740",
    )
    normalize_advantages: bool = setting(
        True, about="Divide advantages by the group's standard deviation.", source="C2 Eq. 1"
    )
    loss_average: Literal["token", "sequence", "constant"] = setting(
        "token",
        about="Divide the loss by all tokens, by each response's tokens first, or by what responses of full length would have.",
        source="C2 §4.1.2: token; Dr. GRPO (arXiv 2503.20783): constant",
    )
    kl_coefficient: float = setting(
        0.0, about="Weight of the KL penalty to the stage's start.", source="C2 §4.1.2: 0; §4.5.3: 0.03", ge=0, le=10
    )
    kl_estimator: Literal["k1", "k2", "k3"] = setting(
        "k3",
        about="How KL is estimated from sampled tokens: log-ratio, half its square, or the one that is never negative.",
        source="Schulman 2020; NeMo RL: k3",
    )
    entropy_coefficient: float = setting(0.0, about="Weight of the entropy bonus.", source="C2 §4: 0", ge=0, le=1)
    updates_per_batch: int = setting(
        1,
        about="Optimiser updates per batch of rollouts, each on its share of the groups. 1: strictly on-policy.",
        unit="updates",
        source="C2 §4.1.2: 1",
        ge=1,
        le=64,
    )
    clip_low: float = setting(
        0.2,
        about="With several updates: how far a token's probability may fall, as a share, before it stops counting.",
        source="PPO (arXiv 1707.06347), Eq. 7",
        gt=0,
        lt=1,
    )
    clip_high: float = setting(
        0.2,
        about="With several updates: how far a token's probability may rise, as a share, before it stops counting.",
        source="PPO (arXiv 1707.06347), Eq. 7; DAPO: 0.28",
        gt=0,
        le=10,
    )
    dynamic_filtering: Literal["off", "drop", "replace"] = setting(
        "drop",
        about="Groups whose rewards are all equal: keep them in the loss, leave them out, or sample other problems instead.",
        source="C2 §4.2: drop; DAPO (arXiv 2503.14476): replace",
    )
    max_resampling: int = setting(
        10, about="With replace: rounds of new problems per step.", unit="rounds", source="NeMo RL: 10", ge=1, le=100
    )
    min_group_reward: float | None = setting(
        None,
        about="Leave prompts out of the loss of which no response has a reward above this.",
        source="C2 §4.8: 0.5 in agentless SWE RL",
        ge=0,
        lt=1,
    )
    overlong: Literal["keep", "penalize", "mask"] = setting(
        "penalize",
        about="A response cut off at the limit: keep its reward, give it 0, or mask it from the loss.",
        source="C2 §4.2, Tables 8-10",
    )
    length_reward: float = setting(
        0.0,
        about="Weight of what short responses of a group gain and long ones lose, from the whole response's tokens.",
        source="NANO §3.3.2: 0.5",
        ge=0,
        le=10,
    )
    conciseness_bonus: float = setting(
        0.0,
        about="Reward on top for a group's shortest response, if it is among the best.",
        source="NANO §3.3.2: 0.5",
        ge=0,
        le=10,
    )
    conciseness_quantile: float = setting(
        0.8,
        about="Quantile of the group's rewards that the shortest response has to reach for the bonus.",
        source="NANO §3.3.2: 0.8",
        ge=0,
        le=1,
    )
    length_parts: Literal["whole", "apart"] = setting(
        "whole",
        about="Whose length length_reward and conciseness_bonus look at: the whole response's, or the thinking's and the "
        "answer's, each with the full weight.",
        source="NANO §3.3.2: apart",
    )
    reward_model: LearnedRewardSpec | None = setting(
        None,
        about="Where the reward comes from that no grader gives: a model trained before the first step, one in a folder, or a judge.",
        source="tiny: trained; C2 §4.5: judge",
    )

    @field_validator("reward_model", mode="before")
    @classmethod
    def _kind_may_be_left_out(cls, given: Any) -> Any:
        return {"kind": "trained", **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _every_update_has_a_group(self) -> Self:
        rules.check_updates(self)
        return self

    @model_validator(mode="after")
    def _learned_rewards_have_a_model(self) -> Self:
        learned = [name for name in self.domains if describe(name).learned_reward]
        if learned and self.reward_model is None:
            raise SpecRuleError(
                ("reward_model",),
                f"found domain '{learned[0]}', whose reward is learned, without reward_model; add 'reward_model: {{}}' or drop the domain",
            )
        return self


class MOPDSpec(_RolloutStageSpec):
    """Multi-domain on-policy distillation: the teacher of a prompt's domain credits each token (C2 §4.4, Eqs. 2-4)."""

    kind: Literal["mopd"] = "mopd"
    rollouts_per_prompt: int = setting(
        4, about="Responses sampled per prompt.", unit="rollouts", source="C2 Table 8", essential=True, ge=1, le=1024
    )
    teachers: dict[str, str] = setting(
        default={},
        about="Per domain an earlier stage, 'base', or 'best': the checkpoint with the best validation score. Left out: 'best'.",
        source="C2 §4.4",
        essential=True,
    )
    divergence: Literal["sampled_token", "full_vocabulary"] = setting(
        "sampled_token",
        about="Reverse KL from the sampled token, or exact over the vocabulary.",
        source="C2 Eq. 2: sampled token; NeMo RL 0.8: full",
    )
    loss_average: Literal["token", "sequence"] = setting(
        "sequence", about="Average the loss over all tokens, or over responses first.", source="C2 Eq. 4"
    )
    ratio_low: float = setting(
        0.5, about="Importance ratio below which a token is masked.", source="C2 Eq. 3", gt=0, le=1
    )
    ratio_high: float = setting(
        2.0, about="Importance ratio above which a token is masked.", source="C2 Eq. 3", ge=1, le=100
    )

    task_reward_weight: float = setting(
        0.0,
        about="Weight of the group-normalised task reward that is added to the teacher's credit.",
        source="C2 §4.4: 0; MiMo-V2-Flash (arXiv 2601.02780), Eq. 9",
        ge=0,
        le=100,
    )

    def teacher_of(self, domain: str) -> str:
        """Name the teacher of a domain: a stage, 'base' or 'best'."""
        return self.teachers.get(domain, BEST)

    @model_validator(mode="after")
    def _teachers_teach_trained_domains(self) -> Self:
        unknown = sorted(set(self.teachers) - set(self.domains))
        if unknown:
            raise SpecRuleError(
                ("teachers", unknown[0]),
                f"found a teacher for '{unknown[0]}', which domains does not list; add the domain or drop the teacher",
            )
        return self

    @model_validator(mode="after")
    def _task_reward_can_be_compared(self) -> Self:
        rules.check_task_reward(self)
        return self


StageSpec = Annotated[SFTSpec | GRPOSpec | MOPDSpec, Field(discriminator="kind")]
