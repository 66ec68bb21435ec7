//! Any output in Llama 3's format, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use providers::OutputFormat;

/// What sloppy output is made of; any other byte stands for itself.
const FRAGMENTS: [&str; 13] = [
    "<|python_tag|>",
    "{\"name\": \"run\"",
    "{\"name\": \"other\"",
    ", \"parameters\": ",
    "{\"code\": \"",
    "}",
    "{",
    "; ",
    "\\\"",
    "null",
    "<think>",
    "</think>",
    "語",
];

fuzz_target!(|input: (Vec<u8>, Vec<u16>)| {
    fuzz::reads_the_same_in_pieces(OutputFormat::Llama3, &FRAGMENTS, &input.0, &input.1);
});
