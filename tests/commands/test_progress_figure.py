"""The figure of trainings in progress: what it reads from run folders, and what it says of others."""

import subprocess
import sys

import pytest

from envs.errors import ConfigurationError
from experiments.training.progress_figure import draw, read_courses, write_progress_figure

SEARCH = """start,generation,episodes,decisions,minutes,training_usd,step_size,validation_usd
expected_loss,0,0,0,0.0,,0.2,200.0
expected_loss,1,36,1000,0.5,210.0,0.2,
expected_loss,5,180,5000,2.5,190.0,0.2,150.0
expected_loss,10,360,9000,4.0,190.0,0.2,160.0
"""
VALIDATION = """steps,minutes,greedy,sampled
0,0.0,150.0,151.0
4000,1.0,165.0,150.0
8000,2.0,135.0,150.0
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "training.yaml").write_text("scenario: tiny\n")
    (tmp_path / "search.csv").write_text(SEARCH)
    (tmp_path / "validation.csv").write_text(VALIDATION)
    return tmp_path


def test_gains_are_those_of_the_cheapest_so_far_against_the_start(folder):
    search, ppo = read_courses(folder)
    # 200 USD/day at the start, 150 then, 160 later: a quarter saved, and kept.
    assert (search.scenario, search.method) == ("tiny", "policy search")
    assert (search.decisions, search.seconds) == ([0, 5000, 9000], [0.0, 150.0, 240.0])
    assert search.gain_frac == [0.0, 0.25, 0.25]
    assert (ppo.method, ppo.decisions, ppo.seconds) == ("MaskablePPO", [0, 4000, 8000], [0.0, 60.0, 120.0])
    assert ppo.gain_frac == pytest.approx([0.0, 0.0, 0.1])


def test_a_method_that_was_validated_at_its_start_alone_has_no_course(folder):
    (folder / "validation.csv").write_text("steps,minutes,greedy,sampled\n0,0.0,150.0,151.0\n")
    assert [course.method for course in read_courses(folder)] == ["policy search"]


def test_the_same_tables_give_the_same_bytes(folder):
    files = [folder / name for name in ("first.svg", "second.svg")]
    for file in files:
        write_progress_figure([folder], file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"<svg" in files[0].read_bytes()


@pytest.mark.parametrize(
    ("table", "cells"),
    [("search.csv", "start,generation\n"), ("validation.csv", "steps,minutes,greedy,sampled\n0,1,much,2\n1,1,1,1\n")],
)
def test_a_damaged_table_is_named(folder, table, cells):
    (folder / table).write_text(cells + "expected_loss,5\n")
    with pytest.raises(ConfigurationError, match=rf"{table}: is no longer what the training wrote"):
        read_courses(folder)


def test_a_table_of_an_older_version_is_called_so(folder):
    (folder / "validation.csv").write_text("steps,greedy,sampled\n0,150.0,151.0\n4000,140.0,150.0\n")
    with pytest.raises(ConfigurationError, match=r"validation\.csv: was written by an older version"):
        read_courses(folder)


def test_of_nothing_there_is_no_share(folder):
    (folder / "validation.csv").write_text(VALIDATION.replace("150.0,151.0", "0.0,151.0"))
    with pytest.raises(ConfigurationError, match="costs 0 USD/day at its start: must be > 0"):
        read_courses(folder)


def test_what_is_drawn_are_the_gains_in_per_cent_by_decisions_and_by_seconds(folder):
    by_decisions, by_seconds = draw(read_courses(folder)).axes
    assert [line.get_xydata().tolist() for line in by_decisions.lines[:2]] == [
        [[0, 0], [5000, 25], [9000, 25]],
        [[0, 0], [4000, 0], [8000, pytest.approx(10)]],
    ]
    assert [line.get_xdata().tolist() for line in by_seconds.lines] == [[0, 150, 240], [0, 60, 120]]
    assert [text.get_text() for text in by_decisions.get_legend().get_texts()] == ["policy search", "MaskablePPO"]


def test_what_is_no_run_folder_is_named_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "experiments.training.progress_figure", str(tmp_path), "--figure", "x.svg"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (2, f"error: {tmp_path}: is no run folder of a training\n")


def test_a_figure_has_a_name_that_says_its_kind(folder):
    with pytest.raises(ConfigurationError, match=r"must end in \.svg, \.png, \.pdf"):
        write_progress_figure([folder], folder / "figure.txt")
