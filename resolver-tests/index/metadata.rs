//! Core metadata: the file beside the wheel, or out of the wheel by ranges.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use torchfix::catalog::index::{IndexError, RemoteWheel};
use torchfix::catalog::{Artifact, Index, IndexKind, MetadataFile, Pages as _};
use torchfix::host::Host;
use torchfix::http::{Client, Options, TwinHosts};
use torchfix::vocab::{Diagnostic as _, ExitStatus, Sha256, Url};

use super::pages::run;
use crate::support::server::{Fault, Server, Site, Times};
use crate::support::wheels::{BuiltWheel, WheelBuilder};

fn artifact(file_name: &str, url: Url) -> Artifact {
    Artifact {
        file_name: file_name.parse().unwrap(),
        index: Index { url: url.clone(), kind: IndexKind::Simple },
        url,
        sha256: None,
        size: None,
        requires_python: None,
        yanked: None,
        metadata: None,
        upload_time: None,
    }
}

fn wheel() -> BuiltWheel {
    WheelBuilder::new("demo", "1.0").requires("x>=1; python_version < '4'").noise("demo/data.bin", 300_000).build()
}

const PATH: &str = "/f/demo-1.0-py3-none-any.whl";

#[test]
fn the_file_beside_the_wheel_is_taken_and_checked() {
    let wheel = wheel();
    let site =
        Site::new().file(&format!("{PATH}.metadata"), wheel.metadata.clone().into_bytes()).file(PATH, wheel.bytes);
    let server = Server::start(site);
    let url = server.url(&format!("{PATH}.metadata"));
    let with = |sha256| Artifact {
        metadata: Some(MetadataFile { url: url.clone(), sha256 }),
        ..artifact(&wheel.file_name, server.url(PATH))
    };
    let metadata = run(None, false).metadata(&with(Some(Sha256::of(wheel.metadata.as_bytes())))).unwrap();
    assert_eq!((metadata.name.as_ref(), metadata.requires_dist.len()), ("demo", 1));
    assert!(server.requests_of(PATH).is_empty());

    let error = run(None, false).metadata(&with(Some(wheel.sha256))).unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("index.metadata-hash", ExitStatus::Refused));
}

#[test]
fn an_advertised_file_that_is_not_there_is_read_out_of_the_wheel() {
    let wheel = wheel();
    let server = Server::start(Site::new().file(PATH, wheel.bytes));
    let metadata = Some(MetadataFile { url: server.url("/none.metadata"), sha256: None });
    let artifact = Artifact { metadata, ..artifact(&wheel.file_name, server.url(PATH)) };
    assert_eq!(run(None, false).metadata(&artifact).unwrap().requires_dist.len(), 1);
}

#[test]
fn servers_of_all_kinds_give_it_out_of_the_wheel() {
    for faults in [vec![], vec![Fault::RefuseSuffixRanges], vec![Fault::IgnoreRanges], vec![Fault::NoValidators]] {
        let wheel = wheel();
        let mut site = Site::new().file(PATH, wheel.bytes.clone());
        for fault in faults.clone() {
            site = site.fault(PATH, fault, Times::Always);
        }
        let server = Server::start(site);
        let metadata = run(None, false).metadata(&artifact(&wheel.file_name, server.url(PATH))).unwrap();
        assert_eq!(metadata.requires_dist.len(), 1, "{faults:?}");
        let whole = matches!(faults.as_slice(), [Fault::IgnoreRanges]);
        assert_eq!(server.bytes_sent() >= wheel.bytes.len() as u64, whole, "{faults:?}: {}", server.bytes_sent());
    }
}

#[test]
fn the_second_run_asks_nobody() {
    let wheel = wheel();
    let server = Server::start(Site::new().file(PATH, wheel.bytes));
    let cache = tempfile::tempdir().unwrap();
    let artifact = artifact(&wheel.file_name, server.url(PATH));
    run(Some(cache.path()), false).metadata(&artifact).unwrap();
    server.forget_requests();
    assert_eq!(run(Some(cache.path()), true).metadata(&artifact).unwrap().requires_dist.len(), 1);
    assert!(server.requests().is_empty());
}

fn unpacked_size(wheel: &BuiltWheel) -> u64 {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&wheel.bytes)).unwrap();
    (0..archive.len()).map(|index| archive.by_index_raw(index).unwrap().size()).sum()
}

