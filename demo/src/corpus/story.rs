//! Little stories with the asked-for hero, place and mood.

mod moods;
mod plots;

use super::draw::Draw;
use super::grammar::{capitals, dress, one_of, sentence, text, with_article};
use super::names::{Gender, either, name_of};
use super::places::city;
use super::scene::Scene;
use moods::{MOODS, Mood};
use plots::PLOTS;

/// What can be asked about a story later.
pub(super) struct Told {
    /// The hero's name.
    pub(super) hero: String,
    /// Where it happened, as in `in the forest`.
    pub(super) place: String,
}

/// Request and story.
pub(super) fn exchange(draw: &mut Draw, scene: &mut Scene) -> Told {
    let (kind, gender) = kind(draw);
    let hero = name_of(draw, gender);
    let place = place(draw);
    let mood = draw.pick(MOODS);
    let (named, kinded, placed) = (draw.chance(70), draw.chance(60), draw.chance(60));
    let mooded = draw.chance(50);

    let whom = match (kinded, named) {
        (true, true) => text(
            draw,
            "about {k} [named|called|by the name of] {h}",
            &[("k", &with_article(kind)), ("h", &hero)],
        ),
        (true, false) => format!("about {}", with_article(kind)),
        (false, true) => format!("about {hero}"),
        (false, false) => String::new(),
    };
    let noun = draw.word("story, story, story, tale, little story");
    let wanted = if mooded {
        format!("{} {noun}", with_article(draw.word(mood.asked)))
    } else {
        format!("a {noun}")
    };
    let place_words = if placed { place.as_str() } else { "" };
    let subject = [wanted.as_str(), whom.as_str(), place_words]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let question = one_of(draw, REQUESTS, &[("s", &subject)]);
    scene.ask(dress(draw, &question));

    let story = tell(draw, &hero, kind, gender, &place, mood);
    let mut words = Vec::new();
    if named {
        words.push(hero.as_str());
    }
    if kinded {
        words.push(kind);
    }
    if placed {
        words.push(place.as_str());
    }
    scene.say(story, &words);
    Told { hero, place }
}

fn tell(draw: &mut Draw, hero: &str, kind: &str, gender: Gender, place: &str, mood: &Mood) -> String {
    let (he, him, his) = match gender {
        Gender::She => ("she", "her", "her"),
        Gender::He => ("he", "him", "his"),
    };
    let trait_word = draw.word(TRAITS);
    let whole = with_article(&format!("{trait_word} {kind}"));
    let plot = draw.pick(PLOTS);
    let slots = [
        ("h", hero),
        ("he", he),
        ("him", him),
        ("his", his),
        ("p", place),
        ("k", kind),
        ("a", &whole),
    ];
    let mut parts: Vec<String> = vec![sentence(draw, mood.openings, &slots)];
    parts.extend(
        plot.middle
            .iter()
            .map(|pattern| sentence(draw, &[pattern], &slots)),
    );
    parts.push(sentence(
        draw,
        &[if mood.sad { plot.sad } else { plot.glad }],
        &slots,
    ));
    if draw.chance(75) {
        parts.push(sentence(draw, mood.endings, &slots));
    }
    parts
        .iter()
        .map(|part| capitals(part))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the hero is: people, animals and others; with the pronouns.
fn kind(draw: &mut Draw) -> (&'static str, Gender) {
    match draw.below(10) {
        0 => (
            draw.word("girl, queen, princess, woman, witch, sister, aunt, grandmother"),
            Gender::She,
        ),
        1 => (
            draw.word("boy, king, prince, man, wizard, brother, uncle, grandfather"),
            Gender::He,
        ),
        _ => (draw.word(KINDS), either(draw)),
    }
}

/// Where it happens, with its preposition.
fn place(draw: &mut Draw) -> String {
    match draw.below(10) {
        0 | 1 => format!("in {}", city(draw)),
        2..5 => {
            let (preposition, nouns) = *draw.pick(PLACES);
            format!("{preposition} the {}", draw.word(nouns))
        }
        _ => {
            let (preposition, nouns) = *draw.pick(PLACES);
            format!(
                "{preposition} the {} {}",
                draw.word("old, little, quiet, green, big, dark, sunny, cold, lonely, misty, windy, hidden"),
                draw.word(nouns)
            )
        }
    }
}

const REQUESTS: &[&str] = &[
    "tell me {s}.",
    "tell me {s}.",
    "tell [us|my child|my son|my daughter|the children] {s}.",
    "[make up|invent|write|think of|come up with] {s} [for me|].",
    "[write|read] me {s}.",
    "let me hear {s}.",
    "I [want|would like|wish] to hear {s}.",
    "I would [like|love] {s}.",
    "[do you know|do you have|how about|could I have|may I have|can I hear] {s}?",
    "[do you want to|could you] tell me {s}?",
    "{s}",
];

const KINDS: &str = "fox, owl, mouse, robot, dragon, bear, rabbit, hedgehog, cat, dog, horse, goat, frog, \
    turtle, badger, beaver, otter, squirrel, wolf, deer, duck, goose, raven, crow, swan, sparrow, penguin, \
    seal, whale, crab, snail, bee, beetle, spider, lion, tiger, elephant, monkey, parrot, camel, pig, \
    sheep, donkey, giant, elf, troll, ghost, knight, baker, sailor, pilot, farmer, painter, singer, \
    gardener, cook, tailor, miller, shepherd, smith, doctor, teacher, child, pirate, clown, dancer, \
    potter, fisher, dwarf, unicorn";
const TRAITS: &str = "small, little, young, old, clever, brave, shy, curious, gentle, quiet, merry, kind, \
    tall, lazy, busy, friendly, patient, proud, careful, cheerful, thin, round, polite, honest, dreamy, \
    stubborn";
const PLACES: &[(&str, &str)] = &[
    (
        "in",
        "forest, valley, garden, village, castle, cave, meadow, desert, jungle, mountains, harbor, mill, \
            tower, barn, library, market, park, swamp, orchard, palace, town, hills, woods, school, \
            museum, kitchen, ruins",
    ),
    (
        "by",
        "sea, river, lake, pond, road, lighthouse, bridge, well, waterfall, fountain, canal, railway",
    ),
    (
        "on",
        "island, farm, hill, beach, ship, moon, mountain, cliff, roof, coast, train",
    ),
    (
        "near",
        "forest, lighthouse, castle, border, station, volcano, bridge, windmill, monastery, quarry",
    ),
];
