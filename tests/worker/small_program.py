"""A program for the nursery's tests: tells what it is, then ends as SMALL_ENDING says.

    python -m tests.worker.small_program FOLDER

A number is an exit status or minus a signal; "stop" waits to be asked to stop; anything else is an exception's text.
"""

import json
import os
import sys
import time

import psutil

from workers.training.process import StopRequest


def main(ending: str) -> int:
    me = psutil.Process()
    facts = {
        "argv": sys.argv[1:],
        "command": me.cmdline()[1:4],
        "descriptors": me.num_fds(),
        "environment": dict(os.environ),
        "group": os.getpgrp(),
        "read": sys.stdin.read(),
        "threads": me.num_threads(),
    }
    print(json.dumps(facts))
    if ending == "stop":
        wait_for_a_request()
        return 0
    if ending.startswith("-"):
        os.kill(os.getpid(), -int(ending))
    if not ending.isdigit():
        raise RuntimeError(ending)
    return int(ending)


def wait_for_a_request() -> None:
    stop = StopRequest()
    print("waiting")
    while not stop.is_set():
        time.sleep(0.01)
    print("stopped")


if __name__ == "__main__":
    sys.exit(main(os.environ.get("SMALL_ENDING", "0")))
