"""Following files: over rotation, restarts, torn lines and replacement, each line once and in order."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers import log_tail
from analyzers.log_tail import CsvTail, LogTail
from feeds.log_file import LogFile


def line(number: int) -> str:
    return json.dumps({"number": number})


def numbers(tail: LogTail) -> list[int]:
    return [record["number"] for record in tail.read()]


def append(path, *lines, end="\n"):
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{text}{end}" for text in lines))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "live.log"


@pytest.fixture
def log_file(path):
    """Three lines a file, three files."""
    file = LogFile(path, max_bytes=3 * 15, files=3, on_failure=lambda _: None, lost_line=str)
    yield file
    file.close()


def test_each_line_is_read_once(path):
    tail = LogTail(path)
    assert numbers(tail) == []  # there is no file yet
    append(path, line(1), line(2))
    assert numbers(tail) == [1, 2]
    assert numbers(tail) == []
    append(path, line(3))
    assert numbers(tail) == [3]


def test_a_line_is_read_when_it_is_whole(path):
    tail = LogTail(path)
    append(path, line(1), line(2)[:5], end="")
    assert tail.read() == []
    append(path, "\n", end="")
    assert tail.read() == []  # the two made no record together
    append(path, line(3)[:4], end="")
    assert tail.read() == []
    append(path, line(3)[4:])
    assert numbers(tail) == [3]


@pytest.mark.parametrize("torn", ["", "{", "[1]", "3", "null", '"text"', '{"number": 2', "\0\0", "\ufeff"])
def test_what_is_no_record_is_left_out(path, torn):
    append(path, line(1), torn, line(3))
    assert numbers(LogTail(path)) == [1, 3]


def test_bytes_that_are_no_text_are_left_out(path):
    path.write_bytes(b"\xff\xfe{\n" + line(2).encode() + b"\n")
    assert numbers(LogTail(path)) == [2]


def test_rotation_loses_and_repeats_nothing(path, log_file):
    tail = LogTail(path)
    read = []
    for number in range(10, 30):
        log_file.write(line(number))
        if number % 2:
            read += numbers(tail)
    assert read == list(range(10, 30))


def test_two_rotations_between_two_reads(path, log_file):
    tail = LogTail(path)
    log_file.write(line(10))
    assert numbers(tail) == [10]
    for number in range(11, 18):
        log_file.write(line(number))
    assert numbers(tail) == list(range(11, 18))


def test_what_was_cut_off_before_it_was_read_is_lost_and_nothing_else(path, log_file):
    tail = LogTail(path)
    log_file.write(line(10))
    assert numbers(tail) == [10]
    for number in range(11, 29):
        log_file.write(line(number))
    assert numbers(tail) == list(range(22, 29))  # three files are kept: 22-24, 25-27, 28


def test_a_new_tail_begins_with_the_oldest_line_kept(path, log_file):
    for number in range(10, 18):
        log_file.write(line(number))
    assert numbers(LogTail(path)) == list(range(10, 18))


def test_files_with_two_digits_are_in_order(path):
    for number in range(12, 0, -1):
        append(path.with_name(f"live.log.{number}"), line(12 - number))
    append(path, line(12))
    append(path.with_name("live.log.bak"), line(99))
    assert numbers(LogTail(path)) == list(range(13))


def test_at_end_reads_only_what_is_new(path, log_file):
    for number in range(10, 15):
        log_file.write(line(number))
    tail = LogTail.at_end(path)
    log_file.write(line(15))
    assert numbers(tail) == [15]
    absent = LogTail.at_end(path.with_name("other.log"))
    append(absent.path, line(1))
    assert numbers(absent) == [1]


def test_a_position_goes_through_json_and_goes_on(path, log_file):
    tail = LogTail(path)
    log_file.write(line(10))
    assert numbers(tail) == [10]
    kept = json.loads(json.dumps(tail.position))
    for number in range(11, 16):
        log_file.write(line(number))
    assert numbers(LogTail(path, position=kept)) == list(range(11, 16))


@pytest.mark.parametrize("wrong", [{}, {"inode": "x"}, {"inode": 1, "offset": None}, {"inode": 1}])
def test_a_position_that_is_none_of_ours_is_the_beginning(path, wrong):
    append(path, line(1))
    assert numbers(LogTail(path, position=wrong)) == [1]


def test_a_replaced_file_is_read_from_its_beginning(path):
    append(path, line(1), line(2))
    tail = LogTail(path)
    assert numbers(tail) == [1, 2]
    other = path.with_name("other")
    append(other, line(3))
    other.replace(path)
    assert numbers(tail) == [3]


def test_a_file_written_anew_in_place_is_read_from_its_beginning(path):
    append(path, line(1), line(2))
    tail = LogTail(path)
    assert numbers(tail) == [1, 2]
    path.write_text(f"{line(3)}\n", encoding="utf-8")
    assert numbers(tail) == [3]
    path.write_text("".join(f"{line(number)}\n" for number in range(4, 9)), encoding="utf-8")
    assert numbers(tail) == [4, 5, 6, 7, 8]


def test_only_the_newest_file_is_read_again_when_it_alone_was_replaced(path, log_file):
    for number in range(10, 18):
        log_file.write(line(number))
    tail = LogTail(path)
    assert numbers(tail) == list(range(10, 18))
    for number in (20, 21):  # twice: what is older is remembered after the first loss too
        other = path.with_name("other")
        append(other, line(number))
        other.replace(path)
        assert numbers(tail) == [number]


def test_a_line_longer_than_any_of_ours_is_left_behind(path, monkeypatch):
    monkeypatch.setattr(log_tail, "_CHUNK_BYTES", 64)
    append(path, line(1), "x" * 200, line(2), line(3))
    assert numbers(LogTail(path)) == [1, 2, 3]


def test_no_file_stays_open(path, log_file):
    for number in range(10, 18):
        log_file.write(line(number))
    tail = LogTail(path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    tail.read()
    log_file.write(line(18))
    tail.read()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(["write", "write", "read", "restart"]), max_size=60))
def test_whatever_the_order_of_writing_reading_and_restarting(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("tail") / "live.log"
    file = LogFile(path, max_bytes=40, files=100, on_failure=lambda _: None, lost_line=str)
    tail, written, read = LogTail(path), 0, []
    for step in [*steps, "read"]:
        if step == "write":
            file.write(line(written))
            written += 1
        elif step == "read":
            read += numbers(tail)
        else:
            tail = LogTail(path, position=json.loads(json.dumps(tail.position)))
    file.close()
    assert read == list(range(written))


# -- CSV ---------------------------------------------------------------------------------------------------


def test_rows_come_by_column_and_once(tmp_path):
    path = tmp_path / "bars.csv"
    tail = CsvTail(path)
    assert tail.read() == []
    append(path, "start,close", "09:15,1.5")
    assert tail.read() == [{"start": "09:15", "close": "1.5"}]
    append(path, '09:18,"2,5"')
    assert tail.read() == [{"start": "09:18", "close": "2,5"}]
    assert tail.read() == []


def test_rows_of_another_length_are_left_out(tmp_path):
    path = tmp_path / "bars.csv"
    append(path, "start,close", "09:15", "09:18,1,2", "", "09:21,1")
    assert CsvTail(path).read() == [{"start": "09:21", "close": "1"}]


def test_a_csv_position_keeps_its_header(tmp_path):
    path = tmp_path / "bars.csv"
    append(path, "start,close", "09:15,1")
    tail = CsvTail(path)
    tail.read()
    append(path, "09:18,2")
    assert CsvTail(path, position=tail.position).read() == [{"start": "09:18", "close": "2"}]


def test_a_replaced_csv_has_a_header_of_its_own(tmp_path):
    path = tmp_path / "bars.csv"
    append(path, "start,close", "09:15,1")
    tail = CsvTail(path)
    tail.read()
    path.unlink()
    append(path, "close,start,origin", "3,09:18,ticks")
    assert tail.read() == [{"close": "3", "start": "09:18", "origin": "ticks"}]


def test_a_field_too_long_for_csv_is_left_out(tmp_path):
    path = tmp_path / "bars.csv"
    append(path, "start,close", f"09:15,{'x' * 200_000}", "09:18,2")
    assert CsvTail(path).read() == [{"start": "09:18", "close": "2"}]
