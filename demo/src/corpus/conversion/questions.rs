//! How conversions are asked for: `{v}` the value, `{u}` its unit, `{t}` the other, `{p}` its plural, `{n}` a
//! name.

pub(super) const GENERAL: &[&str] = &[
    "convert {v} {u} [to|into] {t}.",
    "convert {v} {u} [to|into] {t} [for me|with the converter].",
    "[change|turn] {v} {u} into {t}.",
    "express {v} {u} in {t}.",
    "write {v} {u} in {t}.",
    "[tell me|work out|find out|calculate] how many {p} {v} {u} [are|is].",
    "[tell me|find out|let me know] what {v} {u} is in {t}.",
    "give me {v} {u} in {t}.",
    "what is {v} {u} in {t}?",
    "what's {v} {u} in {t}?",
    "what are {v} {u} in {t}?",
    "how much is {v} {u} in {t}?",
    "how many {p} [are|is] {v} {u}?",
    "how many {p} [are|is] there in {v} {u}?",
    "how many {p} are in {v} {u}?",
    "how many {p} [make|make up|correspond to|equal] {v} {u}?",
    "how many {p} do {v} {u} make?",
    "how many {p} do I get for {v} {u}?",
    "what do {v} {u} come to in {t}?",
    "what does {v} {u} equal in {t}?",
    "do you know how many {p} {v} {u} are?",
    "{v} {u} in {t}",
    "{v} {u} to {t}",
    "{v} {u} are how many {p}?",
    "{v} {u} expressed in {t}",
];

pub(super) const ONE: &[&str] = &[
    "how many {p} are [there |]in {a} {u}?",
    "how many {p} make {a} {u}?",
    "how many {p} does {a} {u} have?",
    "convert 1 {u} [to|into] {t}.",
    "what is 1 {u} in {t}?",
    "how much is one {u} in {t}?",
    "1 {u} in {t}",
];

pub(super) const DEGREES: &[&str] = &[
    "convert {v} {u} [to|into] {t}.",
    "what is {v} {u} in {t}?",
    "how [hot|warm|cold] is {v} {u} in {t}?",
    "how much is {v} {u} in {t}?",
    "[change|turn] {v} {u} into {t}.",
    "[tell me|find out] what {v} {u} is in {t}.",
    "the thermometer [says|shows|reads] {v} {u}. what is that in {t}?",
    "{v} {u} in {t}",
    "{v} {u} to {t}",
    "give me {v} {u} in {t}.",
];

pub(super) const LENGTH: &[&str] = &[
    "the [road|path|river|wall|rope|bridge|tunnel|beach|fence] is {v} {u} long. how many {p} is that?",
    "I [walked|ran|drove|hiked|cycled|swam] {v} {u}. [what is that in {t}|how many {p} is that]?",
    "{n} [walked|ran|rode|jumped] {v} {u}. how many {p} [is that|are that]?",
    "it is {v} {u} to the [station|coast|village|house|border]. how far is that in {t}?",
    "the map says {v} {u}. give me that in {t}.",
];

pub(super) const MASS: &[&str] = &[
    "the [bag|box|dog|stone|bike|parcel|cake] weighs {v} {u}. how many {p} is that?",
    "I [bought|need|have|carry] {v} {u} of [flour|rice|apples|sugar|nuts|sand|wool]. [what is that in \
        {t}|how many {p} is that]?",
    "{n} [bought|lifts|carries|picked] {v} {u}. how many {p} is that?",
    "the recipe asks for {v} {u} of [flour|sugar|butter|rice]. how much is that in {t}?",
];

pub(super) const VOLUME: &[&str] = &[
    "the [tank|bottle|pot|bucket|barrel|pool] holds {v} {u}. how many {p} is that?",
    "I [bought|need|have|drank] {v} {u} of [milk|water|juice|oil|tea]. [what is that in {t}|how many {p} \
        is that]?",
    "{n} [bought|needs|filled in|spilled] {v} {u} of [milk|water|juice|oil]. how many {p} is that?",
    "the recipe asks for {v} {u} of [milk|water|oil]. how much is that in {t}?",
];

pub(super) const TEMPERATURE: &[&str] = &[
    "the [oven|room|water|soup|tea|engine|sauna] is at {v} {u}. what is that in {t}?",
    "set to {v} {u}: how [hot|warm] is that in {t}?",
    "it says {v} {u} on the [oven|wall|door]. what is that in {t}?",
    "{n} measured {v} {u}. give me that in {t}.",
];

pub(super) const DURATION: &[&str] = &[
    "the [trip|film|flight|meeting|game|show|journey] takes {v} {u}. how many {p} is that?",
    "I [waited|slept|worked|trained|was away] for {v} {u}. [what is that in {t}|how many {p} is that]?",
    "{n} [waited|slept|worked|was away] for {v} {u}. how many {p} is that?",
    "it lasts {v} {u}. how long is that in {t}?",
    "there are {v} {u} left. what is that in {t}?",
];
