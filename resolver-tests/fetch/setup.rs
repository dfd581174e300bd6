//! A cache in a temporary folder, a server with wheels, and small windows.
#![allow(clippy::cast_possible_truncation, reason = "test archives are small")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use torchfix::fetch::FetchOptions;
use torchfix::host::Host;
use torchfix::http::{Client, Options, TwinHosts};
use torchfix::lock::LockedWheel;
use torchfix::progress::{Reporter, TaskId};
use torchfix::vocab::{Url, WheelName};
use torchfix::wheel::{Cache, ObtainOptions, UnpackedWheel, WheelError, obtain};

use crate::support::server::{Server, Site};
use crate::support::wheels::{BuiltWheel, WheelBuilder};

/// What a test works with.
pub struct Setup {
    pub server: Server,
    pub cache: Cache,
    pub options: ObtainOptions,
    client: Client,
    _folder: TempDir,
}

/// Hears how much has arrived, and interrupts when it is enough.
#[derive(Default)]
pub struct Meter {
    pub arrived: AtomicU64,
    pub limit: Option<u64>,
    pub interrupted: Arc<AtomicBool>,
}

impl Reporter for Meter {
    fn download_advanced(&self, _task: TaskId, bytes: u64) {
        let arrived = self.arrived.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if self.limit.is_some_and(|limit| arrived >= limit) {
            self.interrupted.store(true, Ordering::SeqCst);
        }
    }
}

impl Setup {
    /// A server with these wheels at `/<file name>`; `change` adds faults.
    pub fn new(wheels: &[&BuiltWheel], change: impl FnOnce(Site) -> Site) -> Self {
        let site = wheels
            .iter()
            .fold(Site::new(), |site, wheel| site.file(&format!("/{}", wheel.file_name), wheel.bytes.clone()));
        let folder = tempfile::tempdir().unwrap();
        let http = Options {
            backoff: Duration::from_millis(1),
            stall_timeout: Duration::from_millis(500),
            ..Options::default()
        };
        let fetch = FetchOptions {
            connections: 4,
            segment: 64 << 10,
            window: 256 << 10,
            memory: 512 << 10,
            whole: 16 << 10,
            tail: 8 << 10,
            attempts: 3,
            backoff: Duration::from_millis(1),
            twins: TwinHosts::default(),
        };
        Self {
            server: Server::start(change(site)),
            cache: Cache::open(&folder.path().join("cache")).unwrap(),
            options: ObtainOptions { fetch, unpackers: 2, checkpoint: 128 << 10, ..ObtainOptions::default() },
            client: Client::new(&Host::with(Path::new("/"), Path::new("/"), &[]), http).unwrap(),
            _folder: folder,
        }
    }

    pub fn locked(&self, wheel: &BuiltWheel) -> LockedWheel {
        locked(wheel, self.server.url(&format!("/{}", wheel.file_name)))
    }

    pub fn obtain(&self, wheels: &[LockedWheel]) -> Result<Vec<UnpackedWheel>, WheelError> {
        self.obtain_with(wheels, &())
    }

    pub fn obtain_with(
        &self,
        wheels: &[LockedWheel],
        reporter: &dyn Reporter,
    ) -> Result<Vec<UnpackedWheel>, WheelError> {
        obtain(wheels, &self.client, &self.cache, &self.options, reporter)
    }

    pub fn obtain_one(&self, wheel: &BuiltWheel) -> Result<UnpackedWheel, WheelError> {
        self.obtain(&[self.locked(wheel)]).map(|mut wheels| wheels.remove(0))
    }

    /// Names under a part of the cache: nothing may be in `wheels-v1` after a failure.
    pub fn names(&self, part: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.cache.dir().join(part)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

pub fn locked(wheel: &BuiltWheel, url: Url) -> LockedWheel {
    let file_name: WheelName = wheel.file_name.parse().unwrap();
    LockedWheel {
        name: file_name.name.clone(),
        version: file_name.version.clone(),
        file_name,
        url,
        sha256: Some(wheel.sha256),
        size: Some(wheel.bytes.len() as u64),
        requested: false,
        direct: false,
        why: String::new(),
    }
}

/// A wheel of some megabytes: a large deflated and a large stored file between small ones.
pub fn large_wheel() -> BuiltWheel {
    let mixed: Vec<u8> = crate::support::wheels::noise(1 << 20)
        .into_iter()
        .enumerate()
        .flat_map(|(at, byte)| [byte, (at >> 9) as u8])
        .collect();
    WheelBuilder::new("big", "2.9.1+cu128")
        .file("big/__init__.py", "import big.lib\n")
        .file("big/lib/mixed.so", mixed)
        .file("big/empty", "")
        .stored("big/lib/stored.bin", crate::support::wheels::noise(900_000))
        .executable("big/bin/tool", "#!/bin/sh\n")
        .noise("big/lib/noise.so", 500_000)
        .build()
}

/// The tree that an independent reader finds in the wheel: path to contents.
pub fn tree_of(wheel: &BuiltWheel) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&wheel.bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

/// The tree that lies in a folder.
pub fn tree_in(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut tree = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                tree.insert(name, fs_err::read(path).unwrap());
            }
        }
    }
    tree
}

/// Compares without printing megabytes.
pub fn assert_same_tree(unpacked: &UnpackedWheel, wheel: &BuiltWheel) {
    let (found, expected) = (tree_in(&unpacked.root), tree_of(wheel));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, bytes) in expected {
        assert!(found[&path] == bytes, "{path} differs");
    }
}
