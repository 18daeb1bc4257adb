"""The service `utilities`: short file operations, one command each, without a task."""

import os
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from firecrest_sandbox.local_user import group_name
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1.access import NO_MACHINE, Machine, authenticated, checked, inputs_of, problem_with
from firecrest_sandbox.v1.errors import RefusedError
from firecrest_sandbox.v1.operations import COPY_OPTIONS, Utilities, extraction_of

_FIRST_COMMAND = {"download": "fsize", "view": "fsize"}


def _server(request: Request) -> ServerState:
    """Check the system's name, and store the command for the texts of refusals."""
    name = request.url.path.rsplit("/", 1)[-1]
    request.state.command = _FIRST_COMMAND.get(name, name)
    machine = Machine(
        NO_MACHINE, description_of(request), error="Machine does not exist", header="X-Machine-Does-Not-Exist"
    )
    return machine.check(request)


def description_of(request: Request) -> str:
    """Return v1's description of a failure of the request's command."""
    return f"Error on {request.state.command} operation"


UtilitiesServer = Annotated[ServerState, Depends(_server)]
router = APIRouter(prefix="/utilities", tags=["utilities"], dependencies=[Depends(authenticated)])


def _done(command: str, output: Any = "", status: int = 200) -> JSONResponse:
    return JSONResponse({"description": f"Success to {command} file.", "output": output}, status)


@router.get("/ls")
async def get_ls(request: Request, server: UtilitiesServer) -> JSONResponse:
    """List a directory, or return the entry of one file."""
    async with inputs_of(request) as inputs:
        files = await Utilities(server).list(
            inputs.text("targetPath", description_of(request)),
            hidden=inputs.flag("showhidden"),
            numeric=inputs.flag("numericUid"),
            recursive=inputs.flag("recursive"),
            dereference=inputs.flag("followLinks"),
        )
    output = [{**file.model_dump(), "link_target": file.link_target or ""} for file in files]
    return JSONResponse({"description": "List of contents", "output": output})


