//! The rows of a RECORD file, read without judging what they say.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

/// Reads a RECORD row by row: CSV as Python's `csv` module writes it.
///
/// What stands in the rows is for the caller to judge: a wheel's RECORD must be exact, an installed one is taken as
/// other installers left it.
#[derive(Debug, Clone)]
pub struct RecordRows<'a> {
    rest: &'a str,
    line: usize,
}

/// One row of a RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFields {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// Path, hash and size; empty where it has fewer fields.
    pub fields: [String; 3],
    /// How many fields it really has; 1 in an empty line.
    pub count: usize,
    /// Whether each quoted field ends with its quote, so that every reader takes it for the same.
    pub exact: bool,
}

/// A RECORD that is no CSV.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordSyntaxError {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// A quoted field has no end.
    #[error("a quoted field that begins on line {line} has no end")]
    OpenQuote {
        /// The line, counted from 1.
        line: usize,
    },
}

impl<'a> RecordRows<'a> {
    /// The rows of the file with these bytes.
    pub fn of(bytes: &'a [u8]) -> Result<Self, RecordSyntaxError> {
        let text = str::from_utf8(bytes).map_err(|_| RecordSyntaxError::Encoding)?;
        Ok(Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 })
    }

    fn next_row(&mut self) -> Result<RecordFields, RecordSyntaxError> {
        let mut row = RecordFields { line: self.line, fields: Default::default(), count: 0, exact: true };
        loop {
            let (field, last) = self.next_field(&mut row.exact)?;
            if let Some(place) = row.fields.get_mut(row.count) {
                *place = field;
            }
            row.count += 1;
            if last {
                return Ok(row);
            }
        }
    }

    /// The next field, and whether its row ends with it.
    fn next_field(&mut self, exact: &mut bool) -> Result<(String, bool), RecordSyntaxError> {
        let mut field = String::new();
        let quoted = self.rest.strip_prefix('"');
        if let Some(quoted) = quoted {
            self.rest = self.unquote(quoted, &mut field)?;
        }
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let separator = self.rest.as_bytes().get(end);
        let last = separator != Some(&b',');
        let mut plain = &self.rest[..end];
        if last {
            plain = plain.strip_suffix('\r').unwrap_or(plain);
            self.line += 1;
        }
        *exact &= quoted.is_none() || plain.is_empty();
        field.push_str(plain);
        self.rest = &self.rest[(end + 1).min(self.rest.len())..];
        Ok((field, last))
    }

    /// Takes a quoted field up to its closing quote; `""` stands for one quote.
    fn unquote(&mut self, mut rest: &'a str, field: &mut String) -> Result<&'a str, RecordSyntaxError> {
        let line = self.line;
        loop {
            let Some(end) = rest.find('"') else { return Err(RecordSyntaxError::OpenQuote { line }) };
            field.push_str(&rest[..end]);
            self.line += rest[..end].matches('\n').count();
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => return Ok(rest),
            }
        }
    }
}

impl Iterator for RecordRows<'_> {
    type Item = Result<RecordFields, RecordSyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let row = self.next_row();
        if row.is_err() {
            self.rest = "";
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(usize, String, usize, bool)> {
        let rows = RecordRows::of(text.as_bytes()).unwrap().map(Result::unwrap);
        rows.map(|row| (row.line, row.fields.join("|"), row.count, row.exact)).collect()
    }

    #[test]
    fn each_row_says_what_a_strict_reader_must_know() {
        assert_eq!(
            rows("\u{feff}a,h,1\r\n\n\"b,\"\"c\"\"\nd\",,\r\n\"e\"f,,\n\"g\"\r\nh,1,2,3,4"),
            [
                (1, "a|h|1".to_owned(), 3, true),
                (2, "||".to_owned(), 1, true),
                (3, "b,\"c\"\nd||".to_owned(), 3, true),
                (5, "ef||".to_owned(), 3, false),
                (6, "g||".to_owned(), 1, true),
                (7, "h|1|2".to_owned(), 5, true),
            ]
        );
    }

    #[test]
    fn an_open_quote_ends_the_rows() {
        let mut rows = RecordRows::of(b"a,,\n\"b,,\n").unwrap().skip(1);
        assert_eq!(rows.next(), Some(Err(RecordSyntaxError::OpenQuote { line: 2 })));
        assert_eq!(rows.next(), None);
        assert_eq!(RecordRows::of(b"\xff").unwrap_err(), RecordSyntaxError::Encoding);
    }
}
