"""Names beside points, where there are more of them than colours that differ."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

Point = tuple[float, float]

DISTANCES = (7, 12, 18, 26, 36, 48, 64, 84, 110)
"""Points from a mark to its name; the nearest free place is taken."""

ANGLES = (0, 180, 30, 330, 150, 210, 60, 300, 120, 240, 90, 270)
"""Degrees; to the right first, as most names are written there."""

MARK = 4.0
"""Half the room of a mark, in points: a name that is nearer seems to be its own."""


def label_points(axis: Axes, names: Sequence[tuple[Point, str]]) -> str:
    """Write each name beside its point, so that none touches another or a mark.

    The layout of the figure must be final.

    Args:
        axis: The panel.
        names: Where each point is, in the panel's own units, and what it is called.

    Returns:
        The first name that no place was found for; empty if all have one.
    """
    pixel = axis.figure.dpi / 72
    marks = [_mark(axis, place, MARK * pixel) for place, _ in names]
    taken: list[Bbox] = []
    for (place, name), own in sorted(
        zip(names, marks, strict=True), key=lambda one: -one[1].y0
    ):
        others = [mark for mark in marks if mark is not own]
        box = _placed(axis, place, name, taken, others)
        if box is None:
            return name
        taken.append(box)
    return ""


def _mark(axis: Axes, place: Point, half: float) -> Bbox:
    from matplotlib.transforms import Bbox

    x, y = axis.transData.transform(place)
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _placed(
    axis: Axes, place: Point, name: str, names: Sequence[Bbox], marks: Sequence[Bbox]
) -> Bbox | None:
    """Write a name at the nearest free place, and return the room that it takes."""
    from matplotlib.transforms import Bbox

    pixel = axis.figure.dpi / 72
    width, height = _size(axis, name)
    x, y = axis.transData.transform(place)
    for right, up, far in _offsets(width / pixel, height / pixel):
        left, below = x + right * pixel, y + up * pixel
        box = Bbox.from_bounds(left, below, width, height)
        free = _holds(axis.bbox, box) and not box.count_overlaps([*names, *marks])
        if free and not (far and _crosses((x, y), box, names)):
            _write(axis, place, name, (right, up), led=far)
            return box
    return None


def _crosses(mark: Point, box: Bbox, names: Sequence[Bbox]) -> bool:
    """Return whether the line from a mark to its name runs over another name."""
    from matplotlib.path import Path

    middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    line = Path([mark, middle])
    return any(line.intersects_bbox(one) for one in names)


def _size(axis: Axes, name: str) -> tuple[float, float]:
    """Measure a name in pixels."""
    text = axis.text(0, 0, name, in_layout=False)
    box = text.get_window_extent()
    text.remove()
    return box.width, box.height


def _offsets(width: float, height: float) -> Iterator[tuple[float, float, bool]]:
    """Yield where a name may begin, to the right and up from its mark, in points.

    Of each place also whether it is so far that a line must lead there.
    """
    for distance, angle in product(DISTANCES, ANGLES):
        across = round(math.cos(math.radians(angle)), 3)
        up = round(math.sin(math.radians(angle)), 3)
        yield (
            distance * across - width * (1 - _sign(across)) / 2,
            distance * up - height * (1 - _sign(up)) / 2,
            distance > DISTANCES[0],
        )


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _holds(panel: Bbox, box: Bbox) -> bool:
    return bool(
        panel.x0 <= box.x0
        and panel.y0 <= box.y0
        and box.x1 <= panel.x1
        and box.y1 <= panel.y1
    )


def _write(axis: Axes, place: Point, name: str, offset: Point, *, led: bool) -> None:
    line = {"arrowstyle": "-", "lw": 0.5, "color": "0.5", "shrinkA": 0}
    axis.annotate(
        name,
        place,
        offset,
        textcoords="offset points",
        va="bottom",
        in_layout=False,
        arrowprops=line if led else None,
    )
