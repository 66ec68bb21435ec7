"""The demo model in two independent implementations: logits in transformers, greedy text in llama.cpp.

Run by `cargo xtask demo-peers`, which prepares the interpreter. Ends with a status that is not 0 where an
implementation disagrees. llama.cpp computes with 8-bit activations where weights are quantized: there a text may part
from ours at a near tie, which is shown; everywhere else texts must be equal.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from llama_cpp import Llama
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

MAX_TOKENS = 80
# Largest difference of a logit between two f32 implementations.
TOLERANCE = 1e-3
# How far our logits of two tokens may lie apart for 8-bit activations to decide between them.
NEAR_TIE = 0.5


class Wick:
    """Our program."""

    def __init__(self, program: str):
        self.program = program

    def output(self, *arguments: str) -> str:
        ended = subprocess.run([self.program, *arguments], check=True, capture_output=True, text=True)
        return ended.stdout

    def ids(self, model: str, text: str) -> list[int]:
        return json.loads(self.output("tokenize", "--model", model, "--text", text, "--json"))["ids"]

    def completion(self, model: str, prompt: str) -> dict:
        chosen = ["--raw", "--temperature", "0", "--max-tokens", str(MAX_TOKENS), "--json"]
        return json.loads(self.output("run", "--model", model, "--prompt", prompt, *chosen))

    def logits(self, model: str, ids: list[int]) -> torch.Tensor:
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "logits.safetensors")
            self.output("eval", "logits", "--model", model, "--ids", ",".join(map(str, ids)), "--out", out)
            return load_file(out)["logits"]


def logits_agree(wick: Wick, folder: str, sequences: list[list[int]]) -> bool:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    worst = 0.0
    for ids in sequences:
        ours = wick.logits(folder, ids)
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).logits[0]
        if ours.shape != theirs.shape or not (torch.isfinite(ours).all() and torch.isfinite(theirs).all()):
            print(f"transformers: logits of shape {tuple(theirs.shape)}, ours {tuple(ours.shape)}, or not finite")
            return False
        worst = max(worst, (ours - theirs).abs().max().item())
    print(f"transformers, {folder}: {len(sequences)} prompts, largest difference of a logit {worst:.2e}")
    return worst <= TOLERANCE


def tokens_agree(wick: Wick, folder: str, prompts: list[str]) -> bool:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for prompt in prompts:
        theirs = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        if wick.ids(folder, prompt) != theirs:
            print(f"transformers splits otherwise: {prompt!r}")
            return False
    print(f"transformers, {folder}: tokens of {len(prompts)} prompts equal")
    return True


def texts_agree(wick: Wick, gguf: str, prompts: list[str]) -> bool:
    # An exact cache, as ours; what is left between the two is how products are computed.
    llama = Llama(gguf, n_ctx=2048, verbose=False, flash_attn=False, type_k=0, type_v=0)
    quantized = not gguf.endswith("f32.gguf")
    equal, agree = 0, True
    for prompt in prompts:
        llama.reset()
        completion = llama.create_completion(prompt, temperature=0.0, max_tokens=MAX_TOKENS, repeat_penalty=1.0)
        theirs, own = completion["choices"][0]["text"], wick.completion(gguf, prompt)
        if own["text"] == theirs:
            equal += 1
            continue
        margin = apart(wick, gguf, prompt, own["token_ids"], wick.ids(gguf, theirs))
        print(f"llama.cpp: {theirs!r}\n     ours: {own['text']!r}\n     they part at a lead of {margin:.3f}")
        agree = agree and quantized and margin <= NEAR_TIE
    print(f"llama.cpp, {gguf}: {equal} of {len(prompts)} greedy texts equal")
    return agree


def apart(wick: Wick, gguf: str, prompt: str, own: list[int], theirs: list[int]) -> float:
    """How far our logit of our token leads over that of theirs where the two first differ."""
    common = 0
    while common < min(len(own), len(theirs)) and own[common] == theirs[common]:
        common += 1
    last = wick.logits(gguf, wick.ids(gguf, prompt) + own[:common])[-1]
    other = theirs[common] if common < len(theirs) else wick.ids(gguf, "<|im_end|>")[0]
    return (last[own[common]] - last[other]).item() if common < len(own) else float("inf")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wick", required=True, help="the program")
    parser.add_argument("--prompts", required=True, help="JSON list of rendered prompts")
    parser.add_argument("--gguf", action="append", required=True, help="GGUF files of the model, the shipped one first")
    parser.add_argument("--weights", required=True, help="folder with the shipped weights as f32 and config.json")
    parser.add_argument("--published", help="the model as a published folder, tokenizer included")
    given = parser.parse_args()
    prompts = json.loads(Path(given.prompts).read_text())
    if not prompts:
        print("no prompts to compare")
        return 1
    wick = Wick(given.wick)
    agree = [texts_agree(wick, gguf, prompts) for gguf in given.gguf]
    sequences = [wick.ids(given.gguf[0], prompt) for prompt in prompts]
    agree.append(logits_agree(wick, given.weights, sequences))
    if given.published:
        agree.append(tokens_agree(wick, given.published, prompts))
        agree.append(logits_agree(wick, given.published, sequences))
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
