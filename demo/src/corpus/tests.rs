//! What holds for every dialogue of the corpus.

use std::collections::{HashMap, HashSet};

use super::{SHARES, dialogue, of_skill};
use crate::dialogue::{Check, Dialogue, Skill, Turn};

fn some() -> impl Iterator<Item = Dialogue> {
    let each = Skill::ALL
        .into_iter()
        .flat_map(|skill| (0..500).map(move |index| of_skill(skill, 3, index)));
    (0..5000).map(|index| dialogue(3, index)).chain(each)
}

fn prompt(dialogue: &Dialogue) -> String {
    let users: Vec<&str> = dialogue
        .turns
        .iter()
        .filter_map(|turn| {
            if let Turn::User(text) = turn {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    users.last().map(|text| (*text).to_owned()).unwrap_or_default()
}

#[test]
fn a_dialogue_is_a_function_of_seed_and_index() {
    for index in 0..200 {
        assert_eq!(dialogue(1, index), dialogue(1, index));
        assert_eq!(of_skill(Skill::Story, 1, index), of_skill(Skill::Story, 1, index));
    }
    assert_ne!(dialogue(1, 0), dialogue(2, 0));
    assert_ne!(dialogue(1, 0), dialogue(1, 1));
}

#[test]
fn each_turn_of_the_model_passes_its_own_check() {
    for dialogue in some() {
        let own: Vec<&Turn> = dialogue
            .turns
            .iter()
            .filter(|turn| matches!(turn, Turn::Assistant(_) | Turn::Call(_)))
            .collect();
        assert_eq!(own.len(), dialogue.checks.len(), "{dialogue:?}");
        for (turn, check) in own.iter().zip(&dialogue.checks) {
            assert!(
                check.as_ref().is_none_or(|check| check.holds(turn)),
                "{check:?} of {turn:?}"
            );
        }
    }
}

#[test]
fn turns_alternate_from_the_person_to_the_model() {
    for dialogue in some() {
        assert!(matches!(dialogue.turns.first(), Some(Turn::User(_))));
        assert!(matches!(dialogue.turns.last(), Some(Turn::Assistant(_))));
        for pair in dialogue.turns.windows(2) {
            let follows = match &pair[0] {
                Turn::User(_) | Turn::Result(_) => matches!(pair[1], Turn::Assistant(_) | Turn::Call(_)),
                Turn::Call(_) => matches!(pair[1], Turn::Result(_)),
                Turn::Assistant(_) => matches!(pair[1], Turn::User(_)),
            };
            assert!(follows, "{pair:?}");
        }
    }
}

#[test]
fn a_call_names_a_declared_tool_with_exactly_its_parameters() {
    for dialogue in some() {
        for turn in &dialogue.turns {
            let Turn::Call(call) = turn else { continue };
            let tool = dialogue
                .tools
                .iter()
                .find(|tool| tool.name == call.tool)
                .expect("declared");
            assert!(
                tool.parameters
                    .iter()
                    .map(|parameter| parameter.name)
                    .eq(call.arguments.keys())
            );
            for parameter in &tool.parameters {
                let value = &call.arguments[parameter.name];
                assert_eq!(value.is_number(), parameter.kind == "number", "{value}");
            }
        }
    }
}

#[test]
fn what_is_called_with_stands_in_what_was_said() {
    for dialogue in some() {
        let mut said = String::new();
        for turn in &dialogue.turns {
            match turn {
                Turn::User(text) | Turn::Result(text) => said += &format!("{text}\n"),
                Turn::Call(call) if call.tool != "convert_units" => {
                    for value in call.arguments.values() {
                        let words = value.as_str().expect("a string");
                        let words: Vec<&str> = if call.tool == "calculator" {
                            words.split(' ').collect()
                        } else {
                            vec![words]
                        };
                        for word in words
                            .iter()
                            .filter(|word| !matches!(**word, "+" | "-" | "*" | "/"))
                        {
                            assert!(said.contains(word), "{word} in {said}");
                        }
                    }
                }
                Turn::Call(_) | Turn::Assistant(_) => {}
            }
        }
    }
}

#[test]
fn a_refusal_does_not_call() {
    for index in 0..2000 {
        let dialogue = of_skill(Skill::Refusal, 5, index);
        let at = dialogue.turns.len() - 2;
        assert!(matches!(dialogue.turns[at], Turn::User(_)), "{dialogue:?}");
    }
}

#[test]
fn texts_are_ascii_without_leftovers_of_the_grammar() {
    for dialogue in some() {
        for turn in &dialogue.turns {
            let (Turn::User(text) | Turn::Assistant(text)) = turn else {
                continue;
            };
            assert!(text.is_ascii() && !text.is_empty(), "{text}");
            assert!(!text.contains(['[', ']', '{', '}', '|']), "{text}");
            assert!(!text.contains("  ") && text.trim() == text, "{text:?}");
            for mark in [" .", " ,", " ?", "..", "?.", ".,", "?,", "??", ".?"] {
                assert!(!text.contains(mark), "{mark} in {text}");
            }
            if let Turn::Assistant(text) = turn {
                assert!(text.ends_with(['.', '!', '?']), "{text}");
            }
        }
    }
}

#[test]
fn skills_are_drawn_by_their_shares() {
    let mut counts: HashMap<Skill, usize> = HashMap::new();
    for index in 0..20_000 {
        *counts.entry(dialogue(7, index).skill).or_default() += 1;
    }
    assert_eq!(SHARES.iter().map(|(share, _)| share).sum::<u32>(), 100);
    for (share, skill) in SHARES {
        let count = counts[&skill] as f64 / 200.0;
        assert!((count - f64::from(share)).abs() < 1.0, "{skill:?}: {count} %");
    }
}

#[test]
fn held_out_prompts_are_new() {
    let known: HashSet<String> = (0..20_000).map(|index| prompt(&dialogue(1, index))).collect();
    for skill in [
        Skill::Arithmetic,
        Skill::Conversion,
        Skill::Time,
        Skill::Weather,
        Skill::TwoCalls,
    ] {
        let seen = (0..2000)
            .filter(|&index| known.contains(&prompt(&of_skill(skill, 2, index))))
            .count();
        assert!(seen < 40, "{skill:?}: {seen} of 2000");
    }
}

#[test]
fn figures_are_looked_for_whole_and_words_in_any_case() {
    let holds = |text: &str, word: &str| Check::Says(vec![word.into()]).holds(&Turn::Assistant(text.into()));
    assert!(holds("That makes 42.", "42") && holds("It is 14:05.", "14:05") && holds("Hello Mira.", "mira"));
    assert!(holds("It is -3 degrees.", "-3") && holds("That is 3.5 miles.", "3.5"));
    for word in ["4", "2", "142"] {
        assert!(!holds("That makes 42.", word), "{word}");
    }
    assert!(
        !holds("It is -3 degrees.", "3") && !holds("That is 3.5 miles.", "3") && !holds("It is 14:05.", "05")
    );
    assert!(!holds("Hello Miranda.", "Mira"));
}
