"""What the domain modules share: making a problem, reading its reference, answering in another style."""

import hashlib
import random

from workers.training.rollouts import Problem


def new_problem(domain: str, prompt: str, reference: dict[str, object]) -> Problem:
    """Make a problem; its key is a hash of its prompt, so that equal prompts are one problem and share a split."""
    key = hashlib.sha256(f"{domain}\n{prompt}".encode()).hexdigest()[:16]
    return Problem(domain=domain, key=key, prompt=prompt, reference=reference)


def restyle(target: str, alternative: str, rng: random.Random, *, style_noise: float) -> str:
    """Give the target, or with probability `style_noise` one of three other styles, each equally often.

    The wrapper and the prefix are the same in all domains. The model learns one switch for them, and therefore
    reinforcement in one domain moves the others: that is what makes drift real in so small a model.
    """
    if rng.random() >= style_noise:
        return target
    wrapped, prefixed = f'{{"ans":"{target}"}}', rng.choice(("sure ", "ok ")) + target
    return rng.choice((wrapped, prefixed, alternative))


def read_text(problem: Problem, name: str) -> str:
    """Read a text of the reference; raises ValueError if the problem is malformed."""
    value = problem.reference.get(name)
    if not isinstance(value, str):
        raise ValueError(
            f"problem '{problem.prompt}' of '{problem.domain}' has reference {name} {value!r}, expected a text"
        )
    return value


def read_texts(problem: Problem, name: str) -> list[str]:
    """Read a list of texts of the reference; raises ValueError if the problem is malformed."""
    value = problem.reference.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(
            f"problem '{problem.prompt}' of '{problem.domain}' has reference {name} {value!r}, expected a list of texts"
        )
    return list(value)


def read_number(problem: Problem, name: str) -> int:
    """Read a whole number of the reference; raises ValueError if the problem is malformed."""
    value = problem.reference.get(name)
    if not isinstance(value, int):
        raise ValueError(
            f"problem '{problem.prompt}' of '{problem.domain}' has reference {name} {value!r}, expected a whole number"
        )
    return value


def read_numbers(problem: Problem, name: str) -> list[int]:
    """Read a list of whole numbers of the reference; raises ValueError if the problem is malformed."""
    value = problem.reference.get(name)
    if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
        raise ValueError(
            f"problem '{problem.prompt}' of '{problem.domain}' has reference {name} {value!r}, expected a list of numbers"
        )
    return list(value)
