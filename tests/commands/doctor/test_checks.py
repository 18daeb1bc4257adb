"""Findings of each check, with a gateway in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reframe_firecrest.commands.doctor import files, timing
from reframe_firecrest.commands.doctor.access import check_gateway, check_settings, check_token
from reframe_firecrest.commands.doctor.files import check_base_directory, check_storage, check_transfer
from reframe_firecrest.commands.doctor.findings import Status, green
from reframe_firecrest.commands.doctor.system import check_account, check_limits, check_services, check_system
from reframe_firecrest.commands.doctor.timing import check_clock, check_latency
from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.errors import FinalError, ForbiddenError, RejectedError, TransientError
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth
from reframe_firecrest.model.limitations import NO_ACCOUNT, PLACES_OF_ACCOUNT
from reframe_firecrest.model.system import AccountInfo
from tests.commands.doctor.cases import Patient, for_ever
from tests.gateway.helpers import SECRET
from tests.session.fakes import END, HEALTH

DEMANDING = Capabilities(transfer_directives=("#SBATCH --account={account}",))


class TestAccess:
    @pytest.mark.parametrize("key", ["url", "token_url"])
    def test_secrets_in_clear_text_are_reported(self, patient: Patient, key: str) -> None:
        patient.settings |= {"url": "https://gateway.test", "token_url": "https://idp.test/token"}
        assert patient.check(check_settings).status is Status.GREEN
        patient.settings[key] = "http://far.test"
        found = patient.check(check_settings)
        assert (found.status, "http://far.test" in found.detail) == (Status.YELLOW, True)
        assert SECRET not in found.detail

    def test_on_this_machine_clear_text_is_fine(self, patient: Patient) -> None:
        patient.settings |= {"url": "http://127.0.0.1:8000", "token_url": "http://[::1]:1/token"}
        assert patient.check(check_settings).status is Status.GREEN

    @pytest.mark.parametrize(
        ("lifetime", "status", "words"),
        [
            (300.0, Status.GREEN, "5 min"),
            (None, Status.GREEN, "API key"),
            (45.0, Status.YELLOW, "only 45 s"),
        ],
    )
    def test_a_token_reports_its_lifetime(
        self, patient: Patient, lifetime: float | None, status: Status, words: str
    ) -> None:
        patient.gateway.token_lifetime = lifetime
        found = patient.check(check_token)
        assert found.status is status
        assert words in found.detail

    @pytest.mark.parametrize(
        ("version", "status", "words"),
        [
            ("2.5.6", Status.GREEN, "FirecREST 2.5.6"),
            (None, Status.GREEN, "unknown version"),
            ("3.0", Status.YELLOW, "3.0"),
        ],
    )
    def test_the_gateway_reports_its_version(
        self, patient: Patient, version: str | None, status: Status, words: str
    ) -> None:
        async def look() -> GatewayStatus:
            return GatewayStatus(version, {}, END, 0.1)

        patient.gateway.status = look  # type: ignore[method-assign] # a fake of a fake
        found = patient.check(check_gateway)
        assert found.status is status
        assert words in found.detail


class TestSystem:
    def test_versions_of_slurm_are_written_as_slurm_does(self, patient: Patient) -> None:
        patient.gateway.version = (22, 5, 8)
        assert patient.check(check_system).detail == "'fake', scheduler version 22.05.8"
        patient.gateway.version = None
        assert patient.check(check_system).detail == "'fake', scheduler version unknown"

    def test_healthy_services_are_named(self, patient: Patient) -> None:
        found = patient.check(check_services)
        assert (found.status, found.detail) == (Status.GREEN, "healthy: scheduler, ssh, filesystem /, s3")

    @pytest.mark.parametrize(
        ("service", "status"),
        [
            (ServiceHealth("ssh", healthy=False, message="refused"), Status.RED),
            (ServiceHealth("scheduler", healthy=False, message="refused"), Status.RED),
            (ServiceHealth("filesystem", healthy=False, path="/base", message="refused"), Status.RED),
            (ServiceHealth("filesystem", healthy=False, path="/", message="refused"), Status.RED),
            (ServiceHealth("filesystem", healthy=False, path="/bas", message="refused"), Status.YELLOW),
            (ServiceHealth("s3", healthy=False, message="refused"), Status.YELLOW),
            (ServiceHealth("exception", healthy=False, message="refused"), Status.YELLOW),
        ],
    )
    def test_an_ill_service_is_as_bad_as_what_it_is_needed_for(
        self, patient: Patient, service: ServiceHealth, status: Status
    ) -> None:
        patient.settings["basedir"] = "/base"
        patient.gateway.health = replace(HEALTH, services=[*HEALTH.services, service])
        found = patient.check(check_services)
        assert found.status is status
        assert "refused" in found.detail
        assert "interval of its checks is 1 min" in found.remedy

    def test_a_health_check_that_stands_still_is_reported(self, patient: Patient) -> None:
        patient.gateway.health = replace(HEALTH, checked=END - 181)
        assert patient.check(check_services).status is Status.YELLOW
        # By the gateway's own clock, it was just now.
        patient.gateway.clock_ahead = -180
        assert patient.check(check_services).status is Status.GREEN

    def test_a_gateway_that_looks_at_nothing_is_fine(self, patient: Patient) -> None:
        patient.gateway.health = SystemHealth()
        assert patient.check(check_services).detail == "the gateway reports no health checks"

    @pytest.mark.parametrize(
        ("accounts", "wanted", "status", "words"),
        [
            ([AccountInfo("a"), AccountInfo("b", default=True)], None, Status.GREEN, "default, 'b'"),
            ([AccountInfo("a"), AccountInfo("b", default=True)], "a", Status.GREEN, "'a'"),
            ([AccountInfo("a"), AccountInfo("b", default=True)], "c", Status.RED, "'c' is not yours"),
            ([AccountInfo("a")], None, Status.YELLOW, "a"),
            ([], "c", Status.GREEN, "reports no accounts"),
        ],
    )
    def test_jobs_need_an_account(
        self, patient: Patient, accounts: Any, wanted: str | None, status: Status, words: str
    ) -> None:
        async def ask() -> list[AccountInfo]:
            return list(accounts)

        patient.gateway.accounts = ask  # type: ignore[method-assign] # a fake of a fake
        patient.settings["account"] = wanted
        found = patient.check(check_account)
        assert found.status is status
        assert words in found.detail
        assert ("FIRECREST_ACCOUNT" in found.remedy) is (status is not Status.GREEN)

    def test_transfer_jobs_without_an_account_are_yellow(self, patient: Patient) -> None:
        patient.gateway.capabilities = DEMANDING
        found = patient.check(check_account)
        assert (found.status, found.detail) == (Status.YELLOW, NO_ACCOUNT)
        assert found.remedy == PLACES_OF_ACCOUNT

    @pytest.mark.parametrize(
        "option", ["-A staff", "-Astaff", "--account=staff", "--account staff", "#SBATCH -A staff"]
    )
    def test_the_account_of_the_access_options_is_charged(self, patient: Patient, option: str) -> None:
        patient.gateway.capabilities = DEMANDING
        patient.partitions = {"daint:cpu": [], "daint:gpu": ["-p normal", option]}
        assert patient.check(check_account).status is Status.GREEN
        assert patient.gateway.charged == ["staff"]

    @pytest.mark.parametrize(
        ("partitions", "origins", "remedy"),
        [
            ({"": ()}, {"account": "environment variable FIRECREST_ACCOUNT"}, "set FIRECREST_ACCOUNT to"),
            ({"a:b": ()}, {"account": "partition 'b'"}, "set 'account' in partition 'b' to"),
            ({"a:a": (), "a:b": ("-A nosuch",)}, {}, "set --account in the access options of a:b to"),
        ],
    )
    def test_a_wrong_account_is_refused_with_the_place_that_names_it(
        self, patient: Patient, partitions: Any, origins: Mapping[str, str], remedy: str
    ) -> None:
        patient.settings["account"] = "nosuch" if origins else None
        patient.partitions, patient.origins = partitions, origins
        found = patient.check(check_account)
        assert (found.status, found.remedy) == (Status.RED, f"{remedy} one of them")

    def test_the_account_of_the_access_options_needs_no_default(self, patient: Patient) -> None:
        async def ask() -> list[AccountInfo]:
            return [AccountInfo("staff")]

        patient.gateway.accounts = ask  # type: ignore[method-assign] # a fake of a fake
        patient.partitions = {"daint:gpu": ["--account=staff"]}
        assert patient.check(check_account) == green(
            "'staff', from --account in the access options of daint:gpu"
        )

    def test_scripts_whose_directives_are_ignored_are_yellow(self, patient: Patient) -> None:
        patient.gateway.capabilities = Capabilities(connection_mode=ConnectionMode.REST)
        found = patient.check(check_system)
        assert found.status is Status.YELLOW
        assert "#SBATCH" in found.detail
        assert "ask the site for connection_mode: hybrid or ssh" in found.remedy

    @pytest.mark.parametrize(
        ("reported", "gateway", "words"),
        [
            (
                5 << 20,
                (256 << 20, TransferMethod.S3),
                "one request takes 5.2 MB; inputs of up to 268.4 MB travel in parts, larger files by S3",
            ),
            (5 << 20, (0, TransferMethod.S3), "one request takes 5.2 MB; larger files travel by S3"),
            (
                5 << 20,
                (1 << 30, TransferMethod.NONE),
                "inputs of up to 1.1 GB travel in parts; a job splits larger outputs",
            ),
            (None, (256 << 20, TransferMethod.S3), "the gateway reports no limit"),
            (100_000, (256 << 20, TransferMethod.S3), "inputs of up to 6.4 MB travel in parts"),
        ],
    )
    def test_limits_are_shown_with_the_way_of_larger_files(
        self, patient: Patient, reported: int | None, gateway: tuple[int, TransferMethod], words: str
    ) -> None:
        patient.settings["direct_upload_max"], transfer = gateway
        patient.gateway.health = replace(HEALTH, max_direct_upload=reported)
        patient.gateway.capabilities = Capabilities(transfer=transfer)
        patient.gateway.max_direct_upload = reported or 5 << 20
        found = patient.check(check_limits)
        assert found.status is (Status.YELLOW if reported == 100_000 else Status.GREEN)
        assert words in found.detail


class TestTiming:
    def looks(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch, seconds: list[float], date: float | None
    ) -> None:
        """Set the duration of queries and the offset of the gateway's clock."""
        left = list(seconds)

        async def look() -> GatewayStatus:
            took = left.pop(0) if left else 0.01
            when = END + len(left) * 0.35
            return GatewayStatus(
                "2", {}, when, took, None if date is None else float(int(when + took / 2 + date))
            )

        monkeypatch.setattr(patient.gateway, "status", look)

    def test_the_median_of_ten_counts(self, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks(patient, monkeypatch, [0.1, *[0.1] * 6, *[9.0] * 4], None)
        found = patient.check(check_latency)
        assert (found.status, found.detail) == (Status.GREEN, "100 ms, the median of 10 (100 to 9000 ms)")

    def test_a_slow_gateway_is_yellow(self, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks(patient, monkeypatch, [0.1, *[0.1] * 4, *[0.5] * 6], None)
        assert patient.check(check_latency).status is Status.YELLOW

    @pytest.mark.parametrize(
        ("skew", "status", "words"),
        [
            (0.0, Status.GREEN, "within 2 s"),
            (8.0, Status.GREEN, "8 s behind"),
            (-60.0, Status.YELLOW, "1 min ahead of"),
            (60.0, Status.YELLOW, "1 min behind"),
            (-3600.0, Status.RED, "1 h ahead of"),
        ],
    )
    def test_the_clock(
        self,
        patient: Patient,
        monkeypatch: pytest.MonkeyPatch,
        skew: float,
        status: Status,
        words: str,
    ) -> None:
        self.looks(patient, monkeypatch, [0.01] * 11, skew)
        found = patient.check(check_latency, check_clock)
        assert found.status is status
        assert words in found.detail

    def test_many_queries_give_the_skew_more_precisely_than_one(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Dates are truncated, and a slow answer is imprecise: alone, the first would mean 4.5 s.
        self.looks(patient, monkeypatch, [10.0, *[0.01] * timing.SAMPLES], 0.0)
        assert patient.check(check_latency, check_clock).status is Status.GREEN

    def test_a_gateway_without_dates_reports_no_skew(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.looks(patient, monkeypatch, [0.01] * 11, None)
        assert patient.check(check_clock).status is Status.SKIPPED


class TestFiles:
    def test_a_file_is_written_and_nothing_is_left(self, patient: Patient) -> None:
        found = patient.check(check_base_directory)
        assert found.status is Status.GREEN
        assert "is writable" in found.detail
        assert patient.gateway.calls["upload"] == patient.gateway.calls["download"] == 1
        assert patient.left() == []

    def test_a_base_directory_that_is_missing_is_not_made(self, patient: Patient) -> None:
        patient.settings["basedir"] = str(patient.basedir / "a" / "b")
        found = patient.check(check_base_directory)
        assert found.status is Status.GREEN
        assert f"does not exist yet, but can be created: {patient.basedir} is writable" in found.detail
        assert patient.left() == []

    def test_a_full_disk_shows_by_its_error_and_the_directory_goes(self, patient: Patient) -> None:
        patient.gateway.failures["upload"] = [RejectedError("Disk quota exceeded")]
        found = patient.check(check_base_directory)
        assert (found.status, found.detail) == (Status.RED, "Disk quota exceeded")
        assert "file systems: /" in found.remedy
        assert patient.left() == []

    def test_what_went_wrong_first_is_reported(self, patient: Patient) -> None:
        patient.gateway.failures = {
            "make_directory": [ForbiddenError("Permission denied")],
            "remove": [FinalError("no such directory")],
        }
        with pytest.raises(ForbiddenError, match="Permission denied"):
            patient.check(check_base_directory)

    def test_what_could_not_be_removed_is_named(self, patient: Patient) -> None:
        patient.gateway.failures["remove"] = [TransientError("busy")]
        with pytest.raises(FinalError, match=r"base/\.reframe-firecrest-doctor-\w+ is left.*: busy"):
            patient.check(check_base_directory)

    def test_other_content_is_red(self, patient: Patient) -> None:
        patient.gateway.damaged = 1
        assert "different content" in patient.check(check_base_directory).detail

    @pytest.mark.parametrize(
        ("url", "answer", "status", "words"),
        [
            ("https://s3.test", 403, Status.GREEN, "https://s3.test can be reached"),
            ("https://s3.test", 503, Status.YELLOW, "HTTP 503"),
            (None, 200, Status.SKIPPED, "--transfer checks it"),
        ],
        ids=["reachable", "unavailable", "not-reported"],
    )
    def test_storage(
        self, patient: Patient, url: str | None, answer: int, status: Status, words: str
    ) -> None:
        patient.gateway.capabilities = Capabilities(storage_url=url)
        patient.gateway.storage_status = answer
        found = patient.check(check_storage)
        assert found.status is status
        assert words in found.detail
        assert patient.gateway.calls["upload"] == 0

    @pytest.mark.parametrize(
        ("reported", "words"),
        [("streamer", "'streamer'"), ("wormhole", "'wormhole'"), ("none", "no transfer method")],
    )
    def test_a_gateway_without_s3_is_yellow(self, patient: Patient, reported: str, words: str) -> None:
        patient.gateway.capabilities = Capabilities(TransferMethod.NONE, reported)
        found = patient.check(check_storage)
        assert (found.status, "ask the site for S3" in found.remedy) == (Status.YELLOW, True)
        assert words in found.detail
        assert patient.gateway.calls["reach"] == 0

    def test_nothing_is_transferred_without_s3(self, patient: Patient) -> None:
        patient.gateway.capabilities = Capabilities(TransferMethod.NONE, "none")
        assert patient.check(check_transfer).status is Status.SKIPPED
        assert patient.gateway.calls["upload"] == 0

    def test_a_transfer_moves_more_than_fits_through_the_gateway(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hints = []
        download = patient.gateway.download

        async def note(remote: str, local: Any, *, size_hint: int) -> None:
            hints.append(size_hint)
            await download(remote, local, size_hint=size_hint)

        monkeypatch.setattr(patient.gateway, "download", note)
        monkeypatch.setattr(files, "BLOCK", 1000)
        found = patient.check(check_transfer)
        assert (found.status, found.detail) == (Status.GREEN, "1.0 MB transferred by S3 in both directions")
        assert hints[0] > 2 * patient.gateway.max_direct_upload
        assert patient.left() == []

    def test_a_transfer_that_is_damaged_is_red(self, patient: Patient) -> None:
        patient.gateway.damaged = 1
        assert "different content" in patient.check(check_transfer).detail

    def test_a_transfer_that_waits_for_ever_is_given_up(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def upload(_local: object, remote: str) -> str:
            await for_ever("7")
            return remote

        monkeypatch.setattr(patient.gateway, "upload", upload)
        patient.timeout = 0.01
        found = patient.check(check_transfer)
        assert (found.status, "--timeout" in found.remedy) == (Status.YELLOW, True)
        assert patient.left() == []
