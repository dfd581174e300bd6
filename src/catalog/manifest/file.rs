//! One manifest as it is used: what the binary carries is read when it is first asked for.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;

/// The rows of a file, or a text that is known to be valid until someone asks for them.
#[derive(Debug, Clone)]
pub struct ManifestFile<T> {
    text: Cow<'static, str>,
    rows: Arc<OnceLock<T>>,
}

impl<T: DeserializeOwned> ManifestFile<T> {
    /// A text whose rows are read when they are first asked for.
    pub fn unread(text: Cow<'static, str>) -> Self {
        Self { text, rows: Arc::default() }
    }

    /// These rows.
    pub fn of(rows: T) -> Self {
        Self { text: Cow::Borrowed(""), rows: Arc::new(OnceLock::from(rows)) }
    }

    /// The rows.
    #[allow(clippy::expect_used, reason = "what the binary carries is part of the build, and a test reads it all")]
    pub fn rows(&self) -> &T {
        self.rows.get_or_init(|| toml::from_str(&self.text).expect("the embedded manifests are valid"))
    }
}
