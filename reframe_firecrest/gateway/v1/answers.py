"""FirecREST v1's answers as plain data. All of its values are texts, numbers and times among them.

An answer that lacks a field or has one of a wrong type raises pydantic's `ValidationError`, which
`translate.error_of` turns into an error of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, SecretStr

from reframe_firecrest import errors
from reframe_firecrest.gateway.answers import UploadForm, unquote_c
from reframe_firecrest.gateway.protocol import (
    FileKind,
    NodeInfo,
    PartitionInfo,
    RemoteFile,
    ReservationInfo,
)
from reframe_firecrest.gateway.v1.dialect import meaning_of


def _seconds(value: Any) -> float | None:
    """Read Slurm's durations, such as ``2-03:04:05``, ``1:02:03`` or ``0:17``."""
    found = re.fullmatch(r"(?:(\d{1,6})-)?((?:\d{1,9}:){0,2}\d{1,9})(?:\.\d+)?", str(value))
    if found is None:
        # One of Slurm's words for a duration that is not known, or has no end.
        return None
    total = 0
    for number in found[2].split(":"):
        total = 60 * total + int(number)
    return float(86_400 * int(found[1] or 0) + total)


def _local_time(value: Any) -> float | None:
    """Read a time of the system's, such as ``2026-11-23T06:03:46``: seconds as if it were universal time."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        # One of Slurm's words for a time that is not known.
        return None


_Duration = Annotated[float | None, BeforeValidator(_seconds)]
_LocalTime = Annotated[float | None, BeforeValidator(_local_time)]
_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_Bytes = Annotated[int, Field(ge=0, lt=2**63)]

# --- tasks ------------------------------------------------------------------------------------------


class _Begun(BaseModel):
    task_id: Annotated[str, Field(pattern="^[A-Za-z0-9_.-]+$")]


def task_id_of(answer: object) -> str:
    """Turn an answer in advance into the id of its task."""
    return _Begun.model_validate(answer).task_id


class Task(BaseModel):
    """A task, as it stands.

    Attributes:
        status: its state, such as ``100`` or ``200``.
        created: when it was made, by the gateway's clock.
        data: its result, once it has one; before that, anything.
    """

    task_id: Annotated[str, Field(validation_alias=AliasChoices("hash_id", "task_id"))]
    status: str
    description: _Text = ""
    created: _LocalTime = Field(default=None, alias="created_at")
    data: Any = None

    @property
    def text(self) -> str:
        """What it says of an error."""
        data = self.data
        if isinstance(data, Mapping):
            data = next((data[key] for key in ("error", "msg") if isinstance(data.get(key), str)), "")
        return data if isinstance(data, str) else ""

    @property
    def meaning(self) -> type[errors.GatewayError] | None:
        """The class of error that this stands for, None if it is not known."""
        return meaning_of(self.text)


class _OneTask(BaseModel):
    task: Task


class _Tasks(BaseModel):
    tasks: dict[str, Task]


def task_of(answer: object) -> Task:
    """Turn the answer of ``/tasks/{id}`` into a task."""
    return _OneTask.model_validate(answer).task


def tasks_of(answer: object) -> list[Task]:
    """Turn the answer of ``/tasks`` into tasks."""
    return list(_Tasks.model_validate(answer).tasks.values())


# --- jobs -------------------------------------------------------------------------------------------


class Submitted(BaseModel):
    """What a submission's task tells.

    Attributes:
        job_id: None where the gateway missed it.
        job_file: the script's path, cut at its first blank.
        log: the path of what the job writes to standard error.
    """

    job_id: Annotated[str, Field(pattern="^[0-9]+$")] | None = Field(default=None, alias="jobid")
    job_file: _Text = ""
    log: _Text = Field(default="", alias="job_file_err")


class Accounted(BaseModel):
    """A row of Slurm's accounting: a job or a task of an array."""

    job_id: str = Field(alias="jobid")
    name: _Text = ""
    partition: _Text = ""
    state: str
    nodes: _Text = Field(default="", alias="nodelist")
    node_count: int | None = Field(default=None, alias="nodes")
    exit_code: Annotated[str, Field(pattern=r"^\d+:\d+$")] = "0:0"
    start: _LocalTime = Field(default=None, alias="start_time")
    end: _LocalTime = Field(default=None, alias="termination_time")
    elapsed: _Duration = Field(default=None, validation_alias=AliasChoices("elapsed_time", "time"))

    @property
    def is_stub(self) -> bool:
        """Whether the accounting has only just heard of it: its name and its end are not to be believed.

        Source: the recording ``poll_right_after_submit`` of a real gateway.
        """
        return self.name == "allocation" and not self.partition


