//! Every step of a transaction made to fail, and the process made to end at every step.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use super::*;

/// A file system on which the operation after the `good` first fails; with `dead`, every later one too, as if the
/// process had ended there.
struct Failing {
    good: usize,
    dead: bool,
    done: AtomicUsize,
}

impl Failing {
    fn after(good: usize, dead: bool) -> Self {
        Self { good, dead, done: AtomicUsize::new(0) }
    }

    fn count(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    fn step(&self) -> io::Result<()> {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        let fails = if self.dead { number >= self.good } else { number == self.good };
        if fails { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Files for Failing {
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| Disk.rename(from, to))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| Disk.create_folder(path))
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step() {
            // A full disk, or an end in the middle, leaves half a file.
            fs_err::write(path, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        fs_err::write(path, bytes)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| Disk.remove_file(path))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        if let Err(error) = self.step() {
            // Half of the tree is gone.
            let first = fs_err::read_dir(path).ok().and_then(|mut entries| entries.next());
            if let Some(Ok(entry)) = first {
                if entry.file_type()?.is_dir() {
                    fs_err::remove_dir_all(entry.path())?;
                } else {
                    fs_err::remove_file(entry.path())?;
                }
            }
            return Err(error);
        }
        Disk.remove_tree(path)
    }
}

/// What Windows does with a library that a program has loaded: it can be renamed, and not removed.
struct Loaded;

impl Loaded {
    fn refuse(path: &Path) -> io::Result<()> {
        let path = path.to_string_lossy().replace('\\', "/");
        let is_loaded = path.contains("libtorch.so") || path.contains("/in-use/");
        if is_loaded { Err(io::Error::from(io::ErrorKind::PermissionDenied)) } else { Ok(()) }
    }
}

impl Files for Loaded {
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Self::refuse(path).and_then(|()| Disk.remove_file(path))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let Ok(entries) = fs_err::read_dir(path) else { return self.remove_file(path) };
        entries.flatten().try_for_each(|entry| self.remove_tree(&entry.path()))?;
        fs_err::remove_dir(path)
    }

    fn is_loaded(&self, path: &Path) -> bool {
        Self::refuse(path).is_err()
    }
}

const BEFORE: [(&str, &str); 6] = [
    ("site/torch/__init__.py", "old"),
    ("site/torch/lib/libtorch.so", "old"),
    ("site/nvidia/cublas/lib", "old"),
    ("site/nvidia/kept/lib", "kept"),
    ("bin/torchrun", "old"),
    ("pyvenv.cfg", "home"),
];
const AFTER: [(&str, &str); 7] = [
    ("site/torch/__init__.py", "new"),
    ("site/torch/extra/x", "new"),
    ("site/nvidia/cudnn/lib", "new"),
    ("site/nvidia/kept/lib", "kept"),
    ("bin/torchrun", "new"),
    ("share/doc", "new"),
    ("pyvenv.cfg", "home"),
];

fn moves() -> Moves {
    let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    Moves {
        away: list(&["bin/torchrun", "site/nvidia/cublas", "site/torch"]),
        place: list(&["bin/torchrun", "share", "site/nvidia/cudnn", "site/torch"]),
    }
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        fs_err::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs_err::write(root.join(path), text).unwrap();
    }
}

