//! Every scenario in the repository is sound, and the reference of the language says everything about it.

use lightlag::scenario::render::{Colour, Source, text};
use lightlag::scenario::{Plan, parse};
use std::fs;
use std::path::{Path, PathBuf};

fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "ron") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The plan of a file, which must have neither errors nor warnings.
fn plan(path: &Path) -> Plan {
    let source = fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let shown = |diagnostics: &[_]| {
        text(Source { path: path.to_str().unwrap(), text: &source }, diagnostics, Colour::Never, 120)
    };
    match parse(&source, name) {
        Ok((plan, warnings)) if warnings.is_empty() => plan,
        Ok((_, warnings)) => panic!("{}", shown(&warnings)),
        Err(errors) => panic!("{}", shown(&errors)),
    }
}

#[test]
fn every_scenario_is_sound_and_named_after_its_file() {
    let all = scenarios();
    assert!(all.len() >= 4);
    for path in all {
        let plan = plan(&path);
        assert_eq!(Some(plan.name.as_str()), path.file_stem().unwrap().to_str());
        assert!(!plan.expect.is_empty(), "{}: a scenario states its law", path.display());
    }
}

#[test]
fn every_scenario_opens_with_its_question_and_its_answer() {
    for path in scenarios() {
        let source = fs::read_to_string(&path).unwrap();
        let opening: String = source.lines().take_while(|line| line.starts_with("//")).collect();
        assert!(opening.contains('?') && opening.contains("Answer:"), "{}", path.display());
    }
}
