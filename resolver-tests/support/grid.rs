//! Grids: one card, a row per driver, a column per Python, in each cell the torch that must come out.
//!
//! A cell is `2.14.1+cu126` from the PyTorch index, `2.15.0/cu132` from PyPI with what it is built for, or the code of the
//! error without `resolve.`. `grids/README.md` says by which rules they were derived.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use torchfix::catalog::Manifests;
use torchfix::catalog::index::IndexClient;
use torchfix::request::{FileRules, Request, VariantChoice};
use torchfix::resolve::resolve;
use torchfix::vocab::Diagnostic as _;

use super::replica::{Replica, World, indexes};
use super::scenario::Facts;

/// One row of a grid: a machine but for its Python.
#[derive(Debug, Clone)]
pub struct Row {
    /// `pascal-linux/6.1/535.104.05`.
    pub name: String,
    platform: String,
    wsl: bool,
    gpu: Arc<str>,
    driver: Option<String>,
    cells: Vec<(String, String)>,
}

/// The rows of a file.
pub fn rows(path: &Path) -> Result<Vec<Row>, String> {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    let file = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let (mut platform, mut wsl, mut gpu, mut pythons) = (String::new(), false, Arc::<str>::from(""), Vec::new());
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut words = line.split_whitespace().map(str::to_owned);
        match (words.next().as_deref(), line.split_once(' ').map(|(_, rest)| rest.trim())) {
            (Some("platform"), Some(rest)) => {
                wsl = rest.ends_with(" wsl");
                rest.trim_end_matches(" wsl").clone_into(&mut platform);
            }
            (Some("card"), Some(rest)) => gpu = rest.into(),
            (Some("driver"), _) => pythons = words.collect(),
            (Some(driver), _) => {
                let cells: Vec<String> = words.collect();
                if cells.len() != pythons.len() {
                    return Err(format!("{} cells for {} Pythons: {line}", cells.len(), pythons.len()));
                }
                let capability = gpu.rsplit(' ').next().unwrap_or_default();
                rows.push(Row {
                    name: format!("{file}/{capability}/{driver}"),
                    platform: platform.clone(),
                    wsl,
                    gpu: Arc::clone(&gpu),
                    driver: Some(driver.to_owned()).filter(|driver| driver != "none"),
                    cells: pythons.iter().cloned().zip(cells).collect(),
                });
            }
            (None, _) => {}
        }
    }
    Ok(rows)
}

/// The indexes as they are, and a client that has asked them already: no row changes either.
static INDEXES: LazyLock<(Replica, IndexClient)> = LazyLock::new(|| {
    let replica = Replica::start(World::real());
    let client = replica.client();
    (replica, client)
});

impl Row {
    /// Solves each cell and says which come to something else than expected.
    pub fn faults(&self) -> Vec<String> {
        let found = self.cells.iter().map(|(python, _)| self.solve(python));
        let cells = self.cells.iter().zip(found).filter(|((_, expected), found)| expected != found);
        cells.map(|((python, expected), found)| format!("Python {python}: expected {expected}, got {found}")).collect()
    }

    fn solve(&self, python: &str) -> String {
        let facts = Facts {
            platform: self.platform.clone(),
            wsl: self.wsl,
            driver: self.driver.clone(),
            gpus: vec![self.gpu.to_string()],
            python: match python.strip_suffix('t') {
                Some(plain) => format!("{plain}.0t"),
                None => format!("{python}.0"),
            },
            ..Facts::default()
        };
        let request = Request {
            requirements: vec!["torch".parse().unwrap()],
            constraints: Vec::new(),
            variant: VariantChoice::Auto,
            upgrade: false,
            pre_releases: false,
            files: FileRules::default(),
            indexes: indexes(&BTreeSet::new(), false, false),
        };
        match resolve(&facts.machine(), &request, Manifests::embedded(), &INDEXES.1, &[]) {
            Err(error) => error.code().trim_start_matches("resolve.").to_owned(),
            Ok(resolution) => match resolution.torch {
                Some(torch) if torch.version.local().is_empty() => format!("{}/{}", torch.version, torch.variant),
                Some(torch) => torch.version.to_string(),
                None => "no torch".to_owned(),
            },
        }
    }
}
