"""The axes of training: the loop's end, and the rule of the step.

Each loop defines `train(model, tokens, share=1.0)`, `share` of the planned steps; each rule defines
`make_step(model)`, a function that updates from gradients and clears them.
"""

from __future__ import annotations

from benchmarks.synthesize.data import Code

RULES: dict[str, Code] = {
    "AdamW": Code("""
def make_step(model):
    rule = torch.optim.AdamW(model.parameters(), lr={{lr}}, betas=(0.9, 0.95), weight_decay=0.01)

    def step():
        rule.step()
        rule.zero_grad(set_to_none=True)

    return step
"""),
    "SGD": Code("""
def make_step(model):
    rule = torch.optim.SGD(model.parameters(), lr=20 * {{lr}}, momentum=0.9, nesterov=True)

    def step():
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rule.step()
        rule.zero_grad()

    return step
"""),
    "written by hand": Code("""
def make_step(model):
    slow = [torch.zeros_like(p) for p in model.parameters()]
    size = [torch.zeros_like(p) for p in model.parameters()]

    @torch.no_grad()
    def step():
        for p, m, s in zip(model.parameters(), slow, size):
            if p.grad is None:
                continue
            m.mul_(0.9).add_(p.grad, alpha=0.1)
            s.mul_(0.95).addcmul_(p.grad, p.grad, value=0.05)
            p -= {{lr}} * m / (s.sqrt() + 1e-6)
            p.grad = None

    return step
"""),
    "orthogonalised": Code("""
def orthogonal(g, rounds=5):
    x = g / (g.norm() + 1e-7)
    flat = x.size(0) > x.size(1)
    x = x.T if flat else x
    for _ in range(rounds):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if flat else x


class Turned(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                kept = self.state[p].setdefault("kept", torch.zeros_like(p))
                kept.mul_(0.9).add_(p.grad)
                turned = orthogonal(kept) if p.ndim == 2 else kept.sign()
                p.add_(turned, alpha=-group["lr"])


def make_step(model):
    rule = Turned(model.parameters(), lr={{lr}})

    def step():
        rule.step()
        rule.zero_grad()

    return step
"""),
}

LOOPS: dict[str, Code] = {
    "steps": Code("""
def train(model, tokens, share=1.0):
    model.train()
    feed, step = batches(tokens, max(1, {{batch_tokens}} // {{seq_len}})), make_step(model)
    for number in range(1 + int(share * {{steps}})):
        x, y = next(feed)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        step()
        #: stepped
        if number % 50 == 0:
            print(f"step {number} train {loss.item():.4f}", flush=True)
"""),
    "wall clock": Code(
        """
def train(model, tokens, share=1.0):
    model.train()
    began, number = time.perf_counter(), 0
    step = make_step(model)
    for x, y in batches(tokens, max(1, {{batch_tokens}} // {{seq_len}})):
        if time.perf_counter() - began > share * {{seconds}} or number > share * {{steps}}:
            break
        logits = model(x)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.reshape(-1))
        loss.backward()
        step()
        #: stepped
        number += 1
    print("trained", number, "steps in", round(time.perf_counter() - began, 1), "s")
""",
        ("import time",),
    ),
    "epochs": Code("""
def train(model, tokens, share=1.0):
    model.train()
    rows = max(1, {{batch_tokens}} // {{seq_len}})
    budget = 1 + int(share * {{steps}})
    per_epoch = max(1, min(budget, tokens.numel() // (rows * {{seq_len}})))
    feed, step = batches(tokens, rows), make_step(model)
    for epoch in range(-(-budget // per_epoch)):
        for _ in range(per_epoch):
            x, y = next(feed)
            cost = F.cross_entropy(model(x).transpose(1, 2), y)
            cost.backward()
            step()
            #: stepped
        print(f"epoch {epoch}: {float(cost):.3f}")
"""),
}
