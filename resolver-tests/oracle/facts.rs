//! The manifests, read anew: a reader of its own, so that a mistake of the solver's is not made twice.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::version::Version;

/// `(8, 6)` is compute capability 8.6, `(12, 8)` is CUDA 12.8.
pub type Pair = (u64, u64);

/// The text of a manifest by its file name.
pub type Texts = BTreeMap<&'static str, String>;

/// The files that the facts are read from.
pub const FILES: [&str; 7] =
    ["torch.toml", "cuda.toml", "cubin.toml", "cudnn.toml", "gpus.toml", "indexes.toml", "dlls.toml"];

/// What is known, as far as the rules ask for it.
#[derive(Debug, Default)]
pub struct Facts {
    pub releases: Vec<Release>,
    /// The lowest floors of each CUDA line, on Linux and on Windows.
    lines: BTreeMap<Pair, (Option<Version>, Option<Version>)>,
    toolkits: Vec<(Pair, Option<Version>, Option<Version>)>,
    families: Vec<(u64, Version, Version)>,
    pub branches: Vec<(u64, Pair)>,
    pub retired: Vec<(Pair, u64)>,
    cubins: Vec<Cubin>,
    /// Parts that stand apart until the driver supports a CUDA.
    joined: Vec<(Pair, Pair)>,
    cudnn_floors: Vec<(Version, Pair)>,
    /// Releases that need a DLL which no wheel brings; none of the machines has any.
    pub unloadable_on_windows: Vec<Version>,
    pub cards: Vec<Card>,
}

#[derive(Debug)]
pub struct Release {
    pub version: Version,
    pub torchvision: Version,
    pub torchaudio: Version,
    /// The Pythons it has wheels for: `3.13t` is without the GIL.
    pub pythons: Vec<String>,
    /// The variant of PyPI's wheel by platform.
    pub pypi: BTreeMap<String, String>,
    pub builds: Vec<Build>,
}

#[derive(Debug)]
pub struct Build {
    pub platform: String,
    pub variant: String,
    pub cuda: Option<Pair>,
    pub cudnn: Option<Version>,
    pub code: Option<Vec<Code>>,
    pub ptx: Vec<Pair>,
    pub glibc: Option<Pair>,
    pub advertised: bool,
    /// Where they differ from the release's.
    pub pythons: Option<Vec<String>>,
}

/// Machine code for one target; with a suffix it is for that card alone.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    pub target: Pair,
    pub suffixed: bool,
}

#[derive(Debug)]
struct Cubin {
    code: Pair,
    except: Vec<Pair>,
    only: Option<Vec<Pair>>,
}

#[derive(Debug)]
pub struct Card {
    pub name: String,
    pub capability: Pair,
    pub pci: Vec<String>,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => code.iter().try_for_each(|code| {
                let (major, minor) = code.target;
                write!(f, "sm_{major}{minor}{} ", if code.suffixed { "a" } else { "" })
            })?,
            None => write!(f, "code not known ")?,
        }
        self.ptx.iter().try_for_each(|(major, minor)| write!(f, "compute_{major}{minor} "))?;
        if let Some(cudnn) = &self.cudnn {
            write!(f, "cuDNN {cudnn}")?;
        }
        f.write_str(if self.advertised { "" } else { " not advertised" })
    }
}

