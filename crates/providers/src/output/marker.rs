//! Markers in text that arrives in pieces: whole, still possible, or none.
//!
//! What is neither a marker nor the beginning of one is certain at once, so that no more than a marker's
//! length is ever held back on its account.

/// What stands at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// This marker.
    Marker(&'static str),
    /// The beginning of a marker, or nothing at all: more text decides.
    Open,
    /// No marker.
    Other,
}

/// What stands at the beginning of `text`; the first of `markers` that fits.
pub(super) fn start(text: &str, markers: &[&'static str]) -> Start {
    if let Some(marker) = markers.iter().find(|marker| text.starts_with(**marker)) {
        return Start::Marker(marker);
    }
    match markers.iter().any(|marker| marker.starts_with(text)) {
        true => Start::Open,
        false => Start::Other,
    }
}

/// The first place in `text` where a marker stands or may begin to, and which; what is before it is certain.
pub(super) fn find(text: &str, markers: &[&'static str]) -> Option<(usize, Start)> {
    let begins = |c: char| markers.iter().any(|marker| marker.starts_with(c));
    text.match_indices(begins)
        .map(|(at, _)| (at, start(&text[at..], markers)))
        .find(|(_, start)| *start != Start::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKERS: [&str; 3] = ["\n</a>", "</a>", "<b>"];

    #[test]
    fn the_first_marker_is_found_with_its_place() {
        assert_eq!(find("é<b></a>", &MARKERS), Some((2, Start::Marker("<b>"))));
        assert_eq!(find("x\n\n</a>", &MARKERS), Some((2, Start::Marker("\n</a>"))));
    }

    #[test]
    fn only_an_end_that_may_become_a_marker_is_open() {
        assert_eq!(find("x<c></", &MARKERS), Some((4, Start::Open)));
        assert_eq!(find("x\n", &MARKERS), Some((1, Start::Open)));
        assert_eq!(find("x\ny<c", &MARKERS), None);
        assert_eq!(find("", &MARKERS), None);
    }

    #[test]
    fn nothing_may_become_anything() {
        assert_eq!(start("", &MARKERS), Start::Open);
        assert_eq!(start("</", &MARKERS), Start::Open);
        assert_eq!(start("</ a>", &MARKERS), Start::Other);
        assert_eq!(start("<b><", &MARKERS), Start::Marker("<b>"));
    }
}
