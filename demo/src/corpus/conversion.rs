//! One conversion of units: a value in one unit, asked for in another.
//!
//! Questions name units in every form; the call names them by their plural in lower case.

mod questions;

use super::draw::Draw;
use super::grammar::{dress, one_of, sentence};
use super::names::name;
use super::scene::Scene;
use super::tools::{Served, convert, tenths};
use questions::{DEGREES, DURATION, GENERAL, LENGTH, MASS, ONE, TEMPERATURE, VOLUME};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Length,
    Mass,
    Volume,
    Temperature,
    Duration,
}

/// A unit: what it measures, its names, and how many of the quantity's smallest measure it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    quantity: Quantity,
    plural: &'static str,
    singular: &'static str,
    /// Other forms, with commas.
    short: &'static str,
    size: f64,
}

const fn unit(
    quantity: Quantity,
    plural: &'static str,
    singular: &'static str,
    short: &'static str,
    size: f64,
) -> Unit {
    Unit {
        quantity,
        plural,
        singular,
        short,
        size,
    }
}

const UNITS: &[Unit] = &[
    unit(
        Quantity::Length,
        "kilometers",
        "kilometer",
        "km, kilometres, km",
        1_000_000.0,
    ),
    unit(Quantity::Length, "meters", "meter", "m, metres", 1000.0),
    unit(
        Quantity::Length,
        "centimeters",
        "centimeter",
        "cm, centimetres, cm",
        10.0,
    ),
    unit(
        Quantity::Length,
        "millimeters",
        "millimeter",
        "mm, millimetres, mm",
        1.0,
    ),
    unit(Quantity::Length, "miles", "mile", "mi", 1_609_344.0),
    unit(Quantity::Length, "yards", "yard", "yd, yds", 914.4),
    unit(Quantity::Length, "feet", "foot", "ft", 304.8),
    unit(Quantity::Length, "inches", "inch", "inch", 25.4),
    unit(Quantity::Mass, "kilograms", "kilogram", "kg, kilos, kg", 1000.0),
    unit(Quantity::Mass, "grams", "gram", "g", 1.0),
    unit(Quantity::Mass, "pounds", "pound", "lb, lbs", 453.592_37),
    unit(Quantity::Mass, "ounces", "ounce", "oz", 28.349_523_125),
    unit(Quantity::Volume, "liters", "liter", "l, litres", 1000.0),
    unit(
        Quantity::Volume,
        "milliliters",
        "milliliter",
        "ml, millilitres",
        1.0,
    ),
    unit(Quantity::Volume, "gallons", "gallon", "gal", 3_785.411_784),
    unit(Quantity::Volume, "pints", "pint", "pt", 473.176_473),
    unit(
        Quantity::Temperature,
        "celsius",
        "celsius",
        "C, degrees celsius, degrees C",
        1.0,
    ),
    unit(
        Quantity::Temperature,
        "fahrenheit",
        "fahrenheit",
        "F, degrees fahrenheit, degrees F",
        1.0,
    ),
    unit(Quantity::Duration, "weeks", "week", "wk", 604_800.0),
    unit(Quantity::Duration, "days", "day", "d", 86_400.0),
    unit(Quantity::Duration, "hours", "hour", "h, hrs", 3600.0),
    unit(Quantity::Duration, "minutes", "minute", "min, mins", 60.0),
    unit(Quantity::Duration, "seconds", "second", "s, secs", 1.0),
];

impl Unit {
    /// As a person writes it after a number.
    fn spoken(self, draw: &mut Draw) -> &'static str {
        if draw.chance(65) {
            self.plural
        } else {
            draw.word(self.short)
        }
    }

    /// As the model writes it after a number.
    fn written(self) -> &'static str {
        match self.plural {
            "celsius" => "degrees celsius",
            "fahrenheit" => "degrees fahrenheit",
            plural => plural,
        }
    }
}

/// A value in tenths of one unit, and its value in tenths of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion {
    value: i64,
    from: Unit,
    to: Unit,
    result: i64,
}

