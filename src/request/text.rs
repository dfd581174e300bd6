//! The text of a requirements file: bytes → logical lines → words.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

/// A file that is no text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotText {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Decodes as pip does: by the byte order mark, else by a coding line of PEP 263, else as UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Result<String, NotText> {
    let refused = |line: usize, reason: &str| NotText { line, reason: reason.to_owned() };
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(refused(1, "it is UTF-32; save it as UTF-8"));
    }
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => match coding(bytes).as_deref() {
            None | Some("utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii") => utf8(bytes)?,
            Some("latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1") => {
                bytes.iter().copied().map(char::from).collect()
            }
            Some(other) => {
                return Err(refused(1, &format!("its encoding is said to be `{other}`; save it as UTF-8")));
            }
        },
    };
    match text.find('\0') {
        Some(at) => {
            let line = line_of(&text.as_bytes()[..at]);
            Err(refused(line, "it has a NUL byte, which no text has; if it is UTF-16, save it as UTF-8"))
        }
        None => Ok(text),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, NotText> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let line = line_of(&bytes[..error.valid_up_to()]);
            Err(NotText {
                line,
                reason: "it is not UTF-8; save it so, or name its encoding in a first line".to_owned(),
            })
        }
    }
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let units = bytes.chunks(2).map(|pair| match *pair {
        [one, two] => unit([one, two]),
        // Half a unit at the end is no character: a surrogate alone is none either.
        _ => 0xd800,
    });
    let mut text = String::new();
    for character in char::decode_utf16(units) {
        let Ok(character) = character else {
            let line = line_of(text.as_bytes());
            return Err(NotText { line, reason: "it begins as UTF-16 and is not".to_owned() });
        };
        text.push(character);
    }
    Ok(text)
}

fn line_of(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}

/// The encoding that a comment in the first two lines names: `# -*- coding: latin-1 -*-`.
fn coding(bytes: &[u8]) -> Option<String> {
    let comments = bytes.split(|byte| *byte == b'\n').take(2).filter(|line| line.starts_with(b"#"));
    comments.filter_map(|line| str::from_utf8(line).ok()).find_map(|line| {
        let rest = line.match_indices("coding").find_map(|(at, _)| line[at + 6..].strip_prefix([':', '=']))?;
        let name: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .collect();
        (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
    })
}

/// Lines without comments, continuations joined, each with the number of its first line.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, line) in text.lines().enumerate() {
        // A line that is a comment ends what it would continue.
        let comment = line.trim_start().starts_with('#');
        let (body, goes_on) = match line.strip_suffix('\\') {
            _ if comment => ("", false),
            Some(body) => (body, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, last)) if continues => last.push_str(body),
            _ => lines.push((number + 1, body.to_owned())),
        }
        continues = goes_on;
    }
    for (_, line) in &mut lines {
        // A `#` opens a comment only at the start or after white space: URLs have fragments.
        let comment = line.char_indices().find(|(at, c)| *c == '#' && (*at == 0 || line[..*at].ends_with([' ', '\t'])));
        if let Some((at, _)) = comment {
            line.truncate(at);
        }
        *line = line.trim().to_owned();
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// Puts variables in for `${NAME}`; one that is not set stands as it is, as with pip, and is told.
pub(super) fn expanded(line: &str, variables: &dyn Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut text, mut unset) = (String::with_capacity(line.len()), Vec::new());
    let mut rest = line;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let name = from[2..].split_once('}').map(|(name, _)| name).filter(|name| is_variable(name));
        match name.map(|name| (name, variables(name))) {
            Some((name, Some(value))) => {
                text.push_str(&value);
                rest = &from[name.len() + 3..];
            }
            found => {
                unset.extend(found.map(|(name, _)| name.to_owned()));
                text.push_str("${");
                rest = &from[2..];
            }
        }
    }
    text.push_str(rest);
    (text, unset)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Cuts a line into what is required and the options behind it, which begin with a word that begins with `-`.
