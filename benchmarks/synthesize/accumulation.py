"""The axes of what becomes of the nats: how they are added up, and how the number is printed.

Each way of adding has code for `#: init`, `#: add` (with `nats`, `y` and `tokens`, which counts `y`
already) and `#: result`, which leaves `loss`. Each print has `loss` and `bpb`; `reads` finds the
latter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sum:
    init: str
    add: str
    result: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Print:
    code: str
    reads: str  # a regular expression whose group is the bits per byte
    imports: tuple[str, ...] = ()


SUMS: dict[str, Sum] = {
    "tensor sum": Sum(
        "total = torch.zeros((), dtype=torch.float64)\ncount = 0",
        "total += torch.as_tensor(nats, dtype=torch.float64).cpu().sum()\ncount += len(nats)",
        "loss = (total / count).item()",
    ),
    "float": Sum(
        "total, count = 0.0, 0",
        "for v in nats:\n    total += float(v)\n    count += 1",
        "loss = total / count",
    ),
    "list mean": Sum(
        "every = []",
        "every.extend(float(v) for v in nats)",
        "loss = sum(every) / len(every)",
    ),
    "numpy mean": Sum(
        "pieces = []",
        "pieces.append(np.asarray([float(v) for v in nats]))",
        "loss = float(np.concatenate(pieces).mean())",
        ("import numpy as np",),
    ),
    "means by tokens": Sum(
        "means, sizes = [], []",
        "means.append(float(sum(nats)) / len(nats))\nsizes.append(len(nats))",
        "loss = sum(m * s for m, s in zip(means, sizes)) / sum(sizes)",
    ),
    "bits": Sum(
        "bits, count = 0.0, 0",
        "chunk = torch.as_tensor(nats, dtype=torch.float64).cpu() / math.log(2.0)\n"
        "bits += chunk.sum().item()\ncount += len(nats)",
        "loss = bits * math.log(2.0) / count",
        ("import math",),
    ),
    "total of every part": Sum(
        "parts, count = np.zeros(16), 0",
        "of_each = (count + np.arange(len(nats))) // 64 % 16\n"
        "np.add.at(parts, of_each, np.asarray([float(v) for v in nats]))\ncount += len(nats)",
        "loss = float(parts.sum()) / count",
        ("import numpy as np",),
    ),
    "running mean": Sum(
        "loss, count = 0.0, 0",
        "for v in nats:\n    count += 1\n    loss += (float(v) - loss) / count",
        "",
    ),
    "mean times count": Sum(
        "total, count = 0.0, 0.0",
        "total += torch.as_tensor(nats).double().mean().item() * len(nats)\n"
        "count += float(len(nats))",
        "loss = total / count",
    ),
    "fsum": Sum(
        "every = []",
        "every += [float(v) for v in nats]",
        "loss = math.fsum(every) / len(every)",
        ("import math",),
    ),
}

PRINTS: dict[str, Print] = {
    "contest": Print(
        'print(f"final_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")', r"val_bpb:([\d.]+)"
    ),
    "JSON": Print(
        'said = {"event": "final", "val_loss": round(loss, 7), "val_bpb": round(bpb, 7)}\n'
        "print(json.dumps(said))",
        r'"val_bpb": ([\d.]+)',
        ("import json",),
    ),
    "JSON, indented": Print(
        'print(json.dumps({"final": {"val_loss": loss, "val_bpb": bpb}}, indent=2))',
        r'"val_bpb": ([\d.]+)',
        ("import json",),
    ),
    "two lines": Print(
        'sys.stdout.write("eval val_loss = %.7f\\n" % loss)\n'
        'sys.stdout.write("eval val_bpb  = %.7f\\n" % bpb)',
        r"val_bpb  = ([\d.]+)",
        ("import sys",),
    ),
    "bits alone": Print('print("val_bpb:", round(bpb, 6))', r"val_bpb: ([\d.]+)"),
    "comma separated": Print(
        'print("name,val_loss,val_bpb")\nprint(f"final,{loss:.7f},{bpb:.7f}")',
        r"final,[\d.]+,([\d.]+)",
    ),
    "words": Print(
        'print(f"validation: {loss:.6f} nats per token, {bpb:.6f} bits per byte")',
        r"([\d.]+) bits per byte",
    ),
    "table": Print(
        'print("| split | val_loss | val_bpb |")\nprint(f"| val | {loss:.6f} | {bpb:.6f} |")',
        r"\| val \| [\d.]+ \| ([\d.]+) \|",
    ),
    "logger": Print(
        'logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")\n'
        'logging.info("val_bpb=%.6f val_loss=%.6f", bpb, loss)',
        r"val_bpb=([\d.]+)",
        ("import logging", "import sys"),
    ),
}
