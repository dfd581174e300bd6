//! What detection looks up: cards by PCI id and by name, the CUDA of a driver, libraries that a Windows may lack.

use super::{GpuRow, Manifests};
use crate::machine::{GpuModel, HardwareTable};
use crate::vocab::{CudaVersion, DriverVersion, Os};

impl HardwareTable for Manifests {
    fn gpu_by_pci_id(&self, pci_id: &str) -> Option<GpuModel> {
        let device = pci_id.to_ascii_lowercase();
        let device = device.strip_prefix("10de:")?;
        self.gpus().iter().find(|row| row.pci.iter().any(|id| id == device)).map(model)
    }

    /// One name may stand for several chips: the one NVIDIA's page lists wins, and a name whose cards differ is not known.
    fn gpu_by_name(&self, name: &str) -> Option<GpuModel> {
        let wanted = plain(name);
        if wanted.is_empty() {
            return None;
        }
        let rows: Vec<&GpuRow> = self.gpus().iter().filter(|row| plain(&row.name) == wanted).collect();
        let listed: Vec<&GpuRow> = rows.iter().copied().filter(|row| row.listed).collect();
        let candidates = if listed.is_empty() { rows } else { listed };
        let first = candidates.first()?;
        candidates.iter().all(|row| row.capability == first.capability).then(|| model(first))
    }

    fn cuda_of_driver(&self, driver: &DriverVersion, os: Os) -> Option<CudaVersion> {
        Manifests::cuda_of_driver(self, driver, os)
    }

    fn system_libraries(&self) -> Vec<String> {
        self.dlls().of_some_systems()
    }
}

fn model(row: &GpuRow) -> GpuModel {
    GpuModel { name: row.name.clone(), compute_capability: row.capability }
}

/// Whether two names are of one model, however tools decorate them.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// A name without what tools decorate it with: the maker, memory sizes, `Laptop GPU` where pci.ids says `Mobile`.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace("max-q", "mobile").replace("laptop gpu", "mobile");
    let words = name.split(|c: char| c.is_whitespace() || matches!(c, '/' | '(' | ')' | '-'));
    let mut kept: Vec<&str> = Vec::new();
    for word in words {
        let memory = word.strip_suffix("gb").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let noise = memory
            || matches!(
                word,
                "" | "nvidia" | "geforce" | "gpu" | "graphics" | "pcie" | "sxm2" | "sxm4" | "sxm5" | "hbm3"
            );
        if !noise && kept.last() != Some(&word) {
            kept.push(word);
        }
    }
    // `1080 Ti` and `1080Ti` are one name.
    kept.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name(name: &str) -> Option<String> {
        Manifests::embedded().gpu_by_name(name).map(|gpu| gpu.compute_capability.to_string())
    }

    #[test]
    fn every_library_that_a_windows_may_lack_is_looked_for() {
        let manifests = Manifests::embedded();
        let looked_for = manifests.system_libraries();
        let unobtainable = manifests.dlls().absent.iter().filter(|row| row.unobtainable).map(|row| &row.name);
        let opened = manifests.dlls().probe.iter().map(|row| &row.name);
        for name in unobtainable.chain(opened) {
            assert!(looked_for.contains(name), "{name}");
        }
        assert!(looked_for.iter().any(|name| name == "vcruntime140_threads.dll"));
        assert!(!looked_for.iter().any(|name| name.contains('*')), "{looked_for:?}");
    }

    #[test]
    fn pci_ids_name_the_card() {
        let gpu = Manifests::embedded().gpu_by_pci_id("10DE:1B06").unwrap();
        assert_eq!((gpu.name.as_str(), gpu.compute_capability.to_string().as_str()), ("GeForce GTX 1080 Ti", "6.1"));
        assert_eq!(Manifests::embedded().gpu_by_pci_id("1002:1b06"), None);
        assert_eq!(Manifests::embedded().gpu_by_pci_id("10de:"), None);
    }

    #[test]
    fn names_are_known_however_they_are_decorated() {
        assert_eq!(by_name("NVIDIA GeForce RTX 5090").as_deref(), Some("12.0"));
        assert_eq!(by_name("GeForce GTX 1080 Ti").as_deref(), Some("6.1"));
        assert_eq!(by_name("RTX 5090").as_deref(), Some("12.0"));
        assert_eq!(by_name("gtx1080ti").as_deref(), Some("6.1"));
        assert_eq!(by_name("NVIDIA GeForce RTX 5090 Laptop GPU").as_deref(), Some("12.0"));
        assert_eq!(by_name("Radeon"), None);
        assert_eq!(by_name("NVIDIA"), None);
    }
}
