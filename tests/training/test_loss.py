"""The maths of the loop, with numbers worked out by hand and against plain loops."""

import math

import pytest
import scipy.stats
import torch

from workers.training import loss

B, T, V = 3, 4, 5


@pytest.fixture
def logits_BTV() -> torch.Tensor:
    return torch.randn(B, T, V, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


@pytest.fixture
def teacher_BTV() -> torch.Tensor:
    return torch.randn(B, T, V, generator=torch.Generator().manual_seed(8), dtype=torch.float64).log_softmax(-1)


def test_policy_gradient_of_two_tokens_by_hand():
    # log pi = ln .5, ln .25; credits 2 and -1: losses 2 ln 2 and -2 ln 2
    losses = loss.policy_gradient(torch.tensor([[0.5, 0.25]]).log(), torch.tensor([[2.0, -1.0]]))
    assert losses.tolist() == [pytest.approx([2 * math.log(2), -2 * math.log(2)])]


def test_the_clip_stops_what_has_moved_far_enough_by_hand():
    # ratios 1.5 1.5 .5 .5, credits 1 -1 1 -1, clip .2 below and .3 above: the products are 1.5 -1.5 .5 -.5, with clipped
    # ratios 1.3 -1.3 .8 -.8, and the least of each is 1.3 -1.5 .5 -.8; the first and the last no longer depend on pi
    old = torch.full((4,), 0.25).log()
    logprobs = torch.tensor([0.375, 0.375, 0.125, 0.125]).log().requires_grad_()
    credit = torch.tensor([1.0, -1.0, 1.0, -1.0])
    losses, is_clipped = loss.clipped_policy_gradient(logprobs, old, credit, low=0.2, high=0.3)
    assert losses.tolist() == pytest.approx([-1.3, 1.5, -0.5, 0.8])
    assert is_clipped.tolist() == [True, False, False, True]
    losses.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([0, 1.5, -0.5, 0])  # -credit * ratio


def test_at_ratio_one_the_clip_has_the_gradient_of_the_plain_policy_gradient():
    logprobs = torch.tensor([0.5, 0.25]).log().requires_grad_()
    losses, _ = loss.clipped_policy_gradient(logprobs, logprobs.detach(), torch.tensor([2.0, -1.0]), low=0.2, high=0.2)
    losses.sum().backward()
    assert logprobs.grad.tolist() == [-2, 1]


def test_full_credit_is_cross_entropy(logits_BTV):
    tokens_BT = torch.tensor([[0, 1, 2, 3]] * B)
    logprobs_BT = logits_BTV.log_softmax(-1).gather(-1, tokens_BT[..., None]).squeeze(-1)
    weights_B = loss.averaging_weights(torch.tensor([T] * B), "token")
    ours = (loss.policy_gradient(logprobs_BT, torch.ones(B, T)) * weights_B[:, None]).sum()
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), tokens_BT.flatten()))


def test_token_average_counts_tokens_and_sequence_average_counts_responses():
    # lengths 1 and 3: by token every token weighs 1/4; by sequence 1/2, and 1/2 shared by three
    lengths = torch.tensor([1, 3])
    assert loss.averaging_weights(lengths, "token").tolist() == [0.25, 0.25]
    assert loss.averaging_weights(lengths, "sequence").tolist() == pytest.approx([1 / 2, 1 / 6])


def test_a_constant_average_counts_every_response_as_equally_long():
    # two responses of at most 4 tokens: each token weighs 1 / (2 * 4), however long its response is
    assert loss.averaging_weights(torch.tensor([1, 3]), 4).tolist() == [1 / 8, 1 / 8]


@pytest.mark.parametrize("average", ["token", "sequence"])
def test_weights_of_all_tokens_add_up_to_one(average):
    lengths = torch.tensor([5, 1, 7, 2])
    assert float((loss.averaging_weights(lengths, average) * lengths).sum()) == pytest.approx(1)


