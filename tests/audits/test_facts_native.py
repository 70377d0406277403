"""C and C++ beside the script: which outputs hang on the very token, what spreads over bytes."""

from __future__ import annotations

import pytest

from audits.facts.texts.native import NativeFunction, functions

LOOP = """
static int helper(int a) {{ return a + 1; }}
/* A comment with {{ braces }}. */
extern "C" void hints(const uint16_t *tokens, int n, const uint8_t *flags, int *out) {{
    for (int i = 0; i < n; ++i) {{
        {body}
    }}
}}
"""


def hints(body: str) -> NativeFunction:
    found = {one.name: one for one in functions(LOOP.format(body=body))}
    return found["hints"]


@pytest.mark.parametrize(
    "body",
    [
        "const int tok = tokens[i]; const int f = flags[tok]; if (f) { out[i] = 1; }",
        "int tok = tokens[i]; if (flags[tok] && n > 2) { out[i] = 1; }",
        "int tok = tokens[i]; int f = flags[tok]; if (f) { n++; } else { out[i] = 0; }",
        "int tok = tokens[i]; if (tok == 1) out[i] = 0;",
    ],
)
def test_an_output_that_hangs_on_its_own_token(body: str) -> None:
    """Stored at i under a condition on what was read at i."""
    assert hints(body).gated == (3,)


@pytest.mark.parametrize(
    "body",
    [
        "int before = tokens[j]; int f = flags[before]; if (f) { out[i] = 1; }",
        "int tok = tokens[i]; out[i] = table[key]; if (flags[tok]) { count[tok] += 1; }",
        "int tok = tokens[i]; if (flags[last]) { out[i] = 1; } last = tok;",
        "if (n > 4) { out[i] = tokens[i]; }",
    ],
)
def test_outputs_that_do_not(body: str) -> None:
    """The token before, an update after the output, a bound: these are in order."""
    assert hints(body).gated == ()


def test_a_probability_spread_over_bytes() -> None:
    """Divided by the length that a table gives for the token at that place; not by a total."""
    text = "double mix(const int *t, const double *nll, int n, const int *len) {{ {} return s; }}"
    spread = "for (int i=0;i<n;i++){int id=t[i];int b=len[id];s+=-nll[i]/(double)b;}".replace(
        "s+=-nll[i]/(double)b", "double e=-nll[i]/(double)b;s+=e"
    )
    mean = "for (int i=0;i<n;i++){double e=nll[i]/(double)n;s+=e;}"

    assert [one.spreads for one in functions(text.format(spread))] == [True]
    assert [one.spreads for one in functions(text.format(mean))] == [False]
