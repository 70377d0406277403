"""Scripts with a known answer: composed from independent axes, or made from a real script.

    settings, options, data, byte_table, models, training, artifacts, arithmetic, accumulation,
    techniques, layout      one axis a module: the ways in which scripts of the contest do one thing
    form        how a template reads settings
    conduct     what a script may try beyond its folder
    cheats      what a cheating twin does in place of its honest one
    compose     a draw of every axis, and the two scripts that it means
    verify      runs a pair in plain processes: does the cheat do what its answer says?
    mutants, harmless, real_scripts    operators on scripts of the contest's repository
    answers     what is known of each

`python -m benchmarks.synthesize` is the command. Knows nothing of the harness.
"""
