"""Whether a model is asked to think: what the chat template is told."""

import pytest

from workers.spec import BenchmarkSpec, GRPOSpec, ResolvedStageSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import StageDir
from workers.training.bad_spec import BadSpecError
from workers.training.evaluate import score_benchmark
from workers.training.policy import Policy, build_policy
from workers.training.prepare import prepare_method
from workers.training.rollouts import Problem
from workers.training.sampling import make_sampler

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
PROBLEM = Problem("stem", "k", "max?A1B2", {})
THINKS = "{% if enable_thinking is defined %}{{ 'yes' if enable_thinking else 'no' }}{% endif %}"


@pytest.fixture
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def method(policy: Policy, tmp_path, thinking: bool | None):
    stage = GRPOSpec(
        name="s", domains={"stem": 1}, steps=5, learning_rate=0.01, prompts_per_step=1, thinking=thinking,
        rollouts_per_prompt=2, dynamic_filtering="replace", overlong="keep",
    )  # fmt: skip
    spec = ResolvedStageSpec(run="r", seed=0, model=TINY, stage=stage, start_folder=None)
    return prepare_method(StageDir(tmp_path), spec, policy, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("thinking", "ending"), [(None, ""), (True, "yes"), (False, "no")])
def test_the_template_is_told_and_nothing_where_nothing_is_asked(policy, tmp_path, thinking, ending):
    policy.tokenizer.chat_template += THINKS
    made = method(policy, tmp_path, thinking)
    drawn = made.sample(1)
    for rollout in (*drawn, *made.resample(drawn, 1, 1)):
        assert policy.tokenizer.decode(rollout.prompt_ids).endswith(f"<a>{ending}")
    assert policy.prompt_ids(PROBLEM) == policy.prompt_ids(PROBLEM, thinking=None)


def test_a_template_that_knows_no_thinking_is_refused_before_the_first_step(policy, tmp_path):
    with pytest.raises(BadSpecError, match="does not know enable_thinking; leave thinking out of this stage"):
        method(policy, tmp_path, True)


@pytest.mark.parametrize(("thinking", "ending"), [(None, ""), (True, "yes"), (False, "no")])
def test_demonstrations_follow_what_the_template_was_told(policy, tmp_path, thinking, ending):
    policy.tokenizer.chat_template += THINKS
    stage = SFTSpec(name="s", domains={"stem": 1}, steps=5, learning_rate=0.01, batch_size=2, thinking=thinking)
    spec = ResolvedStageSpec(run="r", seed=0, model=TINY, stage=stage, start_folder=None)
    made = prepare_method(StageDir(tmp_path), spec, policy, None, None)  # type: ignore[arg-type]
    for rollout in made.sample(1):
        assert policy.tokenizer.decode(rollout.prompt_ids).endswith(f"<a>{ending}")


def test_a_benchmark_has_it_in_its_protocol_only_where_it_is_set(policy):
    policy.tokenizer.chat_template += THINKS
    sampler = make_sampler(policy, "torch")
    found = {}
    for thinking in (None, True, False):
        asked = BenchmarkSpec(domain="stem", n_problems=8, n_validation=8, max_response_tokens=4, thinking=thinking)
        found[thinking] = score_benchmark(policy, sampler, asked, "validation", 0).protocol
    assert "thinking" not in found[None]
    assert [found[thinking]["thinking"] for thinking in (True, False)] == ["on", "off"]
    assert {name for name in found[True] if name != "thinking"} == set(found[None])


def test_a_benchmark_that_asks_for_thinking_in_vain_is_refused(policy):
    asked = BenchmarkSpec(domain="stem", n_problems=8, n_validation=8, max_response_tokens=4, thinking=True)
    with pytest.raises(BadSpecError, match="leave thinking out of the benchmark of stem"):
        score_benchmark(policy, make_sampler(policy, "torch"), asked, "validation", 0)
