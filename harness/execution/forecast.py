"""How long tasks take here: their forecasts, corrected by what was measured here.

The times of ``cost`` are those of a nominal core. They are scaled by the rate at which
this machine multiplies matrices, and, where it is asked for, by short trials: two clips
of each upstream, two steps of each head.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

from harness.errors import CheckpointError, HarnessError
from harness.execution import cost
from harness.features.extraction import Extraction, Use, encoder, find_source
from harness.training.dataset import Dataset
from harness.training.loop import Fitting, fit
from harness.training.metrics import macro_f1
from harness.training.task import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.execution.plan import Pair, Plan
    from harness.types import Downstream, Resources, Task

SIZE, REPEATS = 768, 5
"""Of the matrices that are multiplied: within caches; some 50 ms on a core."""

STARTING = 5.0
"""Seconds of a process until it works, for imports of torch and transformers."""

CLASSES = 7
"""Of a head that is tried; it costs the same with any."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How this machine compares with the nominal core.

    Attributes:
        rate: Of matrix products on a core, in operations a second.
        gpu: On a GPU, if tasks that can use one have one.
        trials: How much longer work of a kind takes than forecast by the rate.
        untried: Why a kind was not tried, a sentence each.
    """

    rate: float = cost.FLOPS
    gpu: float | None = None
    trials: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    untried: tuple[str, ...] = ()

    def seconds(self, task: Task) -> float:
        """Forecast a task's time, in seconds."""
        resources = task.resources
        if self.gpu and resources.gpu:
            return resources.seconds * cost.FLOPS / self.gpu
        return self.nominal(resources) * self.trials.get(kind_of(task), 1.0)

    def nominal(self, resources: Resources) -> float:
        """Forecast by the rate of a core alone, in seconds."""
        return resources.seconds * cost.FLOPS / self.rate


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run would take of this machine.

    Attributes:
        tasks: How many there are.
        workers: Tasks at once, as many as memory allows.
        memory: The most that they hold, in bytes.
        seconds: From beginning to end.
        too_large: The ids of tasks that take more memory than is free.
        untried: Why a kind was not tried, a sentence each.
    """

    tasks: int
    workers: int
    memory: int
    seconds: float
    too_large: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()


def forecast(tasks: Sequence[Task], speed: Speed, cores: int, free: int) -> Forecast:
    """Forecast a run of tasks on so many cores and so much free memory, in bytes."""
    workers = cost.workers_within(tasks, cores, free)
    times = [speed.seconds(task) for task in tasks]
    longest = max(sum(times) / workers, max(times, default=0.0))
    return Forecast(
        tasks=len(tasks),
        workers=workers,
        memory=cost.memory(tasks, workers),
        seconds=STARTING + longest if tasks else 0.0,
        too_large=tuple(task.id for task in tasks if task.resources.memory > free),
        untried=speed.untried,
    )


def kind_of(task: Task) -> tuple[str, ...]:
    """Name what a task's time is like: an upstream's feeding, or a head on a size."""
    payload = task.payload
    if isinstance(payload, Training):
        upstream = payload.use.upstream
        size = (str(upstream.layers), str(upstream.dim), str(upstream.hop))
        return (payload.downstream.name, *size)
    if isinstance(payload, Extraction):
        return _encoding(payload.use)
    return _encoding(payload) if isinstance(payload, Use) else ()


def _encoding(use: Use) -> tuple[str, ...]:
    condition = use.condition
    return (condition.name, condition.checkpoint, condition.feeding)


# ---------------------------------------------------------------- measuring


def speed_of(device: str) -> Speed:
    """Measure the rate of this machine's core, and of its GPU if that is asked for.

    A GPU is measured in a process of its own: one that plans opens none.
    """
    from harness.features.device import count_gpus, is_gpu, named

    place = named(device)[0] if count_gpus() else "cpu"
    if not is_gpu(place):
        return Speed(rate=measured_rate())
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        fast = elsewhere.submit(measured_rate, place).result()
    return Speed(rate=measured_rate(), gpu=fast)


def measured_rate(device: str = "cpu") -> float:
    """Multiply matrices in one thread for a moment; return operations a second."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    one = torch.ones(SIZE, SIZE, device=device)
    best = min(_timed(lambda: torch.mm(one, one).sum().item()) for _ in range(REPEATS))
    torch.set_num_threads(threads)
    return float(2 * SIZE**3 / best)