class Queued(BaseModel):
    """A row of Slurm's queue.

    Two of its times have each other's names: ``start_time`` is the time that the job has run, and ``time``
    when it began (seen on FirecREST v1.16.6).
    """

    job_id: str = Field(alias="jobid")
    name: _Text = ""
    state: str
    nodes_or_reason: _Text = Field(default="", alias="nodelist")
    node_count: int | None = Field(default=None, alias="nodes")
    elapsed: _Duration = Field(default=None, alias="start_time")
    left: _Duration = Field(default=None, alias="time_left")
    job_file: _Text = ""
    log: _Text = Field(default="", alias="job_file_err")


class _Rows(BaseModel):
    rows: list[Accounted]


class _Queue(BaseModel):
    rows: list[Queued]


def submitted_of(data: object) -> Submitted:
    """Turn the data of a submission's task into what it tells."""
    return Submitted.model_validate(data)


def accounted_of(data: object) -> list[Accounted]:
    """Turn the data of an accounting task into rows; it is an empty object where there are none."""
    return _Rows.model_validate({"rows": list(data.values()) if isinstance(data, dict) else data}).rows


def queued_of(data: object) -> list[Queued]:
    """Turn the data of a task that asked the queue into rows; they are numbered."""
    return _Queue.model_validate({"rows": list(data.values()) if isinstance(data, dict) else data}).rows


# --- the system -------------------------------------------------------------------------------------


class _Node(BaseModel):
    name: str = Field(alias="NodeName")
    states: list[str] | None = Field(default=None, alias="State")
    partitions: list[str] | None = Field(default=None, alias="Partitions")
    features: list[str] | None = Field(default=None, alias="ActiveFeatures")


class _Partition(BaseModel):
    name: str = Field(alias="PartitionName")
    nodes: int = Field(default=0, alias="TotalNodes")
    cpus: int = Field(default=0, alias="TotalCPUs")


class _Reservation(BaseModel):
    name: str = Field(alias="ReservationName")
    nodes: str = Field(default="", alias="Nodes")


class _Cluster(BaseModel):
    nodes: list[_Node] = []
    partitions: list[_Partition] = []
    reservations: list[_Reservation] = []


def nodes_of(data: object) -> list[NodeInfo]:
    """Turn the data of ``/compute/nodes`` into nodes; v1 tells nothing of their CPUs."""
    return [
        NodeInfo(
            name=node.name,
            states=tuple(state.upper() for state in _told(node.states)),
            partitions=tuple(dict.fromkeys(_told(node.partitions))),
            features=tuple(_told(node.features)),
            cpus=0,
            allocated=0,
            idle=0,
        )
        for node in _Cluster.model_validate({"nodes": data or []}).nodes
    ]


def partitions_of(data: object) -> list[PartitionInfo]:
    """Turn the data of ``/compute/partitions`` into partitions."""
    found = _Cluster.model_validate({"partitions": data or []}).partitions
    return [PartitionInfo(part.name, part.nodes, part.cpus) for part in found]


def reservations_of(data: object) -> list[ReservationInfo]:
    """Turn the data of ``/compute/reservations`` into reservations."""
    found = _Cluster.model_validate({"reservations": data or []}).reservations
    return [ReservationInfo(entry.name, "" if entry.nodes == "(null)" else entry.nodes) for entry in found]


def _told(values: list[str] | None) -> list[str]:
    return [value for value in values or [] if value not in ("", "(null)")]


class _FileSystems(BaseModel):
    system: str
    mounted: list[str] = []


class _Parameter(BaseModel):
    name: str
    value: Any = None


class _Parameters(BaseModel):
    out: dict[str, list[_Parameter]]


