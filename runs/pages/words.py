"""How pages say what went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest

from runs.lifecycle import NotPossibleError


@contextmanager
def refusals_told(request: HttpRequest) -> Iterator[None]:
    """Tell the person on the next page why something does not fit the present state; nothing of it was done."""
    try:
        yield
    except NotPossibleError as error:
        messages.error(request, sentence(error))


def sentence(error: Exception) -> str:
    """Make a sentence of an error's message."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def first_error(form: Form) -> str:
    """Say the first thing that is wrong with a form, with the name of its field."""
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label or name.replace("_", " ").capitalize() if name in form.fields else ""
    return f"{label}: {errors[0]}" if label else str(errors[0])
