"""The planted faults are still about the code that is there; that they are caught takes `make mutate`."""

import mutate
import pytest


@pytest.mark.parametrize("fault", mutate.FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_text_of_a_fault_stands_once_in_the_sources(fault: mutate.Fault) -> None:
    assert fault.edits
    for edit in fault.edits:
        assert (mutate.REPOSITORY / edit.file).read_text(encoding="utf-8").count(edit.old) == 1
        assert edit.old != edit.new


def test_there_are_at_least_twelve_faults_of_different_names() -> None:
    assert len({fault.name for fault in mutate.FAULTS}) == len(mutate.FAULTS) >= 12


def test_a_fault_is_planted_in_a_copy_and_nowhere_else(tmp_path) -> None:
    fault = mutate.FAULTS[0]
    before = (mutate.REPOSITORY / fault.edits[0].file).read_bytes()
    mutate.plant(fault, tmp_path / "copy")
    assert (tmp_path / "copy" / fault.edits[0].file).read_text(encoding="utf-8").count(fault.edits[0].new) >= 1
    assert (mutate.REPOSITORY / fault.edits[0].file).read_bytes() == before
