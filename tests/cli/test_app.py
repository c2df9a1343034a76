"""The command line as a whole."""

import subprocess
import sys

import pytest

from diffusion import __version__
from diffusion.folder import lines

COMMANDS = ("train", "sample", "evaluate", "check", "info", "demo")


def test_help_and_version(shell):
    answer = shell("--help")
    assert answer.code == 0
    for command in COMMANDS:
        assert command in answer.out
        assert shell(command, "--help").code == 0
    assert shell("--version").out.strip() == __version__


def test_wrong_usage_is_exit_code_2(shell):
    assert shell("trian").code == 2
    assert shell("train").code == 2
    assert shell("sample", "run", "--stpes", "3").code == 2
    assert shell("sample", "run", "-n", "0").code == 2


def test_errors_are_one_line_and_a_traceback_only_when_asked_for(shell):
    plain = shell("info", "nowhere")
    assert plain.code == 1
    assert plain.error.startswith("error: ")
    for words in (("--debug", "info", "nowhere"), ("info", "nowhere", "--debug")):
        assert "no such folder" in str(shell(*words).exception)


def test_help_needs_no_heavy_import():
    code = (
        "import sys, types\n"
        "package = types.ModuleType('diffusion'); package.__path__ = [sys.argv[1]]\n"
        "sys.modules['diffusion'] = package\n"
        "from diffusion.cli.app import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0\n"
        "print('torch' in sys.modules)\n"
    )
    import diffusion

    command = [sys.executable, "-c", code, diffusion.__path__[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["False"], done.stderr


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "diffusion.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == __version__


def test_demo_calls_the_demo(shell, monkeypatch):
    import diffusion.demo

    seen = []
    monkeypatch.setattr(diffusion.demo, "run", lambda *given: seen.append(given))
    assert shell("demo", "--out", "there", "--minutes", "1").code == 0
    assert [str(seen[0][0]), *seen[0][1:]] == ["there", 1.0, 0]


def test_lines_know_where_values_stand():
    node = lines.parse("a: 1e-3\nb:\n  - 2020-01-01\n  - {c: null}\n", "f.yaml")
    assert node.plain() == {"a": 1e-3, "b": ["2020-01-01", {"c": None}]}
    assert isinstance(node.value, dict)
    assert node.value["b"].place == "f.yaml, line 2"
    assert isinstance(node.value["b"].value, list)
    assert node.value["b"].value[1].place == "f.yaml, line 4"


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: &x 1\n", "a: !!set {}\n"])
def test_lines_refuse_what_is_not_plain(text):
    from diffusion.errors import FileError

    with pytest.raises(FileError, match=r"f\.yaml, line"):
        lines.parse(text, "f.yaml")
