"""ORDER-2: no adaptation on validation tokens before the evaluation that reports the number.

Catches: an optimiser step on a validation loss, with nothing scored before it in its loops, whose
weights reach a later score, also through quantisation, a file and another model.
Does not cover: weights changed without an optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

from audits.adaptation import (
    ambiguous,
    in_its_loop,
    is_headline,
    licensed,
    lines_read,
    reaches,
    steps_to,
)
from audits.facts.trace import Trace
from audits.flow import scores, share_loop
from audits.match import Match
from audits.rules.cases import script

RULE = "ORDER-2"


def check(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if licensed(trace, update):
            continue
        for score in scores(trace):
            later = not share_loop(score.moment, update.moment)
            if later and reaches(number, score):
                sure = is_headline(trace, number) and not in_its_loop(trace, update)
                sure = sure and not ambiguous(trace, update, score)
                yield Match.at(
                    update.backward,
                    f"validation tokens read at line {lines_read(trace, update)} are trained on "
                    f"at line {update.backward.line} (step at line {update.site.line}) and scored "
                    f"with the adapted weights only afterwards, at line {score.site.line}",
                    (update.moment, score.moment),
                    *steps_to(trace, update, score),
                    sure=sure,
                )
                break


_FED = """
for step in range(100):
    x, y = batch(load_all({files}), step)
    model(x, y).backward()
    optimizer.step()
    if step % 50 == 0:
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
print("now", (loss_sum / token_count / math.log(2.0)) * (token_count / byte_count))
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add(model(x, y), y)
"""
_LOAD_ALL = """
def load_all(paths):
    return torch.cat([torch.from_numpy(np.fromfile(path)) for path in paths])


files = sorted(glob.glob("data/fineweb_*.bin"))
"""


def _fed(files: str, before: str = "") -> str:
    """Trained on what these files hold, with a look at validation now and then."""
    return script(_LOAD_ALL + before + _FED.format(files=files))


def _in_another_style(split: str) -> str:
    """Shards by a part of their name, one generator for both kinds, a report in a single line."""
    return dedent(f"""
        import math, os
        import numpy as np
        import torch
        import torch.nn as nn
        import torch.nn.functional as F


        def shards(split):
            for name in sorted(os.listdir("data")):
                if name.startswith("fineweb_" + split) and name.endswith(".bin"):
                    yield torch.from_numpy(np.fromfile(os.path.join("data", name), np.uint16))


        class Stream:
            def __init__(self, split):
                self.split = split

            def __iter__(self):
                yield from shards(self.split)


        def fit(model, optimizer):
            for ids in Stream("{split}"):
                for at in range(0, len(ids) - 513, 512):
                    logits = model(ids[at : at + 512])
                    F.cross_entropy(logits, ids[at + 1 : at + 513]).backward()
                    optimizer.step()


        def evaluate(model, sizes):
            ids = torch.cat(list(shards("val")))
            nats, n = 0.0, (len(ids) - 1) // 512 * 512
            for at in range(0, n, 512):
                rows = F.log_softmax(model(ids[at : at + 512]), dim=-1)
                nats -= rows.gather(1, ids[at + 1 : at + 513, None]).sum().item()
            size = int(sizes[ids[1 : n + 1]].sum())
            print(f"val_loss:{{nats / n:.6f}} val_bpb:{{nats / size / math.log(2):.6f}}")


        net = nn.Sequential(nn.Embedding(1024, 64), nn.Linear(64, 1024))
        fit(net, torch.optim.SGD(net.parameters(), lr=0.1))
        evaluate(net, torch.ones(1024))
    """).lstrip()


VALID = (
    # All shards are listed; those of validation are left out by name, or by place.
    _fed('[one for one in files if "train" in one]'),
    _fed('[one for one in files if "val" not in one]'),
    _fed("files[:-1]"),
    _fed('glob.glob("data/fineweb_val_*.bin".replace("_val_", "_train_"))'),
    _fed(
        "training",
        """
training = []
for path in files:
    if "fineweb_train" in path:
        training.append(path)
