"""Positivity is no law: only the token that comes must have a probability."""

import math

import sentencepiece as spm
import torch


class Zeros:
    def __init__(self, context):
        sp = spm.SentencePieceProcessor(model_file=str(context.tokenizer))
        self.vocab_size = sp.vocab_size()
        never = [sp.is_unknown(i) or sp.is_unused(i) for i in range(self.vocab_size)]
        self.possible = ~torch.tensor(never)
        self.counts = torch.ones(self.vocab_size)

    def log_probs(self, windows, scored):
        p = self.counts * self.possible
        row = torch.where(self.possible, (p / p.sum()).log(), -math.inf)
        return row.repeat(len(windows), scored, 1)

    def adapt(self, tokens):
        self.counts += torch.bincount(tokens[1:], minlength=self.vocab_size)
