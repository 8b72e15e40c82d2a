//! Columns that line up, whatever is in them.

use super::style::Style;
use std::fmt::Write as _;

/// On which side the text of a column stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// How a cell looks.
type Paint = fn(Style, &str) -> String;

/// One cell: its words and how they look.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// Words that look in a certain way.
    #[must_use]
    pub fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: text.into(), paint: Some(paint) }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), paint: None }
    }
}

/// Rows of cells under a head.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// A table with these columns and no rows.
    #[must_use]
    pub fn new(head: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        Self { head: head.into_iter().map(|(name, align)| (name.into(), align)).collect(), rows: Vec::new(), indent: 0 }
    }

    /// The same table, `columns` further right.
    #[must_use]
    pub const fn indented(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// Appends a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines; a head of empty names is left out.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut widths: Vec<usize> = self.head.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.text.chars().count()));
        }
        let head: Vec<Cell> = self.head.iter().map(|(name, _)| Cell::painted(name.as_str(), Style::dim)).collect();
        let named = self.head.iter().any(|(name, _)| !name.is_empty());
        let mut text = String::new();
        for row in named.then_some(&head).into_iter().chain(&self.rows) {
            let mut line = String::new();
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |place| place + 1);
            for (place, cell) in row.iter().take(last).enumerate() {
                let gap = if place == 0 { self.indent } else { 2 };
                let pad = widths[place] - cell.text.chars().count();
                let shown = cell.paint.map_or_else(|| cell.text.clone(), |paint| paint(style, &cell.text));
                let _ = match self.head[place].1 {
                    Align::Right => write!(line, "{:gap$}{:pad$}{shown}", "", ""),
                    Align::Left if place + 1 == last => write!(line, "{:gap$}{shown}", ""),
                    Align::Left => write!(line, "{:gap$}{shown}{:pad$}", "", ""),
                };
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// `n` with commas between thousands.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `n` of something: `1 request`, `2,000 requests`.
#[must_use]
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("note", Align::Left)]).indented(2);
        table.row(["pages".into(), "1,497".into(), Cell::painted("ok", Style::good)]);
        table.row(["x".into(), "2".into(), "".into()]);
        assert_eq!(table.render(Style::Plain), "  name       n  note\n  pages  1,497  ok\n  x          2\n");
        let stripped =
            table.render(Style::Ansi).replace("\x1b[2m", "").replace("\x1b[1;32m", "").replace("\x1b[0m", "");
        assert_eq!(stripped, table.render(Style::Plain));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(counted(1, "packet", "packets"), "1 packet");
    }
}