@router.get("/stat")
async def get_stat(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return a file's inode."""
    async with inputs_of(request) as inputs:
        name = "targetPath" if "targetPath" in inputs else "sourcePath"
        path = inputs.text(name, description_of(request))
        inode = await Utilities(server).stat(path, dereference=inputs.flag("dereference"))
    return _done("stat", inode.model_dump())


@router.get("/file")
async def get_file(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return the type of a file."""
    async with inputs_of(request) as inputs:
        return _done("file", await Utilities(server).file(inputs.text("targetPath", description_of(request))))


@router.get("/checksum")
async def get_checksum(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return the SHA-256 of a file."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
        return _done("checksum", await Utilities(server).checksum(path))


@router.get("/head")
@router.get("/tail")
async def get_head_or_tail(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return the first or last lines or bytes, or all except those."""
    command, description = request.state.command, description_of(request)
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description)
        size, lines = inputs.values.get("bytes"), inputs.values.get("lines")
        if size and lines:
            raise RefusedError.because(description, "Can not specify both 'bytes' and 'lines'")
        for name in ("bytes", "lines"):
            if inputs.values.get(name):
                inputs.text(name, description)
        sign = "-" if command == "head" else "+"
        skips = inputs.flag("skip_ending" if command == "head" else "skip_beginning")
    amount = {"size": size, "lines": lines, "rest": sign if skips else ""}
    return _done(command, await Utilities(server).part(command, path, **amount))


@router.get("/view")
async def get_view(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return the first ten lines of a small file."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
    utilities = Utilities(server)
    if await utilities.size(path) > server.config.max_ops_file_size:
        raise _too_large("Failed to view file content")
    request.state.command = "head"
    return _done("head", await utilities.part("head", path, size=None, lines=None, rest=""))


@router.get("/download")
async def get_download(request: Request, server: UtilitiesServer) -> Response:
    """Return a small file, whose base64 encoding must fit the output limit."""
    async with inputs_of(request) as inputs:
        path = inputs.text("sourcePath", description_of(request))
    utilities = Utilities(server)
    size = await utilities.size(path)
    if size > server.config.max_ops_file_size:
        raise _too_large("Failed to download file")
    request.state.command = "base64"
    content = await utilities.content(path) if size else b""
    headers = {
        "Content-Disposition": f"attachment; {_named(PurePosixPath(path).name)}",
        "Cache-Control": "no-cache",
        "Accept-Ranges": "bytes",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


def _named(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    quoted = plain if re.fullmatch(r"[\w.~-]+", plain) else f'"{plain}"'
    return f"filename={quoted}" + ("" if plain == name else f"; filename*=UTF-8''{quote(name)}")


def _too_large(description: str) -> RefusedError:
    return RefusedError(400, {"description": description}, {"X-Size-Limit": "File exceeds size limit"})


@router.get("/whoami")
async def get_whoami(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Return the user, optionally with all groups."""
    user = server.user
    async with inputs_of(request) as inputs:
        output: Any = user.name
        if inputs.flag("groups"):
            gids = dict.fromkeys([user.gid, *os.getgroups()])
            output = {
                "user": {"name": user.name, "id": str(user.uid)},
                "group": {"name": user.group, "id": str(user.gid)},
                "groups": [{"name": group_name(gid), "id": str(gid)} for gid in gids],
            }
    return JSONResponse({"description": "User information", "output": output})


@router.post("/mkdir")
async def post_mkdir(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Create a directory. The field `p`, with any value, also creates its parents."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
        await Utilities(server).make_directory(path, parents="p" in inputs)
    return _done("mkdir", status=201)


@router.post("/symlink")
async def post_symlink(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Create a symbolic link."""
    async with inputs_of(request) as inputs:
        target = inputs.text("targetPath", description_of(request))
        link = checked(inputs.values.get("linkPath"), "'linkPath' value", "Failed to create symlink")
    await Utilities(server).make_link(target, link)
    return _done("symlink", status=201)


@router.put("/chmod")
async def put_chmod(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Change a file's mode."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
        mode = inputs.text("mode", description_of(request))
    _, output = await Utilities(server).change_mode(path, mode)
    return JSONResponse({"description": "Success to chmod file or directory.", "output": output})


@router.put("/chown")
async def put_chown(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Change a file's owner, its group, or both."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
        owner, group = inputs.values.get("owner", ""), inputs.values.get("group", "")
        if not owner and not group:
            raise RefusedError.because("Error in chown operation", "group or owner must be set")
        checked(owner + group, "group or owner", "Error in chown operation")
    _, output = await Utilities(server).change_owner(path, owner, group)
    return JSONResponse({"description": "Success to chown file or directory.", "output": output})


@router.put("/rename")
async def put_rename(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Move a file or directory."""
    source, target = await _two_paths(request)
    utilities = Utilities(server)
    await utilities.run(*utilities.moving(source, target, "--force"))
    return _done("rename")


@router.post("/copy")
async def post_copy(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Copy a file or directory."""
    source, target = await _two_paths(request)
    utilities = Utilities(server)
    await utilities.run(*await utilities.copying(source, target, *COPY_OPTIONS))
    return _done("copy", status=201)


async def _two_paths(request: Request) -> tuple[str, str]:
    async with inputs_of(request) as inputs:
        target = inputs.text("targetPath", description_of(request))
        return inputs.text("sourcePath", description_of(request)), target


@router.delete("/rm", status_code=204)
async def delete_rm(request: Request, server: UtilitiesServer) -> None:
    """Remove a file, or a directory with its content."""
    async with inputs_of(request) as inputs:
        path = inputs.text("targetPath", description_of(request))
    await Utilities(server).remove(path)


@router.post("/upload")
async def post_upload(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Write a small file into a directory."""
    async with inputs_of(request) as inputs:
        directory = inputs.text("targetPath", description_of(request))
        file = inputs.files.get("file")
        if file is None:
            raise RefusedError.because("Failed to upload file", "No file in query")
        problem = problem_with(file.filename)
        if problem:
            raise RefusedError.because("Failed to upload file", f"Filename {problem}")
        await Utilities(server).write(directory, file.filename, file.file)
    return JSONResponse({"description": "File upload successful", "output": ""}, 201)


@router.post("/compress")
async def post_compress(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Pack a file or directory. After a failure, a partial archive remains."""
    source, target = await _two_paths(request)
    async with inputs_of(request) as inputs:
        dereference = inputs.flag("dereference")
    utilities = Utilities(server)
    await utilities.run(*await utilities.packing(source, target, dereference=dereference))
    return _done("compress", status=201)


@router.post("/extract")
async def post_extract(request: Request, server: UtilitiesServer) -> JSONResponse:
    """Unpack an archive into an existing directory."""
    source, target = await _two_paths(request)
    async with inputs_of(request) as inputs:
        extension = inputs.values.get("type", "auto")
    compression = extraction_of(source, extension, description_of(request))
    await Utilities(server).unpack(source, target, compression)
    return _done("extract", status=201)