def _timed(work: Callable[[], object]) -> float:
    """Return the processor's seconds: what else the machine does is not in them."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(plan: Plan, tasks: Sequence[Task], device: str) -> Speed:
    """Try two clips of each upstream and two steps of each head of some tasks.

    Nothing is fetched: what is not here is named, and forecast without a trial.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    speed = speed_of(device)
    trials, untried = {}, []
    for kind, (task, pair) in _kinds(plan, tasks).items():
        try:
            tried, nominal = _trial(task, pair)
        except HarnessError as error:
            untried.append(f"{kind[0]} is not tried: {error}")
            continue
        if nominal.seconds:
            trials[kind] = tried / speed.nominal(nominal)
    torch.set_num_threads(threads)
    return replace(speed, trials=trials, untried=tuple(untried))


def _kinds(
    plan: Plan, tasks: Iterable[Task]
) -> dict[tuple[str, ...], tuple[Task, Pair]]:
    """Choose one task of each kind, extractions before certificates."""
    pairs = {pair.condition: pair for pair in plan.pairs}
    found: dict[tuple[str, ...], tuple[Task, Pair]] = {}
    for task in tasks:
        use = task.payload if isinstance(task.payload, Use) else task.payload.use
        found.setdefault(kind_of(task), (task, pairs[use.condition]))
    return found


def _trial(task: Task, pair: Pair) -> tuple[float, Resources]:
    """Do a little of a task's work; return its seconds, and what was forecast."""
    if isinstance(task.payload, Training):
        return _try_head(task.payload.downstream, pair)
    use = task.payload if isinstance(task.payload, Use) else task.payload.use
    return _try_upstream(use, pair)


def _try_upstream(use: Use, pair: Pair) -> tuple[float, Resources]:
    """Encode two clips, of which three quarters and one quarter are longer."""
    import torch

    from harness.features import padding

    source = find_source(use, use.places.here())
    if use.upstream.checkpoint is not None and source.folder is None:
        raise CheckpointError(f"the checkpoint of {use.upstream.name} is not here.")
    encode = encoder(source, "cpu")
    ordered = sorted(pair.manifest.recordings, key=lambda one: one.seconds)
    two = [ordered[len(ordered) * place // 4] for place in (1, 3)]
    clips = [padding.voice(one.seconds, use.upstream.rate) for one in two]
    with torch.inference_mode():
        encode(clips[:1])
        seconds = sum(_timed(lambda clip=clip: encode([clip])) for clip in clips)  # type: ignore[misc]
    audio = sum(one.seconds for one in two)
    resources = cost.extracting(pair, two)
    alone = resources.seconds - cost.DECODING * audio
    return seconds, replace(resources, seconds=alone)


def _try_head(downstream: Downstream, pair: Pair) -> tuple[float, Resources]:
    """Train two steps on noise of the features' shape, after one of a few clips."""
    if downstream.recipe is None:
        raise HarnessError(f"{downstream.name} fits itself.")
    recipe = replace(downstream.recipe, epochs=1)
    brief = replace(downstream, recipe=recipe)
    fitting = Fitting(downstream=brief, classes=CLASSES, selection=macro_f1, seed=0)
    warm = replace(brief, recipe=replace(recipe, batch=2))
    whole = int(2 * recipe.batch / cost.TRAIN)
    clips = list(_clips(pair, whole))
    train, valid = clips[: 2 * recipe.batch], clips[2 * recipe.batch :][: whole // 10]
    few = _noise(train[:2], pair, brief)
    fit(replace(fitting, downstream=warm), few, few)
    parts = _noise(train, pair, brief), _noise(valid, pair, brief)
    seconds = _timed(lambda: fit(fitting, *parts))
    return seconds, cost.fitting(pair, brief, clips)


def _clips(pair: Pair, number: int) -> Iterator[float]:
    """Yield durations as the corpus has them, in seconds."""
    recordings = pair.manifest.recordings
    for place in range(number):
        yield recordings[place * len(recordings) // number].seconds


def _noise(clips: Sequence[float], pair: Pair, downstream: Downstream) -> Dataset:
    """Draw a part of clips of so many seconds in the form that a head reads."""
    import torch

    upstream, reads = pair.upstream, downstream.reads
    random = torch.Generator().manual_seed(0)
    every = () if reads.layers == "last" else (upstream.layers,)
    labels = torch.arange(len(clips)) % CLASSES
    if not reads.frames:
        shape = (len(clips), *every, upstream.dim)
        return Dataset(pooled=torch.randn(shape, generator=random), labels=labels)
    lengths = [max(1, int(clip / (upstream.hop or clip))) for clip in clips]
    shapes = [(*every, length, upstream.dim) for length in lengths]
    frames = tuple(torch.randn(shape, generator=random) for shape in shapes)
    return Dataset(frames=frames, labels=labels)
