"""Our Muon is torch's, in full precision."""

import pytest
import torch

from workers.training.muon import Muon, orthogonalize

SHAPES = [(8, 8), (8, 20), (20, 8), (8, 8), (20, 8)]


def matrices(seed: int) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def test_singular_values_come_near_one_and_vectors_stay():
    for matrix, found in zip(matrices(1), orthogonalize(list(matrices(1))), strict=True):
        u, _, v = torch.linalg.svd(matrix.detach(), full_matrices=False)
        core = u.T @ found.detach() @ v.T
        assert 0.6 < float(core.diag().min()) <= float(core.diag().max()) < 1.3
        torch.testing.assert_close(core - core.diag().diag(), torch.zeros_like(core), atol=1e-4, rtol=0)


def test_a_diagonal_matrix_by_hand():
    # one iteration on a singular value x gives 3.4445 x - 4.775 x^3 + 2.0315 x^5, first x = 3/5 and 4/5 (norm 5)
    expected = []
    for x in (0.6, 0.8):
        for _ in range(5):
            x = 3.4445 * x - 4.775 * x**3 + 2.0315 * x**5
        expected.append(x)
    found = orthogonalize([torch.tensor([[3.0, 0.0], [0.0, 4.0]])])[0]
    assert found.diag().tolist() == pytest.approx(expected, rel=1e-4)


def test_three_steps_are_torchs(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)  # torch's own, without its rounding
    ours, theirs = matrices(2), matrices(2)
    mine = Muon(ours, lr=0.1, momentum=0.9, weight_decay=0.05)
    torchs = torch.optim.Muon(theirs, lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True, ns_steps=5)
    for step in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.sin(one.detach() * (step + 1))
            other.grad = one.grad.clone()
        mine.step()
        torchs.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