#[test]
fn what_a_wheel_takes_unpacked_is_known_once_its_metadata_was_read_out_of_it() {
    let wheel = wheel();
    let server = Server::start(Site::new().file(PATH, wheel.bytes.clone()));
    let cache = tempfile::tempdir().unwrap();
    let artifact = artifact(&wheel.file_name, server.url(PATH));
    run(Some(cache.path()), false).metadata(&artifact).unwrap();
    server.forget_requests();
    let sizes = run(Some(cache.path()), true).extents(&[RemoteWheel::from(&artifact)]);
    assert_eq!(sizes[0].as_ref().unwrap().bytes, unpacked_size(&wheel));
    assert!(server.requests().is_empty());
}

#[test]
fn what_a_wheel_takes_unpacked_costs_one_small_range_where_its_metadata_lies_beside_it() {
    let wheel = wheel();
    let site = Site::new()
        .file(&format!("{PATH}.metadata"), wheel.metadata.clone().into_bytes())
        .file(PATH, wheel.bytes.clone());
    let server = Server::start(site);
    let cache = tempfile::tempdir().unwrap();
    let metadata = Some(MetadataFile { url: server.url(&format!("{PATH}.metadata")), sha256: None });
    let artifact = Artifact { metadata, ..artifact(&wheel.file_name, server.url(PATH)) };
    let wheels = [RemoteWheel::from(&artifact)];
    let client = run(Some(cache.path()), false);
    client.metadata(&artifact).unwrap();
    assert_eq!(client.extents(&wheels)[0].as_ref().unwrap().bytes, unpacked_size(&wheel));
    let requests = server.requests_of(PATH);
    assert!(requests.len() == 1 && requests[0].header("range").is_some(), "{requests:?}");
    assert!(server.bytes_sent() < 100_000, "{}", server.bytes_sent());

    server.forget_requests();
    let again = run(Some(cache.path()), true).extents(&wheels);
    assert_eq!(again[0].as_ref().unwrap().bytes, unpacked_size(&wheel));
    assert!(server.requests().is_empty());
}

