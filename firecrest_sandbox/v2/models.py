"""The API's conventions: camelCase names, and one shape for every error."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class CamelModel(BaseModel):
    """An object of the API: camelCase on the wire, either spelling accepted."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ErrorType(str, Enum):
    """Whether the request was malformed or could not be carried out."""

    ERROR = "error"
    VALIDATION = "validation"


class ErrorBody(CamelModel):
    """The body of every answer of status 400 and above."""

    error_type: ErrorType = ErrorType.ERROR
    message: str
    caused_by: list[str] | None = None
    data: dict[str, Any] | None = None
    user: str | None = None


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "Client Error"},
    "5XX": {"model": ErrorBody, "description": "Server Error"},
}
"""What every route declares; FirecREST's own schema declares the same two ranges."""
