"""How operations describe themselves for the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.contrib.pydantic import PydanticExtension
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers

from runs.api.problems import MEDIA_TYPE

View = TypeVar("View", bound=Callable[..., Any])

_MEANINGS = {
    400: "The body cannot be read.",
    401: "No sign-in, or a token that is wrong or has expired.",
    403: "A member, but the role is too low; or a session without its CSRF token.",
    404: "No such thing, or not yours to see.",
    409: "Not possible in the present status.",
    413: "The body is too large.",
    415: "The body is of a kind that is not read here.",
    422: "Read, but it cannot be carried out; `errors` name the fields.",
}
_EXAMPLE = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "invalid_recipe",
    "detail": "this recipe cannot be carried out; see errors",
    "request_id": "9f0c6d1f3b7a4a53a6f7c7a1f5a3f0d2",
    "errors": [
        {
            "path": "/stages/2/teachers/stem",
            "field": "stages[2].teachers.stem",
            "message": "stage 'mopd' takes teacher 'maths', which is no earlier stage; pick one of: best, base, sft, stem",
            "code": "rule",
        }
    ],
}
_BODY_PROBLEMS = (400, 403, 413, 415, 422)


class FieldError(serializers.Serializer[Any]):
    path = serializers.CharField(
        help_text="JSON pointer into the body, or / and the name of a query parameter; empty: all of it"
    )
    field = serializers.CharField(help_text="The same as people write it: stages[2].teachers.stem")
    message = serializers.CharField(help_text="What was found, what was expected, what to do")
    code = serializers.CharField(help_text="Stays the same when the words change")
    line = serializers.IntegerField(required=False, help_text="Of the YAML that was sent, from 1")


@extend_schema_serializer(examples=[OpenApiExample("A recipe that breaks a rule", value=_EXAMPLE)])
class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem document."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stays the same when the words change")
    detail = serializers.CharField()
    request_id = serializers.CharField(help_text="Names this answer in the server's log")
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]  # a field, not the serializer's own errors


def operation(
    name: str,
    summary: str,
    *,
    answer: Any,
    about: str = "",
    status: int = 200,
    body: Any = None,
    problems: tuple[int, ...] = (),
    **more: Any,
) -> Callable[[View], View]:
    """Describe an operation: its answers, and the problems that can come instead."""
    codes = sorted({401, *problems, *(_BODY_PROBLEMS if body is not None else ())})
    responses: dict[Any, Any] = answer if isinstance(answer, dict) else {status: answer}
    responses |= {(code, MEDIA_TYPE): OpenApiResponse(Problem, description=_MEANINGS[code]) for code in codes}

    def describe(view: View) -> View:
        described: View = extend_schema(
            operation_id=name,
            summary=summary,
            description=about or f"{summary}.",
            tags=[view.__module__.rpartition(".")[2]],
            request=body,
            responses=responses,
            **more,
        )(view)
        return described

    return describe


class SpecSchema(PydanticExtension):  # type: ignore[no-untyped-call]
    """Describes specs as they may be written, where a field with a default may be left out."""

    target_class = "workers.spec.Spec"
    priority = 1

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = self.target.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, inner in schema.pop("$defs", {}).items():
            auto_schema.registry.register_on_missing(
                ResolvedComponent(name, ResolvedComponent.SCHEMA, inner, name)  # type: ignore[no-untyped-call]
            )
        return schema
