"""Malformed recipes: each is refused with the field, what was found and what to do, and nothing of it is stored or lost."""

import html
from dataclasses import dataclass

import pytest
from django.test import Client

from runs.models import Recipe, Run
from tests.web.page_forms import form_fields
from workers.recipe_text import RecipeError, dump_recipe, load_recipe

GOOD = """\
name: try
stages:
  - {kind: sft, name: sft, domains: {stem: 1, tools: 1}, steps: 10, learning_rate: 4e-3}
  - {kind: grpo, name: rl, domains: {stem: 1}, steps: 10, learning_rate: 5e-4}
  - {kind: mopd, name: mopd, domains: {stem: 1}, teachers: {stem: sft}, steps: 10, learning_rate: 3e-4}
"""
BOMB = "a: &a [lol, lol]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n"


@dataclass(frozen=True)
class Case:
    """A malformed recipe, and the field and the words that its refusal must have."""

    text: str
    field: str
    words: str
    line: int | None = None


def _with(old: str, new: str, field: str, words: str, line: int | None = None) -> Case:
    assert old in GOOD
    return Case(GOOD.replace(old, new, 1), field, words, line)


def _plus(more: str, field: str, words: str) -> Case:
    return Case(GOOD + more, field, words)


CASES = {
    "nothing": Case("# only a remark\n", "recipe", "found nothing, expected a mapping with name, stages"),
    "words": Case("train a model please", "recipe", "found text, expected a mapping with name, stages"),
    "a list": Case("- a\n- b\n", "recipe", "found a list, expected a mapping"),
    "no YAML": Case("name: [try\nstages: 3", "recipe", "check the indentation, colons and quotes", 2),
    "a tab": Case("name: try\nstages:\n\t- 1\n", "recipe", "a tab, where YAML indents with spaces"),
    "a control character": Case("name: \x07", "recipe", "control characters are not allowed"),
    "a bomb": Case(BOMB, "recipe", "found the anchor '&a', expected plain values; remove it", 1),
    "an alias": Case(
        "name: *other", "recipe", "found the alias '*other', expected plain values; write the values out", 1
    ),
    "an object": Case("name: !!python/object:os.system {}", "recipe", "found the tag", 1),
    "endless nesting": Case("[" * 50_000, "recipe", "nested more than 20 deep"),
    "too much": Case("#" * 200_001, "recipe", "found 200,001 characters, expected at most 200,000; shorten"),
    "a key twice": Case("name: again\n" + GOOD, "recipe", "found the key 'name' twice, expected it once; drop one", 2),
    "a key that is a number": Case("1: x\n" + GOOD, "recipe", "found the key '1', expected a word", 1),
    "a key that is a list": Case("? [a]\n: x\n" + GOOD, "recipe", "expected a word", 1),
    "a huge number": _with("steps: 10", "steps: " + "9" * 5000, "recipe", "found a number of 5000 digits", 3),
    "a large number": _with("steps: 10", "steps: " + "9" * 60, "stages[0].steps", "expected at most 1000000"),
    "no stages": Case("name: try\nstages: null", "stages", "found nothing, expected a list", 2),
    "an empty list of stages": Case("name: try\nstages: []", "stages", "found 0 items, expected at least 1; add to it"),
    "stages by name": Case("name: try\nstages: {sft: {}}", "stages", "found a mapping, expected a list"),
    "a null stage": Case(
        "name: try\nstages: [null]", "stages[0]", "found nothing, expected a mapping of settings with its"
    ),
    "no kind": _with("kind: grpo, ", "", "stages[1].kind", "found no kind, expected one; add kind: sft, kind: grpo", 4),
    "an unknown kind": _with(
        "kind: grpo", "kind: ppo", "stages[1].kind", "found kind 'ppo', expected one of: 'sft'", 4
    ),
    "a misspelt setting": _with("steps: 10", "stepz: 10", "stages[0].stepz", "remove it or correct its spelling", 3),
    "a missing setting": _with(", learning_rate: 5e-4", "", "stages[1].learning_rate", "add this field", 4),
    "true for a number": _with("steps: 10", "steps: true", "stages[0].steps", "found true, expected a whole number"),
    "words for a number": _with("steps: 10", "steps: '10'", "stages[0].steps", "found '10', expected a whole number"),
    "half a step": _with("steps: 10", "steps: 10.5", "stages[0].steps", "found 10.5, expected a whole number"),
    "no finite number": _with("4e-3", ".inf", "stages[0].learning_rate", "found inf, expected a finite number"),
    "out of range": _with("4e-3", "-1", "stages[0].learning_rate", "found -1, expected above 0"),
    "a list of domains": _with(
        "{stem: 1, tools: 1}", "[stem]", "stages[0].domains", "expected a mapping such as {stem: 1"
    ),
    "no domain": _with("{stem: 1, tools: 1}", "{}", "stages[0].domains", "found no domain, expected at least one of"),
    "an unknown domain": _with(
        "tools: 1", "maths: 1", "stages[0].domains", "found domain 'maths', expected one of: instr"
    ),
    "weight zero": _with("tools: 1", "tools: 0", "stages[0].domains.tools", "drop the domain to leave it out"),
    "two stages of a name": _with("name: rl", "name: sft", "stages[1].name", "found 'sft' twice"),
    "a reserved name": _with("name: rl", "name: best", "stages[1].name", "is reserved; pick another name"),
    "a name with spaces": _with("name: rl", "name: My RL", "stages[1].name", "lower-case letter"),
    "a later start": _with(
        "name: rl", "name: rl, starts_from: mopd", "stages[1].starts_from", "pick one of: base, sft"
    ),
    "no SFT first": _with("{kind: sft, ", "{kind: grpo, ", "stages[0].starts_from", "put an sft stage first"),
    "a later teacher": _with(
        "{stem: sft}", "{stem: after}", "stages[2].teachers.stem", "pick one of: best, base, sft, rl"
    ),
    "a teacher of nothing": _with("{stem: sft}", "{tools: sft}", "stages[2].teachers.tools", "add the domain or drop"),
    "a group of one": _with(
        "name: rl", "name: rl, rollouts_per_prompt: 1", "stages[1].rollouts_per_prompt", "at least 2"
    ),
    "too long answers": _with(
        "name: rl",
        "name: rl, max_response_tokens: 400",
        "stages[1].max_response_tokens",
        "lower max_response_tokens or raise model.max_positions",
    ),
    "a reward model missing": _with(
        "{stem: 1}, st", "{preference: 1}, st", "stages[1].reward_model", "add 'reward_model: {}'"
    ),
    "too long a warm-up": _with(
        "name: rl", "name: rl, warmup_steps: 11", "stages[1].warmup_steps", "lower warmup_steps"
    ),
    "a warm-up from above": _with(
        "name: rl", "name: rl, warmup_from: 1e-3", "stages[1].warmup_from", "which it rises to; lower it"
    ),
    "a warm-up from somewhere without any": _with(
        "name: rl", "name: rl, warmup_from: 1e-5, warmup_steps: 0", "stages[1].warmup_from", "raise warmup_steps or set"
    ),
    "more updates than groups": _with(
        "name: rl",
        "name: rl, prompts_per_step: 4, updates_per_batch: 5",
        "stages[1].updates_per_batch",
        "lower it or raise prompts_per_step",
    ),
    "a task reward of one answer": _with(
        "name: mopd",
        "name: mopd, rollouts_per_prompt: 1, task_reward_weight: 0.5",
        "stages[2].task_reward_weight",
        "raise rollouts_per_prompt or set task_reward_weight to 0",
    ),
    "a task reward that would have to be learned": _with(
        "{stem: 1}, teachers",
        "{stem: 1, preference: 1}, task_reward_weight: 0.5, teachers",
        "stages[2].task_reward_weight",
        "set task_reward_weight to 0 or drop the domain",
    ),
    "adapters trained by Muon": _with(
        "name: rl", "name: rl, optimizer: muon, lora: {rank: 4}", "stages[1].optimizer", "or leave out lora"
    ),
    "adapters of nothing": _with(
        "name: rl", "name: rl, lora: {target_modules: 'q_proj,'}", "stages[1].lora.target_modules", "found 'q_proj,'"
    ),
    "too small a micro-batch": _with(
        "name: rl", "name: rl, micro_batch_tokens: 8", "stages[1].micro_batch_tokens", "expected at least 64"
    ),
    "half a precision": _with("name: rl", "name: rl, precision: float16", "stages[1].precision", "pick one of these"),
    "thoughts of a tiny model": _with(
        "name: rl", "name: rl, thinking: true", "stages[1].thinking", "knows no thinking; leave it out"
    ),
    "true for a filter": _with(
        "name: rl", "name: rl, dynamic_filtering: true", "stages[1].dynamic_filtering", "pick one of these"
    ),
    "no such option": _with("name: rl", "name: rl, overlong: drop", "stages[1].overlong", "pick one of these"),
    "a folder elsewhere": _plus(
        "model: {kind: folder, folder: ../x}", "model.folder", "expected a folder name below MODELS_DIR"
    ),
    "a model in a word": _plus("model: tiny", "model", "write one with kind: tiny or kind: folder"),
    "two benchmarks of a domain": _plus(
        "benchmarks: [{domain: stem}, {domain: stem}]", "benchmarks[1].domain", "drop one"
    ),
    "best without a benchmark": Case(
        GOOD.replace("teachers: {stem: sft}, ", "") + "benchmarks: [{domain: tools}]",
        "stages[2].teachers.stem",
        "add one or name a teacher",
    ),
    "scores between checkpoints": _with(
        "steps: 10", "steps: 10, score_every: 3, checkpoint_every: 2", "stages[0].score_every", "change one of the two"
    ),
    "scores after the end": _with(
        "steps: 10", "steps: 10, score_every: 20", "stages[0].score_every", "expected below steps 10"
    ),
    "a gate of no stage": _plus(
        "gates: [{after: rll}]",
        "gates[0].after",
        "found 'rll', which is no stage; pick one of: sft, rl, mopd, or leave",
    ),
    "a gate of no benchmark": Case(
        GOOD + "benchmarks: [{domain: stem}]\ngates: [{domain: tools}]",
        "gates[0].domain",
        "found 'tools', which has no benchmark to tell its drift; pick one of: stem",
    ),
    "a gate that noise trips": _plus(
        "gates: [{significant: false}]", "gates[0].drop", "raise drop, or set significant"
    ),
    "a gate at the start since the start": _plus(
        "gates: [{after: sft, domain: stem, since: start}]", "gates[0].since", "set since to previous or peak"
    ),
    "a gate before anything is trained": _plus(
        "gates: [{after: sft}]", "gates[0].domain", "name a domain or pick a later"
    ),
    "a gate that asks for what there is not": _plus(
        "gates: [{then: stop}]", "gates[0].then", "expected 'warn' or 'hold'"
    ),
    "a gate of all points": _plus("gates: [{drop: 100}]", "gates[0].drop", "found 100, expected below 100"),
    "a gate in a word": _plus("gates: hold", "gates", "found 'hold', expected a list, each item after a '-'"),
    "a misspelt gate": _plus("gates: [{drops: 5}]", "gates[0].drops", "remove it or correct its spelling"),
    "a NUL": _plus('description: "a\\0b"', "description", "found a NUL character, which no database stores; remove it"),
    "too long a text": _plus(
        "description: " + "x" * 2001, "description", "found 2001 characters, expected at most 2000"
    ),
}


def test_the_recipe_they_are_made_of_is_good() -> None:
    recipe = load_recipe(GOOD)
    assert recipe.stages[0].learning_rate == 4e-3
    assert load_recipe(dump_recipe(recipe)) == recipe
    assert len(CASES) >= 20


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_is_refused_in_words(case: Case) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe(case.text)
    found = {problem.field: problem for problem in refused.value.problems}
    assert case.field in found
    assert case.words in found[case.field].message
    assert len(found[case.field].message) < 300
    assert case.line is None or found[case.field].line == case.line


@pytest.mark.django_db
@pytest.mark.parametrize("op", ["launch", "save"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_is_refused_by_the_composer_which_keeps_the_text(case: Case, op: str, ada: Client) -> None:
    answer = ada.post("/projects/team/new/", {"shown": "yaml", "text": case.text, "op": op})
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 422
    assert case.words in page
    assert f"<code>{case.field}</code>" in page
    assert form_fields(answer.content.decode())["text"] == case.text
    assert Recipe.objects.count() == Run.objects.count() == 0
