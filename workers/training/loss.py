"""The maths of the loop: pure functions on tensors, one per formula.

Axes: P problems, G group members, B rollouts, N response tokens of several rollouts, one after the other, V vocabulary. Equations are those of the
Nemotron-Cascade 2 paper (arXiv 2603.19220), "C2".

Every stage minimises `sum over B, T of weight * loss`, where the weights average over tokens or over responses, and the
loss of a token is `-credit * log pi(token)`. SFT gives credit 1, GRPO the group's advantage, MOPD the teacher's.
There is one update per batch of rollouts, so the importance ratio of Eq. 1 is 1 and its gradient that of log pi; no
ratio is clipped, because there is none to clip.
"""

from typing import Literal

import torch
from torch import Tensor

STD_EPSILON = 1e-4  # keeps a group of nearly equal rewards from blowing up; C2 states no value


def sampled(values_NV: Tensor, ids_N: Tensor) -> Tensor:
    """Pick the values of the tokens that were sampled: (N, V) -> (N,)."""
    return values_NV.gather(-1, ids_N[:, None]).squeeze(-1)


def policy_gradient(logprobs_N: Tensor, credit_N: Tensor) -> Tensor:
    """Give each token's loss `-credit * log pi`, whose gradient is C2 Eq. 1's at ratio 1. Returns (N,) float32."""
    return -credit_N * logprobs_N


def averaging_weights(lengths_B: Tensor, average: Literal["token", "sequence"]) -> Tensor:
    """Weigh the tokens of each rollout so that the weighted sum of losses is an average; returns (B,) float32.

    "token" divides by all tokens of the batch (C2 Eq. 1, whose sum over a group we take over the batch, as NeMo RL
    does); "sequence" averages within each response first (C2 Eq. 4).
    """
    lengths_B = lengths_B.float()
    if average == "token":
        return torch.ones_like(lengths_B) / lengths_B.sum()
    return 1.0 / (lengths_B * len(lengths_B))


def group_advantages(rewards_PG: Tensor, *, normalize: bool) -> Tensor:
    """Compare each reward with its group: C2 Eq. 1's `(r - mean) / std`; exactly 0 where all are equal. Returns (P, G).

    Without `normalize` the division by the (population) standard deviation is left out.
    """
    centred_PG = rewards_PG - rewards_PG.mean(dim=1, keepdim=True)
    if normalize:
        centred_PG = centred_PG / (rewards_PG.std(dim=1, keepdim=True, correction=0) + STD_EPSILON)
    return torch.where(is_mixed(rewards_PG)[:, None], centred_PG, 0.0)


def is_mixed(rewards_PG: Tensor) -> Tensor:
    """Tell which groups teach anything: those whose rewards are not all equal. Returns (P,) bool."""
    return rewards_PG.amax(dim=1) > rewards_PG.amin(dim=1)


def kl_penalty(logprobs_N: Tensor, reference_N: Tensor) -> Tensor:
    """Estimate KL(pi || reference) from sampled tokens, never negative: `exp(d) - d - 1` with `d = log ref - log pi`.

    This is the k3 estimator (Schulman, "Approximating KL divergence"), which C2 §4.5.3 weighs by 0.03. Returns (N,).
    """
    gap_N = reference_N - logprobs_N
    return gap_N.exp() - gap_N - 1.0


def entropy(logprobs_NV: Tensor) -> Tensor:
    """Measure the entropy of the next token in nats; returns (N,)."""
    return -(logprobs_NV.exp() * logprobs_NV).sum(dim=-1)


def distillation_advantages(teacher_N: Tensor, logprobs_N: Tensor) -> Tensor:
    """Credit a sampled token by how much more its teacher likes it: C2 Eq. 2, `log T - log pi_train`. Returns (N,).

    Carries no gradient. Its mean on the student's own samples estimates -KL(pi || T).
    """
    return (teacher_N - logprobs_N).detach()


def importance_ratios(logprobs_N: Tensor, sampler_N: Tensor) -> Tensor:
    """Compare trainer and sampler on the sampled tokens: `pi_train / pi_inf`, 1 if both compute alike. Returns (N,)."""
    return (logprobs_N - sampler_N).exp().detach()


def masked_importance_weights(ratios_N: Tensor, low: float, high: float) -> Tensor:
    """Keep a ratio inside the band as its token's weight and mask the token outside of it: C2 Eq. 3. Returns (N,)."""
    return torch.where((ratios_N >= low) & (ratios_N <= high), ratios_N, 0.0)


def reverse_kl(logprobs_NV: Tensor, teacher_NV: Tensor) -> Tensor:
    """Compute KL(pi || T) of the next token exactly, summed over the vocabulary; returns (N,).

    Its gradient is what C2 Eqs. 2 and 4 estimate from one sampled token, so it replaces credit and log-prob at once.
    It takes no importance weight: the sum over the next token is exact, and no sampled token is left to correct.
    """
    return (logprobs_NV.exp() * (logprobs_NV - teacher_NV)).sum(dim=-1)
