//! The settings of `/set` that are fields of a request's sampling: each is a number, or absent for the default.

use std::str::FromStr;

use engine::Sampling;

/// Where a setting stands.
enum Place<'a> {
    Number(&'a mut Option<f32>),
    Count(&'a mut Option<u32>),
    Window(&'a mut Option<i32>),
}

/// Where the setting `name` stands in `sampling`; `None` if it is none of them.
fn place<'a>(name: &str, sampling: &'a mut Sampling) -> Option<Place<'a>> {
    Some(match name {
        "top_k" => Place::Count(&mut sampling.top_k),
        "top_p" => Place::Number(&mut sampling.top_p),
        "min_p" => Place::Number(&mut sampling.min_p),
        "typical_p" => Place::Number(&mut sampling.typical_p),
        "top_n_sigma" => Place::Number(&mut sampling.top_n_sigma),
        "repetition_penalty" => Place::Number(&mut sampling.repetition_penalty),
        "frequency_penalty" => Place::Number(&mut sampling.frequency_penalty),
        "presence_penalty" => Place::Number(&mut sampling.presence_penalty),
        "penalty_window" => Place::Window(&mut sampling.penalty_window),
        "dry_multiplier" => Place::Number(&mut sampling.dry.multiplier),
        "dry_base" => Place::Number(&mut sampling.dry.base),
        "dry_allowed_length" => Place::Count(&mut sampling.dry.allowed_length),
        "dry_window" => Place::Window(&mut sampling.dry.window),
        "xtc_probability" => Place::Number(&mut sampling.xtc.probability),
        "xtc_threshold" => Place::Number(&mut sampling.xtc.threshold),
        _ => return None,
    })
}

/// Whether `name` is one of them.
pub(super) fn is_one(name: &str) -> bool {
    place(name, &mut Sampling::default()).is_some()
}

/// Puts the number `value`, or else what `begun` has, in its place; `None` if it is none. Its range is not looked at.
pub(super) fn set(name: &str, value: Option<&str>, begun: &Sampling, sampling: &mut Sampling) -> Option<()> {
    let mut begun = begun.clone();
    match (place(name, sampling)?, place(name, &mut begun)?) {
        (Place::Number(to), Place::Number(begun)) => put(value, *begun, to),
        (Place::Count(to), Place::Count(begun)) => put(value, *begun, to),
        (Place::Window(to), Place::Window(begun)) => put(value, *begun, to),
        _ => None,
    }
}

fn put<T: FromStr>(value: Option<&str>, begun: Option<T>, to: &mut Option<T>) -> Option<()> {
    *to = match value {
        None => begun,
        Some(text) => Some(text.parse().ok()?),
    };
    Some(())
}

/// What the setting is, if anything.
pub(super) fn shown(name: &str, sampling: &Sampling) -> Option<String> {
    match place(name, &mut sampling.clone())? {
        Place::Number(number) => number.map(|number| number.to_string()),
        Place::Count(count) => count.map(|count| count.to_string()),
        Place::Window(tokens) => tokens.map(|tokens| tokens.to_string()),
    }
}