#[test]
fn what_a_wheel_takes_unpacked_is_not_worth_the_whole_wheel() {
    let wheel = WheelBuilder::new("demo", "1.0").noise("demo/data.bin", 2 << 20).build();
    let present = Site::new().file(PATH, wheel.bytes).fault(PATH, Fault::IgnoreRanges, Times::Always);
    for (site, code) in [(present, "index.no-ranges"), (Site::new(), "http.status")] {
        let server = Server::start(site);
        let artifact = artifact(&wheel.file_name, server.url(PATH));
        let error = run(None, false).extents(&[RemoteWheel::from(&artifact)]).remove(0).unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[test]
fn metadata_of_another_wheel_is_refused() {
    let (other_name, other_version) = ("demo-2.0-py3-none-any.whl", "other-1.0-py3-none-any.whl");
    for (name, field) in [(other_name, "Version"), (other_version, "Name")] {
        let server = Server::start(Site::new().file(PATH, wheel().bytes));
        let error = run(None, false).metadata(&artifact(name, server.url(PATH))).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("index.metadata-mismatch", ExitStatus::Refused));
        assert!(error.to_string().contains(field) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_is_no_wheel_is_refused() {
    let no_archive = b"nothing of a ZIP".to_vec();
    let mut flipped = wheel().bytes;
    let name = b"demo-1.0.dist-info/METADATA";
    let place = flipped.windows(name.len()).position(|bytes| bytes == name).unwrap();
    flipped[place + name.len() + 8] ^= 0xff;
    let no_metadata = {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("demo/__init__.py", zip::write::SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap().into_inner()
    };
    let cases = [(no_archive, "zip.no-end-record"), (no_metadata, "index.no-metadata"), (flipped, "index.no-metadata")];
    for (bytes, code) in cases {
        let server = Server::start(Site::new().file(PATH, bytes));
        let error = run(None, false).metadata(&artifact("demo-1.0-py3-none-any.whl", server.url(PATH))).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), (code, ExitStatus::Refused));
    }
}

#[test]
fn a_twin_host_has_the_same_files() {
    let wheel = wheel();
    let twin = Server::start(Site::new().file(PATH, wheel.bytes));
    let port = twin.address().port();
    // `localhost` and `127.0.0.1` are two hosts of one server here; the first has only errors.
    let first: Url = format!("http://localhost:{port}{PATH}").parse().unwrap();
    twin.add_fault(PATH, Fault::status(403), Times::First(1));
    let client = Client::new(&Host::with(Path::new("/"), Path::new("/"), &[]), Options::default()).unwrap();
    let twins = TwinHosts::new(vec!["localhost".into(), "127.0.0.1".into()]);
    let client = torchfix::catalog::index::IndexClient::new(Arc::new(client), None, twins);
    assert_eq!(client.metadata(&artifact(&wheel.file_name, first)).unwrap().requires_dist.len(), 1);
    let hosts: Vec<_> = twin.requests().iter().map(|request| request.header("host").unwrap().to_owned()).collect();
    assert!(hosts[0].starts_with("localhost") && hosts[1].starts_with("127.0.0.1"), "{hosts:?}");
}

#[test]
fn a_wheel_of_900_mb_costs_its_directory_and_little_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torch.whl");
    let directory = write_large_wheel(&path).unwrap();
    let server = Server::start(Site::new().disk("/torch-2.9.1-cp312-cp312-linux_x86_64.whl", &path));
    let artifact =
        artifact("torch-2.9.1-cp312-cp312-linux_x86_64.whl", server.url("/torch-2.9.1-cp312-cp312-linux_x86_64.whl"));
    let metadata = run(None, false).metadata(&artifact).unwrap();
    assert_eq!(metadata.requires_dist.len(), 2);
    assert!((1_000_000..1_300_000).contains(&directory), "{directory}");
    assert!(server.bytes_sent() <= 1_400_000, "{}", server.bytes_sent());
    assert_eq!(server.requests().len(), 3, "the end, the rest of the directory, METADATA");

    server.add_fault("/torch-2.9.1-cp312-cp312-linux_x86_64.whl", Fault::IgnoreRanges, Times::Always);
    server.forget_requests();
    let error = run(None, false).metadata(&artifact).unwrap_err();
    assert!(matches!(error, IndexError::NoRanges { .. }), "{error}");
}

/// A wheel like torch's: one file of 900 MB (a hole on disk), METADATA, and 12,000 empty files after it; returns the
/// size of its directory.
fn write_large_wheel(path: &Path) -> std::io::Result<u64> {
    const LARGE: u64 = 900 << 20;
    let metadata =
        b"Metadata-Version: 2.1\nName: torch\nVersion: 2.9.1\nRequires-Dist: sympy\nRequires-Dist: jinja2\n\n";
    let mut file = fs_err::File::create(path)?;
    let mut directory = Vec::new();
    let mut add = |name: &str, size: u64, content: &[u8]| -> std::io::Result<()> {
        let crc = crc32fast::hash(content);
        let offset = file.stream_position()?;
        let size = u32::try_from(size).unwrap().to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc.to_le_bytes());
        common.extend([size, size].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        file.write_all(&[b"PK\x03\x04", common.as_slice(), name.as_bytes(), content].concat())?;
        if content.is_empty() {
            file.seek(SeekFrom::Current(i64::from(u32::from_le_bytes(size))))?;
        }
        directory.extend([b"PK\x01\x02\x14\x03", common.as_slice(), &[0; 6]].concat());
        directory.extend((0o100_644_u32 << 16).to_le_bytes());
        directory.extend(u32::try_from(offset).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());
        Ok(())
    };
    add("torch/lib/libtorch_cuda.so", LARGE, b"")?;
    add("torch-2.9.1.dist-info/METADATA", metadata.len() as u64, metadata)?;
    for number in 0..12_000 {
        add(&format!("torch/include/ATen/ops/a_header_with_a_long_name_{number:05}.h"), 0, b"")?;
    }
    let offset = u32::try_from(file.stream_position()?).unwrap();
    let size = u32::try_from(directory.len()).unwrap();
    let count = 12_002_u16.to_le_bytes();
    file.write_all(&directory)?;
    file.write_all(
        &[b"PK\x05\x06\0\0\0\0", &count[..], &count, &size.to_le_bytes(), &offset.to_le_bytes(), &[0, 0]].concat(),
    )?;
    Ok(u64::from(size))
}
