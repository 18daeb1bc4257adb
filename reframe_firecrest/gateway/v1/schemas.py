"""FirecREST v1's answers about tasks, files and transfers as plain data.

An invalid answer raises pydantic's `ValidationError`, which `error_translation.translate_error` translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr

from reframe_firecrest.gateway.field_types import Answer, Line, line
from reframe_firecrest.gateway.file_schemas import File, to_remote_files
from reframe_firecrest.gateway.http.error_mapping import MAX_TEXT
from reframe_firecrest.gateway.object_storage.upload_targets import UploadForm
from reframe_firecrest.gateway.v1.error_mapping import meaning_of
from reframe_firecrest.gateway.v1.field_types import LocalTime, Text
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import RemoteFile

# --- tasks ------------------------------------------------------------------------------------------


class _Begun(Answer):
    task_id: Annotated[str, Field(pattern="^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}$")]


def parse_task_id(answer: object) -> str:
    """Return the id of the task that a request has begun."""
    return _Begun.model_validate(answer).task_id


class Task(Answer):
    """A task in its current state.

    Attributes:
        status: its state, such as ``100`` or ``200``.
        created: time of its creation, by the gateway's clock.
        data: its result once it has ended; undefined before.
    """

    task_id: Annotated[str, Field(validation_alias=AliasChoices("hash_id", "task_id"))]
    status: Annotated[str, Field(pattern="^[0-9A-Za-z_-]{1,32}$")]
    description: Annotated[Text, AfterValidator(line)] = ""
    created: LocalTime = Field(default=None, alias="created_at")
    data: Any = None

    @property
    def text(self) -> str:
        """The error message in its data, empty if there is none."""
        data = self.data
        if isinstance(data, Mapping):
            data = next((data[key] for key in ("error", "msg") if isinstance(data.get(key), str)), "")
        return data[:MAX_TEXT] if isinstance(data, str) else ""

    @property
    def meaning(self) -> type[errors.GatewayError] | None:
        """The class of error of the message, None if it is unknown."""
        return meaning_of(self.text)


class _OneTask(Answer):
    task: Task


class _Tasks(Answer):
    tasks: dict[str, Task]


def parse_task(answer: object) -> Task:
    """Parse the answer of ``/tasks/{id}``."""
    return _OneTask.model_validate(answer).task


def parse_tasks(answer: object) -> list[Task]:
    """Parse the answer of ``/tasks``."""
    return list(_Tasks.model_validate(answer).tasks.values())


# --- files ------------------------------------------------------------------------------------------


class _File(File):
    mtime: Line = Field(alias="last_modified")
    target: Annotated[str | None, BeforeValidator(lambda value: value or None)] = Field(
        default=None, alias="link_target"
    )


class _Files(Answer):
    # If the gateway cannot parse an entry, such as a device, it returns plain lines.
    output: list[_File | str]


def parse_listing(answer: object) -> list[RemoteFile]:
    """Parse the answer of ``/utilities/ls``."""
    output = _Files.model_validate(answer).output
    return to_remote_files(entry for entry in output if isinstance(entry, _File))


# --- transfers --------------------------------------------------------------------------------------


class _Form(Answer):
    url: SecretStr
    data: dict[str, SecretStr] = Field(default_factory=dict)
    params: dict[str, SecretStr] = Field(default_factory=dict)
    headers: dict[str, SecretStr] = Field(default_factory=dict)


class _Message(Answer):
    parameters: _Form


class _FormData(Answer):
    msg: _Message


def parse_upload_form(data: object) -> UploadForm:
    """Parse the data of an upload's task."""
    form = _FormData.model_validate(data).msg.parameters
    fields, params, headers = (
        {key: value.get_secret_value() for key, value in given.items()}
        for given in (form.data, form.params, form.headers)
    )
    return UploadForm(form.url.get_secret_value(), fields, params, headers)


class _UrlData(Answer):
    url: SecretStr


def parse_download_url(data: object) -> str:
    """Return the presigned URL in the data of a download's task; it is a secret."""
    return _UrlData.model_validate(data).url.get_secret_value()
