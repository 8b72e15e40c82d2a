//! The house as a test: who may import whom. An upward import fails with its file and line.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each storey and what it may import, lowest first. `ARCHITECTURE.md` says what each is for.
const STOREYS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("engine", &["base"]),
    ("wire", &["base"]),
    ("trace", &["base", "wire"]),
    ("topo", &["base"]),
    ("link", &["base", "wire", "trace"]),
    ("fault", &["base", "link"]),
    ("ip", &["base", "wire", "topo", "trace"]),
    ("transport", &["base", "wire", "trace"]),
    ("drill", &["base", "wire", "transport"]),
    ("host", &["base", "wire", "trace"]),
    ("app", &["base", "wire", "trace", "host"]),
    ("service", &["base", "wire", "trace", "host", "app"]),
    (
        "world",
        &["base", "engine", "wire", "trace", "topo", "link", "fault", "ip", "transport", "host", "app", "service"],
    ),
    (
        "scenario",
        &[
            "base",
            "engine",
            "wire",
            "trace",
            "topo",
            "link",
            "fault",
            "ip",
            "transport",
            "host",
            "app",
            "service",
            "world",
        ],
    ),
    ("observe", &["base", "wire", "trace"]),
    (
        "run",
        &[
            "base",
            "engine",
            "wire",
            "trace",
            "topo",
            "link",
            "fault",
            "ip",
            "transport",
            "host",
            "app",
            "service",
            "world",
            "scenario",
            "observe",
        ],
    ),
    ("report", &["base", "observe", "run"]),
];

/// `cli` and the two crate roots may import everything.
const FREE: &[&str] = &["cli", "lib.rs", "main.rs"];

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
}

/// The modules that a line names behind `crate::`.
fn imports(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = rest.strip_prefix('{').map_or(rest, |group| group.split('}').next().unwrap_or_default());
        let grouped = rest.starts_with('{');
        for name in names.split(',') {
            let name = name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if !name.is_empty() {
                found.push(name);
            }
            if !grouped {
                break;
            }
        }
    }
    found
}

#[test]
fn imports_only_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 20, "the sources are where this test looks for them");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let storey = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        if FREE.contains(&storey) {
            continue;
        }
        let Some((_, allowed)) = STOREYS.iter().find(|(name, _)| *name == storey) else {
            wrong.push(format!("{}: `{storey}` is no storey of the house", file.display()));
            continue;
        };
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for import in imports(line) {
                let known = STOREYS.iter().any(|(name, _)| *name == import);
                if known && import != storey && !allowed.contains(&import) {
                    wrong.push(format!("src/{}:{}: {storey} may not import {import}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_all_forms() {
    assert_eq!(imports("use crate::base::Time;"), ["base"]);
    assert_eq!(imports("use crate::{base::Time, wire, run::{A, B}};"), ["base", "wire", "run", "B"]);
    assert_eq!(imports("let x: crate::link::Fate = crate::wire::f();"), ["link", "wire"]);
    assert_eq!(imports("// crate::run"), Vec::<&str>::new());
}

#[test]
fn every_file_says_its_one_idea_first() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let silent: Vec<_> = files
        .iter()
        .filter(|file| {
            let is_test = file.file_name().is_some_and(|name| name == "tests.rs")
                || file.components().any(|part| part.as_os_str() == "tests");
            !is_test && !fs::read_to_string(file).unwrap().starts_with("//! ")
        })
        .collect();
    assert!(silent.is_empty(), "files without a first sentence: {silent:?}");
}
