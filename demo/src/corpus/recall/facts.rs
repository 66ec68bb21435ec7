//! Facts: what a person tells, `{v}` being its value.

use crate::corpus::draw::Draw;
use crate::corpus::names::name;
use crate::corpus::places::city;

/// Something a person tells about themselves, and how it is asked for later.
pub(super) struct Fact {
    pub(super) about: &'static str,
    /// Entries with commas; empty where names, cities or numbers are drawn.
    pub(super) values: &'static str,
    pub(super) statements: &'static [&'static str],
    pub(super) acknowledgements: &'static [&'static str],
    pub(super) questions: &'static [&'static str],
    pub(super) answers: &'static [&'static str],
}

impl Fact {
    /// One of the values.
    pub(super) fn value(&self, draw: &mut Draw) -> String {
        match (self.values, self.about) {
            ("", "town") => city(draw),
            ("", "number") => draw.number().to_string(),
            ("", _) => name(draw),
            (values, _) => draw.word(values).to_owned(),
        }
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        about: "name",
        values: "",
        statements: &[
            "my name is {v}.",
            "I am {v}.",
            "my name is {v}.",
            "I am called {v}.",
            "people call me {v}.",
            "you can call me {v}.",
            "my name is {v}.",
            "call me {v}.",
            "this is {v} speaking.",
        ],
        acknowledgements: &[
            "nice to meet you, {v}.",
            "hello {v}, nice to meet you.",
            "hello {v}.",
            "good to meet you, {v}.",
        ],
        questions: &[
            "what is my name?",
            "what's my name?",
            "do you [remember|know|recall] my name?",
            "who am I?",
            "what am I called?",
            "[tell me|say] my name.",
            "what did I say my name was?",
            "do you know who I am?",
        ],
        answers: &[
            "your name is {v}.",
            "you are {v}.",
            "you told me that your name is {v}.",
        ],
    },
    Fact {
        about: "name",
        values: "",
        statements: &[
            "hello, I am {v}. how are you?",
            "hi, my name is {v}. how are you?",
            "good morning, this is {v}. how are you?",
        ],
        acknowledgements: &["hello {v}, I am fine.", "nice to meet you, {v}. I am doing well."],
        questions: &[
            "what is my name?",
            "do you [still |]know my name?",
            "what was my name again?",
            "who am I?",
        ],
        answers: &["your name is {v}.", "you are {v}."],
    },
    Fact {
        about: "town",
        values: "",
        statements: &[
            "I live in {v}.",
            "my home is in {v}.",
            "I come from {v}.",
            "I am from {v}.",
            "my home town is {v}.",
            "my house is in {v}.",
        ],
        acknowledgements: &[
            "{v} must be a good place to live.",
            "I will remember that you live in {v}.",
            "good to know: {v} it is.",
            "noted, you are at home in {v}.",
        ],
        questions: &[
            "where do I live?",
            "which town do I live in?",
            "where is my home?",
            "do you [remember|know] where I live?",
            "what is my home town?",
            "[tell me|say] where I live.",
            "where am I from?",
        ],
        answers: &[
            "you live in {v}.",
            "your home is in {v}.",
            "you told me that you live in {v}.",
        ],
    },
    Fact {
        about: "number",
        values: "",
        statements: &[
            "remember the number {v}.",
            "my lucky number is {v}.",
            "keep the number {v} in mind.",
            "my number is {v}.",
            "the number is {v}.",
            "note the number {v}.",
        ],
        acknowledgements: &[
            "I will remember the number {v}.",
            "noted: {v}.",
            "I have it: {v}.",
            "the number is {v}, I will keep it.",
        ],
        questions: &[
            "what is the number?",
            "what was the number?",
            "which number did I [tell you|say|give you]?",
            "do you [remember|know] the number?",
            "[tell me|say|repeat] the number.",
            "what was my number [again|]?",
        ],
        answers: &[
            "the number is {v}.",
            "the number was {v}.",
            "you told me the number {v}.",
        ],
    },
    Fact {
        about: "color",
        values: COLORS,
        statements: &[
            "my favorite color is {v}.",
            "I like {v} best of all colors.",
            "the color I love most is {v}.",
        ],
        acknowledgements: &[
            "what a fine color {v} is.",
            "I will remember that you like {v}.",
            "a good choice: {v} it is.",
        ],
        questions: &[
            "what is my favorite color?",
            "which color do I like [best|most]?",
            "do you [remember|know] my favorite color?",
            "[tell me|say] my favorite color.",
            "which color is my favorite?",
        ],
        answers: &[
            "your favorite color is {v}.",
            "you like {v} best.",
            "you told me that it is {v}.",
        ],
    },
    Fact {
        about: "food",
        values: FOODS,
        statements: &[
            "my favorite food is {v}.",
            "I love to eat {v}.",
            "what I like to eat most is {v}.",
            "I could eat {v} every day.",
        ],
        acknowledgements: &[
            "oh, {v}, how tasty.",
            "I will remember that you like {v}.",
            "noted: {v} it is.",
        ],
        questions: &[
            "what is my favorite food?",
            "what do I like to eat [most|]?",
            "do you [remember|know] my favorite food?",
            "[tell me|say] what I like to eat.",
            "which food do I love?",
        ],
        answers: &[
            "your favorite food is {v}.",
            "you like to eat {v}.",
            "you told me that it is {v}.",
        ],
    },
    Fact {
        about: "animal",
        values: "horses, cats, dogs, owls, foxes, whales, bears, wolves, bees, otters, seals, goats, \
            tigers, lions, frogs, turtles, hedgehogs, rabbits, ravens, dolphins, penguins, deer, ducks, \
            swans, geese, mice, parrots, camels",
        statements: &[
            "my favorite animals are {v}.",
            "I like {v} best of all animals.",
            "the animals I love most are {v}.",
            "of all animals I love {v} most.",
        ],
        acknowledgements: &[
            "I like {v} too.",
            "I will remember that you love {v}.",
            "oh yes, {v} are fine animals.",
        ],
        questions: &[
            "which animals do I [like|love] [best|most]?",
            "what are my favorite animals?",
            "do you [remember|know] my favorite animals?",
            "[tell me|say] which animals I love.",
        ],
        answers: &[
            "your favorite animals are {v}.",
            "you love {v} most.",
            "you told me that you love {v}.",
        ],
    },
    Fact {
        about: "dog",
        values: "",
        statements: &[
            "my dog is called {v}.",
            "I have a dog named {v}.",
            "my dog has the name {v}.",
            "the name of my dog is {v}.",
        ],
        acknowledgements: &[
            "{v} is a good name for a dog.",
            "I will remember {v} the dog.",
            "{v} sounds like a good dog.",
        ],
        questions: &[
            "what is my dog called?",
            "what is the name of my dog?",
            "do you [remember|know] the name of my dog?",
            "[tell me|say] the name of my dog.",
        ],
        answers: &[
            "your dog is called {v}.",
            "the name of your dog is {v}.",
            "you told me that your dog is called {v}.",
        ],
    },
    Fact {
        about: "cat",
        values: "",
        statements: &[
            "my cat is called {v}.",
            "I have a cat named {v}.",
            "the name of my cat is {v}.",
            "we have a cat, her name is {v}.",
        ],
        acknowledgements: &[
            "{v} is a good name for a cat.",
            "I will remember {v} the cat.",
            "{v} sounds like a clever cat.",
        ],
        questions: &[
            "what is my cat called?",
            "what is the name of my cat?",
            "do you [remember|know] the name of my cat?",
            "[tell me|say] the name of my cat.",
        ],
        answers: &[
            "your cat is called {v}.",
            "the name of your cat is {v}.",
            "you told me that your cat is called {v}.",
        ],
    },
    Fact {
        about: "friend",
        values: "",
        statements: &[
            "my best friend is {v}.",
            "my best friend is called {v}.",
            "I have a good friend named {v}.",
            "{v} is my best friend.",
        ],
        acknowledgements: &[
            "it is good to have a friend like {v}.",
            "I will remember {v}, your friend.",
            "good to know that {v} is your friend.",
        ],
        questions: &[
            "who is my [best |]friend?",
            "what is the name of my [best |]friend?",
            "do you [remember|know] who my [best |]friend is?",
            "[tell me|say] the name of my friend.",
        ],
        answers: &[
            "your best friend is {v}.",
            "your friend is called {v}.",
            "you told me that your friend is {v}.",
        ],
    },
    Fact {
        about: "job",
        values: "a baker, a teacher, a nurse, a farmer, a pilot, a painter, a carpenter, a sailor, a \
            gardener, a cook, a doctor, a writer, a singer, a tailor, a driver, a plumber, a librarian, a \
            potter, a smith, a dancer",
        statements: &[
            "I am {v}.",
            "I work as {v}.",
            "my job is to be {v}.",
            "I earn my bread as {v}.",
        ],
        acknowledgements: &[
            "it must be a fine thing to be {v}.",
            "I will remember that you are {v}.",
            "good to know that you are {v}.",
        ],
        questions: &[
            "what is my job?",
            "what do I work as?",
            "do you [remember|know] my job?",
            "[tell me|say] what my job is.",
            "what do I do for a living?",
        ],
        answers: &[
            "you are {v}.",
            "you work as {v}.",
            "you told me that you are {v}.",
        ],
    },
];

const COLORS: &str = "red, blue, green, yellow, orange, purple, pink, brown, black, white, gray, silver, \
    gold, violet, turquoise, scarlet, crimson, navy blue, sky blue, dark green, light green, ivory, teal, \
    amber, lilac, olive";
const FOODS: &str = "pizza, soup, bread, rice, noodles, pancakes, cheese, salad, fish, potatoes, \
    dumplings, apple pie, ice cream, chocolate, curry, beans, tomato soup, spaghetti, lasagna, couscous, \
    sushi, tacos, omelette, porridge, pumpkin soup, plum cake, mushrooms, waffles, carrots, strawberries, \
    cherries, falafel, hummus, goulash, risotto";
