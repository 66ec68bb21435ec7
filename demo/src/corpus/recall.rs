//! Questions that only an earlier turn answers: what was told, what was called, what the story was.

mod facts;

use super::arithmetic::{Calculation, Operation};
use super::cities::{self, Sight};
use super::draw::Draw;
use super::grammar::{capital, capitals, dress, one_of, sentence, spoken};
use super::places::other;
use super::project;
use super::refusal;
use super::scene::Scene;
use super::small_talk;
use super::story;
use super::tools::Service;
use facts::{FACTS, Fact};

/// Which tools will be called, in order; none where something told is asked for.
pub(super) fn plan(draw: &mut Draw) -> Vec<Service> {
    use Service::{Calculator, Clock, Forecast};
    let none: &[Service] = &[];
    let plans = [
        (64, none),
        (9, &[Forecast, Forecast]),
        (7, &[Clock, Clock]),
        (3, &[Clock, Forecast]),
        (3, &[Forecast, Clock]),
        (14, &[Calculator, Calculator]),
    ];
    draw.weighted(&plans).to_vec()
}

/// All turns, from what is told to the question.
pub(super) fn exchange(draw: &mut Draw, services: &[Service], scene: &mut Scene) {
    match services {
        [Service::Calculator, ..] => go_on(draw, scene),
        [first, second] => other_city(draw, *first, *second, scene),
        _ => match draw.below(100) {
            0..14 => of_story(draw, scene),
            14..19 => never_told(draw, scene),
            _ => told(draw, scene),
        },
    }
}

fn told(draw: &mut Draw, scene: &mut Scene) {
    let fact = draw.pick(FACTS);
    let value = fact.value(draw);
    let distractions = draw.weighted(&[(35, 0), (35, 1), (20, 2), (10, 3)]);
    let mut second = None;
    teach(draw, fact, &value, scene);
    for _ in 0..distractions {
        let next = draw.pick(FACTS);
        if second.is_none() && next.about != fact.about && draw.chance(45) {
            let value = next.value(draw);
            teach(draw, next, &value, scene);
            second = Some((next, value));
        } else {
            distract(draw, scene);
        }
    }
    let (asked, value) = match second {
        Some((fact, value)) if draw.chance(35) => (fact, value),
        _ => (fact, value),
    };
    let question = spoken(draw, asked.questions, &[]);
    scene.ask(question);
    let answer = sentence(draw, asked.answers, &[("v", &value)]);
    scene.say(answer, &[&value]);
}

/// Something else in between; a story too, whose hero has a name of their own.
fn distract(draw: &mut Draw, scene: &mut Scene) {
    let services = scene.declared.clone();
    match draw.below(100) {
        0..8 => drop(story::exchange(draw, scene)),
        8..22 => drop(project::aside(draw, scene)),
        22..32 => refusal::aside(draw, scene),
        _ if !services.is_empty() && draw.chance(50) => {
            let service = *draw.pick(&services);
            super::call_one(draw, service, scene);
        }
        _ => small_talk::aside(draw, scene),
    }
}

fn teach(draw: &mut Draw, fact: &Fact, value: &str, scene: &mut Scene) {
    let slots = [("v", value)];
    let statement = one_of(draw, fact.statements, &slots);
    scene.ask(told_as(draw, &statement));
    let answer = sentence(draw, fact.acknowledgements, &slots);
    scene.chat(answer);
}

/// How a person tells something: now and then with a word before or after it.
fn told_as(draw: &mut Draw, statement: &str) -> String {
    let frames = [
        "{x}",
        "{x}",
        "{x}",
        "[hi|hello|hey][,|!|.] {x}",
        "[by the way|so|well|you know|oh|listen], {x}",
        "[you should know|let me tell you|one thing]: {x}",
        "{x} [remember that|please remember that|keep that in mind|do not forget it].",
    ];
    let said = match statement.as_bytes().last() {
        Some(b'?') => statement.to_owned(),
        _ => one_of(draw, &frames, &[("x", statement)]),
    };
    let said = if draw.chance(50) { capitals(&said) } else { said };
    let said = if draw.chance(10) {
        said.trim_end_matches('.').to_owned()
    } else {
        said
    };
    if draw.chance(85) { capital(&said) } else { said }
}

