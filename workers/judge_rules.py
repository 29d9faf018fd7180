"""Rules of recipes about what no rule can grade: which rows need a judge or a reward model, and whether there is one."""

from typing import TYPE_CHECKING

from workers.rules import SpecRuleError

if TYPE_CHECKING:
    from workers.spec import DataSetSpec, RecipeSpec
    from workers.stage_spec import GRPOSpec


def check_judging(recipe: "RecipeSpec") -> None:
    """Raise SpecRuleError where a recipe has rows that nothing it names could grade or reward."""
    for position, stage in enumerate(recipe.stages):
        if stage.kind == "sft":
            continue
        own = _data_sets(recipe, list(stage.domains))
        for name, rows in own:
            if rows.n_judged and recipe.judge is None:
                raise _no_judge(
                    f"{rows.n_judged} rows that only a judge can grade in data set '{name}'", f"stage '{stage.name}'"
                )
        preferred = [(name, rows) for name, rows in own if rows.n_preferences]
        if stage.kind == "grpo":
            _check_rewards(stage, position, preferred, has_judge=recipe.judge is not None)
        elif preferred and stage.task_reward_weight > 0:
            raise SpecRuleError(
                ("stages", position, "task_reward_weight"),
                f"found task_reward_weight {stage.task_reward_weight} with data set '{preferred[0][0]}', whose rows are about "
                "preference, and a mopd stage has no reward model; set task_reward_weight to 0 or drop the data set",
            )
    _check_benchmarks(recipe)


def _check_rewards(
    stage: "GRPOSpec", position: int, preferred: "list[tuple[str, DataSetSpec]]", *, has_judge: bool
) -> None:
    reward, path = stage.reward_model, ("stages", position, "reward_model")
    if reward is None:
        if preferred:
            name, rows = preferred[0]
            raise SpecRuleError(
                path,
                f"found {rows.n_preferences} rows about preference in data set '{name}', whose reward is learned, without "
                "reward_model; add one of kind trained, folder or judge, or drop the data set",
            )
        return
    without = [name for name, rows in preferred if not rows.n_pairs]
    if reward.kind == "trained" and without:
        raise SpecRuleError(
            (*path, "kind"),
            f"found kind trained with data set '{without[0]}', none of whose rows has a chosen and a rejected answer to learn from; "
            "register rows that have, or set kind to folder or judge",
        )
    if reward.kind == "judge" and reward.judge is None and not has_judge:
        raise SpecRuleError(
            (*path, "judge"), "found no judge here nor in the recipe, expected one; name one that the server declares"
        )


def _check_benchmarks(recipe: "RecipeSpec") -> None:
    for position, benchmark in enumerate(recipe.benchmarks):
        for name, rows in _data_sets(recipe, [benchmark.domain]):
            n_asking = rows.n_judged + rows.n_preferences
            if n_asking and recipe.judge is None:
                raise _no_judge(f"{n_asking} rows that only a judge can grade in data set '{name}'", "a benchmark")
            if rows.n_baselines < rows.n_preferences:
                raise SpecRuleError(
                    ("benchmarks", position, "domain"),
                    f"found {rows.n_preferences - rows.n_baselines} rows of data set '{name}' without an answer to compare with, "
                    "expected baseline or chosen in each; register rows that have one, or drop the benchmark",
                )


def _data_sets(recipe: "RecipeSpec", domains: list[str]) -> "list[tuple[str, DataSetSpec]]":
    return [(name, recipe.data_sets[name]) for name in domains if name in recipe.data_sets]


def _no_judge(found: str, where: str) -> SpecRuleError:
    return SpecRuleError(
        ("judge",),
        f"found {found} ({where}) and no judge, expected one; name one that the server declares, or drop the data set",
    )
