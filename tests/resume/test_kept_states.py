"""Checkpoints: whole or not at all, the last three, every damage noticed, nothing executed."""

import hashlib
import json
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.whole_file import write_whole
from envs.errors import ConfigurationError
from experiments.training.run.kept_states import KEPT, KeptStates

STATE = {
    "number": 3,
    "text": "three",
    "nothing": None,
    "pair": (1.5, [True, 2**62]),
    "array": np.arange(6, dtype=np.uint64).reshape(2, 3),
    "records": np.array([(1, 2.5)], np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 16]})),
    "tensor": torch.arange(4.0),
}


def silent(text: str) -> None:
    raise AssertionError(text)


def test_what_was_kept_comes_back_as_it_was(tmp_path):
    KeptStates(tmp_path).keep(STATE)
    found = KeptStates(tmp_path).latest(silent)
    assert found is not None
    assert {key: found[key] for key in ("number", "text", "nothing", "pair")} == {
        key: STATE[key] for key in ("number", "text", "nothing", "pair")
    }
    for key in ("array", "records"):
        assert found[key].dtype == STATE[key].dtype
        assert found[key].tobytes() == STATE[key].tobytes()
    assert torch.equal(found["tensor"], STATE["tensor"])


def test_the_last_three_stay(tmp_path):
    states = KeptStates(tmp_path)
    assert states.latest(silent) is None
    for number in range(1, 6):
        states.keep({"number": number})
    names = sorted(file.name for file in (tmp_path / "state").iterdir())
    assert names == [f"{number:06d}.{suffix}" for number in (3, 4, 5) for suffix in ("json", "pt")]
    assert len(names) == 2 * KEPT
    assert states.latest(silent) == {"number": 5}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_cut_and_every_flipped_bit_of_a_checkpoint_or_its_manifest_is_noticed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    states = KeptStates(folder)
    states.keep({"number": 1})
    states.keep(STATE)
    suffix = data.draw(st.sampled_from(["pt", "json"]))
    file = folder / "state" / f"000002.{suffix}"
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    said: list[str] = []
    found = KeptStates(folder).latest(said.append)
    if found != {"number": 1}:  # a flipped bit of a manifest may leave what it says as it was: blank space
        assert suffix == "json"
        assert json.loads(content) == {**json.loads(content), "file": "000002.pt"}
        assert said == []
    else:
        (message,) = said
        assert "000002.pt" in message
        assert message.endswith("the checkpoint before it is taken")


def test_a_checkpoint_without_manifest_was_never_finished_and_goes_with_the_next(tmp_path):
    states = KeptStates(tmp_path)
    states.keep({"number": 1})
    (tmp_path / "state" / "000002.pt").write_bytes(b"half")
    (tmp_path / "state" / "000002.pt.draft").write_bytes(b"h")
    assert states.latest(silent) == {"number": 1}
    states.keep({"number": 2})
    assert states.latest(silent) == {"number": 2}
    assert len(list((tmp_path / "state").iterdir())) == 4


def test_reading_a_checkpoint_executes_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    states = KeptStates(tmp_path)
    states.keep({"number": 1})
    file = tmp_path / "state" / "000001.pt"
    torch.save(Hostile(), file)
    content = file.read_bytes()
    manifest = {"file": file.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file.with_suffix(".json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match="no checkpoint is whole any more"):
        states.latest(lambda _: None)
    assert not (tmp_path / "executed").exists()


def test_a_full_disk_is_one_message_and_the_checkpoints_before_are_whole(tmp_path):
    states = KeptStates(tmp_path)
    states.keep({"number": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ConfigurationError, match=r"checkpoint .*000002\.pt: cannot be written \(File too large\)"):
            states.keep({"array": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert states.latest(silent) == {"number": 1}


def test_a_file_is_replaced_whole(tmp_path):
    file = tmp_path / "x.json"
    write_whole(file, b"old")
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]
