"""What the tests of the graders share: an answer graded against a row."""

from collections.abc import Mapping

from workers.training.graders import GRADERS
from workers.training.rollouts import Grade, Problem


def graded(grader: str, reference: Mapping[str, object], response: str) -> Grade:
    GRADERS[grader].check(reference)
    return GRADERS[grader].grade([Problem("rows", "k", "a prompt", dict(reference))], [response])[0]
