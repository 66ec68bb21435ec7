//! Any output in Qwen3Coder's format, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use providers::OutputFormat;

/// What sloppy output is made of; any other byte stands for itself.
const FRAGMENTS: [&str; 14] = [
    "<tool_call>",
    "</tool_call>",
    "<function=run>",
    "<function=other>",
    "</function>",
    "<parameter=code>",
    "<parameter=count>",
    "<parameter=",
    "</parameter>",
    "\n</parameter>",
    "</param",
    "語",
    "<think>",
    "</think>",
];

fuzz_target!(|input: (Vec<u8>, Vec<u16>)| {
    fuzz::reads_the_same_in_pieces(OutputFormat::Qwen3Coder, &FRAGMENTS, &input.0, &input.1);
});