/// Every file and empty folder below `root`, the lock file aside.
fn tree(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, tree: &mut BTreeMap<String, String>) {
        let entries: Vec<_> = fs_err::read_dir(folder).unwrap().map(Result::unwrap).collect();
        let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if entries.is_empty() {
            tree.insert(format!("{}/", name(folder)), String::new());
        }
        for entry in entries {
            if entry.file_type().unwrap().is_dir() {
                walk(root, &entry.path(), tree);
            } else {
                tree.insert(name(&entry.path()), fs_err::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found.remove(".torchfix/lock");
    // The home of the lock may be there without it when the very first step failed.
    found.remove(".torchfix/");
    found
}

fn expected(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn change(root: &Path, files: &dyn Files) -> Result<(), InstallError> {
    let go_on = AtomicBool::new(false);
    let transaction = Transaction::begin(root, files, &go_on, &())?;
    let new: Vec<_> = AFTER.iter().copied().filter(|(_, text)| *text == "new").collect();
    write(transaction.staging(), &new);
    transaction.commit(&moves(), &go_on)
}

fn environment() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    write(&root, &BEFORE);
    (folder, root)
}

fn recover(root: &Path) -> Result<Recovered, InstallError> {
    super::recover(root, &AtomicBool::new(false), &())
}

/// How many operations a whole change takes.
fn steps() -> usize {
    let (_folder, root) = environment();
    let counting = Failing::after(usize::MAX, false);
    change(&root, &counting).unwrap();
    assert_eq!(tree(&root), expected(&AFTER));
    counting.count()
}

#[test]
fn a_failure_at_any_step_leaves_the_environment_as_before_or_after() {
    let mut undone = 0;
    for step in 0..steps() {
        let (_folder, root) = environment();
        let done = change(&root, &Failing::after(step, false));
        if done.is_err() {
            undone += 1;
            assert!(matches!(done, Err(InstallError::DiskFull(_))), "step {step}: {done:?}");
            assert_eq!(tree(&root), expected(&BEFORE), "step {step}");
        }
        recover(&root).unwrap();
        assert_eq!(tree(&root), expected(if done.is_err() { &BEFORE[..] } else { &AFTER }), "step {step}");
    }
    assert!(undone > 10, "{undone}");
}

#[test]
fn an_end_at_any_step_is_recovered_from_to_before_or_after() {
    let (mut before, mut after) = (0, 0);
    for step in 0..=steps() {
        let (_folder, root) = environment();
        let done = change(&root, &Failing::after(step, true));
        let recovered = recover(&root).unwrap();
        let is_after = done.is_ok();
        assert_eq!(tree(&root), expected(if is_after { &AFTER[..] } else { &BEFORE }), "step {step}: {recovered:?}");
        *(if is_after { &mut after } else { &mut before }) += 1;
        assert_eq!(recover(&root).unwrap(), Recovered::Nothing, "step {step}");
        change(&root, &Disk).unwrap_or_else(|error| assert!(is_after, "step {step}: {error:?}"));
    }
    assert!(before > 10 && after > 3, "{before} {after}");
}

#[test]
fn recovering_can_itself_be_ended_at_any_step() {
    for step in 10..steps() {
        for second in 0..12 {
            let (_folder, root) = environment();
            let done = change(&root, &Failing::after(step, true));
            // Its outcome is of no matter: it ended.
            let _ = Places::of(&root).recover(&Failing::after(second, true));
            recover(&root).unwrap();
            assert_eq!(tree(&root), expected(if done.is_ok() { &AFTER[..] } else { &BEFORE }), "{step} then {second}");
        }
    }
}

#[test]
fn what_appears_in_the_meantime_gives_way() {
    let (_folder, root) = environment();
    let place_of_torch = steps();
    for step in 0..place_of_torch {
        let (_folder, root) = environment();
        let done = change(&root, &Failing::after(step, true));
        if done.is_err() && !root.join("site/torch").exists() {
            write(&root, &[("site/torch/__pycache__/x.pyc", "compiled")]);
            recover(&root).unwrap();
            assert_eq!(tree(&root), expected(&BEFORE), "step {step}");
        }
    }
    assert_eq!(tree(&root), expected(&BEFORE));
}

#[test]
fn what_is_loaded_goes_later() {
    let (_folder, root) = environment();
    let go_on = AtomicBool::new(false);
    for _ in 0..2 {
        let transaction = Transaction::begin(&root, &Loaded, &go_on, &()).unwrap();
        write(transaction.staging(), &AFTER.map(|(path, _)| (path, "new")));
        let moves = Moves { away: vec!["site/torch/lib/libtorch.so".to_owned()], place: Vec::new() };
        transaction.commit(&moves, &go_on).unwrap();
        assert!(!root.join(".torchfix/transaction").exists() && !root.join("site/torch/lib/libtorch.so").exists());
        write(&root, &[("site/torch/lib/libtorch.so", "new")]);
    }
    let kept = fs_err::read_dir(root.join(".torchfix/in-use")).unwrap().count();
    assert_eq!(kept, 2, "both wait for their programs to end");
    recover(&root).unwrap();
    assert!(!root.join(".torchfix/in-use").exists(), "and go with the next run");
}

#[test]
fn an_interrupt_rolls_back() {
    let (_folder, root) = environment();
    let transaction = Transaction::begin(&root, &Disk, &AtomicBool::new(false), &()).unwrap();
    write(transaction.staging(), &AFTER);
    let done = transaction.commit(&moves(), &AtomicBool::new(true));
    assert!(matches!(done, Err(InstallError::Interrupted)));
    assert_eq!(tree(&root), expected(&BEFORE));
}

#[test]
fn a_journal_that_leads_outside_moves_nothing() {
    for journal in [r#"{"away":["../x"],"place":[]}"#, r#"{"away":[],"place":["/etc/x"]}"#, "not json"] {
        let (_folder, root) = environment();
        write(&root, &[(".torchfix/transaction/journal", journal)]);
        let refused = recover(&root);
        assert!(matches!(refused, Err(InstallError::Journal { .. })), "{refused:?}");
    }
}

#[test]
fn a_second_torchfix_waits_for_the_first_and_can_be_interrupted_meanwhile() {
    let (_folder, root) = environment();
    let go_on = AtomicBool::new(false);
    let first = Transaction::begin(&root, &Disk, &go_on, &()).unwrap();
    let second = super::recover(&root, &AtomicBool::new(true), &());
    assert!(matches!(second, Err(InstallError::Interrupted)), "{second:?}");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| recover(&root));
        write(first.staging(), &AFTER.map(|(path, _)| (path, "new")));
        first.commit(&moves(), &go_on).unwrap();
        assert_eq!(second.join().unwrap().unwrap(), Recovered::Nothing);
    });
    assert!(root.join("share/doc").is_file());
}
