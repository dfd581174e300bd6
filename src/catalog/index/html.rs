//! Pages of links, PEP 503.

use html5gum::Tokenizer;

use super::PageFault;
use super::link::{Beside, Gathering, Link, joined, sha256_in};
use super::tags::{Attribute, Kind, Tag, Tags};
use crate::catalog::{Index, Page, SkipReason};
use crate::vocab::Url;

/// Parses a page of links; `url` is where it came from in the end.
pub(super) fn parse(bytes: &[u8], url: &Url, index: &Index) -> Result<Page, PageFault> {
    let mut base = None;
    let mut gathering = Gathering::new(index);
    for tag in Tokenizer::new_with_emitter(bytes, Tags::emitter()) {
        let Ok(tag) = tag;
        match tag.kind {
            Kind::Base if base.is_none() => base = tag.get(Attribute::Href).and_then(|href| joined(url, href)),
            Kind::Meta if tag.get(Attribute::Name) == Some("pypi:repository-version") => {
                version(tag.get(Attribute::Content).unwrap_or_default())?;
            }
            Kind::Link => match (tag.get(Attribute::Href), link(&tag, base.as_ref().unwrap_or(url))) {
                (_, Some(link)) => gathering.add(link)?,
                (Some(href), None) if href.contains(".whl") => {
                    gathering.skip(href.rsplit('/').next().unwrap_or_default(), SkipReason::BadLink)?;
                }
                _ => {}
            },
            Kind::Base | Kind::Meta => {}
        }
    }
    Ok(gathering.finish())
}

fn link(tag: &Tag, base: &Url) -> Option<Link> {
    let url = joined(base, tag.get(Attribute::Href)?)?;
    // The hash stands in the fragment, and only there: the attribute's is the metadata's.
    let sha256 = url.fragment().and_then(sha256_in);
    let metadata = tag.get(Attribute::CoreMetadata).or_else(|| tag.get(Attribute::DistInfoMetadata));
    Some(Link {
        sha256,
        requires_python: tag.get(Attribute::RequiresPython).map(ToOwned::to_owned),
        yanked: tag.get(Attribute::Yanked).map(ToOwned::to_owned),
        metadata: metadata.filter(|value| *value != "false").map(|value| Beside { sha256: sha256_in(value) }),
        upload_time: tag.get(Attribute::UploadTime).map(ToOwned::to_owned),
        ..Link::to(url)
    })
}

