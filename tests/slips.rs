//! One slip gives one error: every word and every name in every scenario is misspelt in turn, and nothing is said of what only follows
//! from it, as an error or as a warning.

#![expect(clippy::disallowed_methods, reason = "a test reads the files it is about")]

use lightlag::scenario::{Code, Diagnostic, parse};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Every scenario with its name.
fn scenarios() -> Vec<(String, String)> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap();
    let mut all: Vec<(String, String)> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    all.sort();
    assert!(all.len() > 50, "{}", all.len());
    all
}

/// What a bare word of a scenario is.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// `delay:`
    Field,
    /// `Server(` or `Full`.
    Variant,
}

/// The bare words of a scenario: no comments, texts and numbers.
fn words(source: &str) -> Vec<(Role, Range<usize>)> {
    let bytes = source.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &source[at..];
        let start = at;
        at += match bytes[at] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'"' => rest[1..].find('"').unwrap() + 2,
            letter if letter.is_ascii_alphanumeric() => {
                rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())
            }
            _ => 1,
        };
        match &source[start..at] {
            word if !word.starts_with(char::is_alphabetic) || ["None", "true", "false"].contains(&word) => {}
            _ if source[at..].starts_with(':') => found.push((Role::Field, start..at)),
            _ => found.push((Role::Variant, start..at)),
        }
    }
    found
}

/// What is said of a scenario with another word in a place. As it is, nothing is said of any.
fn told(source: &str, place: Range<usize>, word: &str) -> Vec<Diagnostic> {
    let changed = [&source[..place.start], word, &source[place.end..]].concat();
    parse(&changed, "slip").expect_err("a slip is told")
}

#[track_caller]
fn told_once(name: &str, source: &str, place: Range<usize>, word: &str) -> Code {
    let line = source[..place.start].lines().count();
    let told = told(source, place.clone(), word);
    let [one] = told.as_slice() else { panic!("{name}:{line}: `{}` as `{word}`: {told:#?}", &source[place]) };
    assert!(one.is_error(), "{name}:{line}: {one:#?}");
    one.code
}

#[test]
fn a_misspelt_field_is_told_once() {
    let mut tried = 0;
    for (name, source) in scenarios() {
        for (_, place) in words(&source).into_iter().filter(|(role, _)| *role == Role::Field) {
            let word = format!("{}x", &source[place.clone()]);
            assert_eq!(told_once(&name, &source, place, &word), Code::UnknownField);
            tried += 1;
        }
    }
    assert!(tried > 4_000, "{tried}");
}

#[test]
fn a_misspelt_variant_is_told_once() {
    let mut tried = 0;
    for (name, source) in scenarios() {
        for (_, place) in words(&source).into_iter().filter(|(role, _)| *role == Role::Variant) {
            let word = format!("{}x", &source[place.clone()]);
            let code = told_once(&name, &source, place, &word);
            // `Never` stands where otherwise a duration does.
            assert!(matches!(code, Code::UnknownVariant | Code::WrongShape), "{name}: {word}: {code}");
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}

/// Where a name that the scenario declares is used, and not declared: texts that are a key or a `name` somewhere else.
fn uses(source: &str) -> Vec<Range<usize>> {
    let (mut texts, mut at) = (Vec::new(), 0);
    while at < source.len() {
        let rest = &source[at..];
        at += match rest.as_bytes()[0] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'"' => {
                let len = rest[1..].find('"').unwrap() + 2;
                texts.push(at + 1..at + len - 1);
                len
            }
            _ => rest.chars().next().unwrap().len_utf8(),
        };
    }
    let is_declared =
        |text: &Range<usize>| source[text.end + 1..].starts_with(':') || source[..text.start - 1].ends_with("name: ");
    let names: Vec<&str> = texts.iter().filter(|text| is_declared(text)).map(|text| &source[text.clone()]).collect();
    // Header fields and cookies are nothing that is declared.
    let foreign = ["header: (", "cookie: ", "cookie: ("];
    let is_foreign = |text: &Range<usize>| foreign.iter().any(|of| source[..text.start - 1].ends_with(of));
    let is_use =
        |text: &Range<usize>| !is_declared(text) && !is_foreign(text) && names.contains(&&source[text.clone()]);
    texts.into_iter().filter(is_use).collect()
}

/// Whether whatever stands there names something new.
fn is_free(source: &str, place: &Range<usize>) -> bool {
    source[..place.start - 1].ends_with("as: ")
}

#[test]
fn a_misspelt_name_is_told_once() {
    let mut tried = 0;
    for (name, source) in scenarios() {
        for place in uses(&source) {
            let changed = format!("{}x", &source[place.clone()]);
            if is_free(&source, &place) {
                // Another name is another service: it is told, and nothing is wrong.
                let told = parse(&[&source[..place.start], &changed, &source[place.end..]].concat(), "slip");
                let warnings = told.map_or_else(|errors| panic!("{name}: {errors:#?}"), |(_, warnings)| warnings);
                assert!(matches!(warnings[..], [_]), "{name}: {warnings:#?}");
            } else {
                told_once(&name, &source, place, &changed);
            }
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}

/// Sections that cannot be told from their names are missing; what they would declare is not looked up.
#[test]
fn a_section_by_another_name_is_told_once() {
    for (name, source) in scenarios() {
        for section in ["nodes", "links", "zones", "traffic", "faults"] {
            let Some(at) = source.find(&format!("\n    {section}: ")) else { continue };
            let start = at + "\n    ".len();
            let told = told(&source, start..start + section.len(), "hodgepodge");
            let allowed = |error: &Diagnostic| match error.code {
                Code::UnknownField => error.message == "a `Scenario` has no field `hodgepodge`",
                Code::MissingField => error.message == format!("a `Scenario` needs `{section}`"),
                _ => false,
            };
            assert!(told.iter().all(allowed), "{name}: {section}: {told:#?}");
        }
    }
}

#[test]
fn a_node_of_a_kind_that_there_is_not_is_told_once() {
    for (name, source) in scenarios() {
        let nodes = source.find("\n    nodes: ").unwrap()..source.find("\n    links: ").unwrap_or(source.len());
        let kinds = ["Host", "Router", "Server", "Resolver", "Authority", "Edge", "Balancer", "Anycast", "Registry"];
        for (_, place) in words(&source) {
            if nodes.contains(&place.start) && kinds.contains(&&source[place.clone()]) {
                assert_eq!(told_once(&name, &source, place, "Hodgepodge"), Code::UnknownVariant);
            }
        }
    }
}
