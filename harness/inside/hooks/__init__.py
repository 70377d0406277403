"""What the watch around a script sees, from inside the script's process, and writes down.

    watching        puts the hooks around the script
    recording/      what all hooks share: events, and which position each number stands for
    torch/          calls of torch: how positions travel, where scores appear and are added up;
                    modules, compiled callables, gradients and steps
    numpy/          the same for arrays, and the bridge between the two
    code/           the script's code, rewritten where it reads, keeps and goes through numbers
    python/         scores that were read out, and are added up in a loop
    settings/       what the script asks to be told
    io_hooks        printed lines, files, the network
    requery/        a score is taken again, with another token, in copies of the process
    dynamo_compat   what keeps all of it from the compiler's sight

Guarantees: every number that the script computes is the same with and without the watch; a failure
of a hook never reaches the script. Does not cover: scripts that take the hooks off.
"""

from harness.inside.hooks.watching import watching

__all__ = ["watching"]
