"""The learned reward: it learns what annotators prefer, follows from the run's seed, and is kept for a resume."""

import random
from statistics import fmean

import pytest
import torch

from workers.spec import RewardModelSpec, TinyModelSpec
from workers.training.domains import DOMAINS, draw
from workers.training.policy import build_policy
from workers.training.reward_model import prepare_reward_model
from workers.training.rollouts import Rollout

SPEC = RewardModelSpec(steps=60, pairs_per_step=32, hidden_size=32, layers=1)
QUICK = RewardModelSpec(steps=2, pairs_per_step=4, hidden_size=16, layers=1)

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def policy():
    return build_policy(TinyModelSpec(), seed=1)


def make(policy, folder, spec=QUICK, *, seed=0, before_step=lambda step: None):
    return prepare_reward_model(spec, policy, seed=seed, domains=["preference"], folder=folder, before_step=before_step)


def rollout(policy, problem, text) -> Rollout:
    return Rollout(problem, 0, policy.prompt_ids(problem), policy.response_ids(text), [], text, False)


def state(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first, second) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_it_learns_to_tell_chosen_from_rejected(policy, tmp_path):
    model, rng = make(policy, tmp_path / "m", SPEC), random.Random(5)
    chosen, rejected = [], []
    for _ in range(200):
        problem = draw("preference", "test", rng)
        good, bad = DOMAINS["preference"].preference_pair(problem, rng, hard_negatives=0.3, length_bias=0.15)
        chosen.append(rollout(policy, problem, good))
        rejected.append(rollout(policy, problem, bad))
    better, worse = model.rewards(chosen), model.rewards(rejected)
    assert fmean(a > b for a, b in zip(better, worse, strict=True)) > 0.62  # labels are noisy; .5 is chance
    assert all(0 < reward < 1 for reward in better + worse)


def test_the_runs_seed_decides_it_whatever_else_is_random(policy, tmp_path):
    torch.manual_seed(1)
    first = state(make(policy, tmp_path / "1"))
    torch.manual_seed(2)
    assert same(first, state(make(policy, tmp_path / "2")))
    assert not same(first, state(make(policy, tmp_path / "3", seed=1)))


def test_a_resumed_stage_reads_it_and_does_not_train_again(policy, tmp_path):
    steps = []
    first = state(make(policy, tmp_path / "m", before_step=steps.append))
    assert steps == [0, 1]
    assert same(first, state(make(policy, tmp_path / "m", before_step=steps.append)))
    assert steps == [0, 1]


def test_a_damaged_one_is_trained_again(policy, tmp_path):
    first = state(make(policy, tmp_path / "m"))
    (tmp_path / "m" / "model.safetensors").write_bytes(b"damaged")
    assert same(first, state(make(policy, tmp_path / "m")))


def test_a_reward_is_of_its_own_text_alone(policy, tmp_path):
    model = make(policy, tmp_path / "m")
    problem, other = (draw("preference", "train", random.Random(seed)) for seed in (0, 1))
    texts = ["tea", "some sweet tea for you now please!", ""]
    answers = [rollout(policy, problem, text) for text in texts] + [rollout(policy, other, "tea")]
    for answer, reward in zip(answers, model.rewards(answers), strict=True):
        plain = model.body(torch.tensor([answer.prompt_ids + answer.token_ids])).last_hidden_state[0, -1]
        expected = torch.sigmoid(model.head(plain) - model.typical_score)
        assert reward == pytest.approx(expected.item(), abs=1e-5)
