//! What must hold for any output, however sloppy.

use super::*;

/// Pieces of which sloppy output is made.
fn fragment() -> impl Strategy<Value = String> {
    let markers = [
        "<tool_call>",
        "</tool_call>",
        "<function=add>",
        "<function=run>",
        "<function=other>",
        "<function=",
        "</function>",
        "<parameter=a>",
        "<parameter=code>",
        "<parameter=",
        "</parameter>",
        "\n</parameter>",
        "\n<parameter=b>\n",
        "</param",
        "<",
        ">",
        "/",
        "\n",
        " ",
        "1",
        "[1, 2]",
        "\"",
        "{}",
        "x",
        "語",
        "🙂",
    ];
    prop_oneof![
        6 => prop::sample::select(markers.to_vec()).prop_map(str::to_owned),
        1 => "[a-z<>=/\n é]{0,5}",
    ]
}

/// A call as the format has it, its value made of anything.
fn wrapped() -> impl Strategy<Value = String> {
    let value = prop::collection::vec(fragment(), 0..5).prop_map(|pieces| pieces.concat());
    (prop::sample::select(vec!["a", "code"]), value).prop_map(|(key, value)| written("run", &[(key, &value)]))
}

proptest! {
    #[test]
    fn any_output_reads_the_same_at_every_split(
        fragments in prop::collection::vec(prop_oneof![4 => fragment(), 1 => wrapped()], 0..24),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = fragments.concat();
        let whole = read_pieces([text.as_str()]).events;
        let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        ends.push(text.len());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&ends)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            pieces.push(&text[from..cut]);
            from = cut;
        }
        prop_assert_eq!(&read_pieces(pieces).events, &whole);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        prop_assert_eq!(&read_pieces(letters.iter().map(String::as_str)).events, &whole);
        prop_assert_eq!(&read_pieces(fragments.iter().map(String::as_str)).events, &whole);
    }

    #[test]
    fn a_closed_call_always_has_arguments_that_parse(
        fragments in prop::collection::vec(fragment(), 0..16),
    ) {
        // Whatever stands before it, this closes every call that is open.
        let text = fragments.concat() + "\n</parameter>\n</function>\n</tool_call>";
        for call in read_pieces([text.as_str()]).calls() {
            prop_assert!(call.parse_arguments().is_ok(), "{}", call.arguments);
        }
    }

    #[test]
    fn no_letter_of_the_answer_is_lost(text in "[a-z \n<>=é🙂]{0,40}") {
        prop_assert_eq!(read_pieces([text.as_str()]).text(), text);
    }
}
