"""How pages say what went wrong."""

from django.forms import Form


def sentence(error: Exception) -> str:
    """Make a sentence of an error's message."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def first_error(form: Form) -> str:
    """Say the first thing that is wrong with a form, with the name of its field."""
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label or name.replace("_", " ").capitalize() if name in form.fields else ""
    return f"{label}: {errors[0]}" if label else str(errors[0])
