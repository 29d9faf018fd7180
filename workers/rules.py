"""The rules of a recipe: what must hold before anything is stored, in words that say what to do.

`workers/spec.py` calls these while it validates; nothing else needs them.
"""

from typing import TYPE_CHECKING

from workers.catalogue import DOMAINS, describe, in_order
from workers.task_spec import TaskBenchmarkSpec

if TYPE_CHECKING:
    from workers.spec import BenchmarkSpec, GateSpec, RecipeSpec
    from workers.stage_spec import GRPOSpec, MOPDSpec, _StageSpec

BASE = "base"
BEST = "best"


class SpecRuleError(ValueError):
    """A rule across several fields of a recipe is broken; `path` points at the field to change."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def check_weights(domains: dict[str, float], *, may_be_empty: bool = False) -> dict[str, float]:
    if not domains and not may_be_empty:
        raise ValueError(f"found no domain, expected at least one of: {', '.join(DOMAINS)}; add one")
    for domain, weight in domains.items():
        if not 0 < weight <= 1000:
            raise SpecRuleError(
                (domain,),
                f"found weight {weight} for '{domain}', expected above 0 and at most 1000; drop the domain to leave it out",
            )
    return {domain: domains[domain] for domain in in_order(domains)}


def check_schedule(stage: "_StageSpec") -> None:
    """Raise SpecRuleError where warm-up and decay do not fit the stage."""
    if stage.warmup_steps > stage.steps:
        raise SpecRuleError(
            ("warmup_steps",),
            f"found warmup_steps {stage.warmup_steps} above steps {stage.steps}; lower warmup_steps or train longer",
        )
    if stage.final_learning_rate > stage.learning_rate:
        raise SpecRuleError(
            ("final_learning_rate",),
            f"found final_learning_rate {stage.final_learning_rate} above learning_rate {stage.learning_rate}; lower it",
        )
    if stage.warmup_from > stage.learning_rate:
        raise SpecRuleError(
            ("warmup_from",),
            f"found warmup_from {stage.warmup_from} above learning_rate {stage.learning_rate}, which it rises to; lower it",
        )
    if stage.warmup_from > 0 and stage.warmup_steps == 0:
        raise SpecRuleError(
            ("warmup_from",),
            f"found warmup_from {stage.warmup_from} without a warm-up; raise warmup_steps or set warmup_from to 0",
        )


def check_score_every(stage: "_StageSpec") -> None:
    """Raise SpecRuleError where no checkpoint of the stage's middle could be scored as often as asked."""
    if stage.score_every % stage.checkpoint_every:
        raise SpecRuleError(
            ("score_every",),
            f"found score_every {stage.score_every}, which is no multiple of checkpoint_every {stage.checkpoint_every}; only "
            "checkpoints can be scored: change one of the two",
        )
    if stage.score_every >= stage.steps:
        raise SpecRuleError(
            ("score_every",),
            f"found score_every {stage.score_every}, expected below steps {stage.steps}, whose end is always scored; lower it, or "
            "set it to 0",
        )


def check_lora(stage: "_StageSpec") -> None:
    """Raise SpecRuleError where adapters would be trained by Muon."""
    if stage.lora is not None and stage.optimizer == "muon":
        raise SpecRuleError(
            ("optimizer",),
            "found optimizer muon with lora, expected adamw: Muon orthogonalises the update of a whole matrix, and an "
            "adapter is a product of two; set optimizer to adamw or leave out lora",
        )


def check_updates(stage: "GRPOSpec") -> None:
    """Raise SpecRuleError where a batch has fewer groups than updates."""
    if stage.updates_per_batch > stage.prompts_per_step:
        raise SpecRuleError(
            ("updates_per_batch",),
            f"found updates_per_batch {stage.updates_per_batch} above prompts_per_step {stage.prompts_per_step}, expected at "
            "least one group of rollouts for each update; lower it or raise prompts_per_step",
        )


