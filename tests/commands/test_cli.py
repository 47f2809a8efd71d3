"""The command line: fast help, exit codes, and the doctor."""

import json
import os
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from envs.errors import ConfigurationError
from experiments import doctor
from experiments.cli import main as cli

SCRIPT = Path(sys.executable).parent / "blended"


def blended(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the real console script in a folder."""
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, cwd=folder, check=False)


def test_help_lists_the_commands_from_any_folder(tmp_path):
    result = blended("--help", folder=tmp_path)
    assert result.returncode == 0
    assert "doctor" in result.stdout
    assert result.stderr == ""


def test_the_module_of_the_command_line_is_the_command_line_too(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "experiments.cli.main", "--version"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("blended-routing ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("describe", "LONG"),
        ("benchmark", "tiny", "--policies", "fifo,LONG"),
        ("evaluate", "fifo", "--scenario", "LONG"),
        ("evaluate", "LONG.onnx", "--scenario", "tiny"),
        ("evaluate", "fifo", "--scenario", "tiny", "--record", "LONG"),
        ("train", "LONG"),
        ("export", "LONG"),
    ],
)
def test_a_name_that_is_longer_than_any_file_s_is_one_message(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["blended", *(text.replace("LONG", "y" * 300) for text in arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    found = capsys.readouterr().err.strip().splitlines()
    assert len(found) == 1
    assert found[0].startswith("error: ")


def test_help_takes_less_than_half_a_second(tmp_path):
    # Processor time rather than the clock's, which also counts what else the machine does.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    blended("--help", folder=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_the_command_line_imports_nothing_heavy():
    code = "import experiments.cli.main, sys; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"gymnasium", "numba", "numpy", "onnxruntime", "pydantic", "torch"} & set(result.stdout.split())


def test_version(tmp_path):
    result = blended("--version", folder=tmp_path)
    assert result.stdout.split() == ["blended-routing", metadata.version("blended-routing")]


def test_doctor_shows_and_writes_what_it_finds(tmp_path):
    result = blended("doctor", "--json", "found.json", folder=tmp_path)
    assert result.returncode == 0
    assert "device for training" in result.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["packages"]["core"]["numba"]["installed"] == metadata.version("numba")
    assert found["packages"]["train"]["torch"]["required"] == ">=2.10"
    assert found["missing"]["core"] == []
    assert set(found["missing"]) == {"core", "train", "report", "data", "tune", "minari", "sweep", "dev"}
    assert found["device"]["name"] in {"cpu", "cuda"}
    assert found["threads"]["cpus"] == len(os.sched_getaffinity(0))
    assert found["threads"]["numba"] >= 1
    assert Path(found["numba_cache_folder"]).is_absolute()


@pytest.mark.parametrize(
    "arguments",
    [("doctor", "--json", "no/such/folder/found.json"), ("dictor",), ("doctor", "--jason", "found.json")],
)
def test_a_mistake_of_the_user_ends_in_a_message_and_exit_code_2(tmp_path, arguments):
    result = blended(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "rror" in result.stderr
    assert list(tmp_path.iterdir()) == []


def run_main(monkeypatch, error: BaseException) -> int:
    """Run `main` with a command that raises, and return the exit code."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_exit_codes(monkeypatch, capsys):
    assert run_main(monkeypatch, ConfigurationError("scenario.x: missing key (x.yaml:1)")) == 2
    assert capsys.readouterr().err == "error: scenario.x: missing key (x.yaml:1)\n"
    assert run_main(monkeypatch, KeyboardInterrupt()) == 130
    with pytest.raises(ZeroDivisionError):
        run_main(monkeypatch, ZeroDivisionError())


def test_doctor_names_what_is_missing_and_how_to_get_it(monkeypatch):
    installed = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "matplotlib" else installed(name))
    findings = doctor.examine()
    assert findings["missing"]["report"] == ["matplotlib"]
    console = Console(record=True, width=120, file=open(os.devnull, "w"))  # noqa: SIM115 (the console keeps it)
    doctor.show(findings, console)
    assert 'report: missing matplotlib; install with: pip install -c constraints.txt -e ".[report]"' in (
        console.export_text()
    )


@pytest.mark.parametrize("package", ["envs", "agents"])
def test_a_package_of_the_same_name_is_said_at_start_and_by_the_doctor(tmp_path, package):
    other = tmp_path / "site"
    (other / package).mkdir(parents=True)
    (other / package / "__init__.py").write_text("")
    (other / "other-1.0.dist-info").mkdir()
    (other / "other-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "other-1.0.dist-info" / "top_level.txt").write_text(f"{package}\n")
    root = Path(cli.__file__).resolve().parents[2]
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from experiments.cli.main import main; main()"
    sentence = f"package {package}: Python finds {other / package}, of the distribution other, and not this project's"
    for command, exit_code in (("describe", 2), ("doctor", 1)):
        done = subprocess.run(
            [sys.executable, "-c", code, str(other), command, *(["tiny"] if command == "describe" else [])],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
            check=False,
        )
        assert done.returncode == exit_code, done.stderr
        assert "Traceback" not in done.stderr
        assert sentence in (done.stderr if command == "describe" else done.stdout)


def test_nothing_clashes_here():
    assert doctor.find_clashes() == []


def test_doctor_fails_where_the_core_is_incomplete(monkeypatch):
    installed = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "scipy" else installed(name))
    monkeypatch.setattr(sys, "argv", ["blended", "doctor"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1


def fake_torch(*, available: bool, built_for: str | None) -> SimpleNamespace:
    return SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda=built_for),
        cuda=SimpleNamespace(is_available=lambda: available, get_device_name=lambda: "NVIDIA H200"),
    )


@pytest.mark.parametrize(
    ("torch", "name", "reason"),
    [
        (None, "none", "torch cannot be imported (extra train)"),
        (fake_torch(available=True, built_for="13.0"), "cuda", "torch sees NVIDIA H200"),
        (
            fake_torch(available=False, built_for="13.0"),
            "cpu",
            "torch is built for CUDA 13.0, but sees no usable GPU",
        ),
        (fake_torch(available=False, built_for=None), "cpu", "torch 2.13.0 is built without CUDA"),
    ],
)
def test_the_device_and_why(torch, name, reason):
    assert doctor._device(torch) == {"name": name, "reason": reason}
