//! Columns that line up, whatever is in them, and lists and lines that stay within a screen.

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

/// Columns of a table at most: cells of the widest columns of words are wrapped for it.
pub const WIDTH: usize = 160;
/// No column of words is made narrower than this.
const NARROWEST: usize = 24;

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

    /// The table as lines of 160 columns at most, if words can be wrapped for it; a head of empty names is left out.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut widths: Vec<usize> = self.head.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.text.chars().count()));
        }
        self.fit(&mut widths);
        let head: Vec<Cell> = self.head.iter().map(|(name, _)| Cell::painted(name.as_str(), Style::dim)).collect();
        let named = self.head.iter().any(|(name, _)| !name.is_empty());
        let mut text = String::new();
        for row in named.then_some(&head).into_iter().chain(&self.rows) {
            let wrapped: Vec<Vec<&str>> =
                row.iter().zip(&widths).map(|(cell, &width)| wrap(&cell.text, width)).collect();
            for at in 0..wrapped.iter().map(Vec::len).max().unwrap_or(1) {
                let words: Vec<&str> = wrapped.iter().map(|lines| lines.get(at).copied().unwrap_or("")).collect();
                self.line(&mut text, (row, &words), &widths, style);
            }
        }
        text
    }

    /// Takes from the widest columns of words what the table is too wide.
    fn fit(&self, widths: &mut [usize]) {
        loop {
            let total = self.indent + widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
            let over = total.saturating_sub(WIDTH);
            let words = widths.iter().zip(&self.head).enumerate().filter(|(_, (_, head))| head.1 == Align::Left);
            let widest = words.map(|(place, (&width, _))| (width, place)).max();
            let Some((width, place)) = widest.filter(|&(width, _)| over > 0 && width > NARROWEST) else { return };
            // No narrower at once than the next one, so that they share.
            widths[place] = width.saturating_sub(over).max(width / 2).max(NARROWEST);
        }
    }

    fn line(&self, text: &mut String, (row, words): (&[Cell], &[&str]), widths: &[usize], style: Style) {
        let last = words.iter().rposition(|words| !words.is_empty()).map_or(0, |place| place + 1);
        for (place, words) in words.iter().take(last).enumerate() {
            let gap = if place == 0 { self.indent } else { 2 };
            let pad = widths[place].saturating_sub(words.chars().count());
            let shown = row[place].paint.map_or_else(|| (*words).to_owned(), |paint| paint(style, words));
            let _ = match self.head[place].1 {
                Align::Right => write!(text, "{:gap$}{:pad$}{shown}", "", ""),
                Align::Left if place + 1 == last => write!(text, "{:gap$}{shown}", ""),
                Align::Left => write!(text, "{:gap$}{shown}{:pad$}", "", ""),
            };
        }
        text.push('\n');
    }
}

/// `words` in lines of `width` characters at most, broken at spaces where there are any.
fn wrap(words: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = words;
    while let Some((over, _)) = rest.char_indices().nth(width.max(1)) {
        let end = rest[..over].rfind(' ').filter(|&space| space > 0).unwrap_or(over);
        let end = if rest[over..].starts_with(' ') { over } else { end };
        lines.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
    }
    lines.push(rest);
    lines
}

/// `text` with lines that take more than `width` columns broken at spaces; what follows is indented. Colour takes no columns.
#[must_use]
pub fn fold(text: &str, width: usize) -> String {
    let mut folded = String::new();
    for line in text.lines() {
        if columns(line) <= width {
            folded.push_str(line);
            folded.push('\n');
            continue;
        }
        let mut at = 0;
        for word in line.split_inclusive(' ') {
            if at > 0 && at + columns(word.trim_end()) > width {
                folded.truncate(folded.trim_end_matches(' ').len());
                folded.push_str("\n    ");
                at = 4;
            }
            folded.push_str(word);
            at += columns(word);
        }
        folded.push('\n');
    }
    folded
}

/// Characters of `line` without its colours.
fn columns(line: &str) -> usize {
    let mut escape = false;
    let shown = |c: char| {
        let hidden = escape || c == '\x1b';
        escape = hidden && !(escape && c == 'm');
        !hidden
    };
    line.chars()
        .filter({
            let mut shown = shown;
            move |&c| shown(c)
        })
        .count()
}

/// The first `most` names, and how many more there are: `a, b and 3,990 more`.
#[must_use]
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let left = names.len().saturating_sub(most);
    let shown = names.take(most).collect::<Vec<_>>().join(", ");
    if left == 0 { shown } else { format!("{shown} and {} more", grouped(left as u64)) }
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
    fn a_table_is_no_wider_than_a_screen_and_loses_no_word() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right), ("note", Align::Left)]);
        let long = ["word"; 100].join(" ");
        table.row(["a".into(), "1".into(), long.into()]);
        table.row(["x".repeat(300).into(), "2".into(), "".into()]);
        let text = table.render(Style::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!((text.matches("word").count(), text.matches('x').count()), (100, 300), "{text}");
        // More than a format's width can say.
        table.row(["x".repeat(70_000).into(), "3".into(), "".into()]);
        assert_eq!(table.render(Style::Plain).matches('x').count(), 70_300);
    }

    #[test]
    fn lines_are_folded_at_spaces_and_lists_cut() {
        assert_eq!(fold("short\n", 10), "short\n");
        assert_eq!(fold("one two three four\nnext\n", 10), "one two\n    three\n    four\nnext\n");
        assert_eq!(fold("\x1b[1mone\x1b[0m two three\n", 13), "\x1b[1mone\x1b[0m two three\n");
        let names = ["a", "b", "c"];
        assert_eq!(listed(names.into_iter(), 3), "a, b, c");
        assert_eq!(listed(names.into_iter(), 1), "a and 2 more");
        assert_eq!(listed([].into_iter(), 1), "");
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
