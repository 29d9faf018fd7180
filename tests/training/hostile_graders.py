"""A grader that does what the answer says, for the tests of `grade_apart`; run by hand, it grades until it is killed."""

import os
import signal
import sys
import time
from collections.abc import Sequence

from workers.training import grade_apart
from workers.training.rollouts import Grade, Problem

PROBLEM = Problem("rows", "k", "a prompt", {"answer": "B"})


def grade(grader: str, problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    return [_obey(response) for response in responses]


def _obey(response: str) -> Grade:
    if response == "hang":
        time.sleep(1000)
    elif response == "be deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    elif response == "exit":
        os._exit(7)
    elif response == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif response == "raise":
        raise KeyError("a fault of ours")
    elif response == "eat":
        _ = b"x" * (8 * 1024**3)
    elif response == "recurse":
        return _obey(response)
    elif response == "give nonsense":
        return lambda: None  # which no message can carry
    return Grade(1.0, {"pid": float(os.getpid())})


if __name__ == "__main__":
    grade_apart._grade = grade
    grading = grade_apart.start_grading("choice", [PROBLEM] * 64, ["hang"] * 64, limit_s=1000)
    print("started", flush=True)
    grading.finish()
    sys.exit("the answers hang, so this line is never reached")