def check_task_reward(stage: "MOPDSpec") -> None:
    """Raise SpecRuleError where task_reward_weight asks for a reward that there is not, or has nothing to compare it with."""
    if stage.task_reward_weight == 0:
        return
    if stage.rollouts_per_prompt < 2:
        raise SpecRuleError(
            ("task_reward_weight",),
            f"found task_reward_weight {stage.task_reward_weight} with rollouts_per_prompt {stage.rollouts_per_prompt}, expected at "
            "least 2, whose rewards can be compared; raise rollouts_per_prompt or set task_reward_weight to 0",
        )
    learned = [name for name in stage.domains if describe(name).learned_reward]
    if learned:
        raise SpecRuleError(
            ("task_reward_weight",),
            f"found task_reward_weight {stage.task_reward_weight} with domain '{learned[0]}', whose reward is learned, and a mopd "
            "stage trains no reward model; set task_reward_weight to 0 or drop the domain",
        )


def check_metric(benchmark: "BenchmarkSpec") -> None:
    """Raise SpecRuleError where there are fewer answers than the metric takes, or further ones would repeat themselves."""
    if benchmark.metric != "pass" and benchmark.k != 1:
        raise SpecRuleError(
            ("k",),
            f"found k {benchmark.k} with metric {benchmark.metric}, which has no k; set metric to pass or leave k out",
        )
    if benchmark.k > benchmark.n_answers:
        raise SpecRuleError(
            ("k",),
            f"found k {benchmark.k} with {benchmark.n_answers} answers per problem, expected at least as many answers; raise "
            "samples_per_problem or lower k",
        )
    if benchmark.seeds > 1 and benchmark.temperature == 0:
        raise SpecRuleError(
            ("seeds",),
            f"found {benchmark.seeds} seeds at temperature 0, where each would answer the same; set seeds to 1 or raise temperature",
        )


def check_recipe(recipe: "RecipeSpec") -> None:
    """Raise SpecRuleError at the first rule across stages and benchmarks that is broken."""
    _check_names(recipe)
    check_data_sets(recipe)
    for position in range(len(recipe.stages)):
        _check_lineage(recipe, position)
        _check_lengths(recipe, position)
        _check_thinking(recipe, ("stages", position), recipe.stages[position].thinking)
        _check_teachers(recipe, position)
    _check_benchmarks(recipe)
    for position in range(len(recipe.gates)):
        _check_gate(recipe, position)


def _check_names(recipe: "RecipeSpec") -> None:
    seen: set[str] = set()
    for position, stage in enumerate(recipe.stages):
        if stage.name in (BASE, BEST):
            raise SpecRuleError(
                ("stages", position, "name"), f"found '{stage.name}', which is reserved; pick another name"
            )
        if stage.name in seen:
            raise SpecRuleError(
                ("stages", position, "name"), f"found '{stage.name}' twice, expected unique stage names; rename one"
            )
        seen.add(stage.name)


def _check_lineage(recipe: "RecipeSpec", position: int) -> None:
    stage, earlier = recipe.stages[position], [s.name for s in recipe.stages[:position]]
    start = recipe.start_of(position)
    if start != BASE and start not in earlier:
        raise SpecRuleError(
            ("stages", position, "starts_from"),
            f"stage '{stage.name}' starts from '{start}', which is no earlier stage; pick one of: {', '.join([BASE, *earlier])}",
        )
    if start == BASE and recipe.model.kind == "tiny" and stage.kind != "sft":
        raise SpecRuleError(
            ("stages", position, "starts_from"),
            f"stage '{stage.name}' ({stage.kind}) starts from an untrained tiny model, whose samples are noise; put an sft stage first",
        )


def _check_lengths(recipe: "RecipeSpec", position: int) -> None:
    stage = recipe.stages[position]
    if stage.kind == "sft":
        return
    _check_response_fits(
        recipe, ("stages", position, "max_response_tokens"), stage.max_response_tokens, list(stage.domains)
    )


def _check_thinking(recipe: "RecipeSpec", path: tuple[str | int, ...], thinking: bool | None) -> None:
    """What a folder's chat template knows, only its registration or the trainer tells."""
    if thinking is not None and recipe.model.kind == "tiny":
        raise SpecRuleError(
            (*path, "thinking"),
            f"found thinking {str(thinking).lower()} with a tiny model, whose chat template knows no thinking; leave it out",
        )


