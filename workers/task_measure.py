"""What a task of the lm-evaluation-harness measures: a score is a mean of one number per document, from 0 to 1, better the higher."""

from typing import Any

from workers.task_spec import TaskBenchmarkSpec, TaskError

PER_DOCUMENT = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match")  # the harness's own, 0 or 1 each
OVER_ALL = {
    **dict.fromkeys(
        ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "likelihood"), "has no upper end"
    ),
    **dict.fromkeys(("f1", "mcc", "bleu", "chrf", "chrf++", "ter"), "is of all documents together"),
    "brier_score": "is better the lower it is",
    "bypass": "measures nothing",
}
_DEFAULT_METRICS = {
    "multiple_choice": ("acc", "acc_norm"),
    "generate_until": ("exact_match",),
    "loglikelihood": ("perplexity", "acc"),
}


def check_measure(task: str, config: dict[str, Any], asked: TaskBenchmarkSpec) -> None:
    """See that the metric and filter that are asked for are there, and give each document 0 to 1; raises TaskError."""
    kind = config.get("output_type", "generate_until")
    if kind == "loglikelihood_rolling":
        raise TaskError(
            "task",
            f"task '{task}' measures perplexity (output_type {kind}), which has no upper end; expected a score from 0 to 1 per document",
        )
    known = [str(entry.get("metric")) for entry in metrics_of(config)] or list(_DEFAULT_METRICS.get(str(kind), ()))
    metric = asked.metric or (known[0] if known else "")
    if metric not in known:
        raise TaskError(
            "metric", f"found metric '{metric}', and task '{task}' has: {', '.join(known) or 'none'}; pick one of these"
        )
    entry = next((entry for entry in metrics_of(config) if entry.get("metric") == metric), {})
    is_own = "process_results" in config  # its own code says what the metric is, whatever the harness calls so
    refuse_measure(
        task, metric, str(entry.get("aggregation", "mean")), entry.get("higher_is_better", True) is True, is_own=is_own
    )
    names = [str(entry.get("name")) for entry in filters_of(config)] or ["none"]
    if asked.filter and asked.filter not in names:
        raise TaskError(
            "filter", f"found filter '{asked.filter}', and task '{task}' has: {', '.join(names)}; pick one of these"
        )


def refuse_measure(task: str, metric: str, aggregation: str, is_higher_better: bool, *, is_own: bool) -> None:
    """Raise TaskError where a metric is no number of each document's that is better the higher it is, up to 1."""
    if metric in OVER_ALL and not (is_own and aggregation == "mean"):
        raise TaskError(
            "metric",
            f"the metric of task '{task}' is {metric}, which {OVER_ALL[metric]}; expected one that gives each document 0 to 1, "
            f"as {', '.join(PER_DOCUMENT)} do: name it as metric, or add it to metric_list",
        )
    if aggregation not in ("mean", "nanmean") or not is_higher_better:
        raise TaskError(
            "metric",
            f"task '{task}' takes the {aggregation} of {metric}, better the {'higher' if is_higher_better else 'lower'}; expected "
            "the mean, better the higher: choose another metric",
        )


def metrics_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """A task's own list of metrics, each with its settings."""
    return dicts_in(config.get("metric_list"))


def filters_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """A task's own list of filters, each with its steps."""
    return dicts_in(config.get("filter_list"))


def dicts_in(value: object) -> list[dict[str, Any]]:
    """The mappings in a list; none in what is no list."""
    return [held for held in value if isinstance(held, dict)] if isinstance(value, list) else []
