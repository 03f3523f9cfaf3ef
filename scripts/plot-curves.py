#!/usr/bin/env python3
"""Usage: scripts/plot-curves.py OUT.svg TITLE [LABEL=]RUN_FOLDER...

Draws the mean training return of the last 100 episodes over environment steps, one
line for each run, from the runs' progress.csv. Runs of one label share a colour, which a
legend explains. Needs nothing but Python.
"""
import csv
import math
import pathlib
import sys

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
COLOURS = ["#3266a8", "#c2571a", "#2f8f5b", "#8a4fa3", "#a8323e", "#5b6770"]


def curve(folder):
    with open(pathlib.Path(folder) / "progress.csv", newline="") as file:
        rows = [(float(row["env_steps"]), float(row["mean_return"])) for row in csv.DictReader(file)]
    return [(x, y) for x, y in rows if not math.isnan(y)]


def ticks(low, high, count=5):
    step = 10 ** math.floor(math.log10((high - low) / count))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= count)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def colours_of(labels):
    """One for each label, or, where there is none, for each run."""
    names = list(dict.fromkeys(label or run for run, label in enumerate(labels)))
    return [COLOURS[names.index(label or run) % len(COLOURS)] for run, label in enumerate(labels)]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, title, folders = sys.argv[1], sys.argv[2], sys.argv[3:]
    labels = [folder.rpartition("=")[0] for folder in folders]
    colours = colours_of(labels)
    curves = [curve(folder.rpartition("=")[2]) for folder in folders]
    x_high = max(x for points in curves for x, _ in points)
    y_low = min(0, min(y for points in curves for _, y in points))
    y_high = max(0, max(y for points in curves for _, y in points))
    y_high += 0.05 * (y_high - y_low)

    def place(x, y):
        return (LEFT + x / x_high * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM))

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12" fill="#333">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="15">{title}</text>']
    for y in ticks(y_low, y_high):
        _, py = place(0, y)
        svg.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{py + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in ticks(0, x_high):
        px, _ = place(x, 0)
        svg.append(f'<text x="{px:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,.0f}</text>')
    svg.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
               'environment steps</text>')
    for points, colour in zip(curves, colours):
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (place(x, y) for x, y in points))
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for row, (label, colour) in enumerate(dict(zip(filter(None, labels), colours)).items()):
        y = HEIGHT - BOTTOM - 14 - 18 * row
        svg.append(f'<line x1="{WIDTH - 190}" x2="{WIDTH - 166}" y1="{y}" y2="{y}" '
                   f'stroke="{colour}" stroke-width="2.4"/>'
                   f'<text x="{WIDTH - 160}" y="{y + 4}">{label}</text>')
    svg.append("</svg>")
    pathlib.Path(out).write_text("\n".join(svg) + "\n")


if __name__ == "__main__":
    main()
