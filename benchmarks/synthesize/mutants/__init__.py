"""Operators on the syntax trees of real scripts: one place that breaks a rule, or none.

operator      what an operator is: sites in reading order, one of which is changed
masks, data, counting, ordering, scoring, choices, provenance, ranks    operators that break a rule
look_alikes   operators that break a rule, each beside a sibling that does not
harmless      rewrites that break none
real_scripts  folders of a clone, their mutants and the harmless twins
"""
