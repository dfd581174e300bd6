//! Everything that can be wrong in manifests whose form is right, each fault with its line.

mod cuda;
mod dlls;
mod hardware;
mod indexes;
mod lists;
mod sources;
#[cfg(test)]
mod tests;
mod torch;

pub use sources::unknown as unknown_sources;

use super::document::Document;
use super::fault::Fault;
use super::rows::{CubinFile, CudaFile, CudnnFile, DllFacts, GpuFile, IndexFile, TorchFile};
use super::texts::{Subject, Texts};

/// Steps from the root of a file to a value: `at!["release", 3, "builds"]`.
macro_rules! at {
    ($($step:expr),+ $(,)?) => { &[$($crate::catalog::manifest::fault::Step::from($step)),+] };
}
use at;

/// Everything that is wrong, file by file in the order of the lines.
pub fn faults(texts: &Texts) -> Vec<Fault> {
    let mut torch = Document::of(texts.text(Subject::Torch));
    let mut cuda = Document::of(texts.text(Subject::Cuda));
    let mut cubin = Document::of(texts.text(Subject::Cubin));
    let mut cudnn = Document::of(texts.text(Subject::Cudnn));
    let mut dlls = Document::of(texts.text(Subject::Dlls));
    let mut gpus = Document::of(texts.text(Subject::Gpus));
    let mut indexes = Document::of(texts.text(Subject::Indexes));

    let torch_rows: Option<TorchFile> = torch.rows();
    let cuda_rows: Option<CudaFile> = cuda.rows();
    let index_rows: Option<IndexFile> = indexes.rows();
    if let Some(rows) = &torch_rows {
        torch::check(&mut torch, rows, cuda_rows.as_ref(), index_rows.as_ref());
    }
    if let Some(rows) = &cuda_rows {
        cuda::check(&mut cuda, rows);
    }
    if let Some(rows) = cubin.rows::<CubinFile>() {
        hardware::cubin(&mut cubin, &rows);
        hardware::joined(&mut cubin, &rows);
    }
    if let Some(rows) = cudnn.rows::<CudnnFile>() {
        hardware::cudnn(&mut cudnn, &rows);
    }
    if let Some(rows) = dlls.rows::<DllFacts>() {
        dlls::check(&mut dlls, &rows);
    }
    if let Some(rows) = gpus.rows::<GpuFile>() {
        hardware::gpus(&mut gpus, &rows);
        if let Some(cuda_rows) = &cuda_rows {
            hardware::faults(&mut cuda, cuda_rows, &rows);
        }
    }
    if let Some(rows) = &index_rows {
        indexes::check(&mut indexes, rows);
    }

    let mut faults = texts.strangers.clone();
    for mut document in [torch, cuda, cubin, cudnn, dlls, gpus, indexes] {
        sources::unknown(&mut document);
        sources::unused(&mut document);
        lists::check(&mut document);
        faults.append(&mut document.into_faults());
    }
    faults
}

/// Tells of every row that repeats the key of an earlier one.
fn twice<'r, R, K: Ord>(
    document: &mut Document,
    list: &'static str,
    rows: impl IntoIterator<Item = &'r R>,
    key: impl Fn(&R) -> K,
    title: impl Fn(&R) -> String,
) where
    R: 'r,
{
    let mut seen = std::collections::BTreeMap::new();
    for (index, row) in rows.into_iter().enumerate() {
        if let Some(first) = seen.get(&key(row)) {
            let line = document.line_of(at![list, *first]);
            document.at(at![list, index], format!("{} stands twice; the first is in line {line}", title(row)));
        } else {
            seen.insert(key(row), index);
        }
    }
}
