"""`nvidia-smi` of one H100, for scripts that log it. A query answers one plain value a field."""

import sys

_VALUES = {
    "name": "NVIDIA H100 80GB HBM3",
    "gpu_name": "NVIDIA H100 80GB HBM3",
    "driver_version": "570.00",
    "count": "1",
    "index": "0",
    "memory.total": "81559 MiB",
    "memory.free": "81559 MiB",
    "memory.used": "0 MiB",
    "utilization.gpu": "0 %",
    "compute_cap": "9.0",
}


def main(arguments: list[str]) -> None:
    """The table, the list, or the fields asked for."""
    queries = [a.partition("=")[2] for a in arguments if a.startswith("--query-gpu")]
    if queries:
        print(", ".join(_VALUES.get(field, "N/A") for field in queries[0].split(",")))
    elif "-L" in arguments:
        print("GPU 0: NVIDIA H100 80GB HBM3")
    else:
        print("NVIDIA-SMI 570.00: stands for one H100 80GB; the script runs on a CPU")


if __name__ == "__main__":
    main(sys.argv[1:])
