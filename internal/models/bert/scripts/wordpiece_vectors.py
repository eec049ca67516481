#!/usr/bin/env python3
"""Write testdata/wordpiece.json: token ids that HuggingFace's tokenizers gives.

usage: wordpiece_vectors.py ../minilm/vocab.txt > testdata/wordpiece.json

Needs the PyPI package tokenizers. The texts are made here: words of the
vocabulary, scripts, signs and broken input in random order with a fixed seed.
"""
import json
import random
import sys

from tokenizers import BertWordPieceTokenizer

FIXED = [
    "", " ", "Hello, world!", "don't stop-believing (really)", "C++ and C# and .NET 8.0", "getUserById(id)",
    "Ünïcödé façade naïve Ångström", "ﬁne ligature ﬂows", "10⁶ cells, CO₂, ½ cup, ²³⁵U", "x = a_b + c^2 ≥ 3·10^-7",
    "東京は日本の首都です。", "北京市 is Beijing", "서울은 한국의 수도", "Привет, мир!", "שלום עולם", "مرحبا بالعالم", "สวัสดีชาวโลก",
    "tab\tand\nnewline\r\nand\u00a0nbsp\u3000ideographic space", "soft\u00adhyphen zero\u200bwidth joiner\u200d", "nul\u0000 and \ufffd replacement",
    "emoji 😀👍🏽 flags 🇩🇪", "https://example.org/path?q=1&r=%20#frag", "a" * 100, "a" * 101, "supercalifragilisticexpialidocious",
    "İstanbul'da ıssız", "Straße ß ẞ", "Ⅳ Ⅻ ① ㎏", "—em—dash–en…", "“quoted” ‘single’ «guillemets»", "\u0301 combining alone", "e\u0301 decomposed é",
    "\ue000 private use", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 math 𝒜", "ⓐⓑⓒ", "\u202eright-to-left override\u202c", "[CLS] literal [SEP] [UNK] [MASK]",
]


def main(vocab):
    tokenizer = BertWordPieceTokenizer(vocab, lowercase=True)
    rng = random.Random(20261127)
    with open(vocab, encoding="utf-8") as f:
        pieces = [line.rstrip("\n") for line in f]
    alphabets = [
        [chr(c) for c in range(0x20, 0x7F)],
        [chr(c) for c in range(0xA1, 0x250)],
        [chr(c) for c in range(0x370, 0x530)],
        # U+061D became punctuation in Unicode 14, which tokenizers does not know yet.
        [chr(c) for c in range(0x600, 0x700) if c != 0x61D],
        [chr(c) for c in range(0x900, 0x980)],
        [chr(c) for c in range(0x2000, 0x2070)],
        [chr(c) for c in range(0x3040, 0x3100)] + [chr(c) for c in range(0x4E00, 0x4E80)],
    ]
    texts = list(FIXED)
    for _ in range(250):
        words = []
        for _ in range(rng.randint(1, 12)):
            if rng.random() < 0.6:
                words.append(rng.choice(pieces).removeprefix("##"))
            else:
                words.append("".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randint(1, 8))))
        texts.append(" ".join(words))
    # Special tokens in a text are words like any other to us; the tokenizer knows
    # them as special, so texts with one are left out of the comparison.
    texts = [t for t in texts if not any(s in t for s in ("[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]"))]
    rows = [{"text": t, "ids": tokenizer.encode(t).ids} for t in texts]
    print("[" + ",\n".join(json.dumps(r, ensure_ascii=True) for r in rows) + "]")


main(sys.argv[1])
