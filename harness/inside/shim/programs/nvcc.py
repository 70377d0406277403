"""`nvcc` that has a version and compiles nothing: CUDA sources cannot run here."""

import sys


def main(arguments: list[str]) -> int:
    """The version, or a failure that names the construct."""
    if "--version" in arguments or "-V" in arguments:
        print("Cuda compilation tools, release 12.8, V12.8.0")
        return 0
    print("nvcc: CUDA sources have no equivalent on a CPU; run with --device cuda", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
