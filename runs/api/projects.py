"""Projects: what the person is a member of."""

from typing import Any

from django.db.models import F
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.access import projects_of
from runs.api.find import person
from runs.api.lists import Paging, page_of, paged
from runs.api.openapi import operation
from runs.models import Role


class ProjectOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices, help_text="Yours; each may do all that the ones before it may")
    created_at = serializers.DateTimeField()


class Projects(APIView):
    @operation("list_projects", "List your projects", answer=page_of(ProjectOut), parameters=[Paging], problems=(422,))
    def get(self, request: Request) -> Response:
        mine = projects_of(person(request)).annotate(role=F("memberships__role"))  # of the membership just asked for
        return paged(request, mine, ProjectOut, key="slug", order="slug")
