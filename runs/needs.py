"""What a stage waits for: written beside the stage when its run starts, asked by the scheduler from then on."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from runs.models import Checkpoint, Need, Run, Score, Stage, Status
from workers.spec import BASE, BEST, MOPDSpec, RecipeSpec


def write_stages(run: Run, spec: RecipeSpec) -> None:
    """Write a run's stages, each with what it needs; call it inside the transaction that writes the run."""
    stages: dict[str, Stage] = {}
    for position, stage_spec in enumerate(spec.stages):
        start = spec.start_of(position)
        stage = Stage.objects.create(
            run=run,
            position=position,
            name=stage_spec.name,
            kind=stage_spec.kind,
            document=stage_spec.model_dump(mode="json"),
            n_steps=stage_spec.steps,
            starts_from=None if start == BASE else stages[start],
        )
        needs = {} if start == BASE else {start: False}
        if isinstance(stage_spec, MOPDSpec):
            needs |= _teacher_needs(stage_spec, earlier=list(stages))
        Need.objects.bulk_create(Need(stage=stage, needed=stages[n], with_scores=scored) for n, scored in needs.items())
        stages[stage_spec.name] = stage


def _teacher_needs(spec: MOPDSpec, *, earlier: list[str]) -> dict[str, bool]:
    """A named teacher's weights; with 'best', the validation scores of every earlier stage: any may turn out the best."""
    named = {teacher for domain in spec.domains if (teacher := spec.teacher_of(domain)) not in (BASE, BEST)}
    chooses = any(spec.teacher_of(domain) == BEST for domain in spec.domains)
    return dict.fromkeys(earlier, True) if chooses else dict.fromkeys(sorted(named), False)


def unmet_needs() -> QuerySet[Need]:
    """The needs that keep their stage waiting."""
    validated = Score.objects.filter(checkpoint=OuterRef("pk"), benchmark__split="validation")  # all come at once
    unscored = Checkpoint.objects.exclude(Q(status=Status.SUCCEEDED) | Exists(validated))
    return Need.objects.filter(
        ~Q(needed__status=Status.SUCCEEDED)
        | Q(with_scores=True) & Exists(unscored.filter(stage=OuterRef("needed")))
        | Q(with_scores=True) & Exists(unscored.filter(run=OuterRef("needed__run"), stage=None))
    )
