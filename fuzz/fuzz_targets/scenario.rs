//! Scenario files: any text is a plan that can be laid out, or diagnostics that can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightlag::scenario::render::{Colour, Source, lines, text};
use lightlag::scenario::{build, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(written) = std::str::from_utf8(data) else { return };
    let source = Source { path: "x.ron", text: written };
    match parse(written, "x") {
        Ok((plan, warnings)) => {
            let _ = text(source, &warnings, Colour::Never, 120);
            if plan.nodes.len() <= 64 {
                build::lay_out(&plan).expect("a checked plan can be laid out");
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "no plan and no reason");
            let _ = text(source, &errors, Colour::Never, 120);
            let _ = lines(source, &errors);
        }
    }
});
