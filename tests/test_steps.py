"""A run's steps: done once, gone on with after a kill, never mixed with what other inputs made."""

import errno

import pytest

from dataset.errors import InputError
from tasks.steps import code_digest, digest_of, finished, run_step


def writer(calls):
    def work(folder):
        calls.append(sorted(path.name for path in folder.iterdir() if not path.name.startswith("step")))
        (folder / "out.txt").write_text("made")
        return "digest"

    return work


def test_a_finished_step_with_the_same_inputs_is_not_done_again(tmp_path):
    calls = []
    first = run_step(tmp_path / "s", writer(calls), a=1)
    second = run_step(tmp_path / "s", writer(calls), a=1)
    assert len(calls) == 1
    assert (first.skipped, second.skipped) == (False, True)
    assert (first.key, first.digest) == (second.key, second.digest)


def test_other_inputs_throw_the_old_output_away_first(tmp_path):
    calls = []
    run_step(tmp_path / "s", writer(calls), a=1)
    run_step(tmp_path / "s", writer(calls), a=2)
    assert calls == [[], []], "the second run must find an empty folder"


def test_a_finished_result_is_kept_until_its_replacement_is_there(tmp_path):
    run_step(tmp_path / "s", writer([]), a=1)

    def fails(folder):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_step(tmp_path / "s", fails, a=2)
    assert (tmp_path / "s.stale" / "out.txt").exists()
    run_step(tmp_path / "s", writer([]), a=2)
    assert not (tmp_path / "s.stale").exists()


def test_a_killed_step_finds_its_half_done_folder_again(tmp_path):
    def killed(folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(tmp_path / "s", killed, a=1)
    calls = []
    run_step(tmp_path / "s", writer(calls), a=1)
    assert calls == [["half.txt"]]


def test_a_killed_step_of_other_inputs_starts_from_nothing(tmp_path):
    def killed(folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(tmp_path / "s", killed, a=1)
    calls = []
    run_step(tmp_path / "s", writer(calls), a=2)
    assert calls == [[]]


def test_a_full_disk_names_the_folder_and_the_remedy(tmp_path):
    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"s: the disk is full .*[Ff]ree some space"):
        run_step(tmp_path / "s", full, a=1)


def test_the_record_of_an_unfinished_step_is_refused(tmp_path):
    with pytest.raises(InputError, match="no finished step"):
        finished(tmp_path / "nothing")


def test_a_digest_depends_on_values_and_not_on_their_order():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_the_code_digest_tells_rooms_apart():
    assert code_digest("dataset") != code_digest("evaluation")
