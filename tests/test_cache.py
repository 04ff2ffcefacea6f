"""Files in the user's cache folder: none of them is needed, and none of them is waited for."""

from __future__ import annotations

import os
import sys

import pytest

from convcalc.cache import MOST_BYTES, cache_path, read_cache, write_cache


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "convcalc"


def test_what_is_written_is_read_and_nothing_is_left_beside_it(folder):
    write_cache("a.json", b"[1]")
    write_cache("a.json", b"[2]")
    assert read_cache("a.json") == b"[2]"
    assert [path.name for path in folder.iterdir()] == ["a.json"]


def test_a_missing_file_is_empty():
    assert read_cache("a.json") == b""


def test_no_more_than_a_bound_is_read(folder):
    folder.mkdir()
    (folder / "a.json").write_bytes(b"1" * (MOST_BYTES + 5))
    assert len(read_cache("a.json")) == MOST_BYTES


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "convcalc").write_text("a file")
    write_cache("a.json", b"[1]")
    assert read_cache("a.json") == b""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_neither_read_nor_written(folder):
    folder.mkdir()
    os.mkfifo(folder / "a.json")
    write_cache("a.json", b"[1]")
    assert read_cache("a.json") == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows names another folder")
@pytest.mark.parametrize("named", ["", "relative/folder"])
def test_the_folder_of_the_home_is_used_where_the_variable_names_none(named, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    monkeypatch.setenv("HOME", str(tmp_path))
    caches = tmp_path / "Library" / "Caches" if sys.platform == "darwin" else tmp_path / ".cache"
    assert cache_path("a.json") == str(caches / "convcalc" / "a.json")


@pytest.mark.skipif(os.name == "nt", reason="Windows names another folder")
def test_without_a_home_nothing_is_written_where_the_command_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.chdir(tmp_path)
    write_cache("a.json", b"[1]")
    assert list(tmp_path.iterdir()) == []
