"""Draws the graph of growth: growth.py FIGURES.csv GRAPH.svg

Each line of the figures is: kind, chunks, p50 ms, p95 ms, first recall ms, resident MB,
MB on disk; 0 where there is none. BenchmarkGrowth writes them.
"""
import csv
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text as text: a tenth of the size
matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same figures give the same file
import matplotlib.pyplot as plt

NAMES = {
    "ours": "research-mcp, one folder",
    "postgres": "research-mcp, PostgreSQL",
    "chromem": "chromem-go alone (vectors only)",
    "fts": "SQLite FTS5 alone (words only)",
}
PANELS = ["recall p50, ms", "recall p95, ms", "first recall after start, ms", "resident memory, MB", "on disk, MB"]


def main(figures, graph):
    rows = {}
    with open(figures, newline="") as f:
        for kind, chunks, *values in csv.reader(f):
            rows.setdefault(kind, []).append((int(chunks), [float(v) for v in values]))
    fig, axes = plt.subplots(2, 3, figsize=(13, 7))
    for panel, (ax, title) in enumerate(zip(axes.flat, PANELS)):
        for kind, name in NAMES.items():
            points = sorted((n, v[panel]) for n, v in rows.get(kind, []) if v[panel] > 0)
            if points:
                ax.plot(*zip(*points), marker="o", label=name)
        ax.set(xscale="log", yscale="log", title=title, xlabel="chunks × 384")
        ax.grid(True, which="major", alpha=0.3)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(handles, labels, loc="center", frameon=False)
    fig.tight_layout()
    fig.savefig(graph, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