fn never_told(draw: &mut Draw, scene: &mut Scene) {
    if draw.chance(50) {
        small_talk::aside(draw, scene);
    }
    let fact = draw.pick(FACTS);
    scene.ask(spoken(draw, fact.questions, &[]));
    let answers = [
        "I do not know, you have not told me.",
        "You have not told me yet.",
        "I do not know that: you have not told me.",
    ];
    let answer = sentence(draw, &answers, &[]);
    scene.say_one_of_each(answer, &[&["not told", "do not know"]]);
}

fn of_story(draw: &mut Draw, scene: &mut Scene) {
    if draw.chance(20) {
        let fact = draw.pick(FACTS);
        let value = fact.value(draw);
        teach(draw, fact, &value, scene);
    }
    let told = story::exchange(draw, scene);
    if draw.chance(30) {
        small_talk::aside(draw, scene);
    }
    let (questions, answers, word): (&[&str], &[&str], &str) = if draw.chance(60) {
        (
            &[
                "who was the story about?",
                "who was [it|that] about?",
                "what was the name of the hero?",
                "what was the hero called?",
                "who is the hero [of the story|]?",
                "tell me who the story was about.",
            ],
            &[
                "The story was about {h}.",
                "It was about {h}.",
                "The hero was {h}.",
            ],
            &told.hero,
        )
    } else {
        (
            &[
                "where did [it|the story|that] happen?",
                "where was [that|the story]?",
                "where does the story take place?",
                "in which place did it happen?",
                "tell me where the story happened.",
            ],
            &["It happened {p}.", "The story happened {p}.", "It was {p}."],
            &told.place,
        )
    };
    scene.ask(spoken(draw, questions, &[]));
    let answer = sentence(draw, answers, &[("h", &told.hero), ("p", &told.place)]);
    scene.say(answer, &[word]);
}

fn other_city(draw: &mut Draw, first: Service, second: Service, scene: &mut Scene) {
    let place = cities::exchange(draw, first, scene);
    if draw.chance(15) {
        small_talk::aside(draw, scene);
    }
    let (patterns, asked): (&[&str], String) = match second {
        _ if first == second => (
            &[
                "and in {c}?",
                "and {c}?",
                "what about {c}?",
                "how about {c}?",
                "and what about {c}?",
                "the same for {c}",
                "and for {c}?",
            ],
            other(draw, &place),
        ),
        Service::Clock => (
            &[
                "and what time is it there?",
                "what time is it there?",
                "and the time there?",
                "what about the time there?",
                "how late is it there?",
            ],
            place,
        ),
        _ => (
            &[
                "and [how is|what is] the weather there?",
                "how is the weather there?",
                "is it [cold|warm|raining] there?",
                "what about the weather there?",
                "and the temperature there?",
            ],
            place,
        ),
    };
    let question = one_of(draw, patterns, &[("c", &asked)]);
    scene.ask(dress(draw, &question));
    Sight::of(draw, second, asked).look(draw, scene);
}

fn go_on(draw: &mut Draw, scene: &mut Scene) {
    let first = loop {
        let calculation = Calculation::draw(draw);
        if calculation.result() >= 0 {
            break calculation;
        }
    };
    let question = first.question(draw);
    scene.ask(dress(draw, &question));
    let report = first.report(draw);
    scene.call(first.served());
    scene.say(report, &[&first.result().to_string()]);
    if draw.chance(15) {
        small_talk::aside(draw, scene);
    }
    let second = Calculation::onward(draw, first.result());
    let patterns: &[&str] = match second.operation {
        Operation::Plus => &[
            "and plus {b}?",
            "and {b} more?",
            "[now |]add {b} to [that|it|the result].",
            "[now |]add {b}.",
            "plus {b}?",
            "and if I add {b} to that?",
        ],
        Operation::Minus => &[
            "and minus {b}?",
            "and {b} less?",
            "[now |]subtract {b} from [that|it|the result].",
            "[now |]subtract {b}.",
            "minus {b}?",
            "and if I take {b} away from that?",
        ],
        Operation::Times => &[
            "and times {b}?",
            "[now |]multiply [that|it|the result] by {b}.",
            "times {b}?",
            "and that times {b}?",
            "and if I multiply that by {b}?",
        ],
        Operation::Over => &[
            "and divided by {b}?",
            "[now |]divide [that|it|the result] by {b}.",
            "divided by {b}?",
            "and that divided by {b}?",
            "and if I divide that by {b}?",
        ],
    };
    let question = one_of(draw, patterns, &[("b", &second.right.to_string())]);
    scene.ask(dress(draw, &question));
    let report = second.report(draw);
    scene.call(second.served());
    scene.say(report, &[&second.result().to_string()]);
}
