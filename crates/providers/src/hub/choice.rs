//! Which of a repository's files are meant.
//!
//! A pattern means one model: one file, or all parts of one split set. Where it could mean two, that is an error that
//! names them, never a guess.

use super::model::is_path;
use super::{HubError, HubFile, HubModel};

/// The quantization that is meant where none is named and there are several.
const USUAL: &str = "Q4_K_M";

/// Files beside the weights of a model as published.
const BESIDE: [&str; 9] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "tiktoken.model",
    "model.safetensors.index.json",
];

/// Files that make up a model.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) files: Vec<HubFile>,
    /// The one to open; empty for their folder.
    pub(super) entry: String,
}

/// The files of `listed` that `model` means.
pub(super) fn choose(model: &HubModel, listed: Vec<HubFile>) -> Result<Choice, HubError> {
    let listed: Vec<HubFile> = listed.into_iter().filter(|file| is_path(&file.path)).collect();
    let sets = sets(&listed);
    let names = || sets.iter().map(|set| set.name.clone()).collect::<Vec<_>>();
    let Some(pattern) = model.pattern() else {
        let usual: Vec<&Set<'_>> = sets.iter().filter(|set| has_word(&set.name, USUAL)).collect();
        return match (sets.as_slice(), usual.as_slice()) {
            ([only], _) => Ok(only.choice()),
            ([], _) => published(model, &listed),
            (_, [usual]) => Ok(usual.choice()),
            _ => Err(HubError::Ambiguous {
                model: model.to_string(),
                choices: names(),
            }),
        };
    };
    // What is named to the letter is meant, whatever else the name would fit.
    if let Some(named) = sets.iter().find(|set| set.has(pattern)) {
        return Ok(named.choice());
    }
    let meant: Vec<&Set<'_>> = sets.iter().filter(|set| set.is_meant(pattern)).collect();
    match meant.as_slice() {
        [one] => Ok(one.choice()),
        [] => Err(HubError::NoMatch {
            model: model.to_string(),
            choices: names(),
        }),
        several => Err(HubError::Ambiguous {
            model: model.to_string(),
            choices: several.iter().map(|set| set.name.clone()).collect(),
        }),
    }
}

/// A GGUF file, or all parts of a split one.
struct Set<'a> {
    /// The path, without the number of its part.
    name: String,
    files: Vec<&'a HubFile>,
}

impl Set<'_> {
    fn choice(&self) -> Choice {
        let mut files: Vec<HubFile> = self.files.iter().map(|file| (*file).clone()).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let entry = files.first().map(|file| file.path.clone());
        Choice {
            files,
            entry: entry.unwrap_or_default(),
        }
    }

    fn is_meant(&self, pattern: &str) -> bool {
        let paths = || self.files.iter().map(|file| file.path.as_str());
        if pattern.contains(['*', '?']) {
            return paths().any(|path| matches(path, pattern));
        }
        has_word(&self.name, pattern)
    }

    fn has(&self, path: &str) -> bool {
        self.name == path || self.files.iter().any(|file| file.path == path)
    }
}

fn sets(listed: &[HubFile]) -> Vec<Set<'_>> {
    let mut sets: Vec<Set<'_>> = Vec::new();
    let is_model = |file: &&HubFile| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        // Projectors of images lie beside the models that they belong to.
        name.ends_with(".gguf") && !name.starts_with("mmproj") && !name.contains("imatrix")
    };
    for file in listed.iter().filter(is_model) {
        let whole = without_part(&file.path);
        // A file of that name may lie beside the parts of another.
        let is_part = whole != file.path;
        let taken = is_part && listed.iter().any(|other| other.path == whole);
        let name = if taken { format!("{whole} in parts") } else { whole };
        match sets.iter_mut().find(|set| set.name == name) {
            Some(set) => set.files.push(file),
            None => sets.push(Set {
                name,
                files: vec![file],
            }),
        }
    }
    sets
}

/// `a-00001-of-00003.gguf` as `a.gguf`.
fn without_part(path: &str) -> String {
    let number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let split = || {
        let stem = path.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (name, part) = rest.rsplit_once('-')?;
        (number(count) && number(part)).then(|| format!("{name}.gguf"))
    };
    split().unwrap_or_else(|| path.to_owned())
}

/// A model as published: its safetensors and what stands beside them.
fn published(model: &HubModel, listed: &[HubFile]) -> Result<Choice, HubError> {
    let wanted = |file: &&HubFile| {
        BESIDE.contains(&file.path.as_str())
            || (file.path.ends_with(".safetensors") && !file.path.contains('/'))
    };
    let files: Vec<HubFile> = listed.iter().filter(wanted).cloned().collect();
    let has = |end: &str| files.iter().any(|file| file.path.ends_with(end));
    if !(has(".safetensors") && has("config.json")) {
        return Err(HubError::NoModel {
            model: model.to_string(),
        });
    }
    Ok(Choice {
        files,
        entry: String::new(),
    })
}