impl Facts {
    /// Reads the manifests' texts.
    pub fn read(texts: &Texts) -> Self {
        let file = |name: &str| texts[name].parse::<Table>().unwrap();
        let (torch, cuda) = (file("torch.toml"), file("cuda.toml"));
        let toolkits: Vec<_> = rows(&cuda, "toolkit")
            .map(|row| (line(text(row, "version").unwrap()), version(row, "linux"), version(row, "windows")))
            .collect();
        let lowest = |line: Pair| {
            let same = || toolkits.iter().filter(move |(other, ..)| *other == line);
            let on_linux = same().filter_map(|(_, floor, _)| floor.clone()).min();
            (on_linux, same().filter_map(|(.., floor)| floor.clone()).min())
        };
        let cubin = file("cubin.toml");
        let lines = toolkits.iter().map(|(line, ..)| (*line, lowest(*line))).collect();
        let unobtainable = |row: &Table| row.get("unobtainable").and_then(Value::as_bool) == Some(true);
        // Such rows are for one release each so far.
        let only = |row: &Table| Version::read(text(row, "torch").unwrap().strip_prefix("==").unwrap());
        Self {
            unloadable_on_windows: rows(&file("dlls.toml"), "absent")
                .filter(|row| unobtainable(row))
                .map(only)
                .collect(),
            lines,
            releases: rows(&torch, "release").map(release).collect(),
            toolkits,
            families: rows(&cuda, "family")
                .map(|row| (number(row, "major"), version(row, "linux").unwrap(), version(row, "windows").unwrap()))
                .collect(),
            branches: rows(&cuda, "branch")
                .map(|row| (number(row, "branch"), line(text(row, "cuda").unwrap())))
                .collect(),
            retired: rows(&cuda, "retired")
                .map(|row| (line(text(row, "below").unwrap()), number(row, "from")))
                .collect(),
            joined: rows(&cubin, "joined")
                .map(|row| (line(text(row, "device").unwrap()), line(text(row, "cuda").unwrap())))
                .collect(),
            cubins: rows(&cubin, "cubin")
                .map(|row| Cubin {
                    code: line(text(row, "code").unwrap()),
                    except: pairs(row, "except").unwrap_or_default(),
                    only: pairs(row, "only"),
                })
                .collect(),
            cudnn_floors: rows(&file("cudnn.toml"), "floor")
                .map(|row| (version(row, "from").unwrap(), line(text(row, "capability").unwrap())))
                .collect(),
            cards: rows(&file("gpus.toml"), "gpu").map(card).collect(),
        }
    }

    /// The release that is known by this version; its label does not count.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        self.releases.iter().find(|release| release.version == version.public())
    }

    /// A build that is known.
    pub fn build(&self, version: &Version, platform: &str, variant: &str) -> Option<&Build> {
        let is = |build: &&Build| build.platform == platform && build.variant == variant;
        self.release(version)?.builds.iter().find(is)
    }

    /// The builds of a variant for a platform, newest first.
    pub fn builds_of<'a>(&'a self, platform: &'a str, variant: &'a str) -> impl Iterator<Item = &'a Build> {
        let builds = self.releases.iter().rev().flat_map(|release| &release.builds);
        builds.filter(move |build| build.platform == platform && build.variant == variant)
    }

    /// The newest known release.
    pub fn newest(&self) -> &Release {
        self.releases.iter().max_by(|a, b| a.version.cmp(&b.version)).unwrap()
    }

    /// The lowest driver that supports this CUDA natively, by the lowest floor of its toolkits on that system.
    pub fn native_floor(&self, cuda: Pair, windows: bool) -> Option<&Version> {
        let (on_linux, on_windows) = self.lines.get(&cuda)?;
        if windows { on_windows.as_ref() } else { on_linux.as_ref() }
    }

    /// Every floor of a toolkit or family on a system.
    pub fn floors(&self, windows: bool) -> Vec<&Version> {
        let toolkits = self
            .toolkits
            .iter()
            .filter_map(|(_, on_linux, on_windows)| if windows { on_windows.as_ref() } else { on_linux.as_ref() });
        let families =
            self.families.iter().map(|(_, on_linux, on_windows)| if windows { on_windows } else { on_linux });
        toolkits.chain(families).collect()
    }

    /// The lowest driver that runs toolkits of a major version by minor-version compatibility.
    pub fn family_floor(&self, major: u64, windows: bool) -> Option<&Version> {
        let (_, on_linux, on_windows) = self.families.iter().find(|(family, ..)| *family == major)?;
        Some(if windows { on_windows } else { on_linux })
    }

    /// The newest CUDA of a driver, as nvidia-smi shows it.
    pub fn cuda_of(&self, driver: &Version, windows: bool) -> Option<Pair> {
        let by_floor = self.lines.keys().copied();
        let by_floor = by_floor.filter(|line| self.native_floor(*line, windows).is_some_and(|floor| floor <= driver));
        let without_floor = self.branches.iter().filter(|(_, line)| self.native_floor(*line, windows).is_none());
        let by_branch = without_floor.filter(|(branch, _)| *branch <= driver.numbers[0]).map(|(_, line)| *line);
        by_floor.chain(by_branch).max()
    }

    /// Whether a card runs machine code, with a driver that supports this CUDA.
    pub fn runs(&self, code: Code, card: Pair, driver: Pair) -> bool {
        if code.suffixed {
            return card == code.target;
        }
        let of_its_generation = card.0 == code.target.0 && card.1 >= code.target.1;
        if of_its_generation && self.joined.iter().any(|(device, cuda)| *device == card && driver >= *cuda) {
            return true;
        }
        match self.cubins.iter().find(|row| row.code == code.target) {
            Some(Cubin { only: Some(only), .. }) => only.contains(&card),
            Some(row) if row.except.contains(&card) => false,
            _ => of_its_generation,
        }
    }

    /// The lowest card that a cuDNN runs on.
    pub fn cudnn_floor(&self, cudnn: &Version) -> Option<Pair> {
        let rows = self.cudnn_floors.iter().filter(|(from, _)| from <= cudnn);
        rows.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, floor)| *floor)
    }
}

