"""A whole contest at once: every submission of a git repository's refs, read from its objects.

Guarantees: no checkout and no fetch; each distinct content is read once; a result that was written
is never lost and never computed again, also after kill -9.
Does not cover: running anything; results rest on reading alone.
"""
