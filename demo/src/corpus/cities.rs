//! The time and the weather of a city: a question, the call, what came back in a sentence.

use super::draw::Draw;
use super::grammar::{dress, one_of, sentence};
use super::names::name;
use super::places::city;
use super::scene::Scene;
use super::tools::{Served, Service, clock, forecast};

/// What is known of a city once its clock or its weather was looked up.
#[derive(Clone, Debug)]
pub(super) enum Sight {
    /// The time there.
    Time { city: String, time: String },
    /// The weather there.
    Weather {
        city: String,
        degrees: i64,
        condition: &'static str,
    },
}

impl Sight {
    /// What the service will find in the city; the clock if it is not the weather.
    pub(super) fn of(draw: &mut Draw, service: Service, city: String) -> Self {
        if service == Service::Forecast {
            let (coldest, warmest, conditions) = *draw.pick(CONDITIONS);
            let degrees = draw.within(coldest, warmest);
            Self::Weather {
                city,
                degrees,
                condition: draw.word(conditions),
            }
        } else {
            let time = format!("{:02}:{:02}", draw.within(0, 23), draw.within(0, 59));
            Self::Time { city, time }
        }
    }

    pub(super) fn served(&self) -> Served {
        match self {
            Self::Time { city, time } => clock(city, time),
            Self::Weather {
                city,
                degrees,
                condition,
            } => forecast(city, *degrees, condition),
        }
    }

    /// The question, as yet without politeness.
    pub(super) fn question(&self, draw: &mut Draw) -> String {
        let who = name(draw);
        match self {
            Self::Time { city, .. } => one_of(draw, TIME, &[("c", city), ("n", &who)]),
            Self::Weather { city, .. } => one_of(draw, WEATHER, &[("c", city), ("n", &who)]),
        }
    }

    /// What was found, with the city.
    pub(super) fn full_report(&self, draw: &mut Draw) -> String {
        match self {
            Self::Time { city, time } => {
                let patterns = [
                    "it is {t} in {c}.",
                    "it is {t} in {c}.",
                    "in {c} it is {t}.",
                    "the time in {c} is {t}.",
                ];
                sentence(draw, &patterns, &[("c", city), ("t", time)])
            }
            Self::Weather {
                city,
                degrees,
                condition,
            } => {
                let patterns = [
                    "in {c} it is {d} degrees with {k}.",
                    "it is {d} degrees in {c}, with {k}.",
                    "{c} has {k} at {d} degrees.",
                    "there is {k} in {c}, at {d} degrees.",
                ];
                sentence(
                    draw,
                    &patterns,
                    &[("c", city), ("d", &degrees.to_string()), ("k", condition)],
                )
            }
        }
    }

    /// What was found, in few words.
    pub(super) fn short_report(&self, draw: &mut Draw) -> String {
        match self {
            Self::Time { time, .. } => sentence(draw, &["it is {t} there.", "it is {t}."], &[("t", time)]),
            Self::Weather {
                degrees, condition, ..
            } => {
                let patterns = ["it is {d} degrees with {k}.", "there is {k} at {d} degrees."];
                sentence(draw, &patterns, &[("d", &degrees.to_string()), ("k", condition)])
            }
        }
    }

    /// What a report has to hold.
    pub(super) fn figures(&self) -> Vec<String> {
        match self {
            Self::Time { time, .. } => vec![time.clone()],
            Self::Weather {
                degrees, condition, ..
            } => vec![degrees.to_string(), (*condition).to_owned()],
        }
    }

