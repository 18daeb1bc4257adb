"""Features of ReFrame that public suites use, remotely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.e2e.conftest import SUITE, ReFrame
from tests.e2e.test_suites import passed

pytestmark = pytest.mark.e2e

HELLO = str(PROJECT / "checks/hello.py")


def test_builds_are_remote_unless_a_test_sets_otherwise(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "builds.py")])
    expected = ["BuiltHereOnRequest", "BuiltThereByDefault", "BuiltWithMake", "OnlyBuilt"]
    assert passed(outcome) == expected, outcome.output


def test_local_paths_mean_the_same_there(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "paths.py")])
    assert len(passed(outcome)) == len(outcome.cases()) == 6, outcome.output


def test_slurm_does_for_a_test_what_it_does_on_a_login_node(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "slurm.py")])
    cases = outcome.cases()
    assert passed(outcome) == [
        "ArrayWithAFailingTask",
        "ExpandedOnTheNode",
        "Flexible",
        "LeftOnTheSystem",
    ], outcome.output
    assert outcome.orphaned_jobs == []
    reason = cases["ReadsWhatWasLeft"]["fail_reason"]
    assert "left on the system" in reason
    assert "'exclude' pattern" in reason


def test_a_restored_session_finds_the_parents_results(reframe: ReFrame) -> None:
    suite = str(SUITE / "paths.py")
    first = reframe.run([suite], "-n", "Elder", "--keep-stage-files")
    assert passed(first) == ["Elder"], first.output
    kept = reframe.directory / "kept.json"
    (reframe.directory / "report.json").rename(kept)
    second = reframe.run([suite], "-n", "Child", f"--restore-session={kept}")
    assert passed(second) == ["Child"], second.output


def test_a_failing_test_is_tried_again(reframe: ReFrame) -> None:
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^WrongOutput", "--max-retries=1")
    assert [len(run["testcases"]) for run in outcome.report["runs"]] == [1, 1]
    assert outcome.code == 1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--repeat=2"], 2),
        (["--distribute=all"], 4),
        (["-J", "comment=x", "--timestamp=run", "-S", "num_nodes=2"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_make_or_change_tests(reframe: ReFrame, options: list[str], count: int) -> None:
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", *options)
    assert outcome.code == 0, outcome.output
    # A distributed test is pinned to each node in turn; a reserved node is left out.
    assert count - 1 <= len(outcome.cases()) <= count
    assert outcome.orphaned_jobs == []


def test_reports_of_every_kind_are_written(reframe: ReFrame) -> None:
    junit = reframe.directory / "junit.xml"
    outcome = reframe.run([HELLO], f"--report-junit={junit}", "--performance-report", "--exec-policy=serial")
    assert outcome.code == 0, outcome.output
    assert 'failures="0"' in junit.read_text()
    case = outcome.cases()["HelloNodes"]
    assert case["job_nodelist"]
    assert case["job_completion_time_unix"] >= case["job_submit_time"] - 60


def test_a_dry_run_and_a_list_need_no_gateway(reframe: ReFrame, tmp_path: Path) -> None:
    nowhere = {"FIRECREST_URL": "", "FIRECREST_CLIENT_SECRET": ""}
    outcome = reframe.run([HELLO], "--dry-run", environment=nowhere, timeout=60)
    assert outcome.code == 0, outcome.output
    assert "srun" in next(tmp_path.rglob("rfm_job.sh")).read_text()


def test_the_name_that_other_suites_know(reframe: ReFrame, tmp_path: Path) -> None:
    config = tmp_path / "settings.py"
    text = (PROJECT / "config/sandbox.py").read_text()
    config.write_text(
        text.replace("import reframe_firecrest ", "import reframe_firecrest.compat ").replace(
            '"firecrest-scheduler"', '"firecrest-slurm"'
        )
    )
    outcome = reframe.run([str(SUITE / "verdicts.py")], "-n", "^Good", config=config)
    assert passed(outcome) == ["Good"], outcome.output


def test_a_mapped_directory_is_sent_when_a_script_names_it(reframe: ReFrame, tmp_path: Path) -> None:
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "table.txt").write_text("from the resources\n")
    check = tmp_path / "check.py"
    check.write_text(
        "import reframe as rfm\n"
        "import reframe.utility.sanity as sn\n\n\n"
        "@rfm.simple_test\n"
        "class Resources(rfm.RunOnlyRegressionTest):\n"
        "    valid_systems = ['*']\n"
        "    valid_prog_environs = ['*']\n"
        f"    executable = 'cat {resources}/table.txt'\n\n"
        "    @sanity_function\n"
        "    def validate(self):\n"
        "        return sn.assert_found('from the resources', self.stdout)\n"
    )
    config = tmp_path / "settings.py"
    option = json.dumps({"firecrest": {"path_map": {str(resources): None}}}).replace("null", "None")
    text = (PROJECT / "config/sandbox.py").read_text()
    config.write_text(text.replace('"max_jobs": 8', f'"max_jobs": 8, "sched_options": {option}'))
    outcome = reframe.run([str(check)], config=config)
    assert passed(outcome) == ["Resources"], outcome.output


def test_a_file_beside_a_check_is_reported_or_sent(reframe: ReFrame, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    (suite / "helper").mkdir(parents=True)
    (suite / "helper" / "tool.sh").write_text("echo $0; cat $1\n")
    (suite / "table.txt").write_text("from the suite\n")
    check = suite / "check.py"
    check.write_text(
        "import reframe as rfm\n"
        "import reframe.utility.sanity as sn\n\n\n"
        "@rfm.simple_test\n"
        "class Beside(rfm.RunOnlyRegressionTest):\n"
        "    valid_systems = ['%scheduler=slurm']\n"
        "    valid_prog_environs = ['*']\n\n"
        "    @run_before('run')\n"
        "    def name_files(self):\n"
        "        self.executable = f'bash {self.prefix}/helper/tool.sh {self.prefix}/table.txt'\n\n"
        "    @sanity_function\n"
        "    def validate(self):\n"
        "        return sn.assert_found(r'/_outside/.*/helper/tool.sh\\nfrom the suite', self.stdout)\n"
    )
    missing = reframe.run([str(check)])
    assert passed(missing) == []
    for name in ("helper/tool.sh", "table.txt"):
        assert missing.output.count(f"not sent to the system: {suite}/{name}, which") == 1, missing.output
    config = tmp_path / "settings.py"
    text = (PROJECT / "config/sandbox.py").read_text()
    option = '"max_jobs": 8, "sched_options": {"firecrest": {"path_map": "auto"}}'
    config.write_text(text.replace('"max_jobs": 8', option))
    outcome = reframe.run([str(check)], config=config)
    assert passed(outcome) == ["Beside"], outcome.output
    assert [case["scheduler"] for case in outcome.cases().values()] == ["slurm"]
