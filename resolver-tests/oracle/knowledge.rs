//! What is known in a case: the manifests as they are, or some that might be.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use toml::{Table, Value};
use torchfix::catalog::Manifests;

use super::case::Knowledge;
use super::facts::{FILES, Facts, Texts};

/// How many there are; number 0 is the manifests as they are.
pub const KINDS: usize = 96;

/// One of [`KINDS`] sets of manifests; each is read once.
pub fn knowledge(number: usize) -> Arc<Knowledge> {
    static READ: [OnceLock<Arc<Knowledge>>; KINDS] = [const { OnceLock::new() }; KINDS];
    READ[number].get_or_init(|| Arc::new(read(number))).clone()
}

fn read(number: usize) -> Knowledge {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let mut texts: Texts =
        FILES.iter().map(|name| (*name, fs_err::read_to_string(folder.join(name)).unwrap())).collect();
    if number > 0 {
        let mut dice = Dice(number as u64);
        change(&mut texts, "torch.toml", |file| torch(file, &mut dice));
        change(&mut texts, "cuda.toml", |file| cuda(file, &mut dice));
        change(&mut texts, "cudnn.toml", |file| drop_some(file, "floor", 20, &mut dice));
        change(&mut texts, "cubin.toml", |file| drop_some(file, "cubin", 10, &mut dice));
        // No case with changed manifests looks a card up.
        change(&mut texts, "gpus.toml", |file| file["gpu"].as_array_mut().unwrap().truncate(1));
    }
    let facts = Facts::read(&texts);
    let manifests = Manifests::from_texts(Path::new("manifests"), |name| Ok(texts[name].clone())).unwrap();
    Knowledge { facts, manifests }
}

fn change(texts: &mut Texts, name: &'static str, change: impl FnOnce(&mut Table)) {
    let mut file: Table = texts[name].parse().unwrap();
    change(&mut file);
    texts.insert(name, file.to_string());
}

/// A few of the releases, their builds with other code, cuDNN and adverts than they have.
fn torch(file: &mut Table, dice: &mut Dice) {
    let releases = file["release"].as_array_mut().unwrap();
    let kept = 3 + dice.below(6);
    while releases.len() > kept {
        releases.remove(dice.below(releases.len()));
    }
    for release in releases {
        let release = release.as_table_mut().unwrap();
        let builds = release["builds"].as_array_mut().unwrap();
        builds.retain(|_| !dice.percent(15));
        for build in builds.iter_mut() {
            let build = build.as_table_mut().unwrap();
            if build.contains_key("cuda") {
                self::build(build, dice);
            }
        }
        let variants: Vec<(String, String)> = builds
            .iter()
            .map(|build| {
                (build["platform"].as_str().unwrap().to_owned(), build["variant"].as_str().unwrap().to_owned())
            })
            .collect();
        let pypi = release["pypi"].as_table_mut().unwrap();
        for (platform, variant) in pypi.iter_mut() {
            let there: Vec<&String> =
                variants.iter().filter(|(other, _)| other == platform).map(|(_, variant)| variant).collect();
            if !there.is_empty() && dice.percent(25) {
                *variant = Value::from(dice.one_of(&there).as_str());
            }
        }
        // A wheel on PyPI is a build of that release.
        pypi.retain(|platform, variant| {
            variants.iter().any(|(there, built)| there == platform && *built == variant.as_str().unwrap())
        });
    }
}

fn build(build: &mut Table, dice: &mut Dice) {
    const CODES: [&str; 20] = [
        "3.7", "5.0", "5.2", "5.3", "6.0", "6.1", "6.2", "7.0", "7.2", "7.5", "8.0", "8.6", "8.7", "8.9", "9.0",
        "9.0a", "10.0", "10.1", "12.0", "12.0f",
    ];
    const PTX: [&str; 6] = ["3.7", "6.0", "7.5", "8.0", "9.0", "12.0"];
    const CUDNN: [&str; 6] = ["8.5.0.96", "8.9.7.29", "9.1.0.70", "9.10.2.21", "9.11.0.98", "9.20.0.48"];
    let some = |from: &[&str], most: usize, dice: &mut Dice| {
        let count = 1 + dice.below(most);
        let start = dice.below(from.len());
        Value::from((0..count).map(|step| from[(start + step * 2) % from.len()]).collect::<Vec<_>>())
    };
    match dice.below(100) {
        0..20 => drop(build.remove("sm")),
        20..50 => drop(build.insert("sm".to_owned(), some(&CODES, 5, dice))),
        _ => {}
    }
    match dice.below(100) {
        0..30 => drop(build.insert("ptx".to_owned(), some(&PTX, 2, dice))),
        30..50 => drop(build.remove("ptx")),
        _ => {}
    }
    match dice.below(100) {
        0..25 => drop(build.insert("cudnn".to_owned(), Value::from(*dice.one_of(&CUDNN)))),
        25..40 => drop(build.remove("cudnn")),
        _ => {}
    }
    if dice.percent(12) {
        build.insert("advertised".to_owned(), Value::from(false));
    }
}

/// Toolkits without a row, or without a floor on one system.
fn cuda(file: &mut Table, dice: &mut Dice) {
    drop_some(file, "toolkit", 12, dice);
    for toolkit in file["toolkit"].as_array_mut().unwrap() {
        let toolkit = toolkit.as_table_mut().unwrap();
        if toolkit.contains_key("linux") && dice.percent(8) {
            toolkit.remove("windows");
        }
    }
    drop_some(file, "retired", 20, dice);
}

fn drop_some(file: &mut Table, key: &str, percent: usize, dice: &mut Dice) {
    file[key].as_array_mut().unwrap().retain(|_| !dice.percent(percent));
}

/// Numbers that are always the same, and look random (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % limit as u64).unwrap()
    }

    /// Whether something of this likelihood happens.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
