"""Kept steps against the band of noise, as an SVG without any library.

Guarantees: the same log gives the same bytes; no text of the log is in it. Does not cover: axes of
other units.
"""

from collections.abc import Iterator

from harness.gains.significance import Gains

WIDTH, HEIGHT, EDGE = 720, 320, 40  # pixels


def as_svg(gains: Gains) -> str:
    """Every try a dot, the best so far a line, two deviations of noise around it a band."""
    body = "\n".join(_body(gains))
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}>\n{body}\n</svg>\n'


def _body(gains: Gains) -> Iterator[str]:
    values = [one.value for one in gains.tries]
    best = list(_best(gains))
    margin = 2 * gains.noise.sigma if gains.noise else 0.0
    low, high = min(best) - margin, max(values[0], max(best)) + margin
    high += 0.1 * (high - low or 1.0)

    def place(number: int, value: float) -> str:
        x = EDGE + (WIDTH - 2 * EDGE) * number / max(1, len(values) - 1)
        y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (min(value, high) - low) / (high - low or 1.0)
        return f"{x:.1f},{y:.1f}"

    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    if margin:
        above = [place(n, v + margin) for n, v in enumerate(best)]
        below = [place(n, v - margin) for n, v in enumerate(best)]
        yield f'<polygon fill="#dde6f0" points="{" ".join([*above, *below[::-1]])}"/>'
    line = " ".join(place(n, v) for n, v in enumerate(best))
    yield f'<polyline fill="none" stroke="#345" points="{line}"/>'
    for number, one in enumerate(gains.tries):
        x, y = place(number, one.value).split(",")
        yield f'<circle cx="{x}" cy="{y}" r="2" fill="{"#345" if one.kept else "#bbb"}"/>'
    for step in gains.steps:
        if step.real:
            x, y = place(step.number - 1, step.tried.value).split(",")
            yield f'<circle cx="{x}" cy="{y}" r="5" fill="none" stroke="#c30"/>'
    yield f'<text x="{EDGE}" y="{HEIGHT - 12}">{len(values)} tries; ringed: beyond noise</text>'
    yield f'<text x="4" y="{EDGE}">{high:.4f}</text>'
    yield f'<text x="4" y="{HEIGHT - EDGE}">{low:.4f}</text>'


def _best(gains: Gains) -> Iterator[float]:
    best = gains.tries[0].value
    for one in gains.tries:
        best = min(best, one.value) if one.kept else best
        yield best
