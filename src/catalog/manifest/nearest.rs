//! What a misspelt word was meant to be.

/// The known word that a misspelt one is closest to; `None` when none is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = known.map(|known| (distance(word, known), known)).min()?;
    (distance <= 1 + word.chars().count() / 4).then_some(best)
}

/// How many letters must be put in, left out, replaced or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let mut least = (row[j - 1] + 1).min(above[j] + 1).min(above[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_near_and_another_is_not() {
        let known = ["from", "capability", "source"];
        let near = |word| nearest(word, known.into_iter());
        assert_eq!(near("form"), Some("from"));
        assert_eq!(near("capabilty"), Some("capability"));
        assert_eq!(near("sources"), Some("source"));
        assert_eq!(near("glibc"), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