def test_group_advantages_by_hand():
    # rewards 0 0 1 1: mean 1/2, variance 4 (1/2)^2 / 3, so 1/2 / sqrt(1/3) = sqrt(3) / 2 (less 1e-4 in the divisor)
    rewards_PG = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    assert loss.group_advantages(rewards_PG, normalize=True).tolist()[0] == pytest.approx(
        [sign * math.sqrt(3) / 2 for sign in (-1, -1, 1, 1)], abs=1e-3
    )
    assert loss.group_advantages(rewards_PG, normalize=False).tolist()[0] == [-0.5, -0.5, 0.5, 0.5]


def test_leaving_one_out_compares_with_the_others_by_hand():
    # rewards 1 0 0 0: the others' means are 0 and 1/3, so 1 and -1/3; the group's variance is (9 + 1 + 1 + 1) / 16 / 3
    rewards_PG = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    plain = loss.group_advantages(rewards_PG, normalize=False, baseline="leave_one_out").tolist()[0]
    assert plain == pytest.approx([1, -1 / 3, -1 / 3, -1 / 3])
    normal = loss.group_advantages(rewards_PG, normalize=True, baseline="leave_one_out").tolist()[0]
    assert normal == pytest.approx([2] + [-2 / 3] * 3, rel=1e-3)


def test_group_advantages_are_z_scores():
    rewards_PG = torch.rand(6, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = scipy.stats.zscore(rewards_PG.numpy(), axis=1, ddof=1)
    torch.testing.assert_close(
        loss.group_advantages(rewards_PG, normalize=True), torch.tensor(expected), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1, 1 / 3])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("baseline", ["mean", "leave_one_out"])
def test_equal_rewards_give_exactly_no_credit(reward, normalize, baseline):
    assert not loss.group_advantages(torch.full((2, 7), reward), normalize=normalize, baseline=baseline).any()
    assert not loss.is_mixed(torch.full((2, 7), reward)).any()


def test_kl_penalty_by_hand():
    # pi gave the token .5, the reference .25: d = -ln 2, so k1 = ln 2, k2 = (ln 2)^2 / 2, k3 = .5 + ln 2 - 1
    pi, reference = torch.tensor([0.5]).log(), torch.tensor([0.25]).log()
    assert float(loss.kl_penalty(pi, reference, "k1")) == pytest.approx(math.log(2))
    assert float(loss.kl_penalty(pi, reference, "k2")) == pytest.approx(math.log(2) ** 2 / 2)
    assert float(loss.kl_penalty(pi, reference, "k3")) == pytest.approx(0.5 + math.log(2) - 1)


@pytest.mark.parametrize(("estimator", "follows"), [("k1", "reverse"), ("k2", "reverse"), ("k3", "forward")])
def test_a_kl_penalty_pulls_back_to_the_reference(logits_BTV, teacher_BTV, estimator, follows):
    reference, exact = teacher_BTV[0, 0], logits_BTV[0, 0].clone().requires_grad_()
    pi = exact.log_softmax(-1)
    reverse, forward = (pi.exp() * (pi - reference)).sum(), (reference.exp() * (reference - pi)).sum()
    {"reverse": reverse, "forward": forward}[follows].backward()

    estimated = logits_BTV[0, 0].clone().requires_grad_()
    pi = estimated.log_softmax(-1)
    (pi.detach().exp() * loss.kl_penalty(pi, reference, estimator)).sum().backward()  # every token, by its probability
    torch.testing.assert_close(estimated.grad, exact.grad)


def test_kl_penalty_averages_to_the_divergence(logits_BTV, teacher_BTV):
    pi, reference = logits_BTV[0, 0].log_softmax(-1), teacher_BTV[0, 0]
    expected_penalty = (pi.exp() * loss.kl_penalty(pi, reference)).sum()  # over all tokens, by their probability
    assert float(expected_penalty) == pytest.approx(float(scipy.stats.entropy(pi.exp(), reference.exp())))
    assert bool((loss.kl_penalty(pi, reference) >= 0).all())
    mean_k1 = (pi.exp() * loss.kl_penalty(pi, reference, "k1")).sum()
    assert float(mean_k1) == pytest.approx(float(expected_penalty))


