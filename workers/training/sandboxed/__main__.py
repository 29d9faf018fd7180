"""The sandbox's own process: forks once per program. `sandbox_child.py` starts it; docs/sandbox.md says what it guards against.

Neither jobs nor outputs pass through this process's own memory: the kernel moves them between pipes and files in memory.
So a program, which begins as a copy of this process, finds nothing of other programs in it.
"""

import json
import os
import select
import signal
import sys
import time

from workers.training.sandboxed import isolation, program
from workers.training.sandboxed.protocol import EXITED, OUT_OF_TIME, REPLY, REQUEST, TOO_MUCH_OUTPUT


def main() -> None:
    requests, replies, nothing = os.dup(0), os.dup(1), os.open("/dev/null", os.O_RDWR)
    isolation.forget_the_way_in()
    shared_calls, program_calls = (bytes.fromhex(text) for text in sys.argv[1:])
    granted = isolation.give_up_rights(shared_calls, program_calls)
    program.warm_up()
    hello = json.dumps(granted.names).encode()
    os.write(replies, REPLY.pack(EXITED, 0, len(hello)) + hello)
    job, output = os.memfd_create("job"), os.memfd_create("output")
    while header := os.read(requests, REQUEST.size):  # a header is written in one piece, so it is read in one
        n_bytes, timeout_s, max_output_bytes = REQUEST.unpack(header)
        _move(requests, job, n_bytes)
        ending, status = _run(granted, (job, output, nothing), timeout_s, max_output_bytes)
        isolation.empty_scratch(granted)  # before the reply: who makes that impossible loses its own result
        n_written = min(os.lseek(output, 0, os.SEEK_CUR), max_output_bytes)
        os.write(replies, REPLY.pack(ending, status, n_written))
        _send(output, replies, n_written)
        for file in (job, output):
            os.lseek(file, 0, os.SEEK_SET)
            os.ftruncate(file, 0)


def _run(
    granted: isolation.Granted, files: tuple[int, int, int], timeout_s: float, max_output_bytes: int
) -> tuple[int, int]:
    """Fork a process for one program and wait for its end, no longer than its time."""
    job, output, nothing = files
    output_end, program_end = os.pipe()
    deadline = time.monotonic() + timeout_s
    process = os.fork()
    if process == 0:
        try:
            program.become(granted, job=job, output=program_end, nothing=nothing)
        finally:
            os._exit(program.FAILED)  # it closed what it should have ended with, or put something in its place
    os.close(program_end)
    handle = os.pidfd_open(process)
    ending = _collect(output_end, output, deadline, max_output_bytes)
    if ending == EXITED and not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
        ending = OUT_OF_TIME  # it closed its output and went on
    os.close(output_end)
    os.close(handle)
    os.kill(process, signal.SIGKILL)
    return ending, os.waitpid(process, 0)[1]


def _collect(source: int, target: int, deadline: float, max_bytes: int) -> int:
    """Move what the program writes into the file, until it has no more, too much, or no time."""
    left = max_bytes + 1
    while left > 0:
        if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return OUT_OF_TIME
        moved = os.splice(source, target, left)
        if not moved:
            return EXITED
        left -= moved
    return TOO_MUCH_OUTPUT


def _move(source: int, target: int, n_bytes: int) -> None:
    while n_bytes > 0:
        moved = os.splice(source, target, n_bytes)
        if not moved:
            sys.exit()  # the trainer is gone
        n_bytes -= moved


def _send(file: int, target: int, n_bytes: int) -> None:
    sent = 0
    while sent < n_bytes:
        sent += os.sendfile(target, file, sent, n_bytes - sent)


if __name__ == "__main__":
    main()
