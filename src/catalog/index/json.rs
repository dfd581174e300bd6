//! Pages in JSON, PEP 691 and 700.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::PageFault;
use super::html::version;
use super::link::{Beside, Gathering, Link, joined};
use crate::catalog::{Index, Page, SkipReason};
use crate::vocab::{Sha256, Url};

/// Parses a page in JSON; `url` is where it came from in the end.
///
/// Its files are read one by one, so that a list without end ends where the limit is.
pub(super) fn parse(bytes: &[u8], url: &Url, index: &Index) -> Result<Page, PageFault> {
    let mut project = Project { base: url, gathering: Gathering::new(index), fault: None, listed: false };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = json.deserialize_map(&mut project).and_then(|()| json.end());
    match (project.fault, read) {
        (Some(fault), _) => Err(fault),
        (None, Err(error)) => Err(PageFault::Json(error.to_string().chars().take(200).collect())),
        (None, Ok(())) if !project.listed => Err(PageFault::Json("it has no list of files".to_owned())),
        (None, Ok(())) => Ok(project.gathering.finish()),
    }
}

/// A page as it is read.
struct Project<'a> {
    base: &'a Url,
    gathering: Gathering<'a>,
    /// What ended the reading, beside JSON that is none.
    fault: Option<PageFault>,
    listed: bool,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Meta,
    Files,
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(rename = "api-version", default)]
    api_version: String,
}

impl<'de> Visitor<'de> for &mut Project<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a project of the simple API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            match key {
                Key::Meta => self.note(version(&map.next_value::<Meta>()?.api_version))?,
                Key::Files => {
                    self.listed = true;
                    map.next_value_seed(Files(self))?;
                }
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl Project<'_> {
    /// Keeps a fault of the page, and ends the reading with it.
    fn note<E: serde::de::Error>(&mut self, judged: Result<(), PageFault>) -> Result<(), E> {
        judged.map_err(|fault| {
            self.fault = Some(fault);
            E::custom("the page is refused")
        })
    }

    /// One by one: a file that is not as it should be does not spoil the others.
    fn take(&mut self, file: &RawValue) -> Result<(), PageFault> {
        let Ok(file) = serde_json::from_str::<File>(file.get()) else {
            return self.gathering.skip(file.get(), SkipReason::BadEntry);
        };
        match joined(self.base, &file.url) {
            Some(url) => self.gathering.add(file.link(url)),
            None => self.gathering.skip(&file.filename, SkipReason::BadLink),
        }
    }
}

/// The list of files.
struct Files<'a, 'b>(&'a mut Project<'b>);

impl<'de> DeserializeSeed<'de> for Files<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Files<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut files: A) -> Result<(), A::Error> {
        while let Some(file) = files.next_element::<&RawValue>()? {
            let taken = self.0.take(file);
            self.0.note::<A::Error>(taken)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: Hashes,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    yanked: Flag<String>,
    #[serde(default)]
    core_metadata: Option<Flag<Hashes>>,
    #[serde(default)]
    dist_info_metadata: Option<Flag<Hashes>>,
    #[serde(default)]
    upload_time: Option<String>,
}

#[derive(Deserialize, Default)]
struct Hashes {
    #[serde(default)]
    sha256: Option<String>,
}

impl Hashes {
    fn sha256(&self) -> Option<Sha256> {
        self.sha256.as_deref().and_then(|hash| hash.parse().ok())
    }
}

/// `false`, `true`, or a value that says more than `true`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag<T> {
    Plain(bool),
    Full(T),
}

impl<T> Default for Flag<T> {
    fn default() -> Self {
        Flag::Plain(false)
    }
}

