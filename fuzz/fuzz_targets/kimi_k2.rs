//! Any output in KimiK2's format, in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use providers::OutputFormat;

/// What sloppy output is made of; any other byte stands for itself.
const FRAGMENTS: [&str; 13] = [
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_section_begin|>",
    "<|tool_call_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "functions.run:0",
    "{\"code\": \"x\"}",
    "<|tool_",
    "<think>",
    "</think>",
    "語",
];

fuzz_target!(|input: (Vec<u8>, Vec<u16>)| {
    fuzz::reads_the_same_in_pieces(OutputFormat::KimiK2, &FRAGMENTS, &input.0, &input.1);
});
