"""The measurements as a table and as a chart."""

import statistics
from html import escape

TITLES = {
    "tmpfs": "cold install, in memory",
    "disk": "cold install, on disk",
    "limited": "cold install, 30 MB/s a connection",
    "warm": "new environment, full cache",
    "noop": "nothing to do",
    "solve": "a plan, pages cached",
}
COLOURS = {"torchfix": "#ee4c2c", "uv": "#8a63d2", "uv-0.12.5": "#b9a3e3", "pip": "#7f8c99"}


def markdown(results):
    """Two tables: time, and what it took."""
    tools = list(results["versions"])
    versions = ", ".join(results["versions"].values())
    lines = [
        f"torch 2.9.1 with its CUDA libraries (4.1 GB of wheels), median of {results['runs']}; {versions}; {results['machine']}.",
        "",
    ]
    others = [tool for tool in tools if tool != "torchfix"] if "torchfix" in tools else []
    lines += _table(["", *tools, *(f"torchfix / {other}" for other in others)], _times(results, tools, others))
    lines.append("")
    columns = [f"{tool} {what}" for what in ("CPU s", "anonymous peak MB", "MB fetched") for tool in tools]
    lines += _table(["", *columns], _costs(results, tools))
    return "\n".join(lines) + "\n"


def _times(results, tools, others):
    for row, by_tool in results["rows"].items():
        walls = {tool: _median(by_tool, tool, "wall") for tool in tools}
        ratios = [_ratio(walls["torchfix"], walls[other]) for other in others]
        yield [TITLES[row], *(_seconds(walls[tool]) for tool in tools), *ratios]


def _costs(results, tools):
    scales = {"cpu": (1, 2), "anonymous_peak": (1e6, 0), "served": (1e6, 0)}
    for row, by_tool in results["rows"].items():
        cells = []
        for field, (scale, digits) in scales.items():
            medians = [_median(by_tool, tool, field) for tool in tools]
            cells += ["" if median is None else f"{median / scale:.{digits}f}" for median in medians]
        yield [TITLES[row], *cells]


def _table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _median(by_tool, tool, field):
    runs = by_tool.get(tool)
    return statistics.median(run[field] for run in runs) if runs else None


def _seconds(seconds):
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _ratio(ours, theirs):
    return "" if ours is None or theirs is None else f"{ours / theirs:.2f}"


def chart(results):
    """Horizontal bars, each row on a scale of its own."""
    width, label, bar, gap = 720, 150, 16, 34
    height, shapes = 8, []
    for row, by_tool in results["rows"].items():
        walls = {tool: _median(by_tool, tool, "wall") for tool in results["versions"]}
        walls = {tool: wall for tool, wall in walls.items() if wall is not None}
        longest = max(walls.values())
        height += 16
        shapes.append(f'<text x="8" y="{height}" font-weight="bold">{escape(TITLES[row])}</text>')
        height += 8
        for tool, wall in walls.items():
            length = max(1, wall / longest * (width - label - 90))
            middle = height + bar - 4
            shapes.append(f'<text x="{label - 8}" y="{middle}" text-anchor="end">{tool}</text>')
            shapes.append(
                f'<rect x="{label}" y="{height}" width="{length:.1f}" height="{bar - 3}" fill="{COLOURS[tool]}"/>'
            )
            shapes.append(f'<text x="{label + length + 6:.1f}" y="{middle}">{_seconds(wall)}</text>')
            height += bar
        height += gap - bar
    # Grey is readable on light and on dark pages.
    style = 'font-family="sans-serif" font-size="12" fill="#808890"'
    body = "\n".join(shapes)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>\n{body}\n</svg>\n'
