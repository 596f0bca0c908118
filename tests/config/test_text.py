import os
import socket
from pathlib import Path

import pytest

from agentctl.config import text
from agentctl.errors import Invalid


def problem_of(path):
    with pytest.raises(Invalid) as caught:
        text.read(path)
    (problem,) = caught.value.problems
    return problem


def test_text_is_read_without_its_byte_order_mark(tmp_path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")

    assert "a = 1\r\n" == text.read(file)


def test_a_missing_file_names_its_neighbour(tmp_path):
    (tmp_path / "policy.toml").touch()
    problem = problem_of(tmp_path / "polcy.toml")

    assert "no such file" == problem.message
    assert 'did you mean "policy.toml"?' == problem.suggestion


def test_a_missing_folder_is_said(tmp_path):
    problem = problem_of(tmp_path / "nowhere" / "polcy.toml")

    assert "there is no folder" in problem.suggestion


def test_a_directory_is_no_file(tmp_path):
    assert "expected a file, found a directory" == problem_of(tmp_path).message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert "expected a file, found a pipe" == problem_of(tmp_path / "pipe").message


def test_a_device_is_refused():
    assert "expected a file, found a device" == problem_of(Path("/dev/zero")).message


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")

        assert "can't be read" in problem_of(tmp_path / "s").message


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "file/below"])
def test_an_impossible_path_is_a_problem(tmp_path, name):
    (tmp_path / "file").touch()

    assert "can't be read" in problem_of(tmp_path / name).message


def test_an_unreadable_file_names_the_way_out(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    problem = problem_of(tmp_path / "a.toml")

    assert "permission denied" == problem.message
    assert problem.suggestion.startswith("chmod u+r ")


def test_fifty_megabytes_are_not_read(tmp_path):
    file = tmp_path / "big.toml"
    with file.open("wb") as big:
        big.truncate(50_000_000)

    assert "too large: 50.0 MB; the limit is 1 MB" == problem_of(file).message


def test_what_is_not_utf_8_is_told_where(tmp_path):
    file = tmp_path / "latin.toml"
    file.write_bytes(b"a = 1\nwo = 'Zo\xeb'\n")
    problem = problem_of(file)

    assert (2, 9) == (problem.line, problem.column)
    assert "expected UTF-8 text, found the byte 0xeb at offset 14" == problem.message


def test_utf_16_is_named(tmp_path):
    file = tmp_path / "wide.toml"
    file.write_text("a = 1", encoding="utf-16")

    assert "expected UTF-8 text, found UTF-16" == problem_of(file).message


def test_a_nul_byte_is_told_where(tmp_path):
    file = tmp_path / "nul.toml"
    file.write_bytes(b"a = 1\nb\0 = 2\n")
    problem = problem_of(file)

    assert (2, 2) == (problem.line, problem.column)
    assert "NUL" in problem.message


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_descriptors_are_closed_again(tmp_path):
    before = open_descriptors()
    for _ in range(20):
        problem_of(tmp_path)

    assert before == open_descriptors()
