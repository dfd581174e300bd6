//! Which cards count.

use std::convert::Infallible;
use std::str::FromStr;

use super::card::Card;
use crate::host::Host;

/// A choice of cards, read as CUDA reads `CUDA_VISIBLE_DEVICES`.
///
/// Indices and beginnings of UUIDs; the first entry that names no card ends the list, which is how `-1` hides all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleDevices {
    entries: Vec<String>,
}

impl FromStr for VisibleDevices {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = if text.trim().is_empty() { Vec::new() } else { text.split(',').map(entry).collect() };
        Ok(Self { entries })
    }
}

fn entry(text: &str) -> String {
    text.trim().to_owned()
}

impl VisibleDevices {
    /// What `CUDA_VISIBLE_DEVICES` says; set but empty, it hides every card.
    pub(super) fn of_cuda(host: &Host) -> Option<Self> {
        let (_, value) = host.variables().find(|(name, _)| *name == "CUDA_VISIBLE_DEVICES")?;
        value.to_string_lossy().parse().ok()
    }

    /// What `NVIDIA_VISIBLE_DEVICES` says, if it still has to be applied to as many cards.
    ///
    /// The container runtime reads it and hides the rest of the host's cards, whose numbers it uses: where no more cards
    /// are seen than it names, it has been applied. `all` and `void` leave what is there.
    pub(super) fn of_container(host: &Host, cards: usize) -> Option<Self> {
        match host.text_variable("NVIDIA_VISIBLE_DEVICES")?.trim() {
            "all" | "void" => None,
            "none" => Some(Self { entries: Vec::new() }),
            list => Some(list.parse::<Self>().ok()?).filter(|visible| visible.entries.len() < cards),
        }
    }

    /// Whether a card is chosen by its number.
    pub(super) fn has_indices(&self) -> bool {
        self.entries.iter().any(|entry| entry.parse::<usize>().is_ok())
    }

    /// The cards that are chosen, in the order of the bus, and the others.
    pub(super) fn split(&self, cards: Vec<Card>) -> (Vec<Card>, Vec<Card>) {
        let mut chosen = Vec::new();
        for entry in &self.entries {
            let Some(position) = position(entry, &cards) else { break };
            chosen.push(position);
        }
        let (kept, hidden): (Vec<_>, Vec<_>) =
            cards.into_iter().enumerate().partition(|(position, _)| chosen.contains(position));
        let strip = |cards: Vec<(usize, Card)>| cards.into_iter().map(|(_, card)| card).collect();
        (strip(kept), strip(hidden))
    }
}

fn position(entry: &str, cards: &[Card]) -> Option<usize> {
    if entry.is_empty() {
        return None;
    }
    if entry.bytes().all(|byte| byte.is_ascii_digit()) {
        let index: u32 = entry.parse().ok()?;
        return cards.iter().position(|card| card.gpu.index == index);
    }
    let entry = entry.to_ascii_lowercase();
    // `MIG-GPU-<uuid>/1/0` is how drivers before 470 named a part.
    let entry = entry
        .strip_prefix("mig-gpu-")
        .map_or(entry.clone(), |rest| format!("gpu-{}", rest.split('/').next().unwrap_or(rest)));
    let mut matching = cards
        .iter()
        .enumerate()
        .filter(|(_, card)| card.uuids.iter().any(|uuid| uuid.to_ascii_lowercase().starts_with(&entry)));
    // A beginning that fits several cards names none.
    match (matching.next(), matching.next()) {
        (Some((position, _)), None) => Some(position),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Gpu;
    use std::path::Path;

    fn cards() -> Vec<Card> {
        let card = |index, uuids: &[&str]| Card {
            gpu: Gpu { index, name: None, compute_capability: None, memory_mib: None, pci_id: None },
            uuids: uuids.iter().map(|uuid| (*uuid).to_owned()).collect(),
        };
        vec![card(0, &["GPU-aaaa-1"]), card(1, &["GPU-aabb-2", "MIG-cc"]), card(2, &["GPU-dddd-3"])]
    }

    fn kept(text: &str) -> Vec<u32> {
        let visible: VisibleDevices = text.parse().unwrap();
        visible.split(cards()).0.iter().map(|card| card.gpu.index).collect()
    }

    #[test]
    fn a_list_is_read_as_cuda_reads_it() {
        assert_eq!(kept("0,2"), [0, 2]);
        assert_eq!(kept("2, 1"), [1, 2]);
        assert_eq!(kept("1,-1,2"), [1]);
        assert_eq!(kept("0,7,2"), [0]);
        assert_eq!(kept(""), [0; 0]);
        assert_eq!(kept("NoDevFiles"), [0; 0]);
        assert_eq!(kept("GPU-dd,gpu-AABB"), [1, 2]);
        assert_eq!(kept("GPU-aa"), [0; 0], "two cards begin so");
        assert_eq!(kept("MIG-cc"), [1]);
        assert_eq!(kept("MIG-GPU-dddd-3/1/0"), [2]);
        assert_eq!(kept("99999999999999999999"), [0; 0]);
    }

    #[test]
    fn variables_set_but_empty_hide_all_and_containers_are_not_hidden_twice() {
        let host = |name: &str, value: &str| Host::with(Path::new("/x"), Path::new("/x"), &[(name, value)]);
        assert!(VisibleDevices::of_cuda(&host("CUDA_VISIBLE_DEVICES", "")).unwrap().entries.is_empty());
        assert_eq!(VisibleDevices::of_cuda(&host("OTHER", "")), None);
        let container =
            |value: &str, cards| VisibleDevices::of_container(&host("NVIDIA_VISIBLE_DEVICES", value), cards);
        assert_eq!(container("all", 2), None);
        assert_eq!(container("void", 2), None);
        assert!(container("none", 2).unwrap().entries.is_empty());
        assert_eq!(container("3", 1), None, "the runtime has left one card, and it is the one");
        assert_eq!(container("1", 2).unwrap().entries, ["1"]);
    }
}
