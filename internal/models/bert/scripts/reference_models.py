#!/usr/bin/env python3
"""Write tiny models with random weights and what transformers computes with them.

usage: reference_models.py testdata

Writes encoder.safetensors, reranker.safetensors and reference.json. Needs the PyPI
packages tensorflow-cpu 2.15, transformers 4.38 and safetensors. The weights are
made here; no model is downloaded.
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
from safetensors.numpy import save_file
from transformers import BertConfig, TFBertForSequenceClassification, TFBertModel

RNG = np.random.default_rng(20261127)


def weights_of(model, prefix):
    """HuggingFace's PyTorch names and layout of a TensorFlow model's weights."""
    out = {}
    for variable in model.weights:
        name = variable.name.split(":")[0].replace("/", ".")
        name = name[name.index("embeddings") :] if ".embeddings." in name and "encoder" not in name else name
        for head in ("encoder.", "pooler.", "classifier."):
            if "." + head in name:
                name = name[name.index("." + head) + 1 :]
        value = variable.numpy()
        name = name.replace("layer_._", "layer.").replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if name.endswith(".kernel"):
            name, value = name[: -len("kernel")] + "weight", value.T
        if name.endswith("_embeddings.embeddings"):
            name = name[: -len("embeddings")] + "weight"
        out[(name if name.startswith("classifier") else prefix + name)] = np.ascontiguousarray(value)
    return out


def randomize(model):
    for variable in model.weights:
        scale = 0.3 if "kernel" in variable.name else 0.5
        value = RNG.normal(0, scale, variable.shape)
        if "gamma" in variable.name:
            value = 1 + value / 3
        variable.assign(value.astype(np.float32).astype(np.float16).astype(np.float32))


def main(folder):
    config = BertConfig(vocab_size=40, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96,
                        max_position_embeddings=24, type_vocab_size=2, num_labels=1, hidden_act="gelu")
    inputs = [RNG.integers(0, 40, n).tolist() for n in (1, 2, 6, 7, 16, 17, 24)]
    out = {"encoder": [], "reranker": []}
    encoder = TFBertModel(config)
    encoder(np.array([inputs[1]]))
    randomize(encoder)
    for ids in inputs:
        states = encoder(np.array([ids])).last_hidden_state.numpy()[0].mean(0)
        out["encoder"].append({"ids": ids, "second": 0, "vector": (states / np.linalg.norm(states)).tolist()})
    save_file({k: v.astype(np.float16) for k, v in weights_of(encoder, "").items()}, os.path.join(folder, "encoder.safetensors"))

    reranker = TFBertForSequenceClassification(config)
    reranker(np.array([inputs[1]]))
    randomize(reranker)
    for ids in inputs:
        second = len(ids) // 2
        types = [0] * second + [1] * (len(ids) - second) if second else [0] * len(ids)
        logit = reranker(np.array([ids]), token_type_ids=np.array([types])).logits.numpy()[0][0]
        out["reranker"].append({"ids": ids, "second": second, "score": float(logit)})
    save_file({k: v.astype(np.float16) for k, v in weights_of(reranker, "bert.").items()}, os.path.join(folder, "reranker.safetensors"))
    with open(os.path.join(folder, "reference.json"), "w", encoding="utf-8") as f:
        json.dump(out, f)


main(sys.argv[1])