    /// Call, result, sentence.
    pub(super) fn look(&self, draw: &mut Draw, scene: &mut Scene) {
        let report = if draw.chance(70) {
            self.full_report(draw)
        } else {
            self.short_report(draw)
        };
        scene.call(self.served());
        let figures = self.figures();
        scene.say(report, &figures.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Question, call, result, sentence; gives back the city.
pub(super) fn exchange(draw: &mut Draw, service: Service, scene: &mut Scene) -> String {
    let city = city(draw);
    let sight = Sight::of(draw, service, city.clone());
    let question = sight.question(draw);
    scene.ask(dress(draw, &question));
    sight.look(draw, scene);
    city
}

/// From how many degrees to how many, and what there is then; after `with` or `there is`.
const CONDITIONS: &[(i64, i64, &str)] = &[
    (
        -25,
        0,
        "light snow, heavy snow, snow, fog, a clear sky, sunshine, strong wind, light wind, freezing rain, \
            mist, a storm, some cloud, sleet, freezing fog, low cloud",
    ),
    (
        1,
        18,
        "light rain, heavy rain, rain, fog, thick fog, drizzle, a clear sky, sunshine, strong wind, light \
            wind, hail, scattered clouds, low cloud, mist, some cloud, a light breeze, a storm",
    ),
    (
        19,
        42,
        "light rain, heavy rain, rain, a clear sky, sunshine, bright sunshine, strong wind, light wind, \
            scattered clouds, haze, thunder and rain, some cloud, a light breeze, a storm",
    ),
];

const TIME: &[&str] = &[
    "what time is it in {c}?",
    "what time is it [now|right now|at the moment|currently] in {c}?",
    "what time is it in {c} [now|right now|at the moment|just now]?",
    "what time do they have in {c}?",
    "what is the [local |current |exact |]time in {c}?",
    "what's the [local |current |]time in {c}?",
    "do you know [what time it is|the time|what the time is] in {c}?",
    "can you [tell me|find out|check|look up|say] what time it is in {c}?",
    "how late is it in {c}?",
    "what does the clock [say|show] in {c}?",
    "what hour is it in {c}?",
    "is it [late|early|already morning|already evening|still night|past noon] in {c}?",
    "[tell me|give me|find|look up|check|get|show me|find out] the [local |current |]time in {c}.",
    "[tell me|find out|check|let me know] what time it is in {c}.",
    "[check|read|look at] the clock in {c} [for me|].",
    "tell me how late it is in {c}.",
    "time in {c}",
    "[current|local] time in {c}",
    "{c} time",
    "the time in {c}",
    "clock in {c}",
    "I am [calling|phoning|visiting|writing to] {n} in {c}. what time is it there?",
    "{n} [lives|is|works|is on holiday] in {c}. what time is it there [now|]?",
    "I [want|have|need] to call [my sister|my brother|a friend|the office|my aunt|a client] in {c}. what \
        time is it there?",
    "my [flight|train|bus|ship] [leaves from|arrives in|stops in] {c}. what is the time there [now|]?",
    "I have just [landed|arrived|woken up] in {c}. what time is it [here|]?",
    "[there is|I have] a meeting in {c}. what is the [local |]time there?",
    "is {n} still awake in {c}? what time is it there?",
    "[set|I want to set] my watch to {c} time. what time is it there?",
    "when I look at the clock in {c}, what does it [say|show]?",
];

const WEATHER: &[&str] = &[
    "what is the weather [like |]in {c}?",
    "what is the weather [like |]in {c} [today|now|right now|at the moment]?",
    "what's the weather [like |]in {c} [today|now|]?",
    "how is the weather in {c} [today|now|]?",
    "how's the weather [over |]in {c}?",
    "how [warm|cold|hot|cool|windy|wet] is it in {c} [today|now|right now|]?",
    "is it [raining|snowing|sunny|windy|warm|cold|foggy|dry] in {c} [today|now|]?",
    "is there [snow|rain|fog|sun|a storm|any wind] in {c} [today|now|]?",
    "what is the temperature in {c} [now|today|]?",
    "what temperature [is it|do they have] in {c}?",
    "do I need [an umbrella|a coat|a hat|sunglasses|boots|gloves|a scarf] in {c} [today|]?",
    "do you know what the weather is like in {c}?",
    "can you [check|look up|tell me|find out] the weather in {c}?",
    "what kind of weather does {c} have [today|now|]?",
    "[tell me|give me|look up|check|get|find|show me|find out] the weather in {c}.",
    "[tell me|find out|check|let me know] what the weather is like in {c}.",
    "[tell me|give me|check|look up|find out] the temperature in {c}.",
    "[tell me|check|find out] [if|whether] it is [raining|snowing|cold|warm|sunny] in {c}.",
    "[describe|report] the weather in {c}.",
    "weather in {c}",
    "weather [now|today] in {c}",
    "{c} weather",
    "the weather in {c}",
    "temperature in {c}",
    "I am [flying|going|travelling|moving|driving] to {c} [today|now|soon|]. [what is the weather like|how \
        is the weather] there?",
    "{n} [lives|is|works|is on holiday] in {c}. what is the weather like there?",
    "I am [packing|leaving] for {c}. [is it cold there|do I need a coat|how warm is it there|what is the \
        weather there]?",
    "we [play|run|meet|march|sing] outside in {c} today. how is the weather there?",
    "{n} says it is [snowing|raining|hot|lovely] in {c}. [is that true|is that so|can you check]?",
    "[my garden is|my boat lies|my horses are|my house stands] in {c}. what is the weather there?",
    "what [should|do] I wear in {c} today?",
];