def test_length_weights_by_hand():
    # lengths 2 4 6: 1, 1/2 and 0 of the way from longest to shortest, less their mean 1/2; equal lengths weigh nothing
    lengths_PG = torch.tensor([[2.0, 4.0, 6.0], [3.0, 3.0, 3.0]])
    assert loss.length_weights(lengths_PG).tolist() == [[0.5, 0, -0.5], [0, 0, 0]]


def test_concise_is_the_shortest_if_it_is_among_the_best_by_hand():
    # rewards 0 .5 .5 1: the 80th percentile is at 2.4 of 0..3, so .5 + .4 * .5 = .7
    rewards_PG = torch.tensor([[0.0, 0.5, 0.5, 1.0]] * 3)
    lengths_PG = torch.tensor([[9.0, 4.0, 4.0, 3.0], [9.0, 3.0, 4.0, 4.0], [9.0, 3.0, 4.0, 3.0]])
    expected = [[False, False, False, True], [False] * 4, [False, False, False, True]]
    assert loss.is_concise(rewards_PG, lengths_PG, 0.8).tolist() == expected
    assert loss.is_concise(rewards_PG, lengths_PG, 0.5)[1].tolist() == [False, True, False, False]  # .5 reaches .5


def test_entropy_agrees_with_torch_distributions(logits_BTV):
    expected = torch.distributions.Categorical(logits=logits_BTV).entropy()
    torch.testing.assert_close(loss.entropy(logits_BTV.log_softmax(-1)), expected)


def test_distillation_advantage_by_hand():
    # the teacher gives .5 where the student gave .25 (+ ln 2), and .1 where it gave .2 (- ln 2)
    advantages = loss.distillation_advantages(torch.tensor([[0.5, 0.1]]).log(), torch.tensor([[0.25, 0.2]]).log())
    assert advantages.tolist()[0] == pytest.approx([math.log(2), -math.log(2)])


def test_a_teacher_equal_to_the_student_gives_no_credit(teacher_BTV):
    assert not loss.distillation_advantages(teacher_BTV[..., 0], teacher_BTV[..., 0]).any()
    assert float(loss.reverse_kl(teacher_BTV, teacher_BTV).abs().max()) == 0


def test_importance_weights_mask_outside_the_band_and_do_not_clip():
    # ratios .4, .5, 1, 2, 2.1 with the band [.5, 2]
    sampler = torch.full((1, 5), 0.1).log()
    trainer = torch.tensor([[0.04, 0.05, 0.1, 0.2, 0.21]]).log()
    ratios = loss.importance_ratios(trainer, sampler)
    assert ratios.tolist()[0] == pytest.approx([0.4, 0.5, 1, 2, 2.1])
    weights = loss.masked_importance_weights(ratios, 0.4999, 2.0001).tolist()[0]
    assert weights == pytest.approx([0, 0.5, 1, 2, 0])


def test_reverse_kl_agrees_with_torch_distributions(logits_BTV, teacher_BTV):
    student, teacher = (torch.distributions.Categorical(logits=x) for x in (logits_BTV, teacher_BTV))
    expected = torch.distributions.kl_divergence(student, teacher)
    torch.testing.assert_close(loss.reverse_kl(logits_BTV.log_softmax(-1), teacher_BTV), expected)


def test_sampled_token_credit_has_the_gradient_of_the_exact_reverse_kl_in_expectation(logits_BTV, teacher_BTV):
    exact = logits_BTV.clone().requires_grad_()
    loss.reverse_kl(exact.log_softmax(-1), teacher_BTV).sum().backward()

    estimated = logits_BTV.clone().requires_grad_()
    logprobs = estimated.log_softmax(-1)
    for token in range(V):  # every token, weighted by its probability, instead of samples
        credit = loss.distillation_advantages(teacher_BTV[..., token], logprobs[..., token])
        probability = logprobs[..., token].detach().exp()
        (probability * loss.policy_gradient(logprobs[..., token], credit)).sum().backward(retain_graph=True)
    torch.testing.assert_close(estimated.grad, exact.grad)
