//! What the model is trained on is what a caller's prompt becomes: the same text, the same tokens.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use demo::corpus;
use demo::dialogue::{Skill, Turn};
use demo::{examination, rendering};
use engine::CandlePrompt;
use providers::{LocalProvider, ProgressHub};

fn provider() -> LocalProvider {
    providers::demo::load(Default::default(), &ProgressHub::new()).expect("the demo model is whole")
}

#[test]
fn training_text_is_what_the_template_writes_and_its_tokens_are_those_of_the_prompt() {
    let provider = provider();
    let tokenizer = provider.text_generator().tokenizer();
    for skill in Skill::ALL {
        for index in 0..8 {
            let dialogue = corpus::of_skill(skill, 77, index);
            let tools = examination::tools(&dialogue);
            let (mut text, mut ids) = (String::new(), Vec::new());
            let mut segments = rendering::segments(&dialogue).into_iter();
            for (at, turn) in dialogue.turns.iter().enumerate() {
                if !matches!(turn, Turn::Assistant(_) | Turn::Call(_)) {
                    continue;
                }
                let before = segments.next().expect("what stands before a turn");
                text.push_str(&before.text);
                ids.extend(
                    tokenizer
                        .encode_prompt(&before.text)
                        .expect("text can be encoded"),
                );
                let messages = examination::messages(&dialogue, at);
                let rendered = provider
                    .render_with_tools(&messages, &tools)
                    .expect("the template renders");
                assert_eq!(rendered, text, "{skill:?} {index}");
                let prompt = CandlePrompt::chat(messages);
                let encoded = provider
                    .encode_with_tools(&prompt, &tools)
                    .expect("the prompt can be encoded");
                assert_eq!(encoded, ids, "{skill:?} {index}");
                let said = segments.next().expect("a turn");
                text.push_str(&said.text);
                ids.extend(tokenizer.encode_prompt(&said.text).expect("text can be encoded"));
            }
        }
    }
}

#[test]
fn a_name_has_the_same_tokens_wherever_it_stands() {
    let provider = provider();
    let tokenizer = provider.text_generator().tokenizer();
    let encode = |text: &str| tokenizer.encode_prompt(text).expect("text can be encoded");
    for name in ["Mira", "Grukoma", "New York", "4711", "Q"] {
        let alone = encode(name);
        for before in [" ", "\n", ">", "=", "(", "\"", "<parameter=city>\n"] {
            let (front, whole) = (encode(before), encode(&format!("{before}{name}")));
            assert_eq!(whole, [front, alone.clone()].concat(), "{before:?} {name}");
        }
    }
}
