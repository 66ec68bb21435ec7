//! Two calls in a row: a calculation that goes on from the first result, two cities, or two tools.

mod questions;

use super::arithmetic::{Calculation, Operation, short_report};
use super::cities::Sight;
use super::conversion::Conversion;
use super::draw::Draw;
use super::grammar::{capital, capitals, dress, one_of, sentence};
use super::places::{city, two};
use super::scene::Scene;
use super::tools::{Served, Service};
use questions::{
    MINUS, ONWARD_MINUS, ONWARD_OVER, ONWARD_PLUS, ONWARD_TIMES, OVER, PLUS, TIME_THEN_WEATHER, TIMES,
    TWO_TIMES, TWO_WEATHERS, WEATHER_THEN_TIME,
};

/// Which tools will be called, in order.
pub(super) fn plan(draw: &mut Draw) -> Vec<Service> {
    use Service::{Calculator, Clock, Converter, Forecast};
    draw.weighted(&[
        (40, [Calculator, Calculator]),
        (12, [Forecast, Forecast]),
        (10, [Clock, Clock]),
        (8, [Clock, Forecast]),
        (8, [Forecast, Clock]),
        (4, [Calculator, Converter]),
        (4, [Converter, Calculator]),
        (3, [Calculator, Forecast]),
        (3, [Calculator, Clock]),
        (2, [Clock, Calculator]),
        (2, [Forecast, Calculator]),
        (2, [Converter, Forecast]),
        (2, [Clock, Converter]),
    ])
    .to_vec()
}

/// The question, both calls, one report.
pub(super) fn exchange(draw: &mut Draw, services: &[Service], scene: &mut Scene) {
    match services {
        [Service::Calculator, Service::Calculator] => chain(draw, scene),
        [first, second] if first == second => cities(draw, *first, scene),
        [
            Service::Clock | Service::Forecast,
            Service::Clock | Service::Forecast,
        ] => {
            if draw.chance(75) {
                one_city(draw, services, scene);
            } else {
                apart(draw, services, scene);
            }
        }
        _ => apart(draw, services, scene),
    }
}

fn chain(draw: &mut Draw, scene: &mut Scene) {
    let first = loop {
        let calculation = Calculation::draw(draw);
        if calculation.result() >= 0 {
            break calculation;
        }
    };
    let second = Calculation::onward(draw, first.result());
    let (a, b, c) = (
        first.left.to_string(),
        first.right.to_string(),
        second.right.to_string(),
    );
    let patterns = match first.operation {
        Operation::Plus => PLUS,
        Operation::Minus => MINUS,
        Operation::Times => TIMES,
        Operation::Over => OVER,
    };
    let onward = match second.operation {
        Operation::Plus => ONWARD_PLUS,
        Operation::Minus => ONWARD_MINUS,
        Operation::Times => ONWARD_TIMES,
        Operation::Over => ONWARD_OVER,
    };
    let words = first.words();
    let begin = one_of(draw, patterns, &[("a", &a), ("b", &b), ("f", &words)]);
    let then = one_of(draw, onward, &[("c", &c)]);
    let joints = [
        "{x}, then {y}.",
        "{x} and then {y}.",
        "{x}, and {y}.",
        "first {x}, then {y}.",
        "{x}. then {y}.",
        "{x}; {y}.",
        "{x}, after that {y}.",
        "what do I get if I {x} and then {y}?",
        "what comes out if you {x} and then {y}?",
        "what is the result if I first {x} and then {y}?",
    ];
    let question = one_of(draw, &joints, &[("x", &begin), ("y", &then)]);
    scene.ask(dress(draw, &question));
    let result = second.result().to_string();
    let report = match draw.below(10) {
        0..4 => short_report(draw, second.result()),
        4..6 => second.full_report(draw),
        _ => {
            let (end, middle) = (second.words(), first.result().to_string());
            let slots = [("w", words.as_str()), ("m", &middle), ("v", &end), ("r", &result)];
            sentence(
                draw,
                &["{w} is {m}, and {v} is {r}.", "{w} is {m}. Then {v} is {r}."],
                &slots,
            )
        }
    };
    scene.call(first.served());
    scene.call(second.served());
    scene.say(report, &[&result]);
}

