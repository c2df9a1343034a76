"""The type parameters reject wrong mixes and accept right ones, in mypy and in pyright."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def mypy(path: Path) -> set[int]:
    """Lines that mypy --strict rejects."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(path)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1]).stdout
    found = re.findall(rf"{path.name}:(\d+): error", out)
    assert "Traceback" not in out
    return {int(line) for line in found}


def pyright(path: Path) -> set[int]:
    """Lines that pyright rejects."""
    command = [sys.executable, "-m", "pyright", "--outputjson", str(path)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1]).stdout
    report = json.loads(out)
    assert report["summary"]["filesAnalyzed"] == 1
    return {
        d["range"]["start"]["line"] + 1
        for d in report["generalDiagnostics"]
        if d["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("name", ["good.py", "bad.py"])
def test_types(checker: object, name: str) -> None:
    path = HERE / name
    wrong = {i for i, line in enumerate(path.read_text().splitlines(), 1) if "# wrong" in line}
    assert checker(path) == wrong  # type: ignore[operator]
