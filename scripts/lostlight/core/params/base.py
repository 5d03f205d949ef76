"""What every section of the configuration is made of."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Engine = Literal["auto", "reference", "embedded"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Params(BaseModel):
    """A section of the configuration: frozen, unknown keys refused, infinities and NaN refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _off_is_a_word(cls, content: Any) -> Any:
        # YAML reads a bare off or on as false or true.
        if not isinstance(content, dict):
            return content
        words = {False: "off", True: "on"}
        choices = {name: get_args(info.annotation) for name, info in cls.model_fields.items()}
        return {
            key: words[value] if isinstance(value, bool) and words[value] in choices.get(key, ()) else value
            for key, value in content.items()
        }
