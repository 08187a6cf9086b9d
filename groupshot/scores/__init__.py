"""Scores: how good the pictures of a cast are, each by a definition of its own."""

from groupshot.scores.evaluation import FULL, QUICK, Amount, Evaluation, evaluate
from groupshot.scores.likeness import Judge, Likeness, Looks, Scores, Truth, evaluated, truth_of

__all__ = [
    "FULL",
    "QUICK",
    "Amount",
    "Evaluation",
    "Judge",
    "Likeness",
    "Looks",
    "Scores",
    "Truth",
    "evaluate",
    "evaluated",
    "truth_of",
]
