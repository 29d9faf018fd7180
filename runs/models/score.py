"""Benchmarks, and what checkpoints scored on them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from runs.models.checkpoint import Checkpoint


class Benchmark(models.Model):
    """A fixed set of held-out problems with a protocol. Scores of two benchmarks are never joined in one line.

    How many answers each problem got is no part of it: that makes a score more precise, not another one.
    """

    domain = models.CharField(max_length=40)
    split = models.CharField(max_length=12)  # test, or validation, which only chooses teachers
    version = models.PositiveIntegerField()
    protocol = models.JSONField()
    digest = models.CharField(max_length=64, unique=True)  # of all of the above

    class Meta:
        ordering = ("domain", "split")

    def __str__(self) -> str:
        return f"{self.domain} v{self.version} ({self.split})"


class Score(models.Model):
    """One benchmark's result on one checkpoint."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="scores")
    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="scores")
    mean = models.FloatField()  # 0 to 1
    n_items = models.PositiveIntegerField()
    samples = models.PositiveSmallIntegerField(default=1)  # answers per problem: k of avg@k
    response_tokens = models.FloatField()  # mean length of an answer
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("checkpoint", "benchmark")
        constraints = (models.UniqueConstraint(fields=("checkpoint", "benchmark"), name="one_score_per_benchmark"),)

    def __str__(self) -> str:
        return f"{self.benchmark}: {self.mean:.3f}"


class ItemResult(models.Model):
    """One benchmark problem's result, so that intervals and flips can be computed."""

    score = models.ForeignKey(Score, on_delete=models.CASCADE, related_name="items")
    item = models.PositiveIntegerField()
    value = models.FloatField()  # mean over all answers, 0 to 1
    grades = ArrayField(models.FloatField(), default=list)  # of each answer, as they were sampled; empty: not kept
    response = models.TextField()  # the first answer
    prompt = models.TextField()
    n_tokens = models.FloatField()
    n_truncated = models.PositiveIntegerField(null=True)  # samples that were cut off; None: scored before it was kept
    parts = models.JSONField(default=dict)  # what the grader said of the first sample, bounded by runs.ingest

    class Meta:
        ordering = ("score", "item")
        constraints = (models.UniqueConstraint(fields=("score", "item"), name="one_result_per_item"),)

    def __str__(self) -> str:
        return f"item {self.item}: {self.value}"
