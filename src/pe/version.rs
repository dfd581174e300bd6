//! The version in a DLL's resources.

use object::read::pe::{ResourceDirectory, ResourceDirectoryTable, ResourceNameOrId};
use object::{LittleEndian as LE, ReadRef, pe};

use super::headers::Headers;
use super::ranges::Ranges;
use crate::vocab::FileVersion;

/// Icons and dialogs are in it as well; the directories come first.
const LARGEST_RESOURCES: u32 = 64 << 20;

/// `VS_VERSIONINFO` begins with three numbers and the text `VS_VERSION_INFO`, padded: there `VS_FIXEDFILEINFO` follows.
const FIXED_INFO_AT: u32 = 40;
const SIGNATURE: u32 = 0xfeef_04bd;

/// The version that a file states; nothing where it states none, or not in a way that can be read.
pub fn file_version<'data, R: ReadRef<'data>>(headers: &Headers, ranges: &Ranges<'data, '_, R>) -> Option<FileVersion> {
    let directory = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE)?;
    let resources = ResourceDirectory::new(ranges.whole(directory, LARGEST_RESOURCES)?);
    let versions = table(resources, &resources.root().ok()?, |id| id == pe::RT_VERSION)?;
    let languages = table(resources, &versions, |_| true)?;
    let data = languages.entries.iter().find_map(|entry| entry.data(resources).ok()?.data())?;
    let info: [u8; 16] = ranges.bytes(data.offset_to_data.get(LE).checked_add(FIXED_INFO_AT)?)?;
    let number = |at: usize| u32::from_le_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
    if number(0) != SIGNATURE {
        return None;
    }
    let halves = |number: u32| [(number >> 16) as u16, (number & 0xffff) as u16];
    let ([major, minor], [build, revision]) = (halves(number(8)), halves(number(12)));
    Some(FileVersion::new([major, minor, build, revision]))
}

fn table<'data>(
    resources: ResourceDirectory<'data>,
    parent: &ResourceDirectoryTable<'data>,
    is_wanted: impl Fn(u16) -> bool,
) -> Option<ResourceDirectoryTable<'data>> {
    let wanted = |name: ResourceNameOrId| name.id().is_some_and(&is_wanted);
    parent.entries.iter().find(|entry| wanted(entry.name_or_id()))?.data(resources).ok()?.table()
}
