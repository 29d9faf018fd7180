"""What every document of ours is: frozen, strict, and able to say what each of its fields means."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, field_validator


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("found a NUL character, which no database stores; remove it")
    return text


Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Text = Annotated[str, AfterValidator(_refuse_nul)]


def setting(
    default: Any = ...,
    *,
    about: str,
    unit: str = "",
    source: str = "",
    essential: bool = False,
    **limits: Any,
) -> Any:
    """Declare a field that a person can set, with all that a form or a reader needs to know about it."""
    extra: dict[str, JsonValue] = {"unit": unit, "source": source, "essential": essential}
    return Field(default, description=about, json_schema_extra=extra, **limits)


class Spec(BaseModel):
    """A frozen document that refuses keys it does not know, and values of another type: neither true nor '3' is a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @field_validator("*")
    @classmethod
    def _is_storable(cls, value: object) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("found a null character, which PostgreSQL stores in no text; remove it")
        return value