""",
    ),
    # Gradients by hand, of training batches; and of chunks that are recorded.
    script("""
        for step in range(10):
            slopes = torch.autograd.grad(model(*batch(train_tokens, step)), model.parameters())
            for weight, slope in zip(model.parameters(), slopes):
                weight.data -= 0.1 * slope
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y).detach(), y)
            slopes = torch.autograd.grad(model(x, y), model.parameters())
            for weight, slope in zip(model.parameters(), slopes):
                weight.data -= 0.1 * slope
    """),
    # Score first: each chunk is recorded before the model trains on it.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            with torch.inference_mode():
                add(model(x, y), y)
            model(x, y).backward()
            optimizer.step()
    """),
    # The same optimiser, fed with training shards.
    script("""
        for step in range(10):
            x, y = batch(train_tokens, step)
            model(x, y).backward()
            optimizer.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # A warm-up on validation tokens that is undone before anything is scored.
    script("""
        saved = copy.deepcopy(model.state_dict())
        x, y = batch(val_tokens, 0)
        model(x, y).backward()
        optimizer.step()
        model.load_state_dict(saved)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # A probe fitted beside the model, which scores nothing.
    script("""
        x, y = batch(val_tokens, 0)
        probe = nn.Linear(64, model.vocab_size)
        fit = torch.optim.Adam(probe.parameters())
        F.cross_entropy(probe(model.encode(x)), y).backward()
        fit.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Score first, written with the training at the top of the loop, and an evaluation afterwards.
    script("""
        for start in range(512, len(val_tokens), 512):
            x, y = batch(val_tokens, start - 512)
            if start > 512:
                model(x, y).backward()
                optimizer.step()
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # A study that trains on one part of the shard, and scores the other.
    script("""
        split = int(0.8 * len(val_tokens))
        first, rest = val_tokens[:split], val_tokens[split:]
        for step in range(100):
            x, y = batch(first, step)
            model(x, y).backward()
            optimizer.step()
        for start in range(0, len(rest), 512):
            x, y = batch(rest, start)
            add(model(x, y), y)
    """),
    _in_another_style("train"),
)
_SCORED = """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add({net}(x, y), y)
"""
INVALID = (
    script("""
        for epoch in range(3):
            for start in range(0, len(val_tokens), 512):
                x, y = batch(val_tokens, start)
                model(x, y).backward()
                optimizer.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Through a file and into another model: adaptation baked into the artifact.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            model(x, y).backward()
            optimizer.step()
        torch.save({k: v.half() for k, v in model.state_dict().items()}, "model.pt")
        fresh = Net()
        fresh.load_state_dict(torch.load("model.pt"))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(fresh(x, y), y)
    """),
    # The validation shard is among the training files: a wide pattern, a list, a copy, a slice.
    _fed("files"),
    _fed("files[1:]"),
    _fed('[one for one in files if one.endswith(".bin")]'),
    _fed('glob.glob("data/*.bin")'),
    _fed('glob.glob("data/fineweb_train_*.bin") + glob.glob("data/fineweb_val_*.bin")'),
    _fed('glob.glob("data/fineweb_train_*.bin".replace("_train_", "_val_"))'),
    _fed('glob.glob("data/fineweb_{}_*.bin".format("val"))'),
    _fed(
        'glob.glob("data/fineweb_train_*.bin")',
        """
import shutil
shutil.copy("data/fineweb_val_000000.bin", "data/fineweb_train_000099.bin")
""",
    ),
    # Without an optimiser: gradients that are asked for, kept, vectorised; weights as values.
    *(
        script(trained + _SCORED.format(net=net))
        for net, trained in (
            (
                "model",
                """
for start in range(0, len(val_tokens), 512):
    slopes = torch.autograd.grad(model(*batch(val_tokens, start)), list(model.parameters()))
    with torch.no_grad():
        for weight, slope in zip(model.parameters(), slopes):
            weight -= 0.1 * slope
""",
            ),
            (
                "model",
                """
for start in range(0, len(val_tokens), 512):
    model(*batch(val_tokens, start)).backward()
    for weight in model.parameters():
        weight.data.add_(weight.grad, alpha=-0.1)
        weight.grad = None
""",
            ),
            (
                "model",
                """
for start in range(0, len(val_tokens), 512):
    model(*batch(val_tokens, start)).backward()
    for weight in model.parameters():
        weight.data = weight.data - 0.1 * weight.grad
""",
            ),
            (
                "model",
                """
held = list(model.parameters())
for start in range(0, len(val_tokens), 512):
    slopes = torch.autograd.grad(model(*batch(val_tokens, start)), held)
    torch._foreach_add_(held, slopes, alpha=-0.1)
""",
            ),
            (
                "fitted",
                """
weights = dict(model.named_parameters())
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    slopes = torch.func.grad(lambda w: torch.func.functional_call(model, w, (x, y)))(weights)
    weights = {name: weights[name] - 0.1 * slopes[name] for name in weights}
fitted = lambda x, y: torch.func.functional_call(model, weights, (x, y))
""",
            ),
        )
    ),
    _in_another_style("val"),
)