fn release(row: &Table) -> Release {
    Release {
        version: version(row, "version").unwrap(),
        torchvision: version(row, "torchvision").unwrap(),
        torchaudio: version(row, "torchaudio").unwrap(),
        pythons: list(row, "pythons").unwrap_or_default(),
        pypi: row["pypi"].as_table().unwrap().iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        builds: rows(row, "builds").map(build).collect(),
    }
}

fn build(row: &Table) -> Build {
    Build {
        platform: text(row, "platform").unwrap().to_owned(),
        variant: text(row, "variant").unwrap().to_owned(),
        cuda: text(row, "cuda").map(line),
        cudnn: version(row, "cudnn"),
        code: list(row, "sm").map(|codes| codes.iter().map(|code| self::code(code)).collect()),
        ptx: pairs(row, "ptx").unwrap_or_default(),
        glibc: text(row, "glibc").map(line),
        pythons: list(row, "pythons"),
        advertised: row.get("advertised").is_none_or(|advertised| advertised.as_bool().unwrap()),
    }
}

fn code(text: &str) -> Code {
    let target = text.trim_end_matches(['a', 'f']);
    Code { target: line(target), suffixed: target != text }
}

fn card(row: &Table) -> Card {
    Card {
        name: text(row, "name").unwrap().to_owned(),
        capability: line(text(row, "capability").unwrap()),
        pci: list(row, "pci").unwrap_or_default(),
    }
}

fn rows<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table[key].as_array().unwrap().iter().map(|row| row.as_table().unwrap())
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).map(|value| value.as_str().unwrap())
}

fn number(table: &Table, key: &str) -> u64 {
    table[key].as_integer().unwrap().try_into().unwrap()
}

fn version(table: &Table, key: &str) -> Option<Version> {
    text(table, key).map(Version::read)
}

fn list(table: &Table, key: &str) -> Option<Vec<String>> {
    table.get(key).map(|values| values.as_array().unwrap().iter().map(plain).collect())
}

fn pairs(table: &Table, key: &str) -> Option<Vec<Pair>> {
    list(table, key).map(|texts| texts.iter().map(|text| line(text)).collect())
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The first two numbers: 12.8 of `12.8.1`.
pub fn line(text: &str) -> Pair {
    let numbers = Version::read(text).numbers;
    (numbers[0], numbers[1])
}

/// The CUDA line that a variant names: 12.8 of `cu128`.
pub fn cuda_of_variant(variant: &str) -> Option<Pair> {
    let digits = variant.strip_prefix("cu")?;
    let (major, minor) = digits.split_at(digits.len() - 1);
    Some((major.parse().ok()?, minor.parse().ok()?))
}
