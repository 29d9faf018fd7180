"""Optimisers: the learning rate over a stage, what Muon takes, and state that survives saving."""

import math

import pytest
import torch

from workers.spec import SFTSpec, TinyModelSpec
from workers.training.optim import Optimizers, learning_rate_at
from workers.training.policy import build_policy


def stage(**settings) -> SFTSpec:
    return SFTSpec(
        **{"name": "s", "domains": {"stem": 1.0}, "steps": 10, "learning_rate": 0.1, "warmup_steps": 0} | settings
    )


@pytest.fixture
def model() -> torch.nn.Module:
    return build_policy(TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16), seed=1).model


def step_with(model, optimizers, step, *, scale=1.0) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    optimizers.step(step)


def test_warm_up_rises_linearly_to_the_peak():
    rates = [learning_rate_at(stage(warmup_steps=4), step) for step in (1, 2, 3, 4, 5, 10)]
    assert rates == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_warm_up_rises_from_where_it_is_told():
    # from .02 to .1 in four steps: .02 more each
    rates = [learning_rate_at(stage(warmup_steps=4, warmup_from=0.02), step) for step in (1, 2, 3, 4, 5)]
    assert rates == pytest.approx([0.04, 0.06, 0.08, 0.1, 0.1])


def test_linear_falls_to_the_final_rate_at_the_last_step():
    falling = stage(warmup_steps=2, schedule="linear", final_learning_rate=0.02)
    assert [learning_rate_at(falling, step) for step in (2, 6, 10)] == pytest.approx([0.1, 0.06, 0.02])


def test_cosine_is_halfway_down_in_the_middle():
    falling = stage(warmup_steps=2, schedule="cosine", final_learning_rate=0.02)
    rates = [learning_rate_at(falling, step) for step in (4, 6, 10)]
    assert rates == pytest.approx([0.02 + 0.08 * (1 + math.cos(math.pi / 4)) / 2, 0.06, 0.02])


def test_adamw_first_step_by_hand(model):
    # after one step m / sqrt(v) is the gradient's sign, so each weight moves by the learning rate against it
    before = [p.clone() for p in model.parameters()]
    step_with(model, Optimizers(model, stage()), 1)
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.1 * new.grad.sign(), rtol=1e-3, atol=1e-4)


def test_adamw_takes_its_betas_and_decays_matrices_only(model):
    optimizers = Optimizers(model, stage(beta1=0.5, beta2=0.6, weight_decay=0.1))
    groups = optimizers.parts[0][0].param_groups
    assert [(g["weight_decay"], g["betas"]) for g in groups] == [(0.1, (0.5, 0.6)), (0.0, (0.5, 0.6))]
    assert {p.ndim for p in groups[0]["params"]} == {2}
    assert {p.ndim for p in groups[1]["params"]} == {1}


def test_muon_takes_hidden_matrices_and_leaves_embeddings_and_norms_to_adamw(model):
    (muon, muon_share), (adamw, adamw_share) = Optimizers(
        model, stage(optimizer="muon", learning_rate=0.02, adamw_learning_rate=0.004)
    ).parts
    names = {id(p): name for name, p in model.named_parameters()}
    in_muon = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    in_adamw = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert in_muon == {name for name in names.values() if "_proj" in name}
    assert "model.embed_tokens.weight" in in_adamw
    assert in_muon | in_adamw == set(names.values())
    assert (muon_share, adamw_share) == (1.0, pytest.approx(0.2))


def test_muon_moves_a_matrix_orthogonally(model):
    weight = model.model.layers[0].self_attn.q_proj.weight
    before = weight.clone()
    step_with(model, Optimizers(model, stage(optimizer="muon")), 1)
    singular_values = torch.linalg.svdvals((weight - before).detach() / 0.1)
    assert 0.3 < float(singular_values.min()) < float(singular_values.max()) < 1.5


def test_the_gradient_is_scaled_down_to_the_limit(model):
    optimizers = Optimizers(model, stage(max_grad_norm=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    n_weights = sum(p.numel() for p in model.parameters())
    assert optimizers.clip_gradients() == pytest.approx(math.sqrt(n_weights))
    assert optimizers.clip_gradients() == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_state_goes_out_and_in_without_loss(model, kind):
    spec = stage(optimizer=kind)
    straight = Optimizers(model, spec)
    step_with(model, straight, 1)
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    state = {name: tensor.clone() for name, tensor in straight.state_tensors().items()}
    step_with(model, straight, 2)
    expected = [p.clone() for p in model.parameters()]

    for name, parameter in model.named_parameters():
        parameter.data.copy_(weights[name])
    resumed = Optimizers(model, spec)
    resumed.load_state_tensors(state)
    step_with(model, resumed, 2)
    assert all(torch.equal(a, b) for a, b in zip(expected, model.parameters(), strict=True))
