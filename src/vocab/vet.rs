//! Which texts `pep508_rs` may be given.
//!
//! It reads parentheses by recursion, makes each marker a decision diagram that is never freed, and takes some mistakes
//! for impossible: a requirement of a few hundred bytes can ask for a deeper stack, or for more memory, than there is, and
//! `a->=1` ends the thread.

use std::collections::HashMap;

/// The most parentheses in a requirement, and so the deepest nesting; real markers nest three deep.
const MOST_PARENTHESES: usize = 64;
/// The most comparisons in a marker, and so the deepest diagram; real markers have a dozen.
const MOST_TERMS: usize = 128;
/// The most nodes that a marker's diagram may be guessed to have; the guess is far above what it really has.
const MOST_NODES: usize = 1 << 14;
/// The most semicolons in a requirement: it has one, and a URL or a text in quotes may have more.
const MOST_SEMICOLONS: usize = 8;
/// The longest number in a marker: to a longer one no 1 can be added.
const MOST_DIGITS: usize = 18;

/// An upper bound of the nodes that a requirement's marker takes, or what is wrong with the text.
///
/// What passes may still be no requirement; that `pep508_rs` says well.
pub fn vet_requirement(requirement: &str) -> Result<usize, &'static str> {
    if requirement.matches('(').count() > MOST_PARENTHESES {
        return Err("it has more than 64 parentheses");
    }
    vet_names(requirement.trim_start())?;
    let mut most = 0;
    for (count, (position, _)) in requirement.match_indices(';').enumerate() {
        if count == MOST_SEMICOLONS {
            return Err("it has more than 8 semicolons");
        }
        // Which semicolon begins the marker depends on what a URL may hold: the largest that it can be counts.
        let mut reader = Reader { rest: &requirement[position + 1..], outcomes: HashMap::new(), terms: 0, fault: None };
        let by_structure = reader.chain("or");
        if reader.terms > MOST_TERMS {
            return Err("its marker has more than 128 terms");
        }
        if let Some(fault) = reader.fault {
            return Err(fault);
        }
        let by_variables = reader.outcomes.into_values().fold(1_usize, usize::saturating_mul);
        most = most.max(by_structure.min(by_variables));
    }
    if most > MOST_NODES { Err("its marker is too complex") } else { Ok(most) }
}

/// The name and the extras end in a letter or digit, all of them.
fn vet_names(requirement: &str) -> Result<(), &'static str> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let ends_badly = |name: &str| name.ends_with(['.', '-', '_']);
    let end = requirement.find(|c| !in_name(c)).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    if ends_badly(name) {
        return Err("its name ends neither in a letter nor in a digit");
    }
    let extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or_default();
    if extras.split(|c| !in_name(c)).any(ends_badly) {
        return Err("an extra ends neither in a letter nor in a digit");
    }
    Ok(())
}

struct Reader<'a> {
    rest: &'a str,
    /// How many ways each variable may turn out, as far as the marker tells them apart.
    outcomes: HashMap<String, usize>,
    terms: usize,
    fault: Option<&'static str>,
}

impl<'a> Reader<'a> {
    /// The size of terms joined by `or`, or by `and`: a chain of plain comparisons grows by one each, the rest multiplies.
    fn chain(&mut self, joint: &str) -> usize {
        let (mut plain, mut product) = (0_usize, 1_usize);
        loop {
            let size = if joint == "or" { self.chain("and") } else { self.term() };
            if size <= 2 {
                plain += 1;
            } else {
                product = product.saturating_mul(size);
            }
            if self.peek() != Some(joint) {
                return product.saturating_mul(1 + plain);
            }
            self.next();
        }
    }

