"""Networks: shapes, independence of samples, gradients, state.

Weights are moved by a small random amount first: networks whose output starts at zero would pass
anything.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..folder.config import build, describe
from ..net.beside import OWN, PICTURE
from .component import missing, own_classes
from .exam import Exam, Verdict, copied, exam, gap, one, sit, skip, within
from .inputs import Case, inputs, moved
from .report import Result
from .setting import Setting

NEEDS = (
    "forward(x, y, t) takes states [b, ...], conditions [b] and times [b]; give examples: "
    "check(net, x=..., y=..., t=...)."
)


def examine(net: Any, setting: Setting) -> Iterator[Result]:
    """The results for a network."""

    def prepare() -> Case:
        errors, found = [], []
        other = moved(net)
        for x, y, t in inputs(net, setting):
            try:
                case = Case(other, x, y, t)
            except Exception as error:  # inputs of another kind, or a fault: then this is told
                errors.append(error)
                continue
            if _fits(case) or setting.x is not None:
                return case
            found.append(case)
        if found:
            return found[0]
        raise errors[0]

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


def _fits(case: Case) -> bool:
    return all(
        a.dim() > 1 and a.shape[1] == len(b) for a, b in
        zip(tree.leaves(case.hat), tree.leaves(case.x), strict=False)
    )  # fmt: skip


@exam(
    "output",
    "forward returns [p, b, ...]: the first axis counts the predicted parameters, even one.",
    "End with hat.unsqueeze(0), or reshape to (p, b, ...).",
)
def output(case: Case) -> Verdict:
    told, fine = [], True
    for hat, x in zip(tree.leaves(case.hat), tree.leaves(case.x), strict=True):
        told.append(f"x {list(x.shape)} -> {list(hat.shape)}")
        fine = fine and hat.dim() >= 2 and hat.shape[1] == len(x) and hat.dim() > x.dim()
        fine = fine and bool(hat.isfinite().all())
        declared = getattr(case.net, "outputs", None)
        if isinstance(declared, int) and not isinstance(case.hat, dict):
            fine = fine and hat.shape[0] == declared
    return fine, ", ".join(told)


@exam(
    "each sample alone",
    "In evaluation mode a sample's output does not depend on the rest of the batch.",
    "Use group or layer norm; sum, average and attend over no batch axis; check reshapes.",
)
def alone(case: Case) -> Verdict:
    worst = 0.0
    for i in range(tree.size(case.x)):
        single = case(one(case.x, i), one(case.y, i), one(case.t, i))
        whole = tree.map(lambda hat, i=i: hat[:, i : i + 1], case.hat)
        worst = max(worst, gap(single, whole))
    return within(worst, 1e-4, "largest difference")


@exam(
    "determined",
    "In evaluation mode the same inputs give the same output, and no random number is drawn.",
    "Use nn.Dropout, which eval() turns off; keep no state between calls.",
)
def determined(case: Case) -> Verdict:
    before = torch.get_rng_state()
    worst = gap(case(case.x, case.y, case.t), case.hat)
    drawn = not torch.equal(before, torch.get_rng_state())
    return worst == 0 and not drawn, f"difference {worst:.2g}" + (", draws" if drawn else "")


def _other_kind(t: Tensor) -> Tensor:
    """Step indices as times in [0, 1], and the reverse."""
    return (t * 1000).long() if t.is_floating_point() else t / 1000


@exam(
    "inputs kept",
    "forward changes neither x, y nor t.",
    "Use no in-place operations (names that end in _, +=, inplace=True) on the inputs.",
)
def kept(case: Case) -> Verdict:
    changed: set[str] = set()
    for t in (case.t, tree.map(_other_kind, case.t)):
        before = {"x": case.x, "y": case.y, "t": t}
        given = copied(before)
        try:
            with torch.no_grad():
                case.net(given["x"], given["y"], given["t"])
        except Exception:
            if t is case.t:
                raise
            continue  # a network of one kind of times
        changed |= {name for name in given if gap(given[name], before[name]) > 0}
    return not changed, f"changes {', '.join(sorted(changed))}" if changed else "x, y, t unchanged"


@exam(
    "gradients",
    "Every trainable parameter gets a gradient.",
    "Use every layer that is made, do not detach; freeze with requires_grad_(False).",
)
def gradients(case: Case) -> Verdict:
    case.net.zero_grad(set_to_none=True)
    with torch.enable_grad():
        hat = case.net(case.x, case.y, case.t)
        total = sum((leaf * torch.randn_like(leaf)).sum() for leaf in tree.leaves(hat))
        if not (isinstance(total, Tensor) and total.requires_grad):
            return False, "the output is cut off from the parameters"
        total.backward()  # type: ignore[no-untyped-call]
    named = [(n, p) for n, p in case.net.named_parameters() if p.requires_grad]
    lost = [n for n, p in named if p.grad is None or not p.grad.any()]
    case.net.zero_grad(set_to_none=True)
    shown = f"none for {', '.join(lost[:4])}" + (f" and {len(lost) - 4} more" if lost[4:] else "")
    return not lost, shown if lost else f"{len(named)} parameters"


@exam(
    "state",
    "A network made anew from the same arguments takes the state_dict and answers the same.",
    "Keep tensors in parameters and buffers; make layers of the constructor's arguments only.",
)
def state(case: Case) -> Verdict:
    fresh = _rebuilt(case.net)
    if fresh is None:
        return skip("made from objects that can't be made again")
    fresh.load_state_dict(case.net.state_dict())
    with torch.no_grad():
        hat = fresh.eval()(case.x, case.y, case.t)
    return within(gap(hat, case.hat), 1e-6, "largest difference")


def _rebuilt(net: Any) -> Any:
    tensors: dict[str, Any] = {}
    plain = describe(net, tensors)
    return None if missing(plain) else build(plain, tensors, "net", set(own_classes(net)))


@exam(
    "dtype",
    "In float64 the output is float64, and in bfloat16 bfloat16.",
    "Create tensors with the dtype of x; cast the embedding of t to it.",
)
def dtype(case: Case) -> Verdict:
    found = []
    for kind in (torch.float64, torch.bfloat16):
        net = copy.deepcopy(case.net).to(kind)
        x, y = (tree.map(lambda v, k=kind: v.to(k) if v.is_floating_point() else v, s)
                for s in (case.x, case.y))  # fmt: skip
        with torch.no_grad():
            found += [leaf.dtype == kind for leaf in tree.leaves(net(x, y, case.t))]
    return all(found), "float64, bfloat16"


@exam(
    "modes",
    "forward leaves the network in the mode it was in.",
    "Call neither train() nor eval() in forward.",
)
def modes(case: Case) -> Verdict:
    net = copy.deepcopy(case.net)
    for training in (True, False):
        net.train(training)
        with torch.no_grad():
            net(case.x, case.y, case.t)
        if any(module.training != training for module in net.modules()):
            return False, f"training={training} changed"
    return True, "training and evaluation"


@exam(
    "conditions count",
    "Where labels are declared, or pictures beside x, they change the output.",
    "Add the embedding of y to that of t; index it with y, 0..labels.",
)
def conditions(case: Case) -> Verdict:
    parts = case.y if isinstance(case.y, dict) else {OWN: case.y}
    label = parts.get(OWN)
    others = []
    if case.labels and isinstance(label, Tensor) and not label.is_floating_point():
        others.append({**parts, OWN: (label + 1) % (case.labels + 1)})
    if PICTURE in parts:
        others.append({**parts, PICTURE: -parts[PICTURE]})
    if not others:
        return skip("no labels declared")
    told = [y if isinstance(case.y, dict) else y[OWN] for y in others]
    difference = min(gap(case(case.x, y, case.t), case.hat) for y in told)
    return difference > 0, f"another label moves the output by {difference:.2g}"


EXAMS: tuple[Exam, ...] = (
    output, alone, determined, kept, gradients, state, dtype, modes, conditions,
)  # fmt: skip
