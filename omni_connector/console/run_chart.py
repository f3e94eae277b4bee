"""The chart of a run's rate: points for an SVG, and what it shows in words."""

from attrs import frozen

from omni_connector.console.run_rates import Rate

WIDTH, HEIGHT = 600, 120
FEWEST = 2
"""Stretches of time; fewer make no chart."""


@frozen(kw_only=True)
class RunChart:
    """A line over the time of a run.

    Attributes:
        line: points of the line, for ``<polyline>``.
        area: points of the surface below it, for ``<polygon>``.
        highest: the rate at its top.
        seconds: the time from left to right.
        words: what it shows.
    """

    line: str
    area: str
    highest: float
    seconds: float
    words: str
    width: int = WIDTH
    height: int = HEIGHT

    @classmethod
    def of(cls, rates: list[Rate]) -> "RunChart | None":
        """Return the chart; None where there is too little to show."""
        if len(rates) < FEWEST:
            return None
        highest = max(rate.per_second for rate in rates)
        seconds = rates[-1].end - rates[0].begin
        scale = highest or 1.0
        points = []
        for rate in rates:
            x = ((rate.begin + rate.end) / 2 - rates[0].begin) / seconds * WIDTH
            points.append(f"{x:.1f},{HEIGHT - rate.per_second / scale * (HEIGHT - 4):.1f}")
        # From edge to edge: the rate of a stretch stands in its middle.
        first, last = points[0].partition(",")[2], points[-1].partition(",")[2]
        line = " ".join([f"0,{first}", *points, f"{WIDTH},{last}"])
        return cls(
            line=line,
            area=f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}",
            highest=highest,
            seconds=seconds,
            words=f"Documents per second over {seconds:,.0f} s: {rates[-1].per_second:,.0f} at the end, "
            f"{highest:,.0f} at most.",
        )
