"""`reframe-firecrest child-pipeline`: make a child pipeline for GitLab."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
import yaml

from reframe_firecrest.cli.exit_codes import fail
from reframe_firecrest.commands.child_pipeline import pipeline
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import FirecrestError


def child_pipeline(
    generated: Annotated[
        Path, typer.Argument(help="Pipeline that ReFrame wrote with --ci-generate.", metavar="PIPELINE.yml")
    ],
    *,
    system: Annotated[str, typer.Option(help="Name of the system in the settings file.")],
    output: Annotated[
        Path | None, typer.Option(help="Output file; standard output by default.", metavar="FILE.yml")
    ] = None,
    setup_job: Annotated[
        str, typer.Option(help="Job of the parent pipeline whose artifacts have the packages.")
    ] = "reframe-setup",
    image: Annotated[str, typer.Option(help="Container image of the jobs.")] = "",
    tags: Annotated[
        str, typer.Option(help="Tags of the runners, as a JSON list of texts.", metavar="JSON")
    ] = "[]",
    timeout: Annotated[
        str, typer.Option(help="Time after which ReFrame stops, as for timeout(1), such as 10h.")
    ] = "",
    max_retries: Annotated[int, typer.Option(help="ReFrame's --max-retries.", min=0)] = 0,
) -> None:
    """Make a child pipeline for GitLab with one job for each test.

    ReFrame generates a pipeline whose jobs know nothing of packages, credentials
    and cleanup, and share a directory. This command turns it into a pipeline
    of isolated jobs: each has its own environment, prefix, journal and reports,
    and publishes its results. The pipeline of this package uses it:

        reframe -C mysite.py -c checks --ci-generate=reframe.yml
        reframe-firecrest child-pipeline reframe.yml --system mysite --output children.yml

    Run both in the directory of the project's clone. Tests that others depend on
    become no jobs of their own; they run with each of those.
    """
    runner = pipeline.Runner(image, _tags(tags))
    options = (f"--max-retries={max_retries}",)
    template = pipeline.JobTemplate(system, setup_job, runner, timeout, options)
    try:
        children = pipeline.child_pipeline(_read(generated), template, PurePosixPath(Path.cwd()))
    except FirecrestError as error:
        fail("child-pipeline", f"{generated}: {error}")
    text = yaml.safe_dump(children, sort_keys=False, width=1000)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        atomic_write(output, text)
    except OSError as error:
        fail("child-pipeline", f"{output} can't be written: {error.strerror or error}")
    jobs = sum("script" in job for job in children.values() if isinstance(job, dict))
    typer.echo(f"{output}: {jobs} job{'s' if jobs != 1 else ''}")


def _tags(text: str) -> list[str]:
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        fail("child-pipeline", f'--tags is not a JSON list of texts, such as ["docker"]: {text}')
    return tags


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_bytes())
    except OSError as error:
        fail("child-pipeline", f"{path} can't be read: {error.strerror or error}")
    except yaml.YAMLError:
        fail("child-pipeline", f"{path} is not YAML; name the file of ReFrame's --ci-generate")
