//! Lists of ranked tokens, as `tiktoken.model` files hold them.

use super::*;

/// These tokens, each at its rank, as the text of a `tiktoken.model`.
fn list_of(tokens: &[Vec<u8>]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64 = |token: &Vec<u8>| {
        let groups = token.chunks(3).map(|group| {
            let bits =
                group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            let digits =
                (0..=group.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize % 64]));
            digits
                .chain("==".chars().skip(group.len() - 1))
                .collect::<String>()
        });
        groups.collect::<String>()
    };
    let lines = tokens.iter().enumerate();
    lines
        .map(|(rank, token)| format!("{} {rank}\n", base64(token)))
        .collect()
}

/// A list of the 256 bytes and a few merges, as `tiktoken.model`.
fn list_folder(name: &str, class: &str) -> Folder {
    let bytes = (0..=255).map(|byte| vec![byte]);
    let words = ["th", "he", "the", " th"].map(|word| word.as_bytes().to_vec());
    let list = list_of(&bytes.chain(words).collect::<Vec<_>>());
    let config = json!({
        "auto_map": {"AutoTokenizer": [class, null]},
        "added_tokens_decoder": {"260": {"content": "[BOS]"}, "262": {"content": "<|im_end|>"}},
        "bos_token": "[BOS]", "eos_token": "<|im_end|>",
    });
    let folder = Folder::new(name, &json!(null), Some(config));
    fs::write(folder.0.join("tiktoken.model"), list).unwrap();
    fs::remove_file(folder.0.join("tokenizer.json")).unwrap();
    folder
}

#[test]
fn a_list_of_ranked_tokens_merges_by_rank() {
    let folder = list_folder("list", "tokenization_kimi.TikTokenTokenizer");
    let tokenizer = Tokenizer::from_file(&folder.0.join("tiktoken.model")).unwrap();
    assert_eq!(tokenizer.vocab_size(), 263);
    assert_eq!(tokenizer.kind(), "tiktoken/kimi-k2");
    let ids = |text| tokenizer.encode(text, Special::Parse).unwrap();
    assert_eq!(ids("the"), [258]);
    assert_eq!(ids(" the"), [32, 258]);
    assert_eq!(ids(" thx"), [259, 120]);
    assert_eq!(ids("他he<|im_end|>"), [0xe4, 0xbb, 0x96, 257, 262]);
    assert_eq!(tokenizer.token_text(261), Some("<|reserved_token_261|>"));
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()),
        (Some(260), Some(262), false)
    );
    let text = "any 你好, text 🦙\n";
    assert_eq!(tokenizer.decode(&ids(text)).unwrap(), text);
}

