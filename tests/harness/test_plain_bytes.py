"""A record of another family: 256 plain bytes, no tokenizer, no id that stands for no text."""

import json
from pathlib import Path

from contest_records import LEGAL

from harness.commands.evaluate import main

_EXCHANGED = {
    '"TTT_ENABLED", "0"': '"TTT_ENABLED", "1"',
    "import sentencepiece as spm\n": "",
    '    tokenizer_path = os.environ.get("TOKENIZER_PATH", '
    '"./data/tokenizers/fineweb_1024_bpe.model")\n': "",
    "fineweb10B_sp1024": "fineweb10B_bytes",
    'int(os.environ.get("VOCAB_SIZE", 1024))': 'int(os.environ.get("VOCAB_SIZE", 256))',
    "    sp = spm.SentencePieceProcessor(model_file=args.tokenizer_path)\n": "",
    "    if int(sp.vocab_size()) != args.vocab_size:\n": "",
    '        raise ValueError(f"VOCAB_SIZE={args.vocab_size} does not match the tokenizer")\n': "",
    "    luts = build_sentencepiece_luts(sp, args.vocab_size, device)\n": """\
    none = torch.zeros(256, dtype=torch.bool)
    luts = torch.ones(256), none, none
""",
}


def _in_bytes(script: str) -> str:
    """The script without a tokenizer: each token is a byte of text."""
    for tokenizer, plain in _EXCHANGED.items():
        assert tokenizer in script
        script = script.replace(tokenizer, plain)
    return script


def test_a_script_of_plain_bytes_is_judged(tmp_path: Path) -> None:
    """Its documents begin with byte 0, which counts as any other: no traceback, no accusation."""
    script, out = tmp_path / "train_gpt.py", tmp_path / "out"
    script.write_text(_in_bytes(LEGAL["score-first TTT"].script), encoding="utf-8")
    main([str(script), "--no-static", "--jobs", "2", "--seed", "1337", "--out", str(out)])
    report = json.loads((out / "report.json").read_text())
    assert report["failure"] is None and report["verdict"] in ("CLEAN", "REVIEW"), report["rules"]
    rules = {rule: status["status"] for rule, status in report["rules"].items()}
    assert rules["BYTES-1"] == rules["SOURCE-1"] == rules["CAUSAL-1"] == "pass", report["rules"]
    assert report["score"]["bytes"] == report["score"]["tokens"]
    power = {one["class"]: one for one in report["driven"]["power"]}
    assert power["adaptation"]["applies"] and power["training"]["shown"]
