"""`diffusion check` on files, models and the user's own code."""

import pytest

CODE = """\
import torch
from diffusion import schedule
from diffusion.base import Data, Net, Schedule

class Good(Schedule):
    power: float = 2.0

    def compute(self):
        return 1 - 0.5 * torch.linspace(0, 1, self.steps + 1).double() ** self.power

class Rising(Schedule):
    def compute(self):
        return torch.linspace(0.9, 1.1, self.steps + 1)

class Small(Net):
    def __init__(self, size: int) -> None:
        self.layer = torch.nn.Linear(size, size)

    def forward(self, x, y, t):
        return (self.layer(x) * t.reshape(-1, 1).to(x.dtype))[None]

class Odd(Data):
    table: dict

    def encode(self, w):
        return w

    def decode(self, x):
        return x

made = schedule.Cosine(30)
number = 3
"""


@pytest.fixture
def coder(shell):
    """A shell beside a file of the user's own."""
    shell.write("mine.py", CODE)
    return shell


@pytest.mark.parametrize("target", ["mine.py:Good", "mine.py:made", "mine.py:Small"])
def test_sound_code_passes(coder, target):
    answer = coder("check", target)
    assert answer.code == 0, answer.out + answer.error
    assert "0 failed" in answer.out


def test_a_fault_is_named_and_the_exit_code_is_1(coder):
    answer = coder("check", "mine.py:Rising")
    assert answer.code == 1
    assert "FAIL  monotone" in answer.out
    assert "Return per-step alphas below 1" in answer.out
    quiet = coder("check", "mine.py:Rising", "--quiet")
    assert "FAIL  monotone" in quiet.out
    assert "  ok " not in quiet.out


def test_arguments_can_be_given(coder):
    answer = coder("check", "mine.py:Good", "--set", "steps=9", "--set", "power=3.0")
    assert answer.code == 0
    assert "Good(steps=9, power=3.0)" in answer.out


def test_library_classes_and_modules_by_their_path(coder):
    assert coder("check", "diffusion.time:Discrete").code == 0
    assert coder("check", "diffusion.distribution:Normal").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mine.py:Goood",), "mine.py: there is no 'Goood' in it. Did you mean 'Good'?"),
        (("mine.py:number",), "expected a class derived from one of diffusion.base"),
        (("mine.py:Odd",), "Odd requires 'table'; give it, --set table=VALUE"),
        (("mine.py:made", "--set", "steps=3"), "--set: expected a class to make"),
        (("mine.py:Good", "--set", "stpes=3"), "Did you mean 'steps'?"),
        (("other.py:Good",), "other.py: no such file"),
        (("no_such_module:Good",), "no_such_module: can't be imported"),
        (("mine.py",), "expected package.module:Name or path/to/file.py:Name"),
    ],
)
def test_what_can_not_be_examined_is_told(coder, words, message):
    answer = coder("check", *words)
    assert answer.code == 1
    assert message in answer.error
    assert "Traceback" not in answer.error


def test_a_configuration_and_its_changes(shell):
    answer = shell("check", "pictures.yaml", "-q")
    assert answer.code == 0, answer.out
    assert "0 failed" in answer.out
    left = shell("check", "pictures.yaml", "-q", "--set", "schedule={Linear: {steps: 20}}")
    assert left.code == 1
    assert "reaches noise" in left.out


def test_a_configuration_without_data(shell):
    plain = "\n".join((shell.folder / "pictures.yaml").read_text().splitlines()[1:])
    answer = shell("check", shell.write("plain.yaml", plain), "-q")
    assert answer.code == 0, answer.out
    assert "its modules are examined one by one" in answer.error
    assert "Flow(steps=20)" in answer.out


def test_a_model_folder(there):
    answer = there("check", "run/model")
    assert answer.code == 0, answer.out
    assert "net: each sample alone" in answer.out
