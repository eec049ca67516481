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

print("| a copy of the memory | 10M chunks | 100M | 1B |\n|---|---|---|---|")
line("rows, texts, vectors", lambda n: size(n * (rows + vectors)))
line("HNSW of halfvec", lambda n: size(n * hnsw))
line("HNSW of bits, with rerank *", lambda n: size(n * binary))
line("BM25, merged", lambda n: size(n * bm25_built))
line("GIN of stems", lambda n: size(n * gin))
line("**disk, halfvec and BM25 and GIN**", lambda n: f"**{size(n * (rows + vectors + hnsw + bm25_built + gin))}**")
line("**RAM for the indexes, halfvec**", lambda n: f"**{size(n * (hnsw + bm25_built))}**")
line("RAM for the indexes, bits *", lambda n: size(n * (binary + bm25_built)))
line("CPU of making HNSW anew, without the growth by log n", lambda n: hours(n * build))
line("CPU of keeping everything, chunk by chunk", lambda n: hours(n * put))
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
PY
