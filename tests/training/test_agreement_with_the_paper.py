"""MOPD's update is the one that C2 Eqs. 2-4 give when they are written down as they stand: in loops, in float64.

The test prints the largest difference; `pytest -s` shows it.
"""

import math

import pytest
import torch

from workers.spec import MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.training.mopd import MOPD
from workers.training.optim import Optimizers
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling import make_sampler
from workers.training.update import update_policy

TINY = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=16, mlp_size=48, init_std=0.2)
DOMAINS = ("stem", "coding", "structure")  # each with a teacher of its own
LENGTHS = ((3, 9, 1, 6), (2, 2, 12, 5), (8, 4, 7, 10))
LOW, HIGH = 0.8, 1.25  # narrower than the paper's, so that few tokens show what the band does


def policy_of(seed: int) -> Policy:
    return build_policy(TINY, seed)


def rollouts(student: Policy) -> list[Rollout]:
    """Four answers in each domain, whose sampler computed log-probs a little otherwise than the trainer does."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for group, (domain, lengths) in enumerate(zip(DOMAINS, LENGTHS, strict=True)):
        problem = Problem(domain, str(group), "max?A1B2"[: 4 + group], {})
        for length in lengths:
            ids = torch.randint(5, len(student.tokenizer), (length,), generator=generator).tolist()
            rollout = Rollout(problem, group, student.prompt_ids(problem), ids, [], "", False)
            exact = [log_softmax(logits)[y] for logits, y in zip(logits_of(student, rollout), ids, strict=True)]
            rollout.logprobs = (torch.stack(exact).detach() + 0.25 * torch.randn(length, generator=generator)).tolist()
            made.append(rollout)
    return made


def logits_of(policy: Policy, rollout: Rollout) -> torch.Tensor:
    """What a model gives each response token of one answer alone, in float64."""
    model = policy.model.double()
    ids = torch.tensor([rollout.prompt_ids + rollout.token_ids])
    return model(input_ids=ids, use_cache=False).logits[0, len(rollout.prompt_ids) - 1 : -1]


def log_softmax(logits: torch.Tensor) -> torch.Tensor:
    return logits - logits.exp().sum().log()


def equations_2_to_4(student: Policy, teachers: dict[str, Policy], batch: list[Rollout]) -> tuple[torch.Tensor, int]:
    """The loss of a batch, and how many tokens the band masks."""
    total, n_masked = torch.zeros((), dtype=torch.float64), 0
    for rollout in batch:
        of_student = logits_of(student, rollout)
        with torch.no_grad():
            of_teacher = logits_of(teachers[rollout.problem.domain], rollout)
        response = torch.zeros((), dtype=torch.float64)
        for t, y in enumerate(rollout.token_ids):
            log_pi, log_teacher = log_softmax(of_student[t])[y], log_softmax(of_teacher[t])[y]
            a = log_teacher.item() - log_pi.item()  # Eq. 2
            r = math.exp(log_pi.item() - rollout.logprobs[t])
            w = r if LOW <= r <= HIGH else 0.0  # Eq. 3
            n_masked += w == 0.0
            response = response + w * a * log_pi
        total = total - response / len(rollout.token_ids)  # Eq. 4
    return total / len(batch), n_masked


def test_credit_and_update_are_the_equations(monkeypatch):
    exact, teachers = policy_of(0), {domain: policy_of(1 + number) for number, domain in enumerate(DOMAINS)}
    batch = rollouts(exact)
    expected, n_masked = equations_2_to_4(exact, teachers, batch)
    expected.backward()
    assert 5 < n_masked < sum(len(r.token_ids) for r in batch) / 2

    student = policy_of(0)
    stage = MOPDSpec(
        **{"name": "s", "domains": dict.fromkeys(DOMAINS, 1), "steps": 5, "learning_rate": 0.01, "max_grad_norm": 1e6},
        **{"ratio_low": LOW, "ratio_high": HIGH},
    )
    spec = ResolvedStageSpec(
        **{"run": "r", "seed": 0, "model": TINY, "stage": stage, "start_folder": None},
        **{"teachers": dict.fromkeys(DOMAINS, "t"), "teacher_folders": dict.fromkeys(DOMAINS, "t")},
    )
    teachers = {domain: policy_of(1 + number) for number, domain in enumerate(DOMAINS)}
    method = MOPD(spec, stage, student, make_sampler(student), teachers=teachers)
    optimizers, found = Optimizers(student.model, stage.model_copy(update={"micro_batch_tokens": 40})), []
    monkeypatch.setattr(optimizers, "step", lambda step: found.extend(p.grad.clone() for p in optimizers.parameters))
    update = update_policy(student, method.credit(batch), optimizers, method, step=1)

    of_loss = abs(update.loss - float(expected.detach()))
    size = max(float(p.grad.abs().max()) for p in exact.model.parameters())
    of_gradient = max(float((a - p.grad).abs().max()) for a, p in zip(found, exact.model.parameters(), strict=True))
    print(
        f"\nC2 Eqs. 2-4: loss {float(expected.detach()):+.5f}, off by {of_loss:.1e}; gradient up to {size:.3f}, ",
        end="",
    )
    print(f"off by {of_gradient:.1e}; {n_masked} tokens masked")
    assert size > 0.01
    assert max(of_loss, of_gradient) < 1e-5


@pytest.mark.parametrize("divergence", ["sampled_token", "full_vocabulary"])
def test_a_teacher_like_the_student_gives_no_credit(divergence):
    student = policy_of(0)
    (rollout, *_) = rollouts(policy_of(0))
    stage = MOPDSpec(name="s", domains={"stem": 1}, steps=5, learning_rate=0.01, divergence=divergence)
    spec = ResolvedStageSpec(
        **{"run": "r", "seed": 0, "model": TINY, "stage": stage, "start_folder": None},
        **{"teachers": {"stem": "t"}, "teacher_folders": {"stem": "t"}},
    )
    method = MOPD(spec, stage, student, make_sampler(student), teachers={"stem": policy_of(0)})
    update = update_policy(student, [rollout], Optimizers(student.model, stage), method, step=1)
    assert abs(update.loss) < 1e-5
    assert update.grad_norm < 1e-4
