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

/// One figure of lightlag beside the kernel's.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is compared, and in which unit.
    pub name: String,
    /// The part of the name that says which curve of a figure it belongs to, and its place along it; if it has one.
    pub point: Option<(String, f64)>,
    pub lightlag: f64,
    pub kernel: f64,
    pub allowed: (f64, f64),
}

impl Cell {
    /// Whether it is within what is allowed.
    pub fn ok(&self) -> bool {
        self.allowed.0 <= self.lightlag && self.lightlag <= self.allowed.1
    }

    /// In percent of the kernel's figure.
    pub fn error(&self) -> f64 {
        (self.lightlag / self.kernel - 1.0) * 100.0
    }
}

/// Figures of lightlag beside the kernel's.
#[derive(Default)]
pub struct Table {
    pub cells: Vec<Cell>,
}

impl Table {
    /// Compares one figure, which must lie in `allowed`.
    pub fn compare(&mut self, name: &str, lightlag: f64, kernel: f64, allowed: (f64, f64)) {
        self.cells.push(Cell { name: name.into(), point: None, lightlag, kernel, allowed });
    }

    /// The cell compared last is a point of `curve` at `x`.
    pub fn on(&mut self, curve: &str, x: f64) {
        if let Some(cell) = self.cells.last_mut() {
            cell.point = Some((curve.into(), x));
        }
    }

    /// Median and largest error in percent, whatever their signs.
    pub fn errors(&self) -> (f64, f64) {
        let finite = self.cells.iter().map(|cell| cell.error().abs()).filter(|error| error.is_finite());
        let mut errors: Vec<f64> = finite.collect();
        errors.sort_by(f64::total_cmp);
        (errors.get(errors.len() / 2).copied().unwrap_or(0.0), errors.last().copied().unwrap_or(0.0))
    }

    /// Prints everything and fails if anything was out of bounds.
    #[cfg(test)]
    pub fn judge(&self, title: &str) {
        let line = |cell: &Cell| {
            let Cell { name, lightlag, kernel, allowed, .. } = cell;
            format!(
                "{name:<44} lightlag {lightlag:>10.3}  kernel {kernel:>10.3}  error {:>7.2} %  allowed {:>9.3} .. {:<9.3} {}",
                cell.error(),
                allowed.0,
                allowed.1,
                if cell.ok() { "ok" } else { "NOT OK" }
            )
        };
        self.cells.iter().for_each(|cell| println!("{}", line(cell)));
        let bad: Vec<String> = self.cells.iter().filter(|cell| !cell.ok()).map(line).collect();
        let median = self.errors().0;
        println!("{title}: {} figures, {} outside; median error {median:.2} %", self.cells.len(), bad.len());
        assert!(bad.is_empty(), "{title}:\n{}", bad.join("\n"));
    }
}

/// Within `share` of the kernel's figure.
pub fn within(kernel: f64, share: f64) -> (f64, f64) {
    (kernel * (1.0 - share), kernel * (1.0 + share))
}
