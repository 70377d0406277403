"""Code that is looked at as text and never interpreted: C and C++, flags, preparation scripts."""
