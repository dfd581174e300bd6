//! What Python does before it imports torch, where libraries cannot be linked into torch's folder.

use serde::{Deserialize, Serialize};

/// What Python does before it imports torch; all paths relative to site-packages, `/` between components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The folders that it adds to the search path.
    pub folders: Vec<String>,
    /// The libraries that it loads, for those that are looked up by name alone.
    pub preloads: Vec<String>,
}

/// The module that the `.pth` file imports.
pub(super) const HOOK_MODULE: &str = "_torchfix_search_path.py";
/// The file that Python reads when it starts.
pub(super) const HOOK_STARTER: &str = "torchfix-search-path.pth";

impl Hook {
    /// Does more, besides what it does already.
    pub(super) fn add(&mut self, more: &Self) {
        for (have, more) in [(&mut self.folders, &more.folders), (&mut self.preloads, &more.preloads)] {
            let new: Vec<String> = more.iter().filter(|path| !have.contains(path)).cloned().collect();
            have.extend(new);
        }
    }

    /// The files in site-packages that make Python do it, each its name and its text.
    ///
    /// For where libraries cannot be linked into `torch\lib`. Python starts with a finder that does nothing until torch
    /// is imported, and that passes over what is not there.
    pub(super) fn files(&self) -> [(&'static str, String); 2] {
        let list = |paths: &[String]| serde_json::json!(paths).to_string();
        let module = include_str!("search_path_hook.py")
            .replace("FOLDERS = []", &format!("FOLDERS = {}", list(&self.folders)))
            .replace("PRELOADS = []", &format!("PRELOADS = {}", list(&self.preloads)));
        let starter = "import sys; exec(\"try:\\n import _torchfix_search_path\\nexcept Exception: pass\")\n";
        [(HOOK_MODULE, module), (HOOK_STARTER, starter.to_owned())]
    }
}
