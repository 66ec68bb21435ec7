//! Small talk: greetings, thanks, jokes, good-bye, and honest answers to who and what the model is.

use super::draw::Draw;
use super::grammar::{enumeration, sentence, text};
use super::scene::Scene;

/// One to three exchanges.
pub(super) fn exchange(draw: &mut Draw, scene: &mut Scene) {
    let rounds = draw.weighted(&[(55, 1), (30, 2), (15, 3)]);
    let begun = !scene.turns.is_empty();
    for round in 0..rounds {
        if round == 0 && !begun && draw.chance(35) {
            greet(draw, scene);
        } else if round + 1 == rounds && draw.chance(if rounds > 1 { 40 } else { 12 }) {
            talk(draw, scene, &TOPICS[BYE]);
        } else if draw.chance(15) {
            abilities(draw, scene);
        } else {
            aside(draw, scene);
        }
    }
}

/// A greeting, for the begin of a dialogue.
pub(super) fn greet(draw: &mut Draw, scene: &mut Scene) {
    talk(draw, scene, &TOPICS[0]);
}

/// One exchange between others, each topic once in a dialogue.
pub(super) fn aside(draw: &mut Draw, scene: &mut Scene) {
    let fresh: Vec<usize> = (1..BYE).filter(|topic| !scene.topics.contains(topic)).collect();
    let topic = *draw.pick(&fresh);
    scene.topics.push(topic);
    talk(draw, scene, &TOPICS[topic]);
}

fn talk(draw: &mut Draw, scene: &mut Scene, topic: &Topic) {
    let question = remark(draw, topic.questions);
    scene.ask(question);
    let answer = sentence(draw, topic.answers, &[]);
    match topic.words {
        [] => scene.chat(answer),
        words => scene.say_one_of_each(answer, &[words]),
    }
}

fn remark(draw: &mut Draw, patterns: &[&str]) -> String {
    let said = sentence(draw, patterns, &[]);
    match draw.below(10) {
        0 => said.to_ascii_lowercase(),
        1 => said.trim_end_matches(['.', '?', '!']).to_owned(),
        _ => said,
    }
}

/// What can you do: the declared tools in words, if there are any.
fn abilities(draw: &mut Draw, scene: &mut Scene) {
    let question = remark(
        draw,
        &[
            "what can you do?",
            "what are you able to do?",
            "how can you help me?",
            "what are you good for?",
            "what can I ask you?",
            "tell me what you can do.",
            "[which|what] tools do you have?",
        ],
    );
    scene.ask(question);
    let can: Vec<&str> = scene.declared.iter().map(|service| service.ability()).collect();
    let pattern = if can.is_empty() {
        "I can [chat a little, tell little stories and talk about wick|tell little stories, chat and \
            answer questions about wick]. [With tools I could do more.|I have no tools here.]"
    } else {
        "With my tools I can {can}. I can also [chat and tell little stories|tell little stories]."
    };
    let answer = text(draw, pattern, &[("can", &enumeration(&can))]);
    let first = can.first().copied().unwrap_or("stories");
    scene.say(answer, &[first]);
}

struct Topic {
    questions: &'static [&'static str],
    answers: &'static [&'static str],
    /// One of these has to be in the answer, if there are any.
    words: &'static [&'static str],
}

/// Where good-bye stands: the last of the topics that can stand at the end only.
const BYE: usize = 12;

