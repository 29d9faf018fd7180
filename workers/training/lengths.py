"""How long a response is: its thinking and its answer, in tokens."""

from workers.training.policy import Policy
from workers.training.rollouts import Rollout

_END = "</think>"


def lengths_of(rollout: Rollout, policy: Policy, *, thinking: bool) -> tuple[int, int]:
    """Count the tokens of the thinking, its end included, and of the answer after it.

    Thinking that never ends counts in full for both: else the shortest answer would be none. `thinking` tells that the
    chat template has opened it already.
    """
    n = len(rollout.token_ids)
    if _END not in rollout.text:
        return (n, n) if thinking or "<think>" in rollout.text else (0, n)
    n_thinking = _end_of_thinking(rollout.token_ids, policy)
    return n_thinking, n - n_thinking


def _end_of_thinking(token_ids: list[int], policy: Policy) -> int:
    """Count the tokens up to the last end of thinking."""
    own = policy.tokenizer.convert_tokens_to_ids(_END)
    if own in token_ids:  # models that think have a token for it
        return len(token_ids) - token_ids[::-1].index(own)
    ends = policy.text(token_ids).count(_END)
    low, high = 0, len(token_ids)
    while low < high:  # the first place by which all of the ends are there
        middle = (low + high) // 2
        low, high = (low, middle) if policy.text(token_ids[:middle]).count(_END) >= ends else (middle + 1, high)
    return low
