//! The reference figures, and the comparison that is printed and judged.

use csv::StringRecord;

/// The rows of `tests/reference/<name>.csv`.
pub fn rows(name: &str) -> Vec<StringRecord> {
    let path = format!("{}/tests/reference/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(&path).expect("the figures are there");
    reader.records().map(|row| row.expect("well-formed rows")).collect()
}

/// A number in a row.
pub fn number(row: &StringRecord, column: usize) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{row:?} has a number in column {column}"))
}

/// Figures of lightlag beside the kernel's.
#[derive(Default)]
pub struct Table {
    cells: usize,
    errors: Vec<f64>,
    bad: Vec<String>,
}

impl Table {
    /// Compares one figure, which must lie in `allowed`.
    pub fn compare(&mut self, name: &str, lightlag: f64, kernel: f64, allowed: (f64, f64)) {
        let ok = allowed.0 <= lightlag && lightlag <= allowed.1;
        let error = (lightlag / kernel - 1.0) * 100.0;
        let line = format!(
            "{name:<44} lightlag {lightlag:>10.3}  kernel {kernel:>10.3}  error {error:>7.2} %  allowed {:>9.3} .. {:<9.3} {}",
            allowed.0,
            allowed.1,
            if ok { "ok" } else { "NOT OK" }
        );
        println!("{line}");
        self.cells += 1;
        if error.is_finite() {
            self.errors.push(error.abs());
        }
        if !ok {
            self.bad.push(line);
        }
    }

    /// Prints the sum and fails if anything was out of bounds.
    pub fn judge(mut self, title: &str) {
        self.errors.sort_by(f64::total_cmp);
        let median = self.errors.get(self.errors.len() / 2).copied().unwrap_or(0.0);
        println!("{title}: {} figures, {} outside; median error {median:.2} %", self.cells, self.bad.len());
        assert!(self.bad.is_empty(), "{title}:\n{}", self.bad.join("\n"));
    }
}

/// Within `share` of the kernel's figure.
pub fn within(kernel: f64, share: f64) -> (f64, f64) {
    (kernel * (1.0 - share), kernel * (1.0 + share))
}
