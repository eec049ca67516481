#!/usr/bin/env bash
# The tables of docs/scaling.md, from bytes that were measured: scaling.sh
# The measurement itself: SCALING_CHUNKS=10000 go test -v -run BytesPerChunk ./memory/postgres
set -euo pipefail
python3 - <<'PY'
# Bytes a chunk of 384 dimensions. ours: TestBytesPerChunk with 10,000 chunks, pg_textsearch
# 1.5.1, PostgreSQL 18.6. bm25 after REINDEX, the build of the index in CPU seconds a chunk,
# the CPU of a Put, and binary HNSW: at 100,000 chunks of the same text (2 cores).
rows, vectors, hnsw = 899 + 428 + 41 + 18 + 40, 916 + 43, 1171
gin, bm25_live, bm25_built, binary = 825, 2526, 418, 349
build, put = 56.5 / 96_000, 3.8e-3

def size(b):
    for unit in ("kB", "MB", "GB", "TB"):
        b /= 1000
        if b < 1000: return f"{b:.0f} {unit}" if b >= 10 else f"{b:.1f} {unit}"
    return f"{b:.0f} TB"

def hours(s): return f"{s / 3600:.1f} h" if s >= 3600 else f"{s / 60:.0f} min"

sizes = (10**7, 10**8, 10**9)
def line(name, f): print(f"| {name} | " + " | ".join(f(n) for n in sizes) + " |")

print("| a copy of the memory | a chunk | 10M chunks | 100M | 1B |\n|---|---|---|---|---|")
def each(name, b, bold=""):
    print(f"| {bold}{name}{bold} | " + " | ".join([f"{b:.0f} B"] + [f"{bold}{size(n * b)}{bold}" for n in sizes]) + " |")
each("rows, texts, vectors", rows + vectors)
each("HNSW of halfvec", hnsw)
each("HNSW of bits, with rerank *", binary)
each("BM25, merged", bm25_built)
each("GIN of stems", gin)
each("disk, halfvec and BM25 and GIN", rows + vectors + hnsw + bm25_built + gin, "**")
each("RAM for the indexes, halfvec", hnsw + bm25_built, "**")
each("RAM for the indexes, bits *", binary + bm25_built)
def took(name, s, unit):
    print(f"| {name} | {unit} | " + " | ".join(hours(n * s) for n in sizes) + " |")
took("CPU of making HNSW anew, without the growth by log n", build, f"{build * 1e3:.2f} ms")
took("CPU of keeping everything, chunk by chunk", put, f"{put * 1e3:.1f} ms")
print()
print("Servers of 128 GB RAM, of which 96 GB hold indexes, if no tenant is larger than one:\n")
print("| form | 10M chunks | 100M | 1B |\n|---|---|---|---|")
ceil = lambda x: int(-(-x // 1))
line("halfvec: groups of tenants × 3 servers", lambda n: f"{ceil(n * (hnsw + bm25_built) / 96e9)} × 3")
line("bits, with rerank *: groups × 3 servers", lambda n: f"{ceil(n * (binary + bm25_built) / 96e9)} × 3")
# How uneven groups become: 1,000 tenants, sizes by Zipf's law, put into the emptiest group.
import random
random.seed(1)
weights = [1 / (i + 1) ** 0.9 for i in range(1000)]
total = sum(weights)
print("\nHow full the fullest of the groups is, against the mean, with 1,000 tenants whose sizes follow Zipf's law (0.9), each put into the emptiest group:\n")
print("| groups | largest first | as they come |\n|---|---|---|")
def fill(ws, k):
    g = [0.0] * k
    for w in ws: g[g.index(min(g))] += w
    return max(g) / (total / k)
for k in (2, 4, 8, 18):
    shuffled = weights[:]; random.shuffle(shuffled)
    print(f"| {k} | {fill(sorted(weights, reverse=True), k):.2f} | {fill(shuffled, k):.2f} |")
# OpenSearch says 1.1 (4 d + 8 m) bytes a vector of 32-bit numbers, m = 16.
d, m = 384, 16
print("\n| OpenSearch, by its own formula * | a chunk | 10M chunks | 100M | 1B |\n|---|---|---|---|---|")
each("RAM for the vectors of a copy, 32-bit numbers", 1.1 * (4 * d + 8 * m))
each("the same, one byte for each", 1.1 * (d + 8 * m))
PY
