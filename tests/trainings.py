"""Cells of the tones corpus to train, and how tests change them."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import torch
from conditions import condition_of, upstream_condition
from harness_plugins.downstreams import linear, nonlinear
from sklearn.metrics import f1_score
from torch import nn

from harness import Batch, Optimiser, Reads, Recipe, Schedule
from harness.data import stored
from harness.features.extraction import store_of
from harness.files import read_sealed, write_sealed
from harness.training.metrics import accuracy, macro_f1, uar, weighted_f1
from harness.training.task import state_of

MEANS = Reads(layers="last", frames=False)
CONDITION = upstream_condition()
SPEAKERS = (("s0", "s1", "s2"), ("s3",), ("s4",))
METRICS = (accuracy, macro_f1, uar, weighted_f1)


def offered(module):
    (downstream,) = module.harness_downstreams()
    return downstream


def with_downstream(task, downstream):
    selection = task.cell.condition.downstream.selection
    condition = condition_of(CONDITION, downstream, selection)
    cell = dataclasses.replace(task.cell, condition=condition)
    return dataclasses.replace(task, cell=cell, downstream=downstream)


def with_head(task, module, *, learning_rate=None, **recipe):
    downstream = offered(module)
    if learning_rate is not None:
        optimiser = downstream.recipe.optimiser
        recipe["optimiser"] = dataclasses.replace(
            optimiser, learning_rate=learning_rate
        )
    changed = dataclasses.replace(downstream.recipe, **recipe)
    return with_downstream(task, dataclasses.replace(downstream, recipe=changed))


def with_seed(task, seed):
    return dataclasses.replace(task, cell=dataclasses.replace(task.cell, seed=seed))


def with_selection(task, name):
    condition = condition_of(CONDITION, task.downstream, name)
    cell = dataclasses.replace(task.cell, condition=condition)
    return dataclasses.replace(task, cell=cell)


def recipe(**changes):
    """A short recipe of no particular origin."""
    short = Recipe(
        name="short", epochs=2, batch=32, optimiser=Optimiser(learning_rate=1e-3)
    )
    return dataclasses.replace(short, **changes)


def means(task, part, layer=-1):
    """Read the means over time (N, D) of a part, and its labels, from the store."""
    listed = stored.load(task.use.places, task.corpus).fold("0")[part]
    keys = [recording.key for recording in listed]
    reader = store_of(CONDITION, task.use.places.cache).read("pooled", keys)
    states = torch.stack([reader[key][layer] for key in keys])
    truth = torch.tensor([task.labels.index(r.utterance.label) for r in listed])
    return states, truth


def flipped(data):
    """Flip one bit in the middle."""
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]


class Interruption(BaseException):
    """Stands for whatever ends a process."""


def state_file(task):
    return state_of(task.use.places, task.cell)


def read_state(task):
    return torch.load(io.BytesIO(read_sealed(state_file(task))), weights_only=True)


def write_state(task, state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_sealed(state_file(task), buffer.getvalue())


def counted(task, *, stop_at=None, **recipe):
    """Return a task, and a list that grows by each of its training steps."""
    changed = with_head(task, nonlinear, batch=8, epochs=5, **recipe)
    steps: list[int] = []

    def build(**sizes):
        head = nonlinear.build(**sizes)

        def count(module, arguments):
            if module.training:
                if len(steps) == stop_at:
                    raise Interruption
                steps.append(1)

        head.register_forward_pre_hook(count)
        return head

    head = dataclasses.replace(changed.downstream, build=build)
    return dataclasses.replace(changed, downstream=head), steps


SCHEDULES = [{}, {"schedule": Schedule(kind="milestones", milestones=(2, 4))}]


def by_hand(task, epochs=30, layer=-1):
    """PEFT-SER's training of a linear head, as its file has it, without the harness."""
    (x, y), (vx, vy), (tx, ty) = (means(task, part, layer) for part in range(3))
    torch.manual_seed(task.cell.seed)
    model = linear.build(layers=1, dim=8, classes=2)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=5e-4, weight_decay=1e-4, betas=(0.9, 0.98), eps=1e-8
    )
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode="min", patience=5, factor=0.5, min_lr=5e-5
    )
    share = np.bincount(y, minlength=2) / len(y)
    weights = torch.tensor((1 / share) / (1 / share).sum(), dtype=torch.float32)
    criterion = nn.CrossEntropyLoss(weights)
    order = torch.Generator().manual_seed(task.cell.seed)
    best, history = None, []
    for epoch in range(1, epochs + 1):
        permutation = torch.randperm(len(y), generator=order)
        size = min(32, len(y))
        for start in range(0, len(y) - size + 1, size):
            chosen = permutation[start : start + size]
            optimiser.zero_grad()
            criterion(model(Batch(pooled=x[chosen])), y[chosen]).backward()
            optimiser.step()
        with torch.no_grad():
            logits = model(Batch(pooled=vx))
            loss = nn.functional.cross_entropy(logits, vy).item()
            plateau.step(loss)
            score = f1_score(vy, logits.argmax(1), average="macro", zero_division=0)
            test = model(Batch(pooled=tx))
        history.append((loss, score))
        if best is None or score > best[0]:
            best = (score, epoch, test.softmax(1))
    return history, best, ty
