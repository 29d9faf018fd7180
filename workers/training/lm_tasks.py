"""Ask a task of the lm-evaluation-harness: the harness asks, answers are graded as it grades, and every document is kept.

The model is the checkpoint as the harness loads any, with transformers or vLLM; what is asked, how it is framed, filtered and graded
is the task's. So a score is to the last digit what `lm_eval.simple_evaluate` says of the same checkpoint. Beyond that: its
documents become items, one metric and one filter are the score, and what would be no mean of numbers from 0 to 1 is refused.

Templates of a folder's task are rendered in Jinja's sandbox unless the operator allows its code: a plain one reaches Python.
"""

import contextlib
import hashlib
import importlib.metadata
import inspect
import json
import os
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from workers.stage_dir import ItemRecord, ScoreRecord
from workers.task_folder import check_folder_task, check_known_task
from workers.task_measure import refuse_measure
from workers.task_spec import TaskAccess, TaskBenchmarkSpec, TaskError
from workers.training.lm_models import LOADERS, Meanwhile, set_batch_size

VERSION = 1  # of how documents become items; goes up with any change to it
_MAX_TARGET = 120


class StoppedError(Exception):
    """The process was asked to end in the middle of a task."""


class Harness:
    """The harness with one checkpoint, loaded by each engine that a task asks for; each task is asked by `score`.

    meanwhile: called with the number of requests that were run and are to be run; may raise StoppedError.
    """

    def __init__(self, checkpoint: Path, access: TaskAccess, *, meanwhile: Meanwhile) -> None:
        _set_network(access.downloads)
        self._access = access
        self._managers: dict[str | None, Any] = {}
        self._models: dict[str, Any] = {}
        self._checkpoint, self._meanwhile = checkpoint, meanwhile

    def score(self, asked: TaskBenchmarkSpec, split: Literal["validation", "test"]) -> ScoreRecord | None:
        """Ask a task; None for the validation split of one that has none beside what it reports.

        Raises TaskError in words where it cannot be asked, or has no score that could be kept.
        """
        loaded = self._load(asked)
        tasks = list(loaded["tasks"].values())
        metric, filters = _choose_metric(asked, tasks), _choose_filters(asked, tasks)
        if split == "validation" and not _ask_validation(tasks):
            return None
        _refuse_other_means(loaded, asked, metric)
        protocol = _protocol(asked, tasks, metric, filters)
        found = self._evaluate(asked, loaded)
        items = _items(found["samples"], metric, filters, self._model_of(asked))
        shots = sorted({str(found["n-shot"].get(task.task_name, 0)) for task in tasks})
        protocol |= {"num_fewshot": ", ".join(shots), "n_problems": len(items)}
        name = tasks[0].task_name
        mean = found["results"][name][f"{metric},{filters[name]}"] if len(tasks) == 1 else fmean(i.value for i in items)
        return ScoreRecord(
            domain=asked.domain, split=split, version=VERSION, protocol=protocol, mean=float(mean), items=items
        )

    def _load(self, asked: TaskBenchmarkSpec) -> Any:
        """Have the harness read a task and its documents, from its folder's own point of view."""
        folder = self._access.folders.get(asked.domain)
        if folder is None and asked.task_folder is not None:
            raise TaskError(
                "task_folder",
                f"found no folder '{asked.task_folder}' below TASKS_DIRS, or a link in it; put it back, then score again",
            )
        if folder is None:
            check_known_task(asked.task)
        else:
            check_folder_task(Path(folder), asked, allow_code=self._access.code)
        with _in_words(asked), _templates_shut_in(folder is not None and not self._access.code):
            with contextlib.chdir(folder) if folder else contextlib.nullcontext():
                loaded = self._manager(folder).load([asked.task])
            if not loaded["tasks"]:
                raise TaskError("task", f"found no task in group '{asked.task}', expected at least one")
            return loaded

    def _model_of(self, asked: TaskBenchmarkSpec) -> Any:
        if asked.engine not in self._models:
            self._models[asked.engine] = LOADERS[asked.engine](self._checkpoint, self._meanwhile)
        return self._models[asked.engine]

    def _manager(self, folder: str | None) -> Any:
        from lm_eval.tasks import TaskManager

        if folder not in self._managers:
            self._managers[folder] = TaskManager(include_path=folder, include_defaults=folder is None)
        return self._managers[folder]

    def _evaluate(self, asked: TaskBenchmarkSpec, loaded: Any) -> Any:
        import lm_eval

        model = self._model_of(asked)
        set_batch_size(model, asked.batch_size)
        tasks = (
            [loaded["groups"][asked.task]] if asked.task in loaded.get("groups", {}) else [*loaded["tasks"].values()]
        )
        is_shut_in = asked.task_folder is not None and not self._access.code
        with _in_words(asked), _templates_shut_in(is_shut_in):
            return lm_eval.simple_evaluate(
                model=model,
                tasks=tasks,
                task_manager=self._manager(self._access.folders.get(asked.domain)),
                num_fewshot=asked.num_fewshot,
                limit=asked.limit,
                bootstrap_iters=0,
                apply_chat_template=asked.chat_template,
                gen_kwargs={"max_gen_toks": asked.max_response_tokens} if asked.max_response_tokens else None,
                confirm_run_unsafe_code=self._access.code,
            )


