"""The files of a trial that a task of another machine returns: whole or not at all."""

import tarfile

import pytest

from experiments.sweeps.archive import ARRIVING, clear_arrivals, pack, unpack
from experiments.sweeps.trial_process import LOGS_FOLDER


def made(folder, name="one", text="1"):
    (folder / name / "checkpoints").mkdir(parents=True)
    (folder / name / "checkpoints" / "best.pt").write_bytes(bytes(range(256)))
    (folder / name / "trial.json").write_text(text)
    (folder / LOGS_FOLDER).mkdir(exist_ok=True)
    (folder / LOGS_FOLDER / f"{name}.log").write_text("said")
    return folder


def test_what_was_packed_arrives_in_the_place_of_an_unfinished_attempt(tmp_path):
    packed = pack(made(tmp_path / "node"), "one")
    driver = made(tmp_path / "driver", text="old")
    (driver / "one" / "left_over").write_text("")
    unpack(packed, driver, "one")
    arrived = driver / "one"
    assert (arrived / "checkpoints" / "best.pt").read_bytes() == bytes(range(256))
    assert (arrived / "trial.json").read_text() == "1"
    assert not (arrived / "left_over").exists()
    assert (driver / LOGS_FOLDER / "one.log").read_text() == "said"
    assert {path.name for path in driver.iterdir()} == {"one", LOGS_FOLDER}


@pytest.mark.parametrize("share_frac", [0.0, 0.5, 0.9])
def test_of_a_damaged_archive_nothing_arrives(tmp_path, share_frac):
    packed = pack(made(tmp_path / "node"), "one")
    (tmp_path / "driver" / LOGS_FOLDER).mkdir(parents=True)
    with pytest.raises((EOFError, OSError, tarfile.TarError)):
        unpack(packed[: int(share_frac * len(packed))], tmp_path / "driver", "one")
    assert [path.name for path in (tmp_path / "driver").iterdir()] == [LOGS_FOLDER]


def test_what_a_killed_driver_was_unpacking_is_removed(tmp_path):
    made(tmp_path)
    made(tmp_path / f"{ARRIVING}xyz", name="run")
    clear_arrivals(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"one", LOGS_FOLDER}
