"""Conventions of the API: camelCase names, and one format for all errors."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class CamelModel(BaseModel):
    """An object of the API. It is sent in camelCase; requests may use either spelling."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ErrorType(str, Enum):
    """Type of an error: a malformed request, or a failed one."""

    ERROR = "error"
    VALIDATION = "validation"


class ErrorBody(CamelModel):
    """The body of every answer with a status of 400 and above."""

    error_type: ErrorType = ErrorType.ERROR
    message: str
    caused_by: list[str] | None = None
    data: dict[str, Any] | None = None
    user: str | None = None


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "Client Error"},
    "5XX": {"model": ErrorBody, "description": "Server Error"},
}
"""Responses that every route declares, as in FirecREST's schema."""
