"""Why work failed, as it is stored and shown to every member: storable, bounded, and without the server's own paths.

Trainers and the system name files by their whole paths. Of those, a reader needs where in the run's folder a file is, and
nobody but the operator, who has the logs, needs where that folder lies.
"""

import os
import re
from pathlib import Path

from django.conf import settings

from runs.models import Run

MAX_REASON = 4000  # characters
_NOT_IN_A_WORD = r"(?<![\w./~-])(?:file://)?"
_ABSOLUTE = re.compile(rf"{_NOT_IN_A_WORD}/(?:[\w.@+~-]+/)+[\w.@+~-]*")


def reason_in_words(reason: str, run: Run | None) -> str:
    """Make a reason that a row may hold of whatever a process said; run: None for work on a data set."""
    storable = reason.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    return _without_server_paths(storable, run)[:MAX_REASON]


def _without_server_paths(text: str, run: Run | None) -> str:
    """Write paths as seen from the run's folder, from that of all runs or from that of the models; of any other, its last name."""
    artifacts = Path(settings.ARTIFACTS_DIR)
    folders = ([artifacts / run.public_id] if run else []) + [artifacts, Path(settings.MODELS_DIR)]
    for folder in folders:
        for root in {str(folder.absolute()), os.path.realpath(folder)}:  # a process may have followed links
            text = re.sub(f"{_NOT_IN_A_WORD}{re.escape(root)}/+", "", text)
    return _ABSOLUTE.sub(lambda found: f"…/{found[0].rstrip('/').rpartition('/')[2]}", text)