# What a task is -------------------------------------------------------------------------------------------------


def _choose_metric(asked: TaskBenchmarkSpec, tasks: list[Any]) -> str:
    """Find the metric that is the score: what the recipe names, else the first of the list."""
    first = next(iter(tasks[0].aggregation()), "")
    metric = asked.metric or first
    for task in tasks:
        known = task.aggregation()
        if task.OUTPUT_TYPE == "loglikelihood_rolling":
            raise TaskError(
                "task", f"task '{task.task_name}' measures perplexity; expected a score from 0 to 1 per document"
            )
        if metric not in known:
            raise TaskError(
                "metric",
                f"found metric '{metric}', and task '{task.task_name}' has: {', '.join(known) or 'none'}; pick one",
            )
        is_own = getattr(task.config, "process_results", None) is not None or type(task).__name__ != "ConfigurableTask"
        how = getattr(known[metric], "__name__", "unknown")
        refuse_measure(task.task_name, metric, how, task.higher_is_better().get(metric) is True, is_own=is_own)
    return metric


def _choose_filters(asked: TaskBenchmarkSpec, tasks: list[Any]) -> dict[str, str]:
    """Find the filter of each task that its answers go through: what the recipe names, else its first."""
    chosen = {}
    for task in tasks:
        names = [ensemble.name for ensemble in getattr(task, "_filters", [])] or ["none"]
        chosen[task.task_name] = asked.filter or names[0]
        if chosen[task.task_name] not in names:
            raise TaskError(
                "filter",
                f"found filter '{asked.filter}', and task '{task.task_name}' has: {', '.join(names)}; pick one",
            )
    return chosen


def _ask_validation(tasks: list[Any]) -> bool:
    """Turn tasks to their validation documents, if all have some beside those that they report."""
    splits = [(task.config.validation_split, task.config.test_split) for task in tasks if hasattr(task, "config")]
    if len(splits) < len(tasks) or any(not v or not t or v == t for v, t in splits):
        return False
    for task in tasks:
        # not None: worked examples leave out what is asked only where the harness knows both to be of one split
        task.config.test_split = task.config.validation_split
    return True


def _refuse_other_means(loaded: Any, asked: TaskBenchmarkSpec, metric: str) -> None:
    """An item is a document here, each of the same weight; a group that averages its tasks is another number."""
    group = loaded.get("groups", {}).get(asked.task)
    for how in (group.aggregate_metric_list or []) if group else []:
        if how.metric == metric and not how.weight_by_size:
            raise TaskError(
                "task",
                f"group '{asked.task}' takes the mean over its tasks, whatever their size, and a score here is the mean over "
                "documents; name its tasks as benchmarks of their own, or set weight_by_size in it",
            )


def _protocol(
    asked: TaskBenchmarkSpec, tasks: list[Any], metric: str, filters: dict[str, str]
) -> dict[str, float | int | str]:
    """Say how the score comes about, so that it is compared only with such as came about alike."""
    configs = sorted((_plain(task.dump_config()) for task in tasks), key=lambda config: str(config.get("task")))
    versions = sorted({str(task.VERSION) for task in tasks})
    generation = [config["generation_kwargs"] for config in configs if config.get("output_type") == "generate_until"]
    if asked.max_response_tokens:
        generation = [{**settings, "max_gen_toks": asked.max_response_tokens} for settings in generation]
    said = sorted({json.dumps(settings, sort_keys=True) for settings in generation})
    return {
        "harness": f"lm-eval {importlib.metadata.version('lm-eval')}",
        "task": asked.task,
        "task_version": ", ".join(versions),
        "task_hash": hashlib.sha256(json.dumps(configs, sort_keys=True).encode()).hexdigest()[:16],
        "metric": metric,
        "filter": ", ".join(sorted(set(filters.values()))),
        "chat_template": "applied" if asked.chat_template else "not applied",
        **({} if asked.engine == "transformers" else {"engine": asked.engine}),
        **({"generation": "; ".join(said)} if said else {}),
    }


