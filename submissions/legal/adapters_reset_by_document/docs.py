"""A boundary is an input like any other, and it is seen when it has come."""

import sentencepiece as spm
import torch


class Docs:
    def __init__(self, context):
        sp = spm.SentencePieceProcessor(model_file=str(context.tokenizer))
        self.vocab_size, self.boundary = sp.vocab_size(), sp.bos_id()
        self.all = torch.ones(self.vocab_size)
        self.document = torch.zeros(self.vocab_size)

    def log_probs(self, windows, scored):
        prior = self.all / self.all.sum()
        begun = (windows == self.boundary).cumsum(1)[:, -scored:] > 0  # another one
        inside = (self.document + 50 * prior) / (self.document.sum() + 50)
        return torch.where(begun[..., None], prior, inside).log()

    def adapt(self, tokens):
        for token in tokens[1:].tolist():
            if token == self.boundary:
                self.document.zero_()
            self.document[token] += 1
        self.all += torch.bincount(tokens[1:], minlength=self.vocab_size)
