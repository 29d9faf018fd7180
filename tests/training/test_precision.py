"""bfloat16: the model computes with rounded weights, the optimiser steps exact ones, and nothing small is lost."""

import pytest
import torch

from tests.training.test_packing import ROLLOUTS, Plain
from workers.spec import GRPOSpec, TinyModelSpec
from workers.stage_dir import StageDir
from workers.training.checkpoints import load_checkpoint, load_resume, save_checkpoint, save_resume
from workers.training.loss import sampled
from workers.training.optim import Optimizers
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Problem
from workers.training.sampling import make_sampler, sample_rollouts
from workers.training.update import update_policy

TINY = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=16, mlp_size=64, init_std=0.1)


def stage(**settings) -> GRPOSpec:
    document = {"name": "s", "domains": {"stem": 1}, "steps": 9, "learning_rate": 0.01, "warmup_steps": 0}
    return GRPOSpec.model_validate(document | {"max_grad_norm": 1e6} | settings)


BF16 = stage(precision="bfloat16")


@pytest.fixture
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def gradient(policy: Policy, spec: GRPOSpec, monkeypatch) -> torch.Tensor:
    optimizers, found = Optimizers(policy.model, spec), []
    monkeypatch.setattr(optimizers, "step", lambda step: found.extend(p.grad.flatten() for p in optimizers.parameters))
    update_policy(policy, ROLLOUTS, optimizers, Plain(), step=1)
    return torch.cat(found)


def test_a_step_too_small_for_bfloat16_adds_up_in_the_master():
    # Below 1, bfloat16 goes in steps of 2^-8. One of 2^-11 would be rounded away each time; after five, 1 - 2^-8 is nearest.
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    optimizers = Optimizers(model, stage(precision="bfloat16", learning_rate=2**-11))
    seen = []
    for step in range(1, 6):
        optimizers.weights["weight"].grad = torch.ones(1, 1)  # AdamW then moves by the learning rate
        optimizers.step(step)
        seen.append(model.weight.item())
    assert model.weight.dtype == torch.bfloat16
    assert seen[:3] == [1, 1, 1]
    assert seen[4] == 1 - 2**-8
    torch.testing.assert_close(optimizers.weights["weight"], torch.tensor([[1 - 5 * 2**-11]]))


def test_gradients_of_micro_batches_add_up_in_float32():
    # 1 + 2^-9 is no bfloat16 number; the sum of gradients 1 and 2^-9 is kept all the same
    model = torch.nn.Linear(1, 1, bias=False)
    optimizers = Optimizers(model, BF16)
    for value in (1.0, 2**-9):
        model(torch.tensor([[value]], dtype=torch.bfloat16)).sum().backward()
    assert model.weight.grad is None
    assert float(optimizers.weights["weight"].grad) == 1 + 2**-9


def test_all_weights_are_rounded_and_rotary_frequencies_are_not(policy):
    before = {name: p.detach().clone() for name, p in policy.model.named_parameters()}
    optimizers = Optimizers(policy.model, BF16)
    for name, parameter in policy.model.named_parameters():
        assert torch.equal(parameter, before[name].bfloat16())
        assert torch.equal(optimizers.weights[name], before[name])
    assert {buffer.dtype for buffer in policy.model.buffers()} == {torch.float32}
    assert policy.model.get_output_embeddings().weight is policy.model.get_input_embeddings().weight


def test_the_gradient_is_near_that_in_float32(policy, monkeypatch):
    exact = gradient(build_policy(TINY, seed=1), stage(), monkeypatch)
    rounded = gradient(policy, BF16, monkeypatch)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).norm() / exact.norm()) < 0.03
    assert float(torch.cosine_similarity(rounded, exact, dim=0)) > 0.999


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_it_resumes_to_the_bit(policy, tmp_path, optimizer):
    spec = stage(precision="bfloat16", optimizer=optimizer)
    straight = Optimizers(policy.model, spec)
    update_policy(policy, ROLLOUTS, straight, Plain(), step=1)
    save_resume(StageDir(tmp_path), 1, straight)
    update_policy(policy, ROLLOUTS, straight, Plain(), step=2)

    again = build_policy(TINY, seed=2)
    resumed = Optimizers(again.model, spec)
    assert load_resume(StageDir(tmp_path), resumed) == 1
    update_policy(again, ROLLOUTS, resumed, Plain(), step=2)
    assert all(torch.equal(weight, resumed.weights[name]) for name, weight in straight.weights.items())
    assert all(torch.equal(a, b) for a, b in zip(policy.model.parameters(), again.model.parameters(), strict=True))


def test_a_checkpoint_is_bfloat16_and_starts_a_stage_in_either_precision(policy, tmp_path):
    Optimizers(policy.model, BF16)
    save_checkpoint(tmp_path / "c", policy)
    assert '"dtype": "bfloat16"' in (tmp_path / "c" / "config.json").read_text()
    pack = pack_rollouts(ROLLOUTS, policy.device)
    for dtype in (torch.float32, torch.bfloat16):
        again = load_checkpoint(tmp_path / "c", dtype)
        pairs = zip(policy.model.parameters(), again.model.parameters(), strict=True)
        assert all(b.dtype == dtype and torch.equal(a.float(), b.float()) for a, b in pairs)
        with torch.no_grad():
            logprobs = again.logprobs(again.hidden(pack))
            assert logprobs.dtype == torch.float32
            if dtype == torch.bfloat16:  # a teacher in the student's precision computes as the student does
                assert torch.equal(logprobs, policy.logprobs(policy.hidden(pack)))


def test_the_sampler_computes_in_bfloat16_as_the_trainer_does(policy):
    Optimizers(policy.model, BF16)
    problems = [Problem("stem", str(i), text, {}) for i, text in enumerate(("a", "max?A1B2C3D4", "please 7 plus 9"))]
    generator = torch.Generator().manual_seed(0)
    rollouts = sample_rollouts(policy, make_sampler(policy, "torch"), problems, 30, stage(), generator)
    pack = pack_rollouts(rollouts, policy.device)
    with torch.no_grad():
        trainer_N = sampled(policy.logprobs(policy.hidden(pack)), pack.tokens.ids_N)
    gaps_N = trainer_N - pack.tokens.sampler_logprobs_N
    print(f"bfloat16, torch engine: gap at most {gaps_N.abs().max():.1e}, on average {gaps_N.mean():.1e}")
    assert gaps_N.abs().max() < 0.1
    assert abs(float(gaps_N.mean())) < 1e-3
