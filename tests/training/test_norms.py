"""RMSNorm by formula: values by hand, gradients of torch's own differentiation, and no other module is touched."""

import pytest
import torch
from torch import nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from workers.training.norms import rms_norm, speed_up_norms

pytestmark = pytest.mark.training


def test_value_and_gradient_by_hand():
    values = torch.tensor([[3.0, 4.0]], requires_grad=True)  # mean square 12.5
    weight = torch.tensor([1.0, 2.0], requires_grad=True)

    normed = rms_norm(values, weight, 0.0)
    normed[0, 0].backward()

    rms = 12.5**0.5
    assert torch.allclose(normed, torch.tensor([[3 / rms, 8 / rms]]))
    # d(x / rms) / dx = 1 / rms - x x / (2 rms^3), d(x / rms) / dy = -x y / (2 rms^3)
    expected = torch.tensor([[1 / rms - 9 / (2 * rms**3), -12 / (2 * rms**3)]])
    assert torch.allclose(values.grad, expected)
    assert torch.allclose(weight.grad, torch.tensor([3 / rms, 0.0]))


def test_gradient_passes_gradcheck():
    torch.manual_seed(0)
    values = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, 1e-3), (values, weight))


def test_agrees_with_transformers():
    torch.manual_seed(0)
    plain, fast = Qwen3RMSNorm(8), Qwen3RMSNorm(8)
    for norm in (plain, fast):
        norm.weight.data = torch.linspace(0.5, 2.0, 8)
    speed_up_norms(fast)
    values = torch.randn(2, 3, 8)
    inputs = [values.clone().requires_grad_() for _ in range(2)]

    outputs = [norm(x) for norm, x in zip((plain, fast), inputs, strict=True)]
    for output in outputs:
        output.square().sum().backward()

    assert "forward" in vars(fast)
    assert torch.allclose(*outputs, atol=1e-6)
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-5)
    assert torch.allclose(plain.weight.grad, fast.weight.grad, atol=1e-5)


def test_is_the_plain_norm_without_gradient():
    norm = Qwen3RMSNorm(8)
    values = torch.randn(2, 8)
    expected = norm(values)
    speed_up_norms(norm)

    with torch.no_grad():
        found = norm(values)

    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "module",
    [Gemma2RMSNorm(8), nn.LayerNorm(8), nn.RMSNorm(8, eps=1e-6), Qwen3RMSNorm(8).to(torch.bfloat16)],
    ids=["weight counted from 1", "layer norm", "torch's own", "bfloat16"],
)
def test_leaves_others_as_they_are(module):
    if isinstance(module, Gemma2RMSNorm):
        module.weight.data.fill_(0.5)

    speed_up_norms(module)

    assert "forward" not in vars(module)
