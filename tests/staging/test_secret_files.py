"""Nothing that may hold a secret is sent by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reframe_firecrest.staging.secret_files import reason_to_keep


@pytest.mark.parametrize(
    "path",
    [
        ".ssh/config",
        ".netrc",
        "sub/.env",
        ".git/config",
        "id_rsa",
        "id_ed25519.pub",
        "server.key",
        "keys/CA.PEM",
        "my-credentials.json",
        "passwords.txt",
        "token",
        "API_KEY.txt",
        "client_secret",
    ],
)
def test_names_of_secrets_stay(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("x")
    assert reason_to_keep(str(tmp_path), path, ()) is not None


@pytest.mark.parametrize(
    "path", ["helper/tool.sh", "tokenizer.json", "keys.py", "data.bin", "monkey.txt", "sub"]
)
def test_other_names_go(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("x")
    assert reason_to_keep(str(tmp_path), path, ()) is None


def test_the_directories_above_the_tests_code_do_not_matter(tmp_path: Path) -> None:
    root = tmp_path / ".venv" / "secrets" / "site-packages"
    root.mkdir(parents=True)
    (root / "tool.sh").write_text("x")
    assert reason_to_keep(str(root), "tool.sh", ()) is None
    assert reason_to_keep(str(root), "", ()) is None


def test_a_private_key_stays_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("cert\n-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert reason_to_keep(str(tmp_path), "data.txt", ()) == "it contains a private key"


def test_the_settings_stay_under_any_spelling(tmp_path: Path) -> None:
    (tmp_path / "mysite.py").write_text("x")
    (tmp_path / "link.py").symlink_to("mysite.py")
    private = {os.path.realpath(tmp_path / "mysite.py")}
    assert reason_to_keep(str(tmp_path), "mysite.py", private) == "it belongs to the settings"
    assert reason_to_keep(str(tmp_path), "link.py", private) == "it belongs to the settings"


def test_a_link_is_judged_by_its_target(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "checks", tmp_path / "elsewhere"
    (root / ".hidden").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "data").write_text("x")
    (root / ".hidden" / "data").write_text("x")
    (root / "out").symlink_to(elsewhere)
    (root / "in").symlink_to(".hidden/data")
    assert "a link leads" in str(reason_to_keep(str(root), "out/data", ()))
    assert reason_to_keep(str(root), "in", ()) == "hidden files may hold secrets"


def test_only_files_and_directories_go(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert reason_to_keep(str(tmp_path), "pipe", ()) == "it is neither a file nor a directory"
