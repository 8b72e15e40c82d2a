//! One scenario per diagnostic code, and one for each other way in which a code comes up (`no-effect.slow.ron`): what it says, where it
//! points and what it advises, as people see it.

#![expect(clippy::disallowed_methods, reason = "a test reads the files it is about")]

use lightlag::scenario::render::{Colour, Source, text};
use lightlag::scenario::{Code, Diagnostic, parse};
use std::fs;
use std::path::{Path, PathBuf};

/// The diagnostics of the file that stands for a code.
fn diagnostics(code: &str, source: &str) -> Vec<Diagnostic> {
    match parse(source, code) {
        Ok((_, warnings)) => warnings,
        Err(all) => all,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

fn source(name: &str) -> String {
    let path = folder().join(format!("{name}.ron"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every code with the names of its files: `no-effect`, then `no-effect.slow`..
fn cases() -> Vec<(Code, String)> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let code = |name: &str| {
        let code = name.split('.').next().unwrap();
        *Code::TABLE.iter().find(|known| known.name() == code).unwrap_or_else(|| panic!("{name}.ron is of no code"))
    };
    names.into_iter().map(|name| (code(&name), name)).collect()
}

#[test]
fn every_code_has_a_scenario_that_shows_it() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("diagnostics/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let cases = cases();
        for code in Code::TABLE {
            assert!(cases.iter().any(|(_, name)| name == code.name()), "{code} has no file of its own");
        }
        for (code, name) in cases {
            let source = source(&name);
            let found = diagnostics(&name, &source);
            let shown = text(Source { path: &format!("{name}.ron"), text: &source }, &found, Colour::Never, 110);
            assert!(found.iter().any(|diagnostic| diagnostic.code == code), "{name}:\n{shown}");
            insta::assert_snapshot!(name, shown);
        }
    });
}

/// A diagnostic that is about nothing else should say nothing else.
#[test]
fn one_fault_gives_one_diagnostic() {
    for (code, name) in cases() {
        let all = diagnostics(&name, &source(&name)).into_iter();
        let others: Vec<_> = all.filter(|other| other.code != code).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn every_diagnostic_points_into_the_file_and_advises_or_shows_the_other_place() {
    for (_, name) in cases() {
        let source = source(&name);
        for found in diagnostics(&name, &source) {
            assert!(found.span.start <= found.span.end && found.span.end <= source.len(), "{found:?}");
            assert!(source.is_char_boundary(found.span.start) && source.is_char_boundary(found.span.end), "{found:?}");
            assert!(found.help.is_some() || !found.others.is_empty() || !found.label.is_empty(), "{found:?}");
        }
    }
}
