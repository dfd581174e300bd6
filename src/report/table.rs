//! Columns of text.

use super::output::BOLD;

/// A heading and rows, each column as wide as its widest cell; `-` stands for an empty cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|text| cell(text).chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let heading = line(&mut heading.iter().map(|text| (*text).to_owned()));
    let mut lines = vec![format!("{BOLD}{heading}{BOLD:#}")];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(|text| cell(text)))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["a".to_owned(), String::new()], vec!["long one".to_owned(), "c".to_owned()]];
        let lines = table(&["x", "y"], &rows);
        assert!(lines[0].contains("x         y"), "{lines:?}");
        assert_eq!(lines[1..], ["a         -", "long one  c"]);
    }
}