impl Conversion {
    /// Any conversion whose result is neither too small nor too large to be read.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        loop {
            let quantity = draw.weighted(&[
                (34, Quantity::Length),
                (20, Quantity::Mass),
                (16, Quantity::Volume),
                (14, Quantity::Temperature),
                (16, Quantity::Duration),
            ]);
            let units: Vec<Unit> = UNITS
                .iter()
                .copied()
                .filter(|unit| unit.quantity == quantity)
                .collect();
            let (from, to) = (*draw.pick(&units), *draw.pick(&units));
            let value = match draw.below(100) {
                0..4 => 10,
                4..24 => draw.number() * 10 + draw.within(1, 9),
                _ => draw.number() * 10,
            };
            let value = if quantity == Quantity::Temperature {
                value % 5000
            } else {
                value
            };
            let result = convert_tenths(value, from, to);
            let readable = value == 10 || (value >= 20 && result != 10);
            let readable = readable && (quantity != Quantity::Temperature || value != 10);
            let near = quantity == Quantity::Temperature || (20..=9_999_999).contains(&result);
            if from.plural != to.plural && readable && near {
                return Self {
                    value,
                    from,
                    to,
                    result,
                };
            }
        }
    }

    /// The result as it is written.
    pub(super) fn result(self) -> String {
        tenths(self.result)
    }

    pub(super) fn served(self) -> Served {
        convert(self.value, self.from.plural, self.to.plural, self.result)
    }

    /// The question, as yet without politeness.
    pub(super) fn question(self, draw: &mut Draw) -> String {
        let story = match self.from.quantity {
            Quantity::Length => LENGTH,
            Quantity::Mass => MASS,
            Quantity::Volume => VOLUME,
            Quantity::Temperature => TEMPERATURE,
            Quantity::Duration => DURATION,
        };
        let patterns = match () {
            () if self.value == 10 => ONE,
            () if self.from.quantity == Quantity::Temperature && draw.chance(70) => DEGREES,
            () if draw.chance(25) => story,
            () => GENERAL,
        };
        let (value, who) = (tenths(self.value), name(draw));
        let from = if self.value == 10 {
            self.from.singular
        } else {
            self.from.spoken(draw)
        };
        let article = if from == "hour" || from == "ounce" || from == "inch" {
            "an"
        } else {
            "a"
        };
        let to = self.to.spoken(draw);
        let slots = [
            ("v", value.as_str()),
            ("u", from),
            ("t", to),
            ("p", self.to.plural),
            ("n", &who),
            ("a", article),
        ];
        one_of(draw, patterns, &slots)
    }

    /// The result in a sentence that stands alone.
    pub(super) fn full_report(self, draw: &mut Draw) -> String {
        if self.value == 10 {
            let slots = [
                ("u", self.from.singular),
                ("r", &self.result()),
                ("t", self.to.written()),
            ];
            return sentence(draw, &["1 {u} is {r} {t}.", "1 {u} equals {r} {t}."], &slots);
        }
        let patterns = [
            "{v} {u} is {r} {t}.",
            "{v} {u} is {r} {t}.",
            "{v} {u} equals {r} {t}.",
            "{v} {u} makes {r} {t}.",
        ];
        self.fill(draw, &patterns)
    }

    /// The result in a sentence.
    pub(super) fn report(self, draw: &mut Draw) -> String {
        if draw.chance(60) {
            return self.full_report(draw);
        }
        self.fill(
            draw,
            &["that is {r} {t}.", "that makes {r} {t}.", "it is {r} {t}."],
        )
    }

    fn fill(self, draw: &mut Draw, patterns: &[&str]) -> String {
        let (value, result) = (tenths(self.value), self.result());
        let slots = [
            ("v", value.as_str()),
            ("u", self.from.written()),
            ("r", &result),
            ("t", self.to.written()),
        ];
        sentence(draw, patterns, &slots)
    }
}

/// Exact for all units here but for the last bit; rounded to tenths.
fn convert_tenths(value: i64, from: Unit, to: Unit) -> i64 {
    let value = value as f64 / 10.0;
    let result = match (from.plural, to.plural) {
        ("celsius", "fahrenheit") => value * 9.0 / 5.0 + 32.0,
        ("fahrenheit", "celsius") => (value - 32.0) * 5.0 / 9.0,
        _ => value * from.size / to.size,
    };
    (result * 10.0).round() as i64
}

/// Question, call, result, sentence.
pub(super) fn exchange(draw: &mut Draw, scene: &mut Scene) {
    let conversion = Conversion::draw(draw);
    let question = conversion.question(draw);
    scene.ask(dress(draw, &question));
    let report = conversion.report(draw);
    scene.call(conversion.served());
    scene.say(report, &[&conversion.result(), conversion.to.plural]);
}