fn cities(draw: &mut Draw, service: Service, scene: &mut Scene) {
    let (first, second) = two(draw);
    let sights = [
        Sight::of(draw, service, first.clone()),
        Sight::of(draw, service, second.clone()),
    ];
    let patterns = if service == Service::Clock {
        TWO_TIMES
    } else {
        TWO_WEATHERS
    };
    let question = one_of(draw, patterns, &[("c", &first), ("d", &second)]);
    scene.ask(dress(draw, &question));
    let [one, other] = &sights;
    let slots = match (one, other) {
        (Sight::Time { time: a, .. }, Sight::Time { time: b, .. }) => (a.clone(), b.clone()),
        _ => {
            let short = |sight: &Sight| sight.figures().join(" degrees with ");
            (short(one), short(other))
        }
    };
    let slots = [
        ("c", first.as_str()),
        ("d", &second),
        ("x", &slots.0),
        ("y", &slots.1),
    ];
    let reports = [
        "it is {x} in {c} and {y} in {d}.",
        "in {c} it is {x}, in {d} it is {y}.",
        "it is {x} in {c}, and in {d} it is {y}.",
    ];
    let report = sentence(draw, &reports, &slots);
    finish(
        scene,
        &sights.each_ref().map(|sight| (sight.served(), sight.figures())),
        report,
        &[&first, &second],
    );
}

fn one_city(draw: &mut Draw, services: &[Service], scene: &mut Scene) {
    let place = city(draw);
    let sights: Vec<Sight> = services
        .iter()
        .map(|&service| Sight::of(draw, service, place.clone()))
        .collect();
    let time_first = services.first() == Some(&Service::Clock);
    let patterns = if time_first {
        TIME_THEN_WEATHER
    } else {
        WEATHER_THEN_TIME
    };
    let question = one_of(draw, patterns, &[("c", &place)]);
    scene.ask(dress(draw, &question));
    let mut report = String::new();
    for (at, sight) in sights.iter().enumerate() {
        if at > 0 {
            report.push(' ');
        }
        report += &if at == 0 {
            sight.full_report(draw)
        } else {
            sight.short_report(draw)
        };
    }
    let calls: Vec<_> = sights
        .iter()
        .map(|sight| (sight.served(), sight.figures()))
        .collect();
    finish(scene, &calls, report, &[]);
}

/// Two questions that have nothing to do with one another.
fn apart(draw: &mut Draw, services: &[Service], scene: &mut Scene) {
    let mut questions = Vec::new();
    let mut reports = Vec::new();
    let mut calls = Vec::new();
    for &service in services {
        let (question, report, served, figures) = match service {
            Service::Calculator => {
                let it = Calculation::draw(draw);
                (
                    it.question(draw),
                    it.full_report(draw),
                    it.served(),
                    vec![it.result().to_string()],
                )
            }
            Service::Converter => {
                let it = Conversion::draw(draw);
                (
                    it.question(draw),
                    it.full_report(draw),
                    it.served(),
                    vec![it.result()],
                )
            }
            Service::Clock | Service::Forecast => {
                let place = city(draw);
                let it = Sight::of(draw, service, place);
                (it.question(draw), it.full_report(draw), it.served(), it.figures())
            }
        };
        questions.push(question);
        reports.push(report);
        calls.push((served, figures));
    }
    let joints: &[&str] = match (questions[0].as_bytes().last(), questions[1].as_bytes().last()) {
        (Some(b'?'), Some(b'?')) => &[
            "{x} and {y}",
            "{x} also, {y}",
            "{x} and one more thing: {y}",
            "{x} {Y}",
        ],
        (Some(b'.'), Some(b'.')) => &["{x} then {y}", "{x} also, {y}", "{x} after that, {y}", "{x} {Y}"],
        (Some(b'.' | b'?'), Some(b'.' | b'?')) => {
            &["{x} also, {y}", "{x} and one more thing: {y}", "{x} {Y}"]
        }
        (Some(b'?' | b'.'), _) => &["{x} also: {y}", "{x} and this: {y}"],
        (_, Some(b'?' | b'.')) => &["{x}? {Y}", "{x}, and then {y}", "{x}. {Y}"],
        _ => &[
            "{x}, and {y}",
            "{x}; {y}",
            "two things: {x}, {y}",
            "{x} and also {y}",
        ],
    };
    let proper = draw.chance(70);
    let first = if proper {
        capital(&questions[0])
    } else {
        questions[0].clone()
    };
    let second = capital(&questions[1]);
    let question = one_of(
        draw,
        joints,
        &[("x", &first), ("y", &questions[1]), ("Y", &second)],
    );
    scene.ask(capitals(&question));
    finish(scene, &calls, reports.join(" "), &[]);
}

fn finish(scene: &mut Scene, calls: &[(Served, Vec<String>)], report: String, also: &[&str]) {
    let mut words = also.to_vec();
    for (served, figures) in calls {
        scene.call(served.clone());
        words.extend(figures.iter().map(String::as_str));
    }
    scene.say(report, &words);
}
