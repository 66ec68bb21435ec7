//! How calculations are asked for: `{a}` and `{b}` the numbers, `{f}` the formula, `{n}` a name, `{t}`
//! things.

pub(super) const GENERAL: &[&str] = &[
    "what is {f}?",
    "what is {f}?",
    "what's {f}?",
    "how much is {f}?",
    "what does {f} [make|give|come to|equal|amount to]?",
    "what do [you|we|I] get [for|if you work out] {f}?",
    "do you know what {f} is?",
    "[calculate|compute|work out|figure out|evaluate|solve|find] {f}.",
    "[calculate|compute|work out|figure out] {f} [for me|with your tool|with the calculator].",
    "[tell me|find out|let me know|check] what {f} is.",
    "[tell me|give me] the [result|value|answer] [of|for] {f}.",
    "what is the [result|value] of {f}?",
    "{f}",
    "{f} =",
    "{f} = ?",
    "the [result|value] of {f}",
];

pub(super) const PLUS: &[&str] = &[
    "add {a} [and|to] {b}.",
    "add {a} and {b} [together|up|for me].",
    "sum [up |]{a} and {b}.",
    "put {a} and {b} together.",
    "[work out|find|compute|give me|tell me|calculate] the sum of {a} and {b}.",
    "what is the sum of {a} and {b}?",
    "what is the total of {a} and {b}?",
    "what do {a} and {b} [make|add up to|come to|give] [together|in total|]?",
    "what do you get [if|when] you add {a} [and|to] {b}?",
    "what is {a} and {b} [together|added up]?",
    "how much do {a} and {b} make?",
    "how much do you have if you add {a} and {b}?",
    "what comes out if I add {a} [and|to] {b}?",
    "what is {a} increased by {b}?",
    "what is {a} with {b} added?",
    "what is {a} more than {b}?",
    "the sum of {a} and {b}",
    "the total of {a} and {b}",
];

/// The same within a little tale.
pub(super) const PLUS_TOLD: &[&str] = &[
    "I have {a} {t} and [buy|get|find|receive] {b} more. how many [{t} |]do I have [now|then|in total]?",
    "{n} has {a} {t} and [buys|gets|finds|receives] {b} more. how many [{t} |]are there [now|then|in total]?",
    "there are {a} {t} in one box and {b} in another. how many [are there|is that] [in total|together|in \
        all]?",
    "we sold {a} {t} on Monday and {b} on Tuesday. how many [is that|did we sell] [together|in all]?",
    "{n} and I counted {t}. I counted {a} and {n} counted {b}. how many [is that|are there] in all?",
    "one book has {a} pages and the other has {b}. how many pages [is that|are there] together?",
    "I walked {a} steps and then {b} more. how many steps [is that|did I walk]?",
];

pub(super) const MINUS: &[&str] = &[
    "subtract {b} from {a}.",
    "subtract {b} from {a} [for me|with the calculator].",
    "take {b} [away |]from {a}.",
    "deduct {b} from {a}.",
    "[work out|find|compute|give me|tell me|calculate] the difference between {a} and {b}.",
    "what is the difference between {a} and {b}?",
    "what [is left|remains] [if|when] you take {b} [away |]from {a}?",
    "what do you get [if|when] you subtract {b} from {a}?",
    "what comes out if I take {b} from {a}?",
    "what is {a} less {b}?",
    "what is {a} reduced by {b}?",
    "what is {a} decreased by {b}?",
    "what is {b} less than {a}?",
    "how much is left of {a} after {b} [is|are] gone?",
    "how much is {a} without {b}?",
    "{a} take away {b}",
    "the difference between {a} and {b}",
];

/// The same within a little tale.
pub(super) const MINUS_TOLD: &[&str] = &[
    "I have {a} {t} and [sell|lose|give away|use up] {b}. how many [{t} |][do I have|are] left?",
    "{n} has {a} {t} and [sells|loses|gives away] {b} of them. how many [{t} |]are left?",
    "there were {a} {t} and {b} [are gone|were taken|broke]. how many [are left|remain]?",
    "of {a} {t} we used {b}. how many [are left|remain]?",
    "a book has {a} pages and {n} has read {b}. how many pages are left?",
    "the road is {a} steps long and I have walked {b}. how many steps are left?",
];

pub(super) const TIMES: &[&str] = &[
    "multiply {a} by {b}.",
    "multiply {a} [and|with] {b} [for me|].",
    "[work out|find|compute|give me|tell me|calculate] the product of {a} and {b}.",
    "what is the product of {a} and {b}?",
    "what do you get [if|when] you multiply {a} [by|and|with] {b}?",
    "what is {a} multiplied by {b}?",
    "how much is {a} multiplied by {b}?",
    "what comes out if I multiply {a} [by|with] {b}?",
    "what do {a} rows of {b} make?",
    "what is {a} taken {b} times?",
    "the product of {a} and {b}",
    "{a} multiplied by {b}",
];

/// The same within a little tale.
pub(super) const TIMES_TOLD: &[&str] = &[
    "there are {a} boxes with {b} {t} each. how many {t} [are there|is that] [in total|in all|]?",
    "{n} has {a} bags with {b} {t} in each. how many {t} [are there|is that] [in total|in all|]?",
    "I [buy|need|order] {a} {t} at {b} coins each. how [much|many coins] [is that|do I pay]?",
    "we need {a} {t} a day for {b} days. how many {t} [is that|do we need]?",
    "{n} reads {a} pages a day. how many pages [is that|does {n} read] in {b} days?",
    "a hall has {a} rows of {b} seats. how many seats are there?",
    "if one of the {t} costs {a} coins, what do {b} of them cost?",
];

pub(super) const OVER: &[&str] = &[
    "divide {a} by {b}.",
    "divide {a} by {b} [for me|with the calculator].",
    "[split|divide] {a} into {b} equal parts.",
    "[work out|find|compute|give me|tell me|calculate] the quotient of {a} and {b}.",
    "what is the quotient of {a} and {b}?",
    "what do you get [if|when] you divide {a} by {b}?",
    "what comes out if I divide {a} by {b}?",
    "how often does {b} go into {a}?",
    "how many times does {b} [go into|fit into] {a}?",
    "how much is {a} split [into|by] {b}?",
    "what is {a} over {b}?",
    "what is {a} shared by {b}?",
    "the quotient of {a} and {b}",
    "{a} over {b}",
    "{a} coins are split between {b} people. how [much|many coins] does each [get|person get]?",
];

/// The same within a little tale.
pub(super) const OVER_TOLD: &[&str] = &[
    "I share {a} {t} among {b} friends. how many [{t} |]does each [get|one get]?",
    "{n} shares {a} {t} among {b} children. how many [{t} |]does each [get|child get]?",
    "{a} {t} are packed into {b} boxes. how many [are|{t} are] in each [box|]?",
    "{n} wants to read {a} pages in {b} days. how many pages a day is that?",
    "we have {a} {t} for {b} tables. how many [{t} |]go on each [table|]?",
    "{b} {t} cost {a} coins. how [much|many coins] is one of them?",
];

/// What is counted.
pub(super) const THINGS: &str = "apples, pears, plums, nuts, eggs, coins, stamps, books, pencils, shells, \
    stones, cards, marbles, buttons, beads, cookies, candles, cups, plates, chairs, tickets, letters, \
    flowers, seeds, bricks, nails, balls, keys, bottles, lamps, ropes, onions, carrots, potatoes, melons, \
    lemons, oranges, figs, cherries, berries";