/// Refuses a version of the simple API whose rules are not known.
pub(super) fn version(version: &str) -> Result<(), PageFault> {
    match version.trim().split('.').next() {
        Some("1" | "") | None => Ok(()),
        Some(_) => Err(PageFault::ApiVersion(version.chars().filter(|c| !c.is_control()).take(40).collect())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::IndexKind;

    fn index() -> Index {
        Index { url: "https://index.example/whl/cu128".parse().unwrap(), kind: IndexKind::Pytorch }
    }

    fn page(text: &str) -> Page {
        parse(text.as_bytes(), &"https://index.example/whl/cu128/torch/".parse().unwrap(), &index()).unwrap()
    }

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_page_of_the_pytorch_index() {
        let other = HASH.replace('e', "0");
        let page = page(&format!(
            "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for torch</h1>\n    \
             <a href=\"https://download-r2.example/whl/cu128/torch-2.8.0%2Bcu128-cp312-cp312-win_amd64.whl#sha256={HASH}\" \
             data-dist-info-metadata=\"sha256={other}\" data-core-metadata=\"sha256={other}\" \
             data-upload-time=\"2026-04-23T01:02:03Z\">torch-2.8.0+cu128-cp312-cp312-win_amd64.whl</a><br/>\n    \
             <a href=\"/whl/cu128/torch-2.11.0%2Bcu128-cp310-cp310-win_amd64.whl\" data-core-metadata=\"sha256={other}\">x</a><br/>\n  \
             </body>\n</html>\n<!--TIMESTAMP 1755800000-->"
        ));
        let [first, second] = page.artifacts.as_slice() else { panic!("{page:?}") };
        assert_eq!(first.file_name.version.to_string(), "2.8.0+cu128");
        assert_eq!(
            first.url.as_str(),
            "https://download-r2.example/whl/cu128/torch-2.8.0%2Bcu128-cp312-cp312-win_amd64.whl"
        );
        assert_eq!(first.sha256, Some(HASH.parse().unwrap()));
        let metadata = first.metadata.as_ref().unwrap();
        assert_eq!(metadata.sha256, Some(other.parse().unwrap()));
        assert_eq!(metadata.url.as_str(), format!("{}.metadata", first.url));
        assert_eq!(first.upload_time.map(|time| time.to_string()).as_deref(), Some("2026-04-23T01:02:03Z"));
        assert_eq!(
            second.url.as_str(),
            "https://index.example/whl/cu128/torch-2.11.0%2Bcu128-cp310-cp310-win_amd64.whl"
        );
        assert_eq!(second.sha256, None, "the metadata's hash is never the file's");
    }

    #[test]
    fn attributes_are_decoded_and_links_are_relative_to_the_base() {
        let page = page(
            "<base href='../files/'><a href='a-1.0-py3-none-any.whl#md5=1' data-requires-python='&gt;=3.9,&lt;4' \
             data-yanked='no &amp; no'>a</a><a href=\"a-2.0-py3-none-any.whl\" data-yanked data-core-metadata=true>a</a>\
             <a href='a-1.0.tar.gz'>s</a><a href='a-x.whl'>bad</a><a href='../'>up</a>\
             <a href='file:///etc/a-3.0-py3-none-any.whl'>local</a><a href='b/a-2.0-py3-none-any.whl'>again</a>",
        );
        let [first, second] = page.artifacts.as_slice() else { panic!("{page:?}") };
        assert_eq!(first.url.as_str(), "https://index.example/whl/cu128/files/a-1.0-py3-none-any.whl");
        assert_eq!(first.requires_python.as_ref().map(ToString::to_string).as_deref(), Some(">=3.9, <4"));
        assert_eq!(first.yanked.as_deref(), Some("no & no"));
        assert_eq!(
            (second.yanked.as_deref(), second.metadata.as_ref().map(|file| file.sha256)),
            (Some(""), Some(None))
        );
        let skipped: Vec<_> = page.skipped.iter().map(|skipped| skipped.file_name.as_str()).collect();
        assert_eq!(skipped, ["a-1.0.tar.gz", "a-x.whl", "a-3.0-py3-none-any.whl"]);
    }

    #[test]
    fn names_that_are_paths_are_no_names() {
        let page = page(
            "<a href='x/..%2F..%2Fa-1.0-py3-none-any.whl'>a</a><a href='%252e%252e%252fa-1-py3-none-any.whl'>a</a>",
        );
        assert!(page.artifacts.is_empty(), "{page:?}");
    }

    #[test]
    fn scripts_hold_no_links_and_later_versions_are_refused() {
        assert!(page("<script>'<a href=\"a-1.0-py3-none-any.whl\">'</script>").artifacts.is_empty());
        let later = b"<meta name=\"pypi:repository-version\" content=\"2.0\">";
        assert_eq!(parse(later, &index().url, &index()), Err(PageFault::ApiVersion("2.0".into())));
    }

    #[test]
    fn text_in_another_encoding_is_not_passed_over() {
        let text = b"<a href='a-1.0-py3-none-any.whl' data-yanked='cass\xe9'>a</a><a href='caf\xe9-1.0-py3-none-any.whl'>b</a>";
        let page = parse(text, &index().url, &index()).unwrap();
        assert!(page.artifacts[0].yanked.as_ref().is_some_and(|reason| reason.starts_with("cass")), "{page:?}");
        assert!(page.skipped[0].reason.is_fault(), "{page:?}");
    }

    #[test]
    fn a_base_without_end_is_not_repeated_in_each_link() {
        let text = format!("<base href='/{}/'><a href='a-1.0-py3-none-any.whl'>a</a>", "b".repeat(1 << 20));
        assert_eq!(
            page(&text).artifacts[0].url.as_str(),
            "https://index.example/whl/cu128/torch/a-1.0-py3-none-any.whl"
        );
        let text = format!("<a href='/{}/a-1.0-py3-none-any.whl'>a</a>", "b".repeat(1 << 20));
        let page = page(&text);
        assert!(page.artifacts.is_empty(), "{page:?}");
        assert_eq!(
            page.skipped[0].to_string(),
            "the link of `a-1.0-py3-none-any.whl` is none that a wheel can be fetched from"
        );
    }

    #[test]
    fn a_page_of_links_without_end_is_refused() {
        let many = "<a href=x>".repeat(crate::catalog::index::link::MOST_LINKS + 1);
        assert_eq!(parse(many.as_bytes(), &index().url, &index()), Err(PageFault::TooManyLinks));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_page_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = parse(&bytes, &index().url, &index());
        }

        #[test]
        fn no_tag_soup_panics(parts in proptest::collection::vec("(<a href=|'|\"|>|<base href=|#sha256=|&#x|%2|\\.whl|a-1-py3-none-any|data-yanked=|\\PC)", 0..80)) {
            let _ = parse(parts.concat().as_bytes(), &index().url, &index());
        }
    }
}
