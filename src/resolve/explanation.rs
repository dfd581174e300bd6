//! Why not, in sentences: all of them, or what fits on a screen.

use std::fmt;

/// How much a sentence matters; what stands first is dropped last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// What was asked for.
    Request,
    /// The machine: its cards, its driver, its Python.
    Machine,
    /// What an index has, what a build needs of the machine, and what the rest builds on.
    Fact,
    /// What one distribution needs of another.
    Need,
}

/// Sentences in the order of the argument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    sentences: Vec<Sentence>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sentence {
    weight: Weight,
    text: String,
    /// Where another refers to it.
    number: Option<usize>,
}

/// How much of a screen is left beside the message and the hints.
const ROWS: usize = 14;
const COLUMNS: usize = 108;

impl Explanation {
    /// Adds a sentence, unless it was said already; its place.
    pub fn push(&mut self, weight: Weight, text: String) -> usize {
        let known = self.sentences.iter().position(|said| said.text == text);
        known.unwrap_or_else(|| {
            self.sentences.push(Sentence { weight, text, number: None });
            self.sentences.len() - 1
        })
    }

    /// The number that a sentence ends in, `(1)`, because another refers to it.
    pub fn number(&mut self, place: usize) -> usize {
        let next = self.sentences.iter().filter(|sentence| sentence.number.is_some()).count() + 1;
        self.sentences.get_mut(place).map_or(next, |sentence| *sentence.number.get_or_insert(next))
    }

    /// Adds what another explanation says.
    pub fn extend(&mut self, sentences: impl IntoIterator<Item = String>) {
        sentences.into_iter().for_each(|sentence| {
            self.push(Weight::Fact, sentence);
        });
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// Every sentence.
    pub fn all(&self) -> Vec<String> {
        self.sentences.iter().map(ToString::to_string).collect()
    }

    /// What matters most, as far as it fits on a screen, and how much more there is.
    pub fn on_a_screen(&self) -> Vec<String> {
        let shown: Vec<(Weight, String)> =
            self.sentences.iter().map(|sentence| (sentence.weight, shortened(&sentence.to_string()))).collect();
        let needed: usize = shown.iter().map(|(_, sentence)| rows(sentence)).sum();
        if needed <= ROWS {
            return shown.into_iter().map(|(_, sentence)| sentence).collect();
        }
        let mut order: Vec<usize> = (0..shown.len()).collect();
        order.sort_by_key(|place| (shown[*place].0, *place));
        let mut left = ROWS - 1;
        let mut kept = vec![false; shown.len()];
        for place in order {
            let rows = rows(&shown[place].1);
            if rows > left {
                break;
            }
            left -= rows;
            kept[place] = true;
        }
        let more = kept.iter().filter(|kept| !**kept).count();
        let noun = if more == 1 { "fact" } else { "facts" };
        let kept = shown.into_iter().zip(kept).filter_map(|((_, sentence), kept)| kept.then_some(sentence));
        kept.chain([format!("and {more} more {noun}; `-v` shows all")]).collect()
    }
}

impl From<Vec<String>> for Explanation {
    fn from(sentences: Vec<String>) -> Self {
        let mut explanation = Self::default();
        explanation.extend(sentences);
        explanation
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.number.map_or(Ok(()), |number| write!(f, " ({number})"))
    }
}

fn rows(sentence: &str) -> usize {
    sentence.chars().count().div_ceil(COLUMNS).max(1)
}

/// A sentence of three rows at most: a page or metadata may have brought a long one.
fn shortened(sentence: &str) -> String {
    if rows(sentence) <= 3 {
        return sentence.to_owned();
    }
    let kept: String = sentence.chars().take(3 * COLUMNS - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation_of(explanation: &mut Explanation, numbers: std::ops::Range<usize>) {
        for number in numbers {
            explanation.push(Weight::Need, format!("need {number}"));
        }
    }

    #[test]
    fn only_what_is_referred_to_has_a_number() {
        let mut explanation = Explanation::default();
        let (first, second) =
            (explanation.push(Weight::Fact, "one".to_owned()), explanation.push(Weight::Fact, "two".to_owned()));
        assert_eq!((explanation.number(second), explanation.number(second)), (1, 1));
        assert_eq!(explanation.all(), ["one", "two (1)"]);
        assert_eq!(explanation.number(first), 2);
    }

    #[test]
    fn what_matters_most_stays_in_its_order() {
        let mut explanation = Explanation::default();
        explanation_of(&mut explanation, 0..10);
        explanation.push(Weight::Request, "the request".to_owned());
        explanation_of(&mut explanation, 10..20);
        explanation.push(Weight::Machine, "the card".to_owned());
        let screen = explanation.on_a_screen();
        assert_eq!(screen.len(), ROWS);
        assert_eq!(screen.last().unwrap(), "and 9 more facts; `-v` shows all");
        assert_eq!((screen[9].as_str(), screen[12].as_str()), ("need 9", "the card"));
        assert_eq!(screen[10], "the request");
        assert_eq!(explanation.all().len(), 22);
    }

    #[test]
    fn what_fits_is_left_alone_and_nothing_is_said_twice() {
        let mut explanation = Explanation::default();
        explanation_of(&mut explanation, 0..ROWS);
        explanation.push(Weight::Need, "need 0".to_owned());
        assert_eq!(explanation.on_a_screen(), explanation.all());
        assert_eq!(explanation.all().len(), ROWS);
    }

    #[test]
    fn a_sentence_without_end_gets_three_rows() {
        let mut explanation = Explanation::default();
        explanation.push(Weight::Fact, "é".repeat(100_000));
        let screen = explanation.on_a_screen();
        assert_eq!(screen[0].chars().count(), 3 * COLUMNS);
        assert!(screen[0].ends_with('…'));
        assert_eq!(explanation.all()[0].chars().count(), 100_000);
    }
}