    /// What stands in parentheses, or one comparison.
    fn term(&mut self) -> usize {
        if self.peek() == Some("(") {
            self.next();
            let size = self.chain("or");
            if self.peek() == Some(")") {
                self.next();
            }
            return size;
        }
        self.terms += 1;
        let mut words = Vec::new();
        while let Some(word) = self.peek().filter(|word| !matches!(*word, "and" | "or" | "(" | ")")) {
            words.push(word);
            self.next();
        }
        let variable =
            words.iter().find(|word| word.starts_with(char::is_alphabetic) && !matches!(**word, "in" | "not"));
        let versions =
            |variable: &str| variable.starts_with("python_") || variable.starts_with("implementation_version");
        if words.contains(&"~=") && !variable.is_some_and(|variable| versions(variable)) {
            self.fault = Some("its marker compares a text with `~=`, which is for versions");
        }
        if words.iter().any(|word| word.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > MOST_DIGITS)) {
            self.fault = Some("its marker has a number without end");
        }
        let lists = words.iter().map(|word| word.split_whitespace().count()).max().unwrap_or(1);
        // `python_version` and `python_full_version` are one variable, and a list of versions is one comparison.
        match variable.filter(|variable| **variable != "extra") {
            Some(version) if versions(version) => {
                *self.outcomes.entry(version[..6].to_owned()).or_insert(1) += 2 * lists;
            }
            Some(variable) if !words.contains(&"in") => {
                *self.outcomes.entry((*variable).to_owned()).or_insert(1) += 2;
            }
            // A variable of its own, true or false.
            _ => drop(self.outcomes.insert(words.concat(), 2)),
        }
        2
    }

    fn peek(&self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let first = rest.chars().next()?;
        let end = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '(' | ')' => 1,
            first if in_word(first) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            _ => rest.find(|c: char| in_word(c) || c.is_whitespace() || "\"'()".contains(c)).unwrap_or(rest.len()),
        };
        Some(&rest[..end])
    }

    fn next(&mut self) {
        if let Some(word) = self.peek() {
            self.rest = &self.rest.trim_start()[word.len()..];
        }
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_as_people_write_them_are_small() {
        let machines = ["aarch64", "ppc64le", "x86_64", "amd64", "AMD64", "win32", "WIN32"];
        let machines = machines.map(|name| format!("platform_machine == \"{name}\"")).join(" or (");
        let greenlet = format!("greenlet>=1; python_version < \"3.14\" and ({machines}{}", ")".repeat(7));
        assert!(vet_requirement(&greenlet).unwrap() < 64, "{:?}", vet_requirement(&greenlet));
        let extras: Vec<String> = (0..60).map(|number| format!("extra == 'extra{number}'")).collect();
        let all = format!("a>1 ; python_version >= '3.9' and ({})", extras.join(" or "));
        assert!(vet_requirement(&all).unwrap() < 200, "{:?}", vet_requirement(&all));
        let ranges: Vec<String> =
            (0..20).map(|n| format!("(python_version >= '3.{n}' and sys_platform == 'x{}')", n % 3)).collect();
        assert!(vet_requirement(&format!("a; {}", ranges.join(" or "))).unwrap() < 2000);
        assert_eq!(vet_requirement("a>=1"), Ok(0));
    }

    #[test]
    fn markers_that_explode_are_refused() {
        // Ordered by name, each `a` must be remembered until its `z` comes: 2 to the power of 40 nodes.
        let pairs: Vec<String> = (0..40).map(|n| format!("(extra == 'a{n}' and extra == 'z{n}')")).collect();
        assert!(vet_requirement(&format!("x; {}", pairs.join(" or "))).is_err());
        // A quote in a URL hides nothing.
        assert!(vet_requirement(&format!("x @ http://h/;' ; {}", pairs.join(" or "))).is_err());
        assert!(vet_requirement(&format!("x; {}os_name=='a'{}", "(".repeat(100_000), ")".repeat(100_000))).is_err());
        assert!(vet_requirement(&format!("x; os_name == 'a'{}", " and os_name == 'a'".repeat(10_000))).is_err());
    }

    #[test]
    fn what_ends_the_parser_is_refused_before_it() {
        for text in [
            "f->=1",
            "f_ ",
            "f.[x]",
            "f[x-]",
            "f[x, y_ ]>1",
            "f; 'x' ~= os_name",
            "f; python_version > '3.18446744073709551615'",
            "f; python_full_version ~= '3.18446744073709551615.1'",
        ] {
            assert!(vet_requirement(text).is_err(), "{text}");
        }
        for text in ["f>=1", "f[x-y, z]", "f @ https://h/f-", "f; python_version ~= '3.8'", "f; 'l' in sys_platform"] {
            assert!(vet_requirement(text).is_ok() && text.parse::<crate::vocab::Requirement>().is_ok(), "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
        #[test]
        fn no_text_panics_or_hangs(text in "(x|x\\[y[-,a.]{0,4}\\])(>=|@)?;?([(]| *[)]|and |or |not in|(extra|python_version|python_full_version|os_name|implementation_version|'[a-z0-9.*]{0,6}'|'[0-9.]{17,40}') ?| ?(==|~=|in|>|<=|!=|===) ?|'|;|é|\\PC| ){0,40}") {
            // What passes is read, and never ends the parser.
            if vet_requirement(&text).is_ok() {
                let _ = text.parse::<crate::vocab::Requirement>();
            }
        }
    }
}
