//! Questions that no declared tool can answer: the model says so, and what it can do instead. It never calls.

use super::arithmetic::Calculation;
use super::cities::Sight;
use super::conversion::Conversion;
use super::draw::Draw;
use super::grammar::{dress, enumeration, one_of, sentence};
use super::names::name;
use super::places::city;
use super::scene::Scene;
use super::tools::Service;

/// What is asked for: what a tool could do that is not declared, or what none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// What this service is for.
    Missing(Service),
    /// Something else.
    Other,
}

/// One of the topics; `None` of the tools may do it.
pub(super) fn plan(draw: &mut Draw) -> Topic {
    if draw.chance(62) {
        Topic::Missing(*draw.pick(&Service::ALL))
    } else {
        Topic::Other
    }
}

/// Question and refusal.
pub(super) fn exchange(draw: &mut Draw, topic: Topic, scene: &mut Scene) {
    let (question, ability) = match topic {
        Topic::Missing(service) => (question(draw, service), service.ability()),
        Topic::Other => {
            let (ability, patterns) = *draw.pick(OTHER);
            let (who, place) = (name(draw), city(draw));
            (one_of(draw, patterns, &[("n", &who), ("c", &place)]), ability)
        }
    };
    scene.ask(dress(draw, &question));
    let abilities: Vec<&str> = scene.declared.iter().map(|service| service.ability()).collect();
    let can = if abilities.is_empty() {
        "chat and tell little stories".to_owned()
    } else {
        enumeration(&abilities)
    };
    let answer = sentence(draw, REFUSALS, &[("a", ability), ("can", &can)]);
    scene.say_one_of_each(answer, &[&["no tool", "cannot"]]);
}

/// Question and refusal between others, whatever is declared.
pub(super) fn aside(draw: &mut Draw, scene: &mut Scene) {
    let topic = match plan(draw) {
        Topic::Missing(service) if scene.declared.contains(&service) => Topic::Other,
        topic => topic,
    };
    exchange(draw, topic, scene);
}

fn question(draw: &mut Draw, service: Service) -> String {
    match service {
        Service::Calculator => Calculation::draw(draw).question(draw),
        Service::Converter => Conversion::draw(draw).question(draw),
        Service::Clock | Service::Forecast => {
            let place = city(draw);
            Sight::of(draw, service, place).question(draw)
        }
    }
}

const REFUSALS: &[&str] = &[
    "I cannot {a}: I have no tool for that. I can {can}.",
    "I have no tool for that, so I cannot {a}. What I can do is {can}.",
    "I have no tool to {a}. I can {can}.",
    "Sorry, I cannot {a}. I can {can}.",
    "There is no tool to {a} here. I can {can}.",
];

/// What none of the tools does, and how it is asked for.
const OTHER: &[(&str, &[&str])] = &[
    (
        "send mail",
        &[
            "send [a mail|an email|a letter|a message] to {n}.",
            "write {n} a mail and send it.",
            "mail {n} [that I am late|that I am ill|my greetings].",
            "can you [mail|email] {n} for me?",
        ],
    ),
    (
        "book a table",
        &[
            "book a table for [two|three|four|six] in {c}.",
            "reserve a table [at a restaurant|for tonight] in {c}.",
            "can you get me a table in {c} tonight?",
        ],
    ),
    (
        "book a trip",
        &[
            "book [a flight|a train|a hotel|a room] [to|in] {c}.",
            "buy [a ticket|two tickets] to {c}.",
            "reserve a hotel room in {c} for {n}.",
            "can you book me a trip to {c}?",
        ],
    ),
    (
        "read the news",
        &[
            "what is [new|in the news|happening] in {c}?",
            "read me the news [from {c}|of today].",
            "what are the headlines [today|in {c}]?",
            "give me the latest news from {c}.",
        ],
    ),
    (
        "play music",
        &[
            "play [some music|a song|some jazz|something by {n}].",
            "put on [a song|some music] [by {n}|for {n}|].",
            "can you play [a song|music] for {n}?",
            "turn up the music.",
        ],
    ),
    (
        "make a call",
        &[
            "call {n}.",
            "phone {n} [now|for me|and say hello].",
            "ring {n} in {c}.",
            "can you call {n} [in {c}|for me]?",
        ],
    ),
    (
        "set an alarm",
        &[
            "set an alarm for {n}.",
            "wake me [at seven|early|tomorrow morning].",
            "set an alarm for [six|seven|eight] in the morning.",
            "can you wake {n} tomorrow?",
        ],
    ),
    (
        "order food",
        &[
            "order [a pizza|some noodles|a salad|dinner|lunch] for {n}.",
            "get me [a pizza|a burger|some soup] [delivered|brought here].",
            "can you order dinner [in {c}|for {n}]?",
        ],
    ),
    (
        "search the web",
        &[
            "search the web for {n}.",
            "look up {n} [online|on the web].",
            "find the website of {n} [in {c}|].",
            "google {n} [for me|].",
        ],
    ),
    (
        "draw pictures",
        &[
            "draw [a picture of {n}|a map of {c}|a horse|a house|a cat].",
            "paint [{n}|{c}|a tree] for me.",
            "make [a picture|an image] of {c}.",
        ],
    ),
    (
        "switch the lights",
        &[
            "turn [on|off] the lights [in the kitchen|in the hall|].",
            "switch the lamp [on|off].",
            "make it darker in here.",
            "can you turn [on|off] the light for {n}?",
        ],
    ),
    (
        "look up prices",
        &[
            "what does a [house|flat|coffee|bus ticket|bike] cost in {c}?",
            "how much is a [room|coffee|flat|taxi] in {c}?",
            "tell me the price of [gold|bread|silver|a flat in {c}].",
        ],
    ),
    (
        "find the way",
        &[
            "how do I get [to {c}|from here to {c}|to the house of {n}]?",
            "show me the way to {c}.",
            "which road goes to {c}?",
            "guide me to {c}.",
        ],
    ),
    (
        "open files",
        &[
            "open the file [of {n}|notes|called {n}].",
            "delete [the file|the folder] of {n}.",
            "print the letter to {n}.",
            "save this [to a file|on my disk].",
        ],
    ),
    (
        "translate",
        &[
            "translate [this|good morning|hello {n}] into [French|German|Spanish|Italian|Norwegian].",
            "say [hello|good night|thank you] to {n} in [French|German|Spanish|Polish].",
            "how do you say [bread|house|thank you] in [French|Turkish|Finnish]?",
        ],
    ),
    (
        "keep a calendar",
        &[
            "put [lunch with {n}|a meeting with {n}|a trip to {c}] into my calendar.",
            "remind me to [call|visit|meet|write to] {n}.",
            "what is on my calendar [today|tomorrow]?",
            "when do I meet {n}?",
        ],
    ),
];
