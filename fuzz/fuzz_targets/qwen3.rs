//! Any output in Qwen3's format, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use providers::OutputFormat;

/// What sloppy output is made of; any other byte stands for itself.
const FRAGMENTS: [&str; 12] = [
    "<tool_call>",
    "</tool_call>",
    "{\"name\": \"run\"",
    ", \"arguments\": ",
    "{\"code\": \"",
    "}",
    "{",
    "\\\"",
    "null",
    "<think>",
    "</think>",
    "語",
];

fuzz_target!(|input: (Vec<u8>, Vec<u16>)| {
    fuzz::reads_the_same_in_pieces(OutputFormat::Qwen3, &FRAGMENTS, &input.0, &input.1);
});
