"""What the tests of judged graders share: a process whose judge is played by a local server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.training.judge_server import KEY, Server
from workers.judges import VARIABLE
from workers.stage_dir import StageDir
from workers.training import judge as judges


@contextmanager
def judged_by(server: Server, folder: Path, **settings: object) -> Iterator[None]:
    """Make a server the judge of this process."""
    declared = server.spec(**settings).model_copy(update={"key_variable": "JUDGE_TEST_KEY"})
    judges.os.environ |= {VARIABLE: json.dumps({"local": declared.model_dump()}), "JUDGE_TEST_KEY": KEY}
    judges.take_judges(StageDir(folder), ["local"], of_recipe="local")
    try:
        yield
    finally:
        judges.drop_judges()
