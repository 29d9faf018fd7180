"""Ask a judge: many questions at once, each with a time limit, retried while the judge is away, and never twice.

What a judge said is kept in the folder, by a hash of judge, model and question, so that a step that is done again after a
crash gets the verdicts that it had. Of its words only the end is kept, where the verdict stands.

Whatever goes wrong with one question is the reason of its answer's 0 and counted. What the server sent with an error is
not shown: some servers repeat the key in it. The key is read once and taken out of the environment, so that no process
which this one starts has it; neither logs nor records hold it.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from workers.judges import JudgeError, JudgeSpec, declared_judges, read_key, secret_variables, undeclared
from workers.stage_dir import StageDir, append_record, keep_whole_records, read_records
from workers.training.bad_spec import BadSpecError
from workers.training.rollouts import FAILED, Grade

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

ENDING = 500  # characters of what a judge said that are kept; the verdict is its last line
_MOST_TOKENS = 2**40  # of one answer; what claims more counts as none
LONGEST_PAUSE_S = 10.0  # between two tries; the library's are up to 8 s


class JudgeAwayError(RuntimeError):
    """A judge gave no verdict on any answer of a step or a benchmark: nothing can be learned from zeros."""


class JudgedRecord(BaseModel):
    """A verdict that was given: `key` names judge, model and question."""

    key: str
    said: str


@dataclass(frozen=True)
class Told(Generic[T]):
    """A verdict, or None and why there is none."""

    verdict: T | None
    reason: str = ""


class Judge:
    """One judge with its key, and what it has said already."""

    def __init__(self, name: str, spec: JudgeSpec, key: str, kept: Path, *, number: int = 0) -> None:
        self.name, self.spec, self._key = name, spec, key
        self.counts: Counter[str] = Counter()
        self._own = kept / f"{number}.jsonl"  # each of several processes writes a file of its own, and reads all
        keep_whole_records(self._own, JudgedRecord)
        records = (record for path in sorted(kept.glob("*.jsonl")) for record in read_records(path, JudgedRecord)[0])
        self._said = {record.key: record.said for record in records}
        self._is_away = False

    @property
    def label(self) -> str:
        """Name it as scores do: another model behind the same name is another judge."""
        return f"{self.name}: {self.spec.model}"

    def ask(self, questions: Sequence[str], read: Callable[[str], T | None]) -> list[Told[T]]:
        """Ask each question; `read` finds the verdict in what the judge said, or None."""
        keys = [self._key_of(question) for question in questions]
        kept = {key: read(self._said[key]) for key in keys if key in self._said}
        told = {key: Told(verdict) for key, verdict in kept.items() if verdict is not None}
        self.counts["kept"] += sum(key in told for key in keys)
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in told}
        if missing:
            told |= asyncio.run(self._ask_all(missing, read))
        return [told[key] for key in keys]

    async def _ask_all(self, questions: dict[str, str], read: Callable[[str], T | None]) -> dict[str, Told[T]]:
        from openai import AsyncOpenAI

        for library in ("openai", "httpx", "httpx2"):  # which tell of every request
            logging.getLogger(library).setLevel(logging.WARNING)
        self._is_away = False
        turns = asyncio.Semaphore(self.spec.concurrency)
        async with AsyncOpenAI(
            base_url=self.spec.url,
            api_key=self._key or "none",  # the library wants one, servers without keys pass it over
            timeout=self.spec.timeout_s,
            max_retries=self.spec.retries,
        ) as client:

            async def turn(key: str, question: str) -> tuple[str, Told[T]]:
                async with turns:
                    return key, await self._ask(client, key, question, read)

            return dict(await asyncio.gather(*(turn(key, question) for key, question in questions.items())))

    async def _ask(self, client: "AsyncOpenAI", key: str, question: str, read: Callable[[str], T | None]) -> Told[T]:
        """Ask one question. Once the judge was away for all of one's tries, the others of the batch get one try each."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        self.counts["asked"] += 1
        tries = 1 if self._is_away else 1 + self.spec.retries
        try:
            async with asyncio.timeout(tries * (self.spec.timeout_s + LONGEST_PAUSE_S)):
                found = await client.with_options(max_retries=tries - 1).chat.completions.create(
                    model=self.spec.model,
                    messages=[{"role": "user", "content": question}],
                    temperature=self.spec.temperature,
                    max_tokens=self.spec.max_tokens,
                )
        except (APITimeoutError, TimeoutError):
            return self._failed(f"judge '{self.name}' took longer than {self.spec.timeout_s:g} s", is_away=True)
        except APIConnectionError:
            return self._failed(f"judge '{self.name}' cannot be reached", is_away=True)
        except APIStatusError as error:
            is_away = error.status_code == 429 or error.status_code >= 500
            return self._failed(f"judge '{self.name}' {_words(error.status_code)}", is_away=is_away)
        except (APIError, ValueError, RecursionError) as error:  # the last two: no JSON, or too deep
            return self._failed(f"judge '{self.name}' answered nonsense ({type(error).__name__})")
        self._is_away = False
        said, n_in, n_out = _read_completion(found)
        self.counts["tokens_in"] += n_in
        self.counts["tokens_out"] += n_out
        ending = said.rstrip()[-ENDING:]
        verdict = read(ending)
        if verdict is None:
            return self._failed(f"judge '{self.name}' gave no verdict in its last line")
        self._said[key] = ending
        append_record(self._own, JudgedRecord(key=key, said=ending))
        return Told(verdict)

    def _failed(self, reason: str, *, is_away: bool = False) -> Told[T]:
        self.counts["failed"] += 1
        self._is_away = self._is_away or is_away
        return Told(None, reason)

    def _key_of(self, question: str) -> str:
        asked = [self.name, self.spec.model, self.spec.temperature, self.spec.max_tokens, question]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _read_completion(found: object) -> tuple[str, int, int]:
    """Read the words of a completion and its tokens, whatever it lacks: servers differ."""
    given = getattr(found, "choices", None)
    choices = given if isinstance(given, list) else []
    said = getattr(getattr(choices[0], "message", None), "content", None) if choices else None
    usage = getattr(found, "usage", None)
    counts = (getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens"))
    n_in, n_out = (count if isinstance(count, int) and 0 <= count < _MOST_TOKENS else 0 for count in counts)
    words = said if isinstance(said, str) else ""
    return words.encode("utf-8", "replace").decode(), n_in, n_out  # half a surrogate pair could not be written down


def _words(status: int) -> str:
    if status in (401, 403):
        return f"refused its key ({status})"
    if status == 429:
        return "had too many questions (429)"
    return f"answered with status {status}"


# The judges of this process -------------------------------------------------------------------------------------

_judges: dict[str, Judge] = {}
_of_recipe: list[str] = []  # the name of the recipe's judge, or nothing


def take_judges(folder: StageDir, names: Sequence[str], *, of_recipe: str | None, number: int = 0) -> None:
    """Make the named judges those of this process, and take their keys out of its environment; raises BadSpecError."""
    drop_judges()
    try:
        declared = declared_judges(os.environ)
        for name in names:
            if name not in declared:
                raise JudgeError(undeclared(name, declared))
            key = read_key(name, declared[name], os.environ)
            _judges[name] = Judge(name, declared[name], key, folder.judged, number=number)
    except JudgeError as error:
        raise BadSpecError(str(error)) from None
    for variable in secret_variables(os.environ) if names else ():
        os.environ.pop(variable, None)
    _of_recipe.extend([of_recipe] if of_recipe else [])


def drop_judges() -> None:
    """Forget the judges of this process."""
    _judges.clear()
    _of_recipe.clear()


def has_judge() -> bool:
    """Tell whether the recipe names a judge."""
    return bool(_of_recipe)


def judge_of_recipe() -> Judge:
    """Find the recipe's judge; raises BadSpecError where it names none."""
    if not _of_recipe:
        raise BadSpecError("found rows that only a model can judge, and no judge; name one in the recipe's judge")
    return _judges[_of_recipe[0]]


def judge_named(name: str) -> Judge:
    """Find one of the judges that were taken; KeyError for any other."""
    return _judges[name]


def take_counts() -> dict[str, int]:
    """Say what was asked of the judges since this was last called; nothing where there is none."""
    total: Counter[str] = Counter()
    for judge in _judges.values():
        total.update(judge.counts)
        judge.counts.clear()
    return {name: total[name] for name in ("asked", "kept", "failed", "tokens_in", "tokens_out")} if _judges else {}


def check_judged(grades: Sequence[Grade]) -> None:
    """Raise JudgeAwayError where a judge was asked, and gave no verdict at all."""
    failed = [grade for grade in grades if FAILED in grade.parts and VERDICT not in grade.parts]
    if failed and not any(VERDICT in grade.parts for grade in grades):
        raise JudgeAwayError(
            f"found no verdict on any of {len(failed)} answers ({failed[0].parts.get('reason', 'no reason was given')}), "
            "expected a judge that answers; nothing was learned from them. See to the judge, then retry"
        )


VERDICT = "verdict"
"""The part of a grade that holds what a judge decided."""