def _plain(value: Any) -> Any:
    """Write a task's settings without what differs from machine to machine; code is its source."""
    if isinstance(value, dict):
        return {str(key): _plain(held) for key, held in value.items() if key != "config_source"}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if callable(value):
        with contextlib.suppress(OSError, TypeError):
            return inspect.getsource(value)
        return getattr(value, "__qualname__", type(value).__qualname__)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


# Documents as items ---------------------------------------------------------------------------------------------


def _items(samples: dict[str, list[Any]], metric: str, filters: dict[str, str], model: Any) -> list[ItemRecord]:
    found = [
        (task, sample)
        for task, of_task in samples.items()
        for sample in sorted(of_task, key=lambda sample: sample["doc_id"])
        if sample["filter"] == filters[task]
    ]
    several = len(samples) > 1
    return [
        _item(number, sample, metric, model, within=f"{task}:" if several else "")
        for number, (task, sample) in enumerate(found)
    ]


def _item(number: int, sample: Any, metric: str, model: Any, *, within: str) -> ItemRecord:
    value = sample.get(metric)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TaskError(
            "metric",
            f"found {str(value)[:80]} as {metric} of a document, expected a number from 0 to 1; choose another metric",
        )
    asked = sample["arguments"]
    prompt, response, facts = asked[0][0], sample["resps"][0][0], {}
    n_truncated = 0
    if isinstance(response, str):
        n_tokens = len(model.tok_encode(response, add_special_tokens=False))
        longest = asked[0][1].get("max_gen_toks") if isinstance(asked[0][1], dict) else None
        n_truncated = int(longest is not None and n_tokens >= longest)
    else:
        chosen = _likeliest(sample, metric)
        response, facts = asked[chosen][1], {"loglikelihood": float(sample["resps"][chosen][0][0])}
        prompt = asked[chosen][0]
        n_tokens = len(model.tok_encode(response, add_special_tokens=False))
    return ItemRecord(
        item=number,
        key=f"{within}{sample['doc_hash']}",
        prompt=str(prompt),
        value=float(value),
        grades=[float(value)],
        response=response,
        n_tokens=n_tokens,
        n_truncated=n_truncated,
        parts={"expected": str(sample["target"])[:_MAX_TARGET], metric: float(value), **facts},
    )


def _likeliest(sample: Any, metric: str) -> int:
    """Find the choice that the model finds likeliest, by the measure of the metric."""
    choices = [continuation for _, continuation in sample["arguments"]]
    if metric == "acc_mutual_info":  # the second half asks how likely each is without the question
        choices = choices[: len(choices) // 2]
    likelihoods = [sample["resps"][row][0][0] / _length(text.lstrip(), metric) for row, text in enumerate(choices)]
    return max(range(len(choices)), key=likelihoods.__getitem__)


def _length(text: str, metric: str) -> int:
    """What a metric divides a choice's log-likelihood by."""
    return max(1, {"acc_norm": len(text), "acc_bytes": len(text.encode())}.get(metric, 1))


# What surrounds it ----------------------------------------------------------------------------------------------


def _set_network(allowed: bool) -> None:
    """Keep the libraries from fetching anything, or let them; they may have been imported by now."""
    import datasets
    import huggingface_hub.constants

    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE"):
        os.environ[name] = "0" if allowed else "1"
    huggingface_hub.constants.HF_HUB_OFFLINE = not allowed
    datasets.config.HF_HUB_OFFLINE = not allowed


@contextlib.contextmanager
def _templates_shut_in(shut: bool) -> Any:
    """Have the harness render templates where they reach nothing but the document."""
    from jinja2 import BaseLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from lm_eval import utils

    usual = utils.env
    if shut:
        utils.env = ImmutableSandboxedEnvironment(
            loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True
        )
        utils.env.filters["regex_replace"] = usual.filters["regex_replace"]
    try:
        yield
    finally:
        utils.env = usual


@contextlib.contextmanager
def _in_words(asked: TaskBenchmarkSpec) -> Any:
    """Say of any fault of a task or of the harness which task it was; what is nobody's fault passes."""
    try:
        yield
    except (TaskError, StoppedError, MemoryError):
        raise
    except RuntimeError as error:
        if "memory" in str(error):
            raise
        raise _told(asked, error) from error
    except Exception as error:
        raise _told(asked, error) from error


def _told(asked: TaskBenchmarkSpec, error: Exception) -> TaskError:
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0][:300] if lines else 'without a word'}"
    if asked.task_folder is None and isinstance(
        error, OSError
    ):  # what datasets and the hub raise where they fetch nothing
        return TaskError(
            "task",
            f"the harness cannot ask '{asked.task}', whose documents are not on this worker ({said}); put them into its "
            "HF_HOME, or have the operator set ALLOW_TASK_DOWNLOADS=true",
        )
    return TaskError(
        "task", f"the harness cannot ask '{asked.task}': {said}; see the log, and the task's own documents"
    )
