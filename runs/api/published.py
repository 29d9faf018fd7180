"""Published results: what papers say of benchmarks and models, and which of it stands beside a run's scores."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.bodies import Input
from runs.api.find import find_run, person
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.exchange.published_links import LinkError, beside, link
from runs.exchange.reference_data import published_benchmarks, published_models
from runs.models import Role


class PublishedBenchmarkOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    category = serializers.CharField()
    metric = serializers.CharField(help_text="How answers make a score; empty where the paper does not say")
    decoding = serializers.CharField(help_text="Empty where the paper does not say")
    items = serializers.IntegerField(allow_null=True, help_text="Problems; null where the paper does not say")
    unit = serializers.CharField(help_text="points: out of 100")
    source = serializers.CharField(help_text="Where it was published")  # type: ignore[assignment]  # a field, not the serializer's own


class PublishedResultOut(serializers.Serializer[Any]):
    benchmark = serializers.CharField()
    value = serializers.FloatField(help_text="In the benchmark's unit")
    with_tools = serializers.FloatField(allow_null=True, help_text="The same with a Python executor")
    is_again = serializers.BooleanField(help_text="Measured by others than the model's authors")


class PublishedModelOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # the same
    results = PublishedResultOut(many=True)


class PublishedOut(serializers.Serializer[Any]):
    benchmarks = PublishedBenchmarkOut(many=True)
    models = PublishedModelOut(many=True)


class BesideOut(serializers.Serializer[Any]):
    domain = serializers.CharField(help_text="Of the run's benchmark")
    benchmarks = serializers.ListField(
        child=serializers.CharField(), help_text="Published benchmarks beside it; of several, the mean"
    )
    chosen = serializers.CharField(
        allow_null=True,
        help_text="What somebody chose; empty: none. Null: nobody did, and only exactly its name counts",
    )
    made_by = serializers.CharField(help_text="Who chose it; empty where nobody did")


class LinkAsked(Input):
    domain = serializers.CharField(max_length=80, help_text="Of the run's benchmark")
    benchmark = serializers.CharField(
        allow_null=True,
        allow_blank=True,
        max_length=80,
        help_text="A published benchmark; empty for none; null takes a choice back",
    )


LINKS = page_of(BesideOut)


class PublishedResults(APIView):
    @operation(
        "get_published_results",
        "Read published benchmarks and results",
        about="What the papers say, with its source. None of it was measured here, and no score of a run is compared with it.",
        answer=PublishedOut,
    )
    def get(self, request: Request) -> Response:
        models = [
            {
                "name": model.name,
                "source": str(model.source),
                "results": [{"benchmark": name, **vars(result)} for name, result in model.results.items()],
            }
            for model in published_models()
        ]
        return Response(PublishedOut({"benchmarks": list(published_benchmarks().values()), "models": models}).data)


class RunPublished(APIView):
    @operation(
        "list_published_links",
        "List the published benchmarks beside a run's own",
        answer=LINKS,
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> Response:
        return whole(beside(find_run(request, public_id)), BesideOut)

    @operation(
        "link_published",
        "Choose the published benchmark beside one of a run",
        about="It changes what is shown as reference, and no number of the run. Null takes the choice back.",
        answer=LINKS,
        body=LinkAsked,
        problems=(404,),
    )
    def put(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=Role.RUNNER)
        asked = LinkAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            link(run, asked.validated_data["domain"], asked.validated_data["benchmark"], by=person(request))
        except LinkError as error:
            raise ValidationError({error.field: ErrorDetail(str(error), "does_not_exist")}) from None
        return whole(beside(run), BesideOut)