/// Whether `word` stands in `text` with nothing of a word beside it, in any case.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(&word).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default().ends_with(of_word);
        let behind = text.get(at + word.len()..).unwrap_or_default();
        !before && !behind.starts_with(of_word)
    })
}

/// Whether `pattern` describes the whole of `text`: `*` stands for anything, `?` for one character.
fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(&c) if c == '?' || text.get(at) == Some(&c) => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (of, at) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(of..).unwrap_or_default().iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(paths: &[&str]) -> Vec<HubFile> {
        let file = |path: &&str| HubFile {
            path: (*path).to_owned(),
            bytes: 1,
            blob: format!("blob of {path}"),
            hashed: false,
        };
        paths.iter().map(file).collect()
    }

    fn chosen(pattern: Option<&str>, paths: &[&str]) -> Result<(Vec<String>, String), HubError> {
        let model: HubModel = "a/b".parse().unwrap();
        let model = pattern.map_or(model.clone(), |pattern| model.with_pattern(pattern));
        let Choice { files, entry } = choose(&model, listed(paths))?;
        Ok((files.into_iter().map(|file| file.path).collect(), entry))
    }

    const QUANTS: [&str; 7] = [
        "README.md",
        "m-Q8_0.gguf",
        "m-Q4_K.gguf",
        "m-Q4_K_M.gguf",
        "Q2_K/m-Q2_K-00002-of-00002.gguf",
        "Q2_K/m-Q2_K-00001-of-00002.gguf",
        "mmproj-F16.gguf",
    ];

    #[test]
    fn a_word_means_one_quantization_with_all_its_parts() {
        for (pattern, first, parts) in [
            ("Q8_0", "m-Q8_0.gguf", 1),
            ("q4_k", "m-Q4_K.gguf", 1),
            ("Q2_K", "Q2_K/m-Q2_K-00001-of-00002.gguf", 2),
            ("*2_K*", "Q2_K/m-Q2_K-00001-of-00002.gguf", 2),
            ("m-Q?_0.gguf", "m-Q8_0.gguf", 1),
            (
                "Q2_K/m-Q2_K-00002-of-00002.gguf",
                "Q2_K/m-Q2_K-00001-of-00002.gguf",
                2,
            ),
        ] {
            let (files, entry) = chosen(Some(pattern), &QUANTS).unwrap();
            assert_eq!((entry.as_str(), files.len()), (first, parts), "{pattern}");
        }
    }

    #[test]
    fn what_is_named_to_the_letter_is_meant() {
        let paths = [
            "old/m.gguf",
            "m.gguf",
            "a.gguf",
            "a-00001-of-00002.gguf",
            "a-00002-of-00002.gguf",
        ];
        for (pattern, entry, parts) in [
            ("m.gguf", "m.gguf", 1),
            ("old/m.gguf", "old/m.gguf", 1),
            ("a.gguf", "a.gguf", 1),
            ("a-00001-of-00002.gguf", "a-00001-of-00002.gguf", 2),
        ] {
            let (files, opened) = chosen(Some(pattern), &paths).unwrap();
            assert_eq!((opened.as_str(), files.len()), (entry, parts), "{pattern}");
        }
    }

    #[test]
    fn without_a_pattern_the_usual_one_is_meant_or_the_only_one() {
        assert_eq!(chosen(None, &QUANTS).unwrap().1, "m-Q4_K_M.gguf");
        assert_eq!(chosen(None, &["only.gguf"]).unwrap().1, "only.gguf");
        let error = chosen(None, &["m-Q8_0.gguf", "m-Q2_K.gguf"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a/b leaves a choice: name one of m-Q8_0.gguf, m-Q2_K.gguf"
        );
    }

    #[test]
    fn a_pattern_of_nothing_or_of_two_is_an_error_that_lists_them() {
        let error = chosen(Some("Q5_K"), &QUANTS).unwrap_err().to_string();
        assert!(
            error.contains("m-Q4_K_M.gguf") && error.contains("Q2_K/m-Q2_K.gguf"),
            "{error}"
        );
        let error = chosen(Some("m-Q4*"), &QUANTS).unwrap_err();
        assert!(matches!(error, HubError::Ambiguous { choices, .. } if choices.len() == 2));
    }

    #[test]
    fn a_published_model_is_its_weights_and_what_it_takes_to_use_them() {
        let paths = [
            "config.json",
            "tokenizer.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "original/consolidated.safetensors",
            "README.md",
            "../escape.safetensors",
        ];
        let (files, entry) = chosen(None, &paths).unwrap();
        assert_eq!((files.len(), entry.as_str()), (5, ""));
        assert!(matches!(
            chosen(None, &["README.md", "pytorch_model.bin"]),
            Err(HubError::NoModel { .. })
        ));
    }
}
