"""The contents of a tensor, for fingerprints.

Contents, because version counters do not move on `p.data.add_()` (torch 2.13) and in-place writes
inside inference_mode succeed.
"""

import torch
from torch import Tensor


def tensor_bytes(tensor: Tensor) -> memoryview:
    """All of them, in order, on the host; a copy where the tensor lies elsewhere or apart."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")
