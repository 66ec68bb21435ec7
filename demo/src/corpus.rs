//! The corpus: dialogues drawn from a grammar and word lists.
//!
//! A dialogue is a pure function of a seed and its number. What fills the slots of a question (names, cities,
//! numbers) is drawn from long lists or invented, so that a model has to copy it and cannot know it by heart.

mod draw;
mod grammar;
mod names;
mod places;
mod tools;
mod scene;
mod arithmetic;
mod conversion;
mod cities;
mod two_calls;
mod refusal;
mod story;
mod recall;
mod small_talk;
mod project;
#[cfg(test)]
mod tests;

use crate::dialogue::{Dialogue, Skill};
use draw::Draw;
use refusal::Topic;
use scene::Scene;
use tools::Service;

/// How often a skill is drawn, in a hundred.
pub const SHARES: [(u32, Skill); 10] = [
    (14, Skill::Arithmetic),
    (13, Skill::Conversion),
    (7, Skill::Time),
    (8, Skill::Weather),
    (20, Skill::TwoCalls),
    (10, Skill::Refusal),
    (11, Skill::FollowUp),
    (7, Skill::Story),
    (5, Skill::SmallTalk),
    (5, Skill::Project),
];

/// The dialogue from which on skills are drawn by [`LATE_SHARES`].
pub const LATE: u64 = 106 * 1024;

/// How often a skill is drawn late, in a hundred: what is still hard when tools are called well.
pub const LATE_SHARES: [(u32, Skill); 10] = [
    (6, Skill::Arithmetic),
    (14, Skill::Conversion),
    (4, Skill::Time),
    (5, Skill::Weather),
    (22, Skill::TwoCalls),
    (9, Skill::Refusal),
    (28, Skill::FollowUp),
    (6, Skill::Story),
    (3, Skill::SmallTalk),
    (3, Skill::Project),
];

/// Names of all tools that dialogues declare.
pub const TOOLS: [&str; 4] = {
    let [calculator, converter, clock, forecast] = Service::ALL;
    [calculator.name(), converter.name(), clock.name(), forecast.name()]
};

/// The dialogue number `index` of the corpus with this `seed`; a pure function.
pub fn dialogue(seed: u64, index: u64) -> Dialogue {
    let mut draw = Draw::new(seed, 0, index);
    let skill = draw.weighted(if index < LATE { &SHARES } else { &LATE_SHARES });
    compose(&mut draw, skill)
}

/// One of a given skill, for examinations; other dialogues than those of [`dialogue`] at the same seed.
pub fn of_skill(skill: Skill, seed: u64, index: u64) -> Dialogue {
    compose(&mut Draw::new(seed, 1 + skill as u8, index), skill)
}

fn compose(draw: &mut Draw, skill: Skill) -> Dialogue {
    let topic = refusal::plan(draw);
    let services = match skill {
        Skill::Arithmetic => vec![Service::Calculator],
        Skill::Conversion => vec![Service::Converter],
        Skill::Time => vec![Service::Clock],
        Skill::Weather => vec![Service::Forecast],
        Skill::TwoCalls => two_calls::plan(draw),
        Skill::FollowUp => recall::plan(draw),
        Skill::Story | Skill::SmallTalk | Skill::Project | Skill::Refusal => Vec::new(),
    };
    let mut scene = Scene::new(declared(draw, skill, &services, topic));
    // Those that are long by themselves seldom have anything before them.
    let before = if matches!(skill, Skill::TwoCalls | Skill::FollowUp | Skill::Story) {
        10
    } else {
        25
    };
    if draw.chance(before) {
        for round in 0..draw.weighted(&[(75, 1), (25, 2)]) {
            first_another(draw, round == 0, &mut scene);
        }
    }
    match skill {
        Skill::Arithmetic => arithmetic::exchange(draw, &mut scene),
        Skill::Conversion => conversion::exchange(draw, &mut scene),
        Skill::Time => drop(cities::exchange(draw, Service::Clock, &mut scene)),
        Skill::Weather => drop(cities::exchange(draw, Service::Forecast, &mut scene)),
        Skill::TwoCalls => two_calls::exchange(draw, &services, &mut scene),
        Skill::FollowUp => recall::exchange(draw, &services, &mut scene),
        Skill::Story => drop(story::exchange(draw, &mut scene)),
        Skill::SmallTalk => small_talk::exchange(draw, &mut scene),
        Skill::Project => project::exchange(draw, &mut scene),
        Skill::Refusal => refusal::exchange(draw, topic, &mut scene),
    }
    let tools = scene
        .declared
        .iter()
        .map(|service| service.declare(draw))
        .collect();
    let system = draw.chance(25).then(|| (*draw.pick(SYSTEMS)).to_owned());
    Dialogue {
        skill,
        system,
        tools,
        turns: scene.turns,
        checks: scene.checks,
    }
}

/// The services to declare, in random order: those needed, and some that are not; never one that is to be
/// missing.
fn declared(draw: &mut Draw, skill: Skill, needed: &[Service], topic: Topic) -> Vec<Service> {
    let missing = match topic {
        Topic::Missing(service) if skill == Skill::Refusal => Some(service),
        _ => None,
    };
    let count: usize = match (skill, needed) {
        (Skill::Refusal, _) => draw.weighted(&[(35, 0), (27, 1), (19, 2), (19, 3)]),
        (_, []) if draw.chance(85) => 0,
        _ => draw.weighted(&[(40, 1), (27, 2), (15, 3), (18, 4)]),
    };
    let mut order = Service::ALL;
    draw.shuffle(&mut order);
    let mut chosen: Vec<Service> = order
        .into_iter()
        .filter(|service| needed.contains(service))
        .collect();
    let others = order
        .into_iter()
        .filter(|service| !needed.contains(service) && Some(*service) != missing);
    chosen.extend(others.take(count.saturating_sub(chosen.len())));
    draw.shuffle(&mut chosen);
    chosen
}

/// An exchange before the one that the dialogue is about.
fn first_another(draw: &mut Draw, first: bool, scene: &mut Scene) {
    let services = scene.declared.clone();
    if !services.is_empty() && draw.chance(65) {
        let service = *draw.pick(&services);
        call_one(draw, service, scene);
    } else if first && draw.chance(70) {
        small_talk::greet(draw, scene);
    } else if draw.chance(30) {
        project::aside(draw, scene);
    } else {
        small_talk::aside(draw, scene);
    }
}

/// A question for one service, its call, and the report.
fn call_one(draw: &mut Draw, service: Service, scene: &mut Scene) {
    match service {
        Service::Calculator => arithmetic::exchange(draw, scene),
        Service::Converter => conversion::exchange(draw, scene),
        Service::Clock | Service::Forecast => drop(cities::exchange(draw, service, scene)),
    }
}

/// System messages, none of which changes an answer.
const SYSTEMS: &[&str] = &[
    "You are a helpful assistant.",
    "You are a friendly assistant.",
    "You are a small model that helps people.",
    "Answer briefly.",
    "Answer in one short sentence.",
    "Be brief and polite.",
    "Help the user.",
    "You are the demo model of wick.",
    "Use a tool where one fits.",
    "Be kind and honest.",
];
