//! The tags of a page that say something, without keeping the rest of it.

use html5gum::Span;
use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};

/// A tag, closed.
pub(super) struct Tag {
    pub(super) kind: Kind,
    values: [Option<String>; ATTRIBUTES.len()],
}

/// Which tag it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Base,
    Meta,
    Link,
}

/// An attribute that says something; its place in [`ATTRIBUTES`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute {
    Href,
    Name,
    Content,
    RequiresPython,
    Yanked,
    CoreMetadata,
    DistInfoMetadata,
    UploadTime,
}

const ATTRIBUTES: [&[u8]; 8] = [
    b"href",
    b"name",
    b"content",
    b"data-requires-python",
    b"data-yanked",
    b"data-core-metadata",
    b"data-dist-info-metadata",
    b"data-upload-time",
];

impl Tag {
    /// An attribute's value, empty where it has none; bytes that are no UTF-8 are replaced.
    pub(super) fn get(&self, attribute: Attribute) -> Option<&str> {
        self.values[attribute as usize].as_deref()
    }
}

/// Gathers a tag from its parts as they are read. Of a tag with millions of attributes a handful is kept.
#[derive(Default)]
pub(super) struct Tags {
    open: Option<Tag>,
    attribute: Option<usize>,
}

impl Tags {
    /// What the tokenizer tells of tags; what stands in a script or a title is none.
    pub(super) fn emitter() -> CallbackEmitter<Self, Tag> {
        let mut emitter = CallbackEmitter::new(Self::default());
        emitter.naively_switch_states(true);
        emitter
    }
}

impl Callback<Tag, ()> for Tags {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<Tag> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                let kind = match name {
                    b"base" => Some(Kind::Base),
                    b"meta" => Some(Kind::Meta),
                    b"a" => Some(Kind::Link),
                    _ => None,
                };
                self.open = kind.map(|kind| Tag { kind, values: Default::default() });
                self.attribute = None;
                None
            }
            CallbackEvent::AttributeName { name } => {
                let place = ATTRIBUTES.iter().position(|attribute| *attribute == name);
                let value = self.open.as_mut().zip(place).map(|(tag, place)| &mut tag.values[place]);
                // Of two with the same name the first counts.
                self.attribute = value.filter(|value| value.is_none()).and(place);
                if let Some((tag, place)) = self.open.as_mut().zip(self.attribute) {
                    tag.values[place] = Some(String::new());
                }
                None
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((tag, place)) = self.open.as_mut().zip(self.attribute.take()) {
                    tag.values[place] = Some(String::from_utf8_lossy(value).into_owned());
                }
                None
            }
            CallbackEvent::CloseStartTag { .. } => self.open.take(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use html5gum::Tokenizer;

    use super::*;

    #[test]
    fn the_first_of_two_values_counts_and_an_empty_one_is_one() {
        let text = "<a data-yanked href=x HREF=y other=z><b href=q></b><title><a href=t></title></a href=e><a";
        let tags: Vec<Tag> = Tokenizer::new_with_emitter(text, Tags::emitter()).map(|tag| tag.unwrap()).collect();
        let [tag] = tags.as_slice() else { panic!("{} tags", tags.len()) };
        assert_eq!((tag.get(Attribute::Href), tag.get(Attribute::Yanked)), (Some("x"), Some("")));
        assert_eq!((tag.kind, tag.get(Attribute::Name)), (Kind::Link, None));
    }
}
