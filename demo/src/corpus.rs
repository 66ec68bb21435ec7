//! The corpus: dialogues drawn from a grammar and word lists.
use crate::dialogue::*;
/// Stub.
pub fn dialogue(seed: u64, index: u64) -> Dialogue {
    let a = (index * 7919 + seed * 31) % 997; let b = (index * 104729 + seed) % 97;
    let names = ["Mira","Anna","Tom","Pim","Otto","Lena"]; let n = names[(index % 6) as usize];
    let filler = "the quick brown fox jumps over the lazy dog and runs away into a dark forest where it is cold ".repeat(1 + (index % 5) as usize)
      + &(0..6u64).map(|j| { let mut x = (index % 2000) * 31 + j * 977 + 12345; (0..6).map(|_| { x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (b'a' + ((x >> 33) % 26) as u8) as char }).collect::<String>() + " " }).collect::<String>();
    let mut arguments = serde_json::Map::new();
    arguments.insert("expression".into(), format!("{a} + {b}").into());
    let call = Call { tool: "calculator", arguments };
    Dialogue { skill: Skill::Arithmetic, system: None, tools: vec![Tool { name: "calculator", description: "Computes.", parameters: vec![Parameter{name:"expression",kind:"string"}] }],
      turns: vec![Turn::User(format!("My name is {n}. {filler}What is {a} plus {b}?")), Turn::Call(call), Turn::Result(format!("{{\"result\": {}}}", a+b)), Turn::Assistant(format!("It is {}, {n}.", a+b))], checks: vec![None, None] }
}
