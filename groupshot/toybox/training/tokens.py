"""The base's tokenizer: CLIP's, with a vocabulary in which every word of the world is one token."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from groupshot.toybox.world import WORDS

LENGTH = 77
"""Positions of the text encoder."""

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"

Pair = tuple[str, str]


def built() -> CLIPTokenizer:
    """The tokenizer: bytes, bytes that end a word, one merge after another, start and end."""
    merges = learned_merges(WORDS)
    letters = list(bytes_to_unicode().values())
    entries = [*letters, *(letter + WORD_END for letter in letters)]
    entries += [first + second for first, second in merges]
    vocabulary = {entry: index for index, entry in enumerate([*entries, START, END])}
    pairs: Any = merges  # declared as strings, taken as pairs
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=LENGTH)


def save(folder: Path) -> None:
    """Write the tokenizer as diffusers and older versions of transformers read it."""
    tokenizer = built()
    tokenizer.save_pretrained(str(folder))
    tokenizer.backend_tokenizer.model.save(str(folder))


def learned_merges(words: tuple[str, ...]) -> list[Pair]:
    """Byte pair encoding until each word is one symbol; ties go to the first in the alphabet."""
    spelt = [spelling(word) for word in sorted(set(words))]
    merges: list[Pair] = []
    while any(len(symbols) > 1 for symbols in spelt):
        pairs = Counter(pair for symbols in spelt for pair in pairwise(symbols))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelt = [merged(symbols, best) for symbols in spelt]
    return merges


def spelling(word: str) -> list[str]:
    """A lower-case word as single symbols, the last of which carries the end mark."""
    alphabet = bytes_to_unicode()
    symbols = [alphabet[byte] for byte in word.lower().encode()]
    return [*symbols[:-1], symbols[-1] + WORD_END]


def merged(symbols: list[str], pair: Pair) -> list[str]:
    """The symbols with every occurrence of `pair` joined, from left to right."""
    result: list[str] = []
    for symbol in symbols:
        if result and (result[-1], symbol) == pair:
            result[-1] += symbol
        else:
            result.append(symbol)
    return result
