//! Whether `indexes.toml` agrees with itself.

use std::collections::BTreeMap;

use super::at;
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::IndexFile;

pub fn check(document: &mut Document, rows: &IndexFile) {
    let mut names = BTreeMap::new();
    for (index, channel) in rows.torch.channel.iter().enumerate() {
        if names.insert(channel.name.as_str(), index).is_some() {
            let message = format!("channel {} stands twice", channel.name);
            document.at(at!["torch", "channel", index, "name"], message);
        }
        if channel.path.starts_with('/') || channel.path.ends_with('/') {
            document.at(at!["torch", "channel", index, "path"], "the path has a slash at its end");
        }
    }
    if !names.contains_key("stable") {
        document.at(at!["torch"], "there is no channel `stable`, which says what variants there are");
    }
    for (place, name) in rows.family.unlabelled.iter().enumerate() {
        if !rows.family.built_for_torch.contains(name) {
            let message = format!("{name} is not among those built for torch");
            document.at(at!["family", "unlabelled", place], message);
        }
    }
    for (place, name) in rows.family.shared.iter().enumerate() {
        if rows.family.built_for_torch.contains(name) {
            let message = format!("{name} is built for torch, and shared too");
            document.at(at!["family", "shared", place], message);
        }
    }
}
