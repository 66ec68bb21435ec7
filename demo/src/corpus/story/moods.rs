//! Moods: `{h}` the hero, `{a}` what the hero is, `{k}` the same in a word, `{p}` the place.

/// A mood: how stories begin and end in it.
pub(super) struct Mood {
    /// How it is asked for, with commas.
    pub(super) asked: &'static str,
    /// Whether plots end sadly.
    pub(super) sad: bool,
    pub(super) openings: &'static [&'static str],
    pub(super) endings: &'static [&'static str],
}

pub(super) const MOODS: &[Mood] = &[
    Mood {
        asked: "happy, cheerful, merry, joyful",
        sad: false,
        openings: &[
            "[once upon a time|long ago|once], {a} named {h} lived [happily |]{p}.",
            "{h} was {a} who lived {p} and [laughed|sang|smiled|whistled] [all day|every day].",
            "the sun was shining {p}, and {a} named {h} was [in a good mood|as happy as can be|singing].",
            "there was once {a} named {h}, the [happiest|merriest] {k} {p}.",
        ],
        endings: &[
            "{h} [laughed|danced|sang] [all the way home|until the stars came out|with joy].",
            "it was the [best|happiest|finest] day of the [year|summer|whole year] for {h}.",
            "from that day on, {h} was [happier than ever|always in a good mood].",
            "and everyone {p} was [happy|glad] with {h}.",
        ],
    },
    Mood {
        asked: "sad, sorrowful, moving",
        sad: true,
        openings: &[
            "[once upon a time|long ago|once], {a} named {h} lived [all alone |]{p}.",
            "{h} was {a} who lived {p} and [had no friends|was often alone|seldom smiled].",
            "it was a gray day {p}, and {a} named {h} [felt lonely|felt sad|looked at the rain].",
            "rain fell {p}, where {a} named {h} lived.",
        ],
        endings: &[
            "{h} [wept a little|sighed|was silent] and [went home|looked at the stars|fell asleep].",
            "{h} never forgot that [sad |gray |]day.",
            "it was very quiet {p} after that.",
            "and sometimes, when it rains, {h} still thinks of it.",
        ],
    },
    Mood {
        asked: "funny, silly, amusing",
        sad: false,
        openings: &[
            "[once upon a time|once], {a} named {h} lived {p} and wore [a pot as a hat|two left shoes|a \
                coat made of socks|a spoon behind one ear].",
            "{h} was {a} {p} who [talked to spoons|counted backwards|slept in a bathtub|walked on {his} \
                hands].",
            "{p} lived {a} named {h}, and nobody [sneezed louder|told worse jokes|danced more oddly].",
        ],
        endings: &[
            "{h} laughed so hard that {his} hat fell [off|into the soup].",
            "since then {h} [wears a pan on {his} head|greets every cabbage|says good morning to {his} \
                shoes].",
            "even the [cows|geese|stones|chickens] laughed about {h}.",
            "and {h}? {he} slipped on a [banana|pancake] and laughed.",
        ],
    },
    Mood {
        asked: "scary, spooky, creepy",
        sad: false,
        openings: &[
            "one dark night, {a} named {h} was alone {p}.",
            "[fog|darkness|a cold fog] lay over everything {p}, and {a} named {h} [heard a strange \
                sound|could not sleep|shivered].",
            "{h} was {a} who lived {p}, where [no light burned at night|the wind howled at night|shadows \
                moved].",
        ],
        endings: &[
            "but at night {h} still hears [a soft knock|a low whisper|slow steps].",
            "{h} locked the door and [did not sleep|kept a candle burning].",
            "the shadows {p} were [still|silent] at last, and {h} breathed again.",
            "and nobody {p} ever spoke of that night again, least of all {h}.",
        ],
    },
    Mood {
        asked: "calm, quiet, gentle, peaceful, bedtime",
        sad: false,
        openings: &[
            "[one quiet evening|one calm evening|one still morning], {a} named {h} sat {p}.",
            "it was [quiet|calm|still] {p}, where {a} named {h} lived.",
            "[soft rain fell|the wind slept|the evening was mild] {p}, and {a} named {h} [rested|watched \
                the clouds].",
        ],
        endings: &[
            "then the stars came out, and {h} fell asleep.",
            "{h} [closed {his} eyes|yawned] and listened to the [wind|rain|night].",
            "all was [quiet|still|calm] {p} again.",
            "{h} [drank warm milk|lit a candle] and was at peace.",
        ],
    },
    Mood {
        asked: "exciting, thrilling, adventurous",
        sad: false,
        openings: &[
            "[suddenly a bell rang|a horn sounded|a loud crash was heard] {p}, and {a} named {h} jumped up.",
            "{h} was {a} who lived {p} and [longed for adventure|feared nothing|was always ready to run].",
            "one stormy morning, {a} named {h} set out {p}.",
        ],
        endings: &[
            "{h} could hardly wait for the next adventure.",
            "what a day it had been for {h}!",
            "{his} heart was still beating fast when {h} came home.",
            "and the very next morning {h} set out again.",
        ],
    },
    Mood {
        asked: "nice, short, good, new, simple",
        sad: false,
        openings: &[
            "[once upon a time|long ago|once|many years ago], {a} named {h} lived {p}.",
            "there was once {a} named {h} who lived {p}.",
            "{h} was {a} who lived {p}.",
            "[one morning|one day|one fine day], {a} named {h} woke up {p}.",
        ],
        endings: &[
            "and so the day ended well for {h}.",
            "{h} often told this story later.",
            "{h} went home and slept well.",
            "that is how it was {p}.",
        ],
    },
];
