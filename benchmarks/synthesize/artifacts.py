"""The axis of artifacts: what becomes of the weights between training and evaluation.

Each defines `shipped(model)`: the model that is evaluated. `stepped` stands in the training loop,
behind each step.

Guarantees: nothing is read but the weights. Does not cover: the size of what is written.
"""

from __future__ import annotations

from dataclasses import dataclass

_CODES = """
def pack(w, levels):
    top = w.abs().amax(dim=-1, keepdim=True).clamp_min(1e-8) / levels
    return (w / top).round().clamp(-levels, levels).to(torch.int8), top.half()
"""


@dataclass(frozen=True)
class Artifact:
    code: str
    imports: tuple[str, ...] = ()
    stepped: str = ""


ARTIFACTS: dict[str, Artifact] = {
    "none": Artifact("""
def shipped(model):
    return model.eval()
"""),
    "int8, zlib": Artifact(
        _CODES
        + """

def shipped(model):
    flat = {}
    for name, w in model.state_dict().items():
        w = w.detach().cpu()
        if w.ndim > 1:
            flat[name + ".q"], flat[name + ".s"] = pack(w, 127)
        else:
            flat[name + ".w"] = w
    kept = io.BytesIO()
    torch.save(flat, kept)
    with open("final_model.int8.ptz", "wb") as file:
        file.write(zlib.compress(kept.getvalue(), 9))
    with open("final_model.int8.ptz", "rb") as file:
        flat = torch.load(io.BytesIO(zlib.decompress(file.read())), weights_only=True)
    fresh = Model().to(device)
    state = fresh.state_dict()
    for name, w in state.items():
        if name + ".w" in flat:
            w.copy_(flat[name + ".w"])
        else:
            w.copy_(flat[name + ".q"].float() * flat[name + ".s"].float())
    fresh.load_state_dict(state)
    return fresh.eval()
""",
        ("import io", "import zlib"),
    ),
    "six bits, in memory": Artifact(
        _CODES
        + """

@torch.no_grad()
def shipped(model):
    small = {n: pack(w, 31) if w.ndim > 1 else w.half() for n, w in model.state_dict().items()}
    blob = lzma.compress(pickle.dumps(small), preset=3)
    print("artifact bytes:", len(blob))
    for name, kept in pickle.loads(lzma.decompress(blob)).items():
        w = kept[0] * kept[1].float() if isinstance(kept, tuple) else kept.float()
        model.get_parameter(name).copy_(w)
    return model.eval()
""",
        ("import lzma", "import pickle"),
    ),
    "numpy file": Artifact(
        """
def shipped(model):
    halves = {n: w.detach().cpu().numpy().astype(np.float16) for n, w in model.state_dict().items()}
    np.savez_compressed("weights.npz", **halves)
    fresh, kept = Model(), np.load("weights.npz")
    fresh.load_state_dict({n: torch.from_numpy(kept[n].astype(np.float32)) for n in kept.files})
    return fresh.to(device).requires_grad_(True).eval()
""",
        ("import numpy as np",),
    ),
    "average of steps": Artifact(
        """
def blend(model, rate=0.2):
    with torch.no_grad():
        if not hasattr(model, "average"):
            model.average = {n: w.detach().clone() for n, w in model.named_parameters()}
        for name, w in model.named_parameters():
            model.average[name].lerp_(w, rate)


def shipped(model):
    for name, w in getattr(model, "average", {}).items():
        model.get_parameter(name).data.copy_(w)
    return model.eval()
""",
        stepped="blend(model)",
    ),
}
