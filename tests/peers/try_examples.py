"""Runs the examples of docs/peers.md that need other libraries, each section in an environment of its own.

A section with a `pip install` line is installed as that line says into `.peers/<section>`, torch first and by itself,
so that a build for this machine without CUDA is found; then its Python is run in a temporary folder. Names of sections
as arguments choose among them. Ends with an error if one fails.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "peers.md"
TORCH = "torch==2.13.0"


class Example(NamedTuple):
    """A section of the page: its name, the arguments of its `pip install` line (None without one), its Python."""

    name: str
    packages: list[str] | None
    programs: list[str]


def read_examples(page: str) -> list[Example]:
    """Return the sections of a page that hold Python."""
    examples = []
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        programs = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        installs = re.findall(r"^```\npip install (.+)\n```", text, re.MULTILINE)
        name = re.sub(r"\W+", "-", heading.lower())
        if programs:
            examples.append(Example(name, shlex.split(installs[0]) if installs else None, programs))
    return examples


def try_example(example: Example) -> bool:
    """Install what an example needs, where it is not yet, and run it. Returns True if it ends well."""
    assert example.packages is not None
    folder = ROOT / ".peers" / example.name
    python, installed = folder / "bin" / "python", folder / ".installed"
    wanted = " ".join(example.packages)
    if not installed.exists() or installed.read_text() != wanted:
        print(f"{example.name}: installing {wanted}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--quiet"]
        subprocess.run([*pip, TORCH], check=True)
        subprocess.run([*pip, TORCH, *example.packages], check=True, cwd=ROOT)
        installed.write_text(wanted)
    print(f"{example.name}: running", flush=True)
    with tempfile.TemporaryDirectory() as work:
        settings = os.environ | {"HOME": work}  # data sets and tokens that a library keeps there go with it
        codes = [
            subprocess.run([python, "-W", "ignore", "-c", program], cwd=work, env=settings).returncode
            for program in example.programs
        ]
    print(f"{example.name}: {'ok' if not any(codes) else 'FAILED'}", flush=True)
    return not any(codes)


def main(names: list[str]) -> int:
    """Try the examples with these names, all without any. Returns the exit code."""
    examples = [example for example in read_examples(PAGE.read_text(encoding="utf-8")) if example.packages]
    known = [example.name for example in examples]
    unknown = set(names) - set(known)
    if unknown:
        print(f"error: {', '.join(sorted(unknown))}: must be of {', '.join(known)}", file=sys.stderr)
        return 2
    outcomes = [try_example(example) for example in examples if not names or example.name in names]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