def _check_response_fits(recipe: "RecipeSpec", path: tuple[str | int, ...], tokens: int, domains: list[str]) -> None:
    """How long a row's prompt is, only the model's tokenizer tells; the trainer refuses what does not fit."""
    longest = max((DOMAINS[name].max_prompt_tokens for name in domains if name in DOMAINS), default=0)
    room = recipe.model.max_positions - longest
    if tokens > room:
        raise SpecRuleError(
            path,
            f"found {tokens} response tokens after prompts of up to {longest}, expected at most {room} in a model of "
            f"{recipe.model.max_positions} positions; lower max_response_tokens or raise model.max_positions",
        )


def _check_teachers(recipe: "RecipeSpec", position: int) -> None:
    stage, earlier = recipe.stages[position], [s.name for s in recipe.stages[:position]]
    if stage.kind != "mopd":
        return
    benchmarked = {benchmark.domain for benchmark in recipe.benchmarks}
    for domain in stage.domains:
        teacher, path = stage.teacher_of(domain), ("stages", position, "teachers", domain)
        if teacher == BEST:
            if domain not in benchmarked:
                raise SpecRuleError(
                    path, f"the best teacher of '{domain}' needs a benchmark of that domain; add one or name a teacher"
                )
        elif teacher != BASE and teacher not in earlier:
            raise SpecRuleError(
                path,
                f"stage '{stage.name}' takes teacher '{teacher}', which is no earlier stage; pick one of: {', '.join([BEST, BASE, *earlier])}",
            )


def _check_benchmarks(recipe: "RecipeSpec") -> None:
    seen: set[str] = set()
    for position, benchmark in enumerate(recipe.benchmarks):
        if benchmark.domain in seen:
            raise SpecRuleError(
                ("benchmarks", position, "domain"),
                f"found two benchmarks of '{benchmark.domain}', expected one; drop one",
            )
        seen.add(benchmark.domain)
        if isinstance(benchmark, TaskBenchmarkSpec):
            _check_task(recipe, position, benchmark)
        else:
            _check_thinking(recipe, ("benchmarks", position), benchmark.thinking)
        if benchmark.max_response_tokens is not None:
            path = ("benchmarks", position, "max_response_tokens")
            _check_response_fits(recipe, path, benchmark.max_response_tokens, [benchmark.domain])


def _check_task(recipe: "RecipeSpec", position: int, benchmark: TaskBenchmarkSpec) -> None:
    """A task has problems to ask and none to train on, so it may not go by the name of what has."""
    if benchmark.domain in DOMAINS or benchmark.domain in recipe.data_sets:
        raise SpecRuleError(
            ("benchmarks", position, "domain"),
            f"found '{benchmark.domain}', which is a domain of its own, as the name of task '{benchmark.task}'; give the "
            "benchmark another domain",
        )


def _check_gate(recipe: "RecipeSpec", position: int) -> None:
    """Refuse a gate that names what there is not, or that could never or would always be tripped."""
    gate, path = recipe.gates[position], ("gates", position)
    stages, benchmarked = [stage.name for stage in recipe.stages], [found.domain for found in recipe.benchmarks]
    if gate.after is not None and gate.after not in stages:
        raise SpecRuleError(
            (*path, "after"),
            f"found '{gate.after}', which is no stage; pick one of: {', '.join(stages)}, or leave it out for every stage",
        )
    if gate.domain is not None and gate.domain not in benchmarked:
        raise SpecRuleError(
            (*path, "domain"),
            f"found '{gate.domain}', which has no benchmark to tell its drift; pick one of: {', '.join(benchmarked)}, or "
            "add the benchmark",
        )
    if not gate.significant and gate.drop == 0:
        raise SpecRuleError(
            (*path, "drop"),
            "found drop 0 with significant false, which noise alone trips half of the time; raise drop, or set significant to true",
        )
    _check_gate_has_something_to_see(recipe, gate, path)


