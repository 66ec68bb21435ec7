//! Questions about this project, with answers that its documents give.

mod topics;

use super::draw::Draw;
use super::grammar::{sentence, spoken};
use super::scene::Scene;
use topics::{TOPICS, Topic};

/// One question or two.
pub(super) fn exchange(draw: &mut Draw, scene: &mut Scene) {
    let first = aside(draw, scene);
    if draw.chance(30) {
        let second = (first + 1 + draw.below(TOPICS.len() - 1)) % TOPICS.len();
        talk(draw, scene, &TOPICS[second]);
    }
}

/// One question, between others or at the end; which of the topics it was.
pub(super) fn aside(draw: &mut Draw, scene: &mut Scene) -> usize {
    let topic = draw.below(TOPICS.len());
    talk(draw, scene, &TOPICS[topic]);
    topic
}

fn talk(draw: &mut Draw, scene: &mut Scene, topic: &Topic) {
    scene.ask(spoken(draw, topic.questions, &[]));
    let answer = sentence(draw, topic.answers, &[]);
    scene.say(answer, topic.words);
}
