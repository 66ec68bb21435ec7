//! How two things are asked for at once: `{a}`, `{b}` and `{c}` numbers, or `{c}` and `{d}` cities.

pub(super) const PLUS: &[&str] = &[
    "add {a} [and|to] {b}",
    "sum {a} and {b}",
    "take the sum of {a} and {b}",
    "[work out|calculate|compute] {f}",
];
pub(super) const MINUS: &[&str] = &[
    "subtract {b} from {a}",
    "take {b} [away |]from {a}",
    "take the difference between {a} and {b}",
    "[work out|calculate|compute] {f}",
];
pub(super) const TIMES: &[&str] = &[
    "multiply {a} [by|and|with] {b}",
    "take the product of {a} and {b}",
    "[work out|calculate|compute] {f}",
];
pub(super) const OVER: &[&str] = &[
    "divide {a} by {b}",
    "take the quotient of {a} and {b}",
    "[work out|calculate|compute] {f}",
];

pub(super) const ONWARD_PLUS: &[&str] = &[
    "add {c} to [the result|it|that]",
    "add {c}",
    "put {c} on top",
    "increase [the result|it|that] by {c}",
];
pub(super) const ONWARD_MINUS: &[&str] = &[
    "subtract {c} [from the result|from it|from that|]",
    "take {c} away",
    "take {c} from [the result|it|that]",
    "reduce [the result|it|that] by {c}",
];
pub(super) const ONWARD_TIMES: &[&str] = &[
    "multiply [the result|it|that] [by|with] {c}",
    "multiply by {c}",
    "take [it|that|the result] times {c}",
];
pub(super) const ONWARD_OVER: &[&str] = &[
    "divide [the result|it|that] by {c}",
    "divide by {c}",
    "split [it|that|the result] into {c} equal parts",
];

pub(super) const TWO_TIMES: &[&str] = &[
    "what time is it in {c} and [in |]{d}?",
    "what time is it [now |]in {c}, and what time is it in {d}?",
    "what is the [local |current |]time in {c} and [in |]{d}?",
    "[tell me|give me|check|look up|find out] the time in {c} and [in |]{d}.",
    "[tell me|find out] what time it is in {c} and in {d}.",
    "time in {c} and {d}",
    "the time in {c} and in {d}",
    "I work in {c} and my friend lives in {d}. what time is it in both [cities|places]?",
    "I fly from {c} to {d}. what time is it in both [cities|places]?",
    "compare the time in {c} and [in |]{d}.",
    "do you know what time it is in {c} and in {d}?",
    "how late is it in {c} and [in |]{d}?",
    "[check|read] the clocks in {c} and {d}.",
];

pub(super) const TWO_WEATHERS: &[&str] = &[
    "what is the weather [like |]in {c} and [in |]{d}?",
    "how is the weather in {c}, and how is it in {d}?",
    "how [warm|cold] is it in {c} and [in |]{d}?",
    "what is the temperature in {c} and [in |]{d}?",
    "[tell me|give me|check|look up|find out] the weather in {c} and [in |]{d}.",
    "compare the weather in {c} and [in |]{d}.",
    "weather in {c} and {d}",
    "the weather in {c} and in {d}",
    "I travel from {c} to {d}. what is the weather in both [cities|places]?",
    "we go to {c} first and to {d} later. how is the weather in both [cities|places]?",
    "do I need a coat in {c} and in {d}?",
    "is it raining in {c} or in {d}?",
    "which is warmer [now|today|], {c} or {d}?",
    "[find out|tell me] how the weather is in {c} and in {d}.",
];

pub(super) const TIME_THEN_WEATHER: &[&str] = &[
    "what time is it in {c}, and [what is the weather like|how is the weather] there?",
    "what are the time and the weather in {c}?",
    "[tell me|give me|check|look up|find out] the time and the weather in {c}.",
    "time and weather in {c}",
    "what time is it in {c} and is it [raining|cold|warm|snowing|sunny] there?",
    "I am calling a friend in {c}. what time is it there, and how is the weather?",
    "I have just landed in {c}. what are the time and the weather here?",
    "what is the [local |current |]time in {c} and how [warm|cold] is it [there|]?",
    "how late is it in {c}, and what is the temperature?",
];

pub(super) const WEATHER_THEN_TIME: &[&str] = &[
    "[what is the weather like|how is the weather] in {c}, and what time is it there?",
    "what are the weather and the time in {c}?",
    "[tell me|give me|check|look up|find out] the weather and the time in {c}.",
    "weather and time in {c}",
    "is it [raining|cold|warm|snowing|sunny] in {c} and what time is it there?",
    "I am flying to {c}. how is the weather there, and what time is it?",
    "how [warm|cold] is it in {c} and what is the [local |current |]time [there|]?",
    "what is the temperature in {c}, and how late is it there?",
];