def _check_gate_has_something_to_see(recipe: "RecipeSpec", gate: "GateSpec", path: tuple[str | int, ...]) -> None:
    asked = [stage.name for stage in recipe.stages if gate.is_asked_after(stage.name)]
    start = next((stage.name for stage in recipe.stages if stage.kind == "sft"), None)
    if gate.since == "start" and not any(start in (None, *recipe.ancestors_of(name)) for name in asked):
        raise SpecRuleError(
            (*path, "since"),
            f"found since start after '{', '.join(asked)}', which does not come after the start, '{start}'; set since to "
            "previous or peak, or pick a later stage",
        )
    trained = {
        domain for name in asked for before in recipe.ancestors_of(name) for domain in recipe.stage(before).domains
    }
    if gate.domain is None and not trained & {benchmark.domain for benchmark in recipe.benchmarks}:
        raise SpecRuleError(
            (*path, "domain"),
            f"found no domain, and no stage before '{', '.join(asked)}' trains one that has a benchmark; name a domain or "
            "pick a later stage",
        )


# Data sets ------------------------------------------------------------------------------------------------------


def check_data_sets(recipe: "RecipeSpec") -> None:
    """Raise SpecRuleError where a domain is neither the catalogue's nor a data set, or a data set has not the rows it takes."""
    for name in recipe.data_sets:
        if name in DOMAINS:
            raise SpecRuleError(
                ("data_sets", name),
                f"found data set '{name}', which is the name of a domain; register it under another name",
            )
    for position, stage in enumerate(recipe.stages):
        for domain in stage.domains:
            _check_trainable(recipe, ("stages", position, "domains"), stage.kind, domain)
        for domain in stage.early_domains if stage.kind == "sft" else ():
            _check_trainable(recipe, ("stages", position, "early_domains"), stage.kind, domain)
    for position, benchmark in enumerate(recipe.benchmarks):
        path = ("benchmarks", position)
        if isinstance(benchmark, TaskBenchmarkSpec):
            continue
        _check_known(recipe, (*path, "domain"), benchmark.domain)
        if benchmark.domain in recipe.data_sets:
            splits = recipe.data_sets[benchmark.domain].splits
            _check_enough((*path, "n_problems"), benchmark.n_problems, splits.get("test", 0), benchmark.domain, "test")
            _check_enough(
                (*path, "n_validation"),
                benchmark.n_validation,
                splits.get("validation", 0),
                benchmark.domain,
                "validation",
            )


def _check_known(recipe: "RecipeSpec", path: tuple[str | int, ...], domain: str) -> None:
    if domain not in DOMAINS and domain not in recipe.data_sets:
        known = ", ".join([*DOMAINS, *recipe.data_sets])
        raise SpecRuleError(
            path, f"found domain '{domain}', expected one of: {known}, or a registered data set; rename it or drop it"
        )


def _check_trainable(recipe: "RecipeSpec", path: tuple[str | int, ...], kind: str, domain: str) -> None:
    tasks = [asked.domain for asked in recipe.benchmarks if isinstance(asked, TaskBenchmarkSpec)]
    if domain in tasks and domain not in DOMAINS and domain not in recipe.data_sets:
        raise SpecRuleError(
            path,
            f"found '{domain}', which is a task of the lm-evaluation-harness: it asks, and has nothing to train on, nor a "
            "teacher to choose; drop it from the stage, or register its training rows as a data set",
        )
    _check_known(recipe, path, domain)
    if domain not in recipe.data_sets:
        return
    data_set = recipe.data_sets[domain]
    if not data_set.splits.get("train", 0):
        raise SpecRuleError(
            path,
            f"found no training rows in data set '{domain}', which was registered as a benchmark; drop it from the stage",
        )
    if kind == "sft" and not data_set.n_responses:
        raise SpecRuleError(
            path,
            f"found no row with a response in data set '{domain}', expected right answers to learn from in an sft stage; "
            "register rows with a response, or drop it from the stage",
        )


def _check_enough(path: tuple[str | int, ...], wanted: int, found: int, name: str, split: str) -> None:
    if wanted > found:
        raise SpecRuleError(
            path,
            f"found {found} {split} rows in data set '{name}', expected at least the {wanted} asked for; ask for fewer",
        )
