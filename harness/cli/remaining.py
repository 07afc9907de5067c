"""How long a stage will still take: its forecast, corrected by how it went so far."""

from __future__ import annotations

from dataclasses import dataclass

TRUST = 0.1
"""The share of a forecast that counts as if it had been met: until more than that is
done, what is measured says little, as short parts come first and processes start."""


@dataclass
class Remaining:
    """What is left of a stage.

    Attributes:
        total: How much there is to do.
        forecast: How long it may take, in seconds; 0 where nothing says.
        done: How much is done.
        met: Seconds that were forecast for that.
    """

    total: float
    forecast: float = 0.0
    done: float = 0.0
    met: float = 0.0

    def advance(self, amount: float, forecast: float = 0.0) -> None:
        """Note that a part is done."""
        self.done += amount
        self.met = min(self.met + forecast, self.forecast)

    def seconds(self, elapsed: float) -> float | None:
        """Say how long the rest will take, or ``None`` where nothing says."""
        if self.forecast:
            trusted = TRUST * self.forecast
            pace = (elapsed + trusted) / (self.met + trusted)
            return (self.forecast - self.met) * pace
        if not self.done:
            return None
        return elapsed / self.done * (self.total - self.done)
