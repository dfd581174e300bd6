//! Whether `indexes.toml` agrees with itself.

use std::collections::BTreeMap;

use super::at;
use crate::catalog::manifest::document::Document;
use crate::catalog::manifest::rows::IndexFile;
use crate::vocab::Channel;

pub fn check(document: &mut Document, rows: &IndexFile) {
    let mut names = BTreeMap::new();
    for (index, channel) in rows.torch.channel.iter().enumerate() {
        if names.insert(channel.name, index).is_some() {
            let message = format!("channel {} stands twice", channel.name);
            document.at(at!["torch", "channel", index, "name"], message);
        }
        if channel.path.starts_with('/') || channel.path.ends_with('/') {
            document.at(at!["torch", "channel", index, "path"], "the path has a slash at an end");
        }
    }
    for channel in [Channel::Stable, Channel::Test, Channel::Nightly] {
        if !names.contains_key(&channel) {
            document.at(at!["torch"], format!("there is no channel `{channel}`, so nothing says what variants it has"));
        }
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
