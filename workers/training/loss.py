"""The maths of the loop: pure functions on tensors, one per formula.

Axes: P problems, G group members, B rollouts, N response tokens of several rollouts, one after the other, V vocabulary.
Equations are those of the Nemotron-Cascade 2 paper (arXiv 2603.19220), "C2", where no other source is named; NANO is the
Nemotron 3 Nano report. docs/algorithms.md reads them in order.

Every stage minimises `sum over N of weight * loss`, where the weights average over tokens or over responses, and the loss
of a token is `-credit * log pi(token)`. SFT gives credit 1, GRPO the group's advantage, MOPD the teacher's.
With one update per batch of rollouts the importance ratio of Eq. 1 is 1 and its gradient that of log pi, so nothing is
clipped; only with several does `clipped_policy_gradient` take its place.
"""

from typing import Literal

import torch
from torch import Tensor

STD_EPSILON = 1e-4  # keeps a group of nearly equal rewards from blowing up; C2 states no value

Average = Literal["token", "sequence"] | int
"""What the loss is averaged over: all tokens, each response's first, or so many tokens for every response."""


def sampled(values_NV: Tensor, ids_N: Tensor) -> Tensor:
    """Pick the values of the tokens that were sampled: (N, V) -> (N,)."""
    return values_NV.gather(-1, ids_N[:, None]).squeeze(-1)


def policy_gradient(logprobs_N: Tensor, credit_N: Tensor) -> Tensor:
    """Give each token's loss `-credit * log pi`, whose gradient is C2 Eq. 1's at ratio 1. Returns (N,) float32."""
    return -credit_N * logprobs_N


def clipped_policy_gradient(
    logprobs_N: Tensor, old_N: Tensor, credit_N: Tensor, *, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """Give each token's loss `-min(r credit, clip(r, 1 - low, 1 + high) credit)` with `r = pi / pi_old` (PPO, Eq. 7).

    Returns the losses (N,) and which tokens the clip cuts off from the gradient, (N,) bool: those that have moved far
    enough the way that their credit pushes them.
    """
    ratios_N = (logprobs_N - old_N).exp()
    losses_N = -torch.minimum(ratios_N * credit_N, ratios_N.clamp(1 - low, 1 + high) * credit_N)
    is_clipped_N = torch.where(credit_N > 0, ratios_N > 1 + high, (credit_N < 0) & (ratios_N < 1 - low))
    return losses_N, is_clipped_N


def averaging_weights(lengths_B: Tensor, average: Average) -> Tensor:
    """Weigh the tokens of each rollout so that the weighted sum of losses is an average; returns (B,) float32.

    "token" divides by all tokens of the batch (C2 Eq. 1, whose sum over a group we take over the batch, as NeMo RL
    does); "sequence" averages within each response first (C2 Eq. 4); a number divides by as many tokens for each
    response, however long it is (Dr. GRPO, arXiv 2503.20783: the longest that a response may be).
    """
    lengths_B = lengths_B.float()
    if isinstance(average, int):
        return torch.ones_like(lengths_B) / (average * len(lengths_B))
    if average == "token":
        return torch.ones_like(lengths_B) / lengths_B.sum()
    return 1.0 / (lengths_B * len(lengths_B))


def group_advantages(
    rewards_PG: Tensor, *, normalize: bool, baseline: Literal["mean", "leave_one_out"] = "mean"
) -> Tensor:
    """Compare each reward with its group: C2 Eq. 1's `(r - mean) / std`; exactly 0 where all are equal. Returns (P, G).

    "leave_one_out" compares with the mean of the others (RLOO, arXiv 2402.14740). Without `normalize` the division by the
    standard deviation, that of a sample as in other trainers, is left out.
    """
    baseline_PG = rewards_PG.mean(dim=1, keepdim=True)
    if baseline == "leave_one_out":
        baseline_PG = (rewards_PG.sum(dim=1, keepdim=True) - rewards_PG) / (rewards_PG.shape[1] - 1)
    advantages_PG = rewards_PG - baseline_PG
    if normalize:
        advantages_PG = advantages_PG / (rewards_PG.std(dim=1, keepdim=True) + STD_EPSILON)
    return torch.where(is_mixed(rewards_PG)[:, None], advantages_PG, 0.0)


def is_mixed(rewards_PG: Tensor) -> Tensor:
    """Tell which groups teach anything: those whose rewards are not all equal. Returns (P,) bool."""
    return rewards_PG.amax(dim=1) > rewards_PG.amin(dim=1)


def length_weights(lengths_PG: Tensor) -> Tensor:
    """Favour a group's short answers: `1 - (l - l_min) / (l_max - l_min)`, centred to mean zero (NANO §3.3.2).

    All zero where the answers of a group are equally long. Returns (P, G).
    """
    shortest_P1, longest_P1 = lengths_PG.amin(dim=1, keepdim=True), lengths_PG.amax(dim=1, keepdim=True)
    weights_PG = 1.0 - (lengths_PG - shortest_P1) / (longest_P1 - shortest_P1).clamp(min=1)
    return weights_PG - weights_PG.mean(dim=1, keepdim=True)


def is_concise(rewards_PG: Tensor, lengths_PG: Tensor, quantile: float) -> Tensor:
    """Tell the shortest answers of each group whose reward reaches the group's quantile (NANO §3.3.2). Returns (P, G) bool.

    Between two rewards the quantile is interpolated; of equally short answers each counts.
    """
    is_shortest_PG = lengths_PG == lengths_PG.amin(dim=1, keepdim=True)
    return is_shortest_PG & (rewards_PG >= rewards_PG.quantile(quantile, dim=1, keepdim=True))


def kl_penalty(logprobs_N: Tensor, reference_N: Tensor, estimator: Literal["k1", "k2", "k3"] = "k3") -> Tensor:
    """Estimate KL(pi || reference) from sampled tokens, with `d = log ref - log pi`. Returns (N,).

    These are Schulman's estimators ("Approximating KL divergence", 2020): k1 is `-d`, k2 `d^2 / 2`, and k3
    `exp(d) - d - 1`, never negative, which C2 §4.5.3 weighs by 0.03. k1 and k3 have the right mean. The right gradient
    in the mean is k2's, `-d` times that of log pi. k1's own is zero in the mean, so it is given k2's here; k3's is that
    of the forward KL, KL(reference || pi).
    """
    gap_N = reference_N - logprobs_N
    if estimator == "k1":
        return -gap_N.detach() * (1.0 + logprobs_N - logprobs_N.detach())
    if estimator == "k2":
        return gap_N.square() / 2
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
