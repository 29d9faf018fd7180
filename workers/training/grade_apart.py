"""Grading in processes of its own: in parallel, and with a time limit for each answer.

Some answers hold a grader up for ever, or use up all memory. Here they are graded in worker processes, which end with
their answer where it takes too long or kills them, and are replaced. Such an answer is a 0 with its reason, and counted.

Answers go out in chunks, since a message costs more than most grades. A chunk that is lost, or has not come back when
one answer's time is over, is graded again, each answer alone: so one answer never costs its neighbours their grades.

The workers are forked from a server that has the graders imported, `multiprocessing`'s forkserver, and never from the
trainer with its GPU and threads; a new one is there in milliseconds. They end with the trainer, however it ends. What
this does not guard against is code: nothing here confines what a grader runs. Graders that run programs use the sandbox.
"""

import atexit
import fcntl
import multiprocessing
import os
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from workers.training.graders import GRADERS
from workers.training.rollouts import FAILED, Grade, Problem

LIMIT_S = 10.0
"""Time for one answer. Honest ones take a hundredth of it, but machines do much else besides."""

_AT_ONCE = os.cpu_count() or 1
_CHUNK = 16
_CHUNKS_PER_PROCESS = 1000  # then it is replaced: the libraries keep what they have seen
_MAX_MEMORY_BYTES = 4 * 1024**3  # of address space, many times what the libraries need


@dataclass(frozen=True)
class Grading:
    """A batch that is being graded; `finish` waits for it."""

    grader: str
    problems: Sequence[Problem]
    responses: Sequence[str]
    limit_s: float
    chunks: Sequence[ProcessFuture[list[Grade]]]

    def finish(self) -> list[Grade]:
        """Give the grades in order; each failure is a 0 that says why."""
        return list(chain.from_iterable(self._finish(number) for number in range(len(self.chunks))))

    def _finish(self, number: int) -> list[Grade]:
        try:
            return self.chunks[number].result()
        except Exception:  # whatever it was, the answers that it did not come from are graded
            part = slice(number * _CHUNK, (number + 1) * _CHUNK)
            alone = _schedule(self.grader, self.problems[part], self.responses[part], limit_s=self.limit_s, size=1)
            return [self._grade_of(answer) for answer in alone]

    def _grade_of(self, answer: ProcessFuture[list[Grade]]) -> Grade:
        try:
            return answer.result()[0]
        except TimeoutError:
            reason = f"took longer than {self.limit_s:g} s"
        except ProcessExpired as error:
            reason = f"its process ended with code {error.exitcode}"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        return Grade(0.0, {"reason": reason, FAILED: 1.0})


def start_grading(
    grader: str, problems: Sequence[Problem], responses: Sequence[str], *, limit_s: float = LIMIT_S
) -> Grading:
    """Send answers to be graded, and go on; raises ValueError for a grader that is none of ours."""
    if grader not in GRADERS:
        raise ValueError(f"grader is '{grader}', expected one of: {', '.join(sorted(GRADERS))}")
    chunks = _schedule(grader, problems, responses, limit_s=limit_s, size=_CHUNK)
    return Grading(grader, problems, responses, limit_s, chunks)


def grade_apart(
    grader: str, problems: Sequence[Problem], responses: Sequence[str], *, limit_s: float = LIMIT_S
) -> list[Grade]:
    """Grade a batch in the worker processes, which are started at first use and kept."""
    return start_grading(grader, problems, responses, limit_s=limit_s).finish()


def count_failures(grades: Sequence[Grade]) -> int:
    """Count the answers that got a 0 because their grader failed."""
    return sum(FAILED in grade.parts for grade in grades)


_pools: list[ProcessPool] = []  # the one that is in use, or none yet


def _schedule(
    grader: str, problems: Sequence[Problem], responses: Sequence[str], *, limit_s: float, size: int
) -> list[ProcessFuture[list[Grade]]]:
    assert len(problems) == len(responses)
    pool = _pool()
    return [
        pool.schedule(_grade, args=(grader, problems[at : at + size], responses[at : at + size]), timeout=limit_s)
        for at in range(0, len(problems), size)
    ]


def _pool() -> ProcessPool:
    """Start the workers, or start them anew where something ended them all."""
    if not _pools or not _pools[0].active:
        _close()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["workers.training.graders", "math_verify"])  # which takes seconds to import
        _pools.append(ProcessPool(_AT_ONCE, max_tasks=_CHUNKS_PER_PROCESS, initializer=_settle, context=context))
    return _pools[0]


def _close() -> None:
    while _pools:
        pool = _pools.pop()
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


atexit.register(_close)


def _settle() -> None:
    """Settle a new worker: it ends with the trainer, and takes no more than its memory.

    The kernel ends it when the trainer's end of their pipe closes. Its own threads could not: some computations never
    let another run. Nor could the death of its parent, the fork server, which lives for as long as a worker does.
    """
    trainer = multiprocessing.parent_process()
    assert trainer is not None
    fcntl.fcntl(trainer.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(trainer.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(trainer.sentinel, fcntl.F_SETFL, fcntl.fcntl(trainer.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if not trainer.is_alive():  # it ended before we asked to be told
        os._exit(1)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, most))


def _grade(grader: str, problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    return GRADERS[grader].grade(problems, responses)