pub(super) fn without_options(line: &str) -> (&str, &str) {
    let mut before = true;
    for (at, character) in line.char_indices() {
        if before && character == '-' {
            let (required, options) = line.split_at(at);
            return (required.trim_end(), options);
        }
        before = character.is_whitespace();
    }
    (line, "")
}

/// The words of a line of options; `'…'` and `"…"` hold a word together. `None` where a quote does not end.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            // A backslash takes the meaning from these alone: Windows' paths are full of them.
            (None | Some('"'), '\\') if characters.peek().is_some_and(|next| matches!(next, '"' | '\'' | ' ')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodings_are_told_by_mark_or_coding_line() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let marked = [&[0xff, 0xfe][..], &utf16("torch\r\n")].concat();
        assert_eq!(decode(&marked).as_deref(), Ok("torch\r\n"));
        assert_eq!(decode(b"\xef\xbb\xbftorch").as_deref(), Ok("torch"));
        assert_eq!(decode(b"\xfe\xff\0t").as_deref(), Ok("t"));
        assert_eq!(decode(b"# -*- coding: latin-1 -*-\n# \xe9").as_deref(), Ok("# -*- coding: latin-1 -*-\n# é"));
        assert_eq!(decode("#!x\n# coding=utf_8\né".as_bytes()).as_deref(), Ok("#!x\n# coding=utf_8\né"));
    }

    #[test]
    fn what_is_no_text_is_told_by_line() {
        let line = |bytes: &[u8]| decode(bytes).map_err(|error| (error.line, error.reason));
        assert!(matches!(line(b"a\nb\xff"), Err((2, reason)) if reason.contains("UTF-8")));
        assert!(matches!(line(b"t\0o\0"), Err((1, reason)) if reason.contains("NUL")));
        assert!(matches!(line(b"\xff\xfe\0"), Err((1, reason)) if reason.contains("UTF-16")));
        assert!(matches!(line(b"\xff\xfe\0\0"), Err((1, reason)) if reason.contains("UTF-32")));
        assert!(matches!(line(b"# coding: koi8-r\n"), Err((1, reason)) if reason.contains("koi8-r")));
    }

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let text = "a \\\n b # c\n# all \\\nd#e\nf \\\n  # g\nh\n\\\n\n";
        let lines = logical_lines(text);
        let lines: Vec<(usize, &str)> = lines.iter().map(|(number, line)| (*number, line.as_str())).collect();
        assert_eq!(lines, [(1, "a  b"), (4, "d#e"), (5, "f"), (7, "h")]);
    }

    #[test]
    fn variables_are_put_in_where_they_are_set() {
        let lookup = |name: &str| (name == "TOKEN_1").then(|| "secret".to_owned());
        assert_eq!(expanded("https://${TOKEN_1}@h/", &lookup), ("https://secret@h/".to_owned(), Vec::new()));
        assert_eq!(expanded("${GONE} ${lower} $TOKEN_1 ${", &lookup).0, "${GONE} ${lower} $TOKEN_1 ${");
        assert_eq!(expanded("${GONE}${TOKEN_1}", &lookup).1, ["GONE"]);
    }

    #[test]
    fn words_are_held_together_by_quotes() {
        let cut = |line: &str| words(line).map(|words| words.join("|"));
        assert_eq!(cut("-r 'a b' --x=\"c d\"").as_deref(), Some("-r|a b|--x=c d"));
        assert_eq!(cut(r"-f C:\wheels\new a\ b").as_deref(), Some(r"-f|C:\wheels\new|a b"));
        assert_eq!(cut("'").as_deref(), None);
        assert_eq!(without_options("torch>=2 ; x == '-'  --hash=a -b"), ("torch>=2 ; x == '-'", "--hash=a -b"));
        assert_eq!(without_options("-r a"), ("", "-r a"));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[$A-Z{} '\"\\\\#\n-]{0,60}") {
            let _ = decode(&bytes);
            for (_, line) in logical_lines(&text) {
                let _ = (words(&line), without_options(&line), expanded(&line, &|_| Some("x".to_owned())));
            }
        }
    }
}
