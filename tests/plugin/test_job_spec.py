"""Specification of a job, as far as it is read from the job's script."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reframe_firecrest.plugin.job_spec import job_spec
from tests.gateway.helpers import make_settings


@pytest.mark.parametrize(
    ("directive", "account"),
    [
        ("#SBATCH --account=staff", "staff"),
        ("#SBATCH -A staff", "staff"),
        ("#SBATCH --ntasks=1", None),
        ("#SBATCH --account=", None),
    ],
)
def test_transfers_are_charged_to_the_account_of_the_test(
    tmp_path: Path, directive: str, account: str | None
) -> None:
    assert account_for(tmp_path, f"#!/bin/bash\n{directive}\ntrue\n") == account


def test_the_settings_come_first(tmp_path: Path) -> None:
    script = "#!/bin/bash\n#SBATCH -A staff\n"
    assert account_for(tmp_path, script, account="users") == "users"


def test_an_unreadable_script_is_left_to_staging(tmp_path: Path) -> None:
    assert account_for(tmp_path, None) is None


def account_for(directory: Path, script: str | None, **settings: object) -> str | None:
    if script is not None:
        (directory / "job.sh").write_text(script)
    job: dict[str, Any] = dict.fromkeys(("retrieve", "exclude"))
    job |= dict.fromkeys(("max_file_size", "max_total_size", "max_files"))
    job |= {"name": "rfm_a", "workdir": str(directory), "script_filename": "job.sh", "is_array": False}
    job |= {"stdout": "job.out", "stderr": "job.err"}
    spec = job_spec(
        cast(Any, SimpleNamespace(**job)), make_settings(**settings), assumed_cpus=None, resubmit_on=()
    )
    return spec.transfer_account