impl File {
    fn link(self, url: Url) -> Link {
        let metadata = match self.core_metadata.or(self.dist_info_metadata).unwrap_or_default() {
            Flag::Plain(false) => None,
            Flag::Plain(true) => Some(Beside { sha256: None }),
            Flag::Full(hashes) => Some(Beside { sha256: hashes.sha256() }),
        };
        let yanked = match self.yanked {
            Flag::Plain(false) => None,
            Flag::Plain(true) => Some(String::new()),
            Flag::Full(reason) => Some(reason),
        };
        Link {
            sha256: self.hashes.sha256(),
            file_name: Some(self.filename),
            size: self.size,
            requires_python: self.requires_python,
            yanked,
            metadata,
            upload_time: self.upload_time,
            ..Link::to(url)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::IndexKind;

    fn index() -> Index {
        Index { url: "https://index.example/simple".parse().unwrap(), kind: IndexKind::Simple }
    }

    fn page(text: &str) -> Result<Page, PageFault> {
        parse(text.as_bytes(), &"https://index.example/simple/a/".parse().unwrap(), &index())
    }

    #[test]
    fn everything_a_page_can_say_of_a_file() {
        let (file, metadata) = (Sha256::of(b"file"), Sha256::of(b"metadata"));
        let text = serde_json::json!({
            "meta": {"api-version": "1.3", "_last-serial": 7}, "name": "a", "versions": ["1.0"], "unknown": {},
            "files": [
                {"filename": "a-1.0-py3-none-any.whl", "url": "../../f/a-1.0-py3-none-any.whl", "size": 7,
                 "hashes": {"sha256": file, "md5": "x"}, "requires-python": ">=3.8", "yanked": "broken",
                 "core-metadata": {"sha256": metadata}, "dist-info-metadata": false, "upload-time": "2024-01-01T00:00:00Z"},
                {"filename": "a-2.0-py3-none-any.whl", "url": "https://f.example/2.whl", "hashes": {},
                 "requires-python": ">=what", "yanked": true, "dist-info-metadata": true},
                {"filename": "a-3.0-py3-none-any.whl", "url": "3.whl", "hashes": {}, "size": "large"},
                {"filename": "a-2.0.tar.gz", "url": "a-2.0.tar.gz", "hashes": {}},
                "nonsense"
            ]
        });
        let page = page(&text.to_string()).unwrap();
        let [one, two] = page.artifacts.as_slice() else { panic!("{page:?}") };
        assert_eq!((one.sha256, one.size, one.yanked.as_deref()), (Some(file), Some(7), Some("broken")));
        assert_eq!(one.url.as_str(), "https://index.example/f/a-1.0-py3-none-any.whl");
        assert_eq!(one.metadata.as_ref().unwrap().sha256, Some(metadata));
        assert_eq!((two.requires_python.clone(), two.yanked.as_deref()), (None, Some("")));
        assert_eq!(two.metadata.as_ref().unwrap().url.as_str(), "https://f.example/2.whl.metadata");
        let skipped: Vec<_> = page.skipped.iter().map(|skipped| &skipped.reason).collect();
        assert_eq!(skipped, [&SkipReason::BadEntry, &SkipReason::Source, &SkipReason::BadEntry]);
    }

    #[test]
    fn a_list_of_files_without_end_is_refused() {
        let many = format!("{{\"files\": [{}0]}}", "0,".repeat(crate::catalog::index::link::MOST_LINKS));
        assert_eq!(page(&many), Err(PageFault::TooManyLinks));
        assert!(matches!(page("{\"name\": \"a\"}"), Err(PageFault::Json(_))));
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(matches!(page("{"), Err(PageFault::Json(_))));
        assert!(matches!(page("[]"), Err(PageFault::Json(_))));
        assert_eq!(page(r#"{"meta": {"api-version": "2.0"}, "files": []}"#), Err(PageFault::ApiVersion("2.0".into())));
        assert!(matches!(page(&format!("{}\"files\": [{}", "{", "[".repeat(100_000))), Err(PageFault::Json(_))));
    }

    #[test]
    fn a_name_that_is_a_path_is_no_name() {
        let page = page(r#"{"files": [{"filename": "../a-1.0-py3-none-any.whl", "url": "x", "hashes": {}}]}"#).unwrap();
        assert!(page.artifacts.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_page_panics(text in "\\PC{0,300}", file in "\\PC{0,200}") {
            let _ = page(&text);
            let _ = page(&format!("{{\"files\": [{file}]}}"));
            let _ = page(&format!("{{\"files\": [{{\"filename\": {file:?}, \"url\": {file:?}}}]}}"));
        }
    }
}
