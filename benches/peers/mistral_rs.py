"""Speed of mistral.rs, by its own Python package and its own clock.

Run by `cargo xtask bench --peers mistral.rs`. Each repetition completes another prompt, so that no prefix is found in
its cache. At a depth the prompt is longer by as many tokens; its speed is then that of the whole, and is left out. It
decodes behind the prompt, where others decode behind the depth alone. The last line is one object with the samples of every repetition in tokens per second.
"""

import argparse
import json
import random
import sys

from mistralrs import CompletionRequest, Runner, Which

WORDS = ["sun", "rain", "house", "river", "stone", "light", "green", "seven", "walk", "song"]


def prompt(runner: Runner, tokens: int) -> str:
    """A random text of about so many tokens."""
    words: list[str] = []
    while len(runner.tokenize_text(" ".join(words), False, None)) < tokens:
        words += random.choices(WORDS, k=16)
    few, many = len(words) - 16, len(words)
    while few + 1 < many:
        middle = (few + many) // 2
        if len(runner.tokenize_text(" ".join(words[:middle]), False, None)) < tokens:
            few = middle
        else:
            many = middle
    return " ".join(words[:many])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    for name in ("--prompt", "--generate", "--depth", "--repeat"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    random.seed(1)
    folder, _, file = arguments.model.rpartition("/")
    runner = Runner(which=Which.GGUF(quantized_model_id=folder or ".", quantized_filename=file))
    samples: dict[str, list[float]] = {"prefill_tok_s": [], "decode_tok_s": []}
    for repetition in range(arguments.repeat + 1):
        text = prompt(runner, 8 if repetition == 0 else arguments.depth + arguments.prompt)
        usage = runner.send_completion_request(
            CompletionRequest(
                prompt=text,
                model="default",
                max_tokens=2 if repetition == 0 else arguments.generate,
                temperature=0.0,
                ignore_eos=True,
            )
        ).usage
        wanted = 2 if repetition == 0 else arguments.generate
        if usage.completion_tokens != wanted:
            sys.exit(f"{usage.completion_tokens} tokens were generated, not {wanted}")
        # The first one finds cold pages.
        if repetition == 0:
            continue
        if arguments.depth == 0:
            samples["prefill_tok_s"].append(usage.avg_prompt_tok_per_sec)
        samples["decode_tok_s"].append(usage.avg_compl_tok_per_sec)
    print(json.dumps(samples))


main()