#[test]
fn a_list_of_tokens_without_a_known_class_is_refused() {
    let folder = list_folder("class", "tokenization_other.Tokenizer");
    let message = Tokenizer::from_file(&folder.0.join("tiktoken.model"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("tokenization_other.Tokenizer"), "{message}");
    fs::remove_file(folder.0.join("tokenizer_config.json")).unwrap();
    let message = Tokenizer::from_file(&folder.0.join("tiktoken.model"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("none"), "{message}");
}

#[test]
fn a_token_that_is_not_special_stays_in_the_text() {
    let folder = list_folder("shown", "tokenization_kimi.TikTokenTokenizer");
    let settings = folder.0.join("tokenizer_config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&settings).unwrap()).unwrap();
    let mut open = |id: &str, name: &str| {
        config["added_tokens_decoder"][id] = json!({"content": name, "special": false});
        fs::write(&settings, config.to_string()).unwrap();
        Tokenizer::from_folder(&folder.0)
    };
    let tokenizer = open("261", "</think>").unwrap();
    let text = "the</think><|im_end|>";
    let ids = tokenizer.encode(text, Special::Parse).unwrap();
    assert_eq!(ids, [258, 261, 262]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "the</think>");
    assert!(!tokenizer.is_special(261) && tokenizer.is_special(262));
    let literal = tokenizer.encode(text, Special::Literal).unwrap();
    assert!(!literal.contains(&261) && !literal.contains(&262), "{literal:?}");
    assert_eq!(tokenizer.decode(&literal).unwrap(), text);

    for twice in ["<|im_end|>", "th"] {
        let message = open("261", twice).unwrap_err().to_string();
        assert!(
            message.contains(&format!("{twice:?} is the name of token")),
            "{message}"
        );
    }
}

#[test]
fn a_json_file_with_the_rule_of_a_list_gives_the_same_ids() {
    let list = &*LIST;
    let mut json = tokenizers::Tokenizer::clone(&list.0.parse);
    json.with_decoder(Some(tokenizers::decoders::byte_level::ByteLevel::default()));
    let folder = Folder::new("kimi-json", &json!(null), None);
    fs::write(folder.0.join("tokenizer.json"), json.to_string(false).unwrap()).unwrap();
    let json = Tokenizer::from_folder(&folder.0).unwrap();
    for text in [
        "the 他们 the他 THEthe's 12345 \n\n  x<|im_end|>",
        "\u{301}a ǅa ʰ々〇ー",
    ] {
        let ids = json.encode(text, Special::Parse).unwrap();
        assert_eq!(ids, list.encode(text, Special::Parse).unwrap());
        assert_eq!(json.decode(&ids).unwrap(), list.decode(&ids).unwrap());
    }
}

#[test]
fn a_folder_opens_by_the_tokenizer_file_it_has() {
    let folder = list_folder("folder", "tokenization_kimi.TikTokenTokenizer");
    let kind = || Tokenizer::from_folder(&folder.0).map(|tokenizer| tokenizer.kind().to_owned());
    fs::write(folder.0.join("tokenizer.json"), byte_level_json().to_string()).unwrap();
    assert_eq!(kind().unwrap(), "tokenizer.json/BPE");
    fs::remove_file(folder.0.join("tokenizer.json")).unwrap();
    assert_eq!(kind().unwrap(), "tiktoken/kimi-k2");
    fs::remove_file(folder.0.join("tiktoken.model")).unwrap();
    assert!(matches!(kind(), Err(ModelError::NoTokenizer { .. })));
}

static LIST: LazyLock<Tokenizer> = LazyLock::new(|| {
    let folder = list_folder("oracle-list", "tokenization_kimi.TikTokenTokenizer");
    Tokenizer::from_folder(&folder.0).unwrap()
});

/// Merges as lists of ranked tokens define them: a word that is a token is taken whole, else of all neighbours that
/// make a token the first with the lowest rank is merged.
fn merged(ranks: &[Vec<u8>], word: &[u8]) -> Vec<u32> {
    let rank = |bytes: &[u8]| ranks.iter().position(|token| token == bytes);
    if let Some(whole) = rank(word) {
        return vec![whole as u32];
    }
    let mut parts: Vec<Vec<u8>> = word.iter().map(|byte| vec![*byte]).collect();
    let made = |parts: &[Vec<u8>], at: usize| rank(&parts[at..at + 2].concat()).map(|rank| (rank, at));
    while let Some((_, at)) = (1..parts.len()).filter_map(|at| made(&parts, at - 1)).min() {
        let right = parts.remove(at + 1);
        parts[at].extend(right);
    }
    let ids = parts.iter().map(|part| rank(part).unwrap() as u32);
    ids.collect()
}

proptest! {
    // Each case writes a vocabulary.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn merges_of_a_list_are_those_of_its_ranks(
        steps in prop::collection::vec((0usize..1000, 0usize..1000), 0..30),
        words in prop::collection::vec("[ab]{1,20}", 1..20),
    ) {
        let mut ranks: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        let mut grown = vec![vec![b'a'], vec![b'b']];
        for (left, right) in steps {
            let token = [&*grown[left % grown.len()], &*grown[right % grown.len()]].concat();
            if token.len() < 12 && !ranks.contains(&token) {
                ranks.push(token.clone());
                grown.push(token);
            }
        }
        let folder = list_folder("ranks", "tokenization_kimi.TikTokenTokenizer");
        fs::write(folder.0.join("tiktoken.model"), list_of(&ranks)).unwrap();
        fs::write(
            folder.0.join("tokenizer_config.json"),
            r#"{"auto_map": {"AutoTokenizer": "tokenization_kimi.TikTokenTokenizer"}}"#,
        ).unwrap();
        let tokenizer = Tokenizer::from_folder(&folder.0).unwrap();
        for word in words {
            prop_assert_eq!(tokenizer.encode(&word, Special::Parse).unwrap(), merged(&ranks, word.as_bytes()));
        }
    }
}
