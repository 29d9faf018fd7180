"""Recipes: what to train, in versions that are never edited."""

from django.conf import settings
from django.db import models

from runs.models import ids
from runs.models.access import Project
from workers.spec import RecipeSpec


class Recipe(models.Model):
    """One version of a recipe; a change is a new version."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.recipe_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recipes")
    name = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    document = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "-version")
        constraints = (models.UniqueConstraint(fields=("project", "name", "version"), name="one_recipe_per_version"),)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def spec(self) -> RecipeSpec:
        """The document, as the frozen spec it was validated as."""
        return RecipeSpec.model_validate(self.document)
