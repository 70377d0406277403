"""The interpreter's core: modules that call each other in a circle, as the language does.

A block holds statements, a statement holds expressions, an expression may be a call, a call reads
the body of the function that it reaches, and a body is a block again:

    statements -> loops, definitions -> expressions -> calls -> methods, library -> definitions
    stores, subscripts: targets and keys, which hold expressions

This is the one circle of imports in `audits`. Only what evaluates code of the submission is here;
whatever works on values that are already known stands in `effects` or beside this folder.

Guarantees: code is read in the order in which Python would run it, callees in place.
Does not cover: the meaning of single operations (`effects`), the state of a reading (`state`).
"""
