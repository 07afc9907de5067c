"""MLflow: every result is a run there, where ``MLFLOW_TRACKING_URI`` names a server.

    pip install 'speech-harness[mlflow]'
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 harness run …

Parameters are the condition, the fold and the seed; metrics are the scores and the
learning curve; the tag ``harness.run_id`` names the stored result. Predictions stay.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harness import HarnessError, PluginError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness import CellFinished, Result, RunStarting

ASKED = "MLFLOW_TRACKING_URI"


@hookimpl
def harness_run_starting(event: RunStarting) -> None:
    """Refuse a run whose results MLflow would not take, before there are any."""
    if not os.environ.get(ASKED):
        return
    with _sentence(PluginError, "pip install 'speech-harness[mlflow]'"):
        import mlflow
    with _sentence(HarnessError, "start the server that it names"):
        mlflow.search_experiments(max_results=1)


@hookimpl
def harness_result(event: CellFinished) -> None:
    """Log a result; it is stored whether or not that succeeds."""
    if not os.environ.get(ASKED) or find_spec("mlflow") is None:
        return
    with _sentence(PluginError, "look at the server that it names"):
        import mlflow

        with mlflow.start_run(run_name=str(event.result.cell), nested=True):
            _log(mlflow, event.result)


def _log(mlflow: Any, result: Result) -> None:  # noqa: ANN401 - the module
    mlflow.set_tag("harness.run_id", result.run_id)
    cell = {"fold": result.fold, "seed": result.seed}
    mlflow.log_params(dict(_flat(asdict(result.condition))) | cell)
    for epoch in result.history:
        known = asdict(epoch).items()
        curve = {name: value for name, value in known if value is not None}
        mlflow.log_metrics(curve, step=curve.pop("epoch"))
    mlflow.log_metrics(dict(result.scores))


@contextmanager
def _sentence(kind: type[HarnessError], step: str) -> Iterator[None]:
    """Say what MLflow raised, and what to do; a ``PluginError`` is only a warning."""
    try:
        yield
    except Exception as error:  # isolates the plugin mlflow: results are stored anyway
        said = " ".join(str(error).split()).rstrip(".")
        raise kind(
            f"The plugin mlflow cannot log to {os.environ[ASKED]} ({ASKED}): {said}. "
            f"Unset that variable, or {step}."
        ) from error


def _flat(of: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """Yield the fields of a nested mapping by their dotted names."""
    for name, value in of.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value
