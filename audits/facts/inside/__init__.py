"""Inside a model's class: which places of the sequence each value of its forward pass knows.

    linear      lengths and places, as a multiple of the sequence's length and a number
    sequences   what is known of a value: its time axis, and how far ahead an entry knows
    operations  what single operations do to that
    reader      what is known of the class while it is read
    arguments   of calls: numbers, axes, sizes
    tensors     functions of torch and methods of tensors
    calls       layers, parts and functions of the script
    forward     the methods of a class, statement by statement
    entrance    where that begins

Guarantees: nothing of the submission runs; a look ahead is told only where every step to it is
understood; what is not understood knows nothing.
Does not cover: shapes that are computed; layers written in another language.
"""
