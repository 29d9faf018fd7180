"""How the torch engine chooses a token from a row of probabilities."""

from types import SimpleNamespace

import torch

from workers.training.sampling.torch_sampler import choose_tokens, nucleus


def uniform(n_rows):
    return torch.rand(n_rows, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_tokens_come_with_their_probabilities():
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits_RV = probabilities.log().expand(20_000, 4)
    decoding = SimpleNamespace(temperature=1.0, top_p=1.0)
    tokens_R, logprobs_R = choose_tokens(logits_RV, decoding, uniform(20_000))
    shares = torch.bincount(tokens_R, minlength=4) / 20_000
    assert float((shares - probabilities).abs().max()) < 0.015  # four standard errors
    torch.testing.assert_close(logprobs_R, probabilities.log()[tokens_R])


def test_nucleus_keeps_the_smallest_set_that_reaches_top_p():
    probs_RV = torch.tensor([[0.15, 0.5, 0.05, 0.3], [0.1, 0.1, 0.7, 0.1]])
    assert (nucleus(probs_RV, 0.69) > 0).tolist() == [[False, True, False, True], [False, False, True, False]]
    decoding = SimpleNamespace(temperature=1.0, top_p=0.69)
    tokens_R, _ = choose_tokens(probs_RV.log().repeat(500, 1), decoding, uniform(1000))
    assert set(tokens_R[0::2].tolist()) == {1, 3}
    assert set(tokens_R[1::2].tolist()) == {2}
