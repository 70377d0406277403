"""Operators on the syntax trees of real scripts: one place that breaks a rule, or none.

operator      what an operator is: sites in reading order, one of which is changed
masks, data, counting, ordering, scoring, choices, provenance, ranks    operators that break a rule
harmless      rewrites that change nothing
real_scripts  folders of a clone, their mutants and the harmless twins
"""
