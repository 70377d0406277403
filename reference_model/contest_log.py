"""A run's lines as the contest's scripts write them, so that their readers can read ours.

    step:500/9000 train_loss:2.3845 train_time:41711ms step_avg:83.42ms
    step:9000/9000 val_loss:1.9123 val_bpb:1.1326 train_time:600012ms step_avg:83.40ms
    Serialized model int6+lzma: 15853466 bytes
    Total submission size int6+lzma: 15942924 bytes
    final_int6_roundtrip_exact val_loss:1.91834512 val_bpb:1.13616012

Guarantees: every line is #549's, digit by digit. Does not cover: the JSON lines (`run_folder`),
which hold no times and so are equal for equal runs.
"""


def step_line(
    step: int,  # steps done
    n_steps: int,
    nats_per_token: float,
    train_s: float,
) -> str:
    return f"step:{step}/{n_steps} train_loss:{nats_per_token:.4f} {_times(step, train_s)}"


def validation_line(
    step: int,
    n_steps: int,
    nats_per_token: float,
    bits_per_byte: float,
    train_s: float,
) -> str:
    losses = f"val_loss:{nats_per_token:.4f} val_bpb:{bits_per_byte:.4f}"
    return f"step:{step}/{n_steps} {losses} {_times(step, train_s)}"


def artifact_lines(
    compressor: str,
    artifact_bytes: int,
    code_bytes: int,
) -> list[str]:
    return [
        f"Serialized model int6+{compressor}: {artifact_bytes} bytes",
        f"Code size: {code_bytes} bytes",
        f"Total submission size int6+{compressor}: {artifact_bytes + code_bytes} bytes",
    ]


def roundtrip_line(
    nats_per_token: float,
    bits_per_byte: float,
) -> str:
    return f"final_int6_roundtrip_exact val_loss:{nats_per_token:.8f} val_bpb:{bits_per_byte:.8f}"


def _times(step: int, train_s: float) -> str:
    return f"train_time:{1000 * train_s:.0f}ms step_avg:{1000 * train_s / max(step, 1):.2f}ms"