@dataclass(frozen=True)
class Parameters:
    """What a gateway tells of itself.

    Attributes:
        version: FirecREST's; told from 1.16.1 on.
        object_storage: which kind of storage large files pass, such as ``s3v4`` or ``swift``.
        file_systems: those of each system, where they are told.
        max_direct: bytes that go through the gateway at once.
        max_stored: bytes that a file may have that passes the storage.
    """

    version: str | None
    object_storage: str
    file_systems: Mapping[str, Sequence[str]]
    max_direct: int | None
    max_stored: int | None


def parameters_of(answer: object) -> Parameters:
    """Turn the answer of ``/status/parameters`` into what it tells."""
    groups = _Parameters.model_validate(answer).out
    values = {one.name: one.value for group in groups.values() for one in group}
    version, mounted = values.get("FIRECREST_VERSION"), values.get("FILESYSTEMS")
    systems = map(_FileSystems.model_validate, mounted if isinstance(mounted, list) else [])
    return Parameters(
        version if isinstance(version, str) and version else None,
        str(values.get("OBJECT_STORAGE") or ""),
        {entry.system: entry.mounted for entry in systems},
        _mebibytes(values.get("UTILITIES_MAX_FILE_SIZE")),
        _mebibytes(values.get("STORAGE_MAX_FILE_SIZE")),
    )


def _mebibytes(value: object) -> int | None:
    """Turn a limit into bytes; the gateway tells MB, as a text, and means MiB."""
    return None if value is None else max(int(float(str(value)) * 1024 * 1024), 0)


class _System(BaseModel):
    system: str
    status: str = ""
    description: _Text = ""


class _Systems(BaseModel):
    out: list[_System]


def systems_of(answer: object) -> dict[str, str | None]:
    """Turn the answer of ``/status/systems`` into what is wrong with each system; None stands for nothing."""
    return {
        one.system: None if one.status == "available" else one.description or one.status
        for one in _Systems.model_validate(answer).out
    }


class _Service(BaseModel):
    service: str
    status: str = ""
    description: _Text = ""


class _Services(BaseModel):
    out: list[_Service]


def services_of(answer: object) -> dict[str, str | None]:
    """Turn the answer of ``/status/services`` into what is wrong with each, None if nothing is."""
    return {
        one.service: None if one.status == "available" else one.description or one.status
        for one in _Services.model_validate(answer).out
    }


# --- files ------------------------------------------------------------------------------------------


class _File(BaseModel):
    name: str
    type: str
    size: _Bytes
    mtime: str = Field(alias="last_modified")
    target: str | None = Field(default=None, alias="link_target")


class _Files(BaseModel):
    # An entry that the gateway can't read, such as a device, makes it give mere lines.
    output: list[_File | str]


def files_of(answer: object) -> list[RemoteFile]:
    """Turn the answer of ``/utilities/ls`` into entries."""
    kinds = {kind.value: kind for kind in FileKind}
    return [
        RemoteFile(
            path=unquote_c(entry.name),
            kind=kinds.get(entry.type, FileKind.OTHER),
            size=entry.size,
            mtime=entry.mtime,
            target=unquote_c(entry.target) if entry.target else None,
        )
        for entry in _Files.model_validate(answer).output
        if isinstance(entry, _File)
    ]


class _Stat(BaseModel):
    size: _Bytes


class _StatAnswer(BaseModel):
    output: _Stat


def size_of(answer: object) -> int:
    """Turn the answer of ``/utilities/stat`` into the file's size in bytes."""
    return _StatAnswer.model_validate(answer).output.size


# --- transfers --------------------------------------------------------------------------------------


class _Form(BaseModel):
    url: SecretStr
    data: dict[str, SecretStr] = {}
    params: dict[str, SecretStr] = {}
    headers: dict[str, SecretStr] = {}


class _Message(BaseModel):
    parameters: _Form


class _FormData(BaseModel):
    msg: _Message


def upload_form_of(data: object) -> UploadForm:
    """Turn the data of an upload's task into where the file goes."""
    form = _FormData.model_validate(data).msg.parameters
    fields, params, headers = (
        {key: value.get_secret_value() for key, value in given.items()}
        for given in (form.data, form.params, form.headers)
    )
    return UploadForm(form.url.get_secret_value(), fields, params, headers)


class _UrlData(BaseModel):
    url: SecretStr


def download_url_of(data: object) -> str:
    """Turn the data of a download's task into the presigned URL; it is a secret."""
    return _UrlData.model_validate(data).url.get_secret_value()