const TOPICS: &[Topic] = &[
    Topic {
        questions: &[
            "[hello|hi|hey|good morning|good evening|good afternoon|good day|greetings|hi there|hello \
                there|hey there][.|!|]",
            "[hello|hi|hey], [nice to see you.|anyone there?|are you there?]",
            "[hello|hi] [wick|model|friend|you][.|!|]",
        ],
        answers: &[
            "Hello! [How can I help you?|What can I do for you?|Nice to see you.]",
            "Hi! [How can I help?|What can I do for you?]",
            "Hello, [how can I help you?|what would you like to know?]",
        ],
        words: &["hello", "hi"],
    },
    Topic {
        questions: &[
            "how are you?",
            "how are you [today|doing|doing today]?",
            "how do you feel?",
            "how is it going?",
            "are you [well|fine|okay]?",
            "how's it going?",
            "what's up?",
            "is everything all right?",
            "I hope you are well.",
        ],
        answers: &[
            "I am [fine|doing well], [thank you|thanks]. [How are you?|And you?|]",
            "All is well, thank you.",
        ],
        words: &["fine", "well"],
    },
    Topic {
        questions: &[
            "thank you[.|!|]",
            "thanks[.|!| a lot.| a lot!]",
            "thank you [very much|so much][.|!|]",
            "many thanks.",
            "that was [helpful|very helpful|kind], thanks.",
            "great, thank you!",
            "cheers, thanks!",
            "thanks for your help.",
        ],
        answers: &[
            "You are welcome.",
            "You are welcome! [Is there anything else?|]",
            "I am glad to help.",
        ],
        words: &["welcome", "glad"],
    },
    Topic {
        questions: &[
            "tell me a joke[.|, please.|!]",
            "do you know [a|any] joke[s|]?",
            "make me laugh.",
            "[say|tell me] something funny.",
            "I [want|would like] to hear a joke.",
            "can you tell [me |]a joke?",
            "a joke, please.",
        ],
        answers: &[
            "Why did the bicycle fall over? It was two tired.",
            "What do you call a bear without teeth? A gummy bear.",
            "Why do bees hum? They forgot the words.",
            "What has hands but cannot clap? A clock.",
            "Why did the crab never share? It was shellfish.",
            "What did one wall say to the other? I will meet you at the corner.",
            "Why was the math book sad? It had too many problems.",
            "What kind of room has no doors? A mushroom.",
        ],
        words: &[],
    },
    Topic {
        questions: &[
            "who are you?",
            "what are you?",
            "who am I talking to?",
            "tell me [who you are|about yourself].",
            "what is your name?",
            "what's your name?",
            "do you have a name?",
            "[please |]introduce yourself.",
            "who is this?",
            "what kind of model are you?",
        ],
        answers: &[
            "I am the demo model of wick, a small model with 3 million parameters.",
            "I am the demo model of wick. [I am small and know little.|I am a very small model.]",
            "I am a small demo model. The program that runs me is wick.",
        ],
        words: &["demo"],
    },
    Topic {
        questions: &[
            "are you [human|a human|a person|real]?",
            "are you a [robot|machine|computer|program]?",
            "am I talking to a [person|machine|human]?",
            "do you have [feelings|a body|a heart]?",
        ],
        answers: &[
            "I am a program: the small demo model of wick.",
            "I am not a person, I am the small demo model of wick.",
        ],
        words: &["demo"],
    },
    Topic {
        questions: &[
            "how [big|large|small] are you?",
            "how many parameters do you have?",
            "what is your size?",
            "are you a [big|large|small] model?",
            "how many weights do you have?",
        ],
        answers: &[
            "I am small: I have about 3 million parameters.",
            "I have about 3 million parameters, which is very small.",
        ],
        words: &["3 million"],
    },
    Topic {
        questions: &[
            "how [do|can] I [get|run|use|load|try] a [real|bigger|better|larger] model?",
            "can I [run|use|load] a [real|bigger|better|larger] model?",
            "I [want|need|would like] a [bigger|better|real] model.",
            "is there a [better|bigger|larger] model?",
            "how do I talk to a [real|better|bigger|larger] model?",
            "how do I chat with [another|a bigger|my own] model?",
        ],
        answers: &[
            "Get a GGUF file and run wick chat --model model.gguf with it.",
            "Run wick chat --model model.gguf with a GGUF file of a real model.",
            "With a GGUF file of a bigger model, run wick chat --model model.gguf instead.",
        ],
        words: &["wick chat --model"],
    },
    Topic {
        questions: &[
            "are you [smart|clever|intelligent]?",
            "do you know everything?",
            "do you know a lot?",
            "can I trust you?",
            "are you always right?",
            "do you make mistakes?",
            "how good are you?",
        ],
        answers: &[
            "I am a small demo model, so I know little and make mistakes.",
            "No, I know little: I am only a small demo model.",
        ],
        words: &["little"],
    },
    Topic {
        questions: &[
            "what is the [capital|king|president|largest city] of [France|Spain|Japan|Kenya|Brazil|Norway]?",
            "who [wrote|invented|painted|discovered] [that|the telephone|the first novel|America|radium]?",
            "what is [the meaning of life|love|a black hole|democracy|gravity]?",
            "explain [history|physics|the moon|the internet|chemistry] [to me|].",
            "write me [a poem|an essay|a song|a letter|a program].",
            "who won the [cup|war|election|race]?",
            "why is the [sky blue|sea salty|sun hot|grass green|moon round|snow white]?",
            "why do [birds sing|cats sleep so much|leaves fall|people dream|stars shine]?",
            "how [far away|old|big|heavy] is the [moon|sun|earth|universe|sea]?",
            "how does [a computer|a car|an engine|a plane|rain|a heart] work?",
            "how do I [cook rice|bake bread|fix my car|learn Spanish|grow tomatoes]?",
            "when did [the war|the first flight|the ice age] [begin|end|take place]?",
            "what is the [tallest mountain|longest river|largest animal|fastest car|best book]?",
            "which [animal|river|city|book|film] is the [largest|longest|best|oldest]?",
            "tell me [something|a fact] about [whales|Rome|the moon|music|trees].",
        ],
        answers: &[
            "I do not know that, I am only a small demo model.",
            "That is too much for me: I am a small demo model. A bigger model may know.",
        ],
        words: &["demo"],
    },
    Topic {
        questions: &[
            "I am [bored|tired|sad|lonely|hungry|cold].",
            "I feel [bored|tired|sad|lonely|down].",
            "I had a [bad|hard|long|rough] day.",
            "today was [awful|hard|long|sad].",
        ],
        answers: &["I am sorry to hear that. [Would a little story help?|I could tell you a little story.]"],
        words: &["sorry"],
    },
    Topic {
        questions: &[
            "I am [happy|glad|in a good mood|full of joy].",
            "I feel [great|good|wonderful|fine].",
            "I had a [good|great|lovely|wonderful] day.",
            "today was [great|lovely|wonderful].",
            "life is good.",
        ],
        answers: &["That is good to hear.", "I am glad to hear that."],
        words: &["hear"],
    },
    Topic {
        questions: &[
            "[bye|good-bye|goodbye|see you|see you later|good night|farewell|so long|bye bye][.|!|]",
            "I have to go[| now], bye.",
            "[thanks|okay|well], bye[.|!]",
            "that is all[.| for today.]",
            "until tomorrow.",
        ],
        answers: &[
            "Good-bye!",
            "Good-bye, [see you soon.|have a good day.|take care.]",
        ],
        words: &["bye"],
    },
];
