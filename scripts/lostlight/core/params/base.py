"""What every section of the configuration is made of."""

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Engine = Literal["auto", "reference", "embedded"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Params(BaseModel):
    """A section of the configuration: frozen, unknown keys refused, infinities and NaN refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _words_stay_words(cls, content: Any) -> Any:
        # YAML reads a bare off as false, and 16 as a number, where one of a list of words is meant.
        if not isinstance(content, dict):
            return content
        choices = {name: get_args(info.annotation) for name, info in cls.model_fields.items()}
        words = {key: _word(value) for key, value in content.items()}
        return {key: words[key] if words[key] in choices.get(key, ()) else value for key, value in content.items()}

    def only(self, names: Collection[str]) -> Self:
        """Give these parameters with all but the named ones at their defaults."""
        return type(self).model_validate({name: value for name, value in self if name in names})


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int) else ""
