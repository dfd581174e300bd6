//! A Windows machine made of small DLLs, with a Python, a venv and a torch in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use torchfix::catalog::Manifests;
use torchfix::loader::windows::{DllFiles, FolderEntry, Setting, TorchBuild, predict};
use torchfix::loader::{Fix, Fixes, LoadReport, Problem, fixes};
use torchfix::pe::{PeFault, PeImage, PeMachine};

use crate::pe::Dll;

/// A venv in a folder with a space and with letters that are not ASCII.
pub const VENV: &str = "/Users/Jörg Müller/mein venv";
pub const SITE: &str = "/Users/Jörg Müller/mein venv/Lib/site-packages";
pub const LIB: &str = "/Users/Jörg Müller/mein venv/Lib/site-packages/torch/lib";
pub const PYTHON: &str = "/Python312";
pub const SYSTEM: &str = "/Windows/System32";

/// Both functions that a C runtime of any age has.
pub const MUTEX: [&str; 2] = ["_Mtx_lock", "_Mtx_init_in_situ"];

pub struct World {
    files: BTreeMap<String, (PathBuf, Vec<u8>)>,
    pub setting: Setting,
    pub torch: TorchBuild,
    /// What torch's RECORD names of its `lib` folder.
    recorded: BTreeSet<String>,
}

impl World {
    /// A machine with Python 3.12 and a current C runtime.
    pub fn new() -> Self {
        let mut world = Self {
            files: BTreeMap::new(),
            setting: Setting {
                machine: PeMachine::X86_64,
                program: format!("{PYTHON}/python.exe").into(),
                prefix: VENV.into(),
                base: PYTHON.into(),
                user: Some("/Users/Jörg Müller/AppData/Roaming/Python".into()),
                site_packages: vec![SITE.into()],
                system: SYSTEM.into(),
                windows: "/Windows".into(),
                programs: "/Program Files".into(),
                working_directory: "/work".into(),
                path: vec!["/Windows/System32".into(), "/Tools".into()],
                variables: BTreeMap::new(),
                added_folders: Vec::new(),
                preloads: Vec::new(),
                own: Vec::new(),
            },
            torch: TorchBuild {
                folder: format!("{SITE}/torch").into(),
                version: Some("2.9.1+cu128".parse().unwrap()),
                cuda: Some("12.8".to_owned()),
            },
            recorded: BTreeSet::new(),
        };
        let runtime = |exports: &[&str]| Dll::new().version([14, 44, 35211, 0]).exports(exports);
        world.put(PYTHON, "python.exe", Dll::new().imports("python312.dll", &["Py_Main"]));
        let python = Dll::new().imports("VCRUNTIME140.dll", &["memcpy"]).imports("KERNEL32.dll", &["Sleep"]);
        world.put(PYTHON, "python312.dll", python.exports(&["Py_Main", "PyObject_Call"]));
        world.put(PYTHON, "vcruntime140.dll", runtime(&["memcpy"]));
        world.put(PYTHON, "vcruntime140_1.dll", runtime(&["__CxxFrameHandler4"]));
        world.put(SYSTEM, "msvcp140.dll", runtime(&MUTEX));
        world
    }

    /// With the CPU build of a torch like 2.9.1.
    pub fn cpu() -> Self {
        let mut world = Self::new();
        world.torch.version = Some("2.9.1+cpu".parse().unwrap());
        world.torch.cuda = None;
        let new = || Dll::new().linker(14, 42).imports("VCRUNTIME140.dll", &["memcpy"]);
        let locks = || new().imports("MSVCP140.dll", &["_Mtx_lock"]);
        world.own("c10.dll", locks().imports("dbghelp.dll", &["SymInitialize"]).exports(&["c10_allocate", "#7"]));
        world.own("libiomp5md.dll", Dll::new().version([5, 0, 2025, 910]).exports(&["omp_get_num_threads"]));
        let cpu =
            locks().imports("libiomp5md.dll", &["omp_get_num_threads"]).imports("c10.dll", &["c10_allocate", "#7"]);
        let cpu = cpu.imports("api-ms-win-crt-runtime-l1-1-0.dll", &["_initterm"]);
        world.own("torch_cpu.dll", cpu.exports(&["at_empty"]));
        world.own("shm.dll", new().imports("torch_cpu.dll", &["at_empty"]).imports("c10.dll", &["c10_allocate"]));
        world.own("torch.dll", new());
        let python = new().imports("shm.dll", &[]).imports("python312.dll", &["PyObject_Call"]);
        world.own("torch_python.dll", python.imports("torch_cpu.dll", &["at_empty"]).exports(&["initModule"]));
        let extension = Dll::new().imports("torch_python.dll", &["initModule"]);
        world.put(&format!("{SITE}/torch"), "_C.cp312-win_amd64.pyd", extension);
        world
    }

    /// With a CUDA build, and NVIDIA's DLLs where `nvidia` says: in torch's `lib` folder or in wheels of their own.
    pub fn cuda(nvidia: Nvidia) -> Self {
        let mut world = Self::cpu();
        world.torch = Self::new().torch;
        let new = || Dll::new().linker(14, 42).imports("VCRUNTIME140.dll", &["memcpy"]);
        let c10 = new().imports("c10.dll", &["c10_allocate"]).imports("cudart64_12.dll", &["cudaMalloc"]);
        world.own("c10_cuda.dll", c10.exports(&["cuda_allocate"]));
        let nvrtc = new().imports("nvrtc64_120_0.dll", &["nvrtcCompile"]).delays("nvcuda.dll", &["cuInit"]);
        world.own("caffe2_nvrtc.dll", nvrtc);
        let cuda = new().imports("c10_cuda.dll", &["cuda_allocate"]).imports("cudart64_12.dll", &["cudaMalloc"]);
        let cuda = cuda.imports("cublas64_12.dll", &["cublasCreate"]).imports("cudnn64_9.dll", &["cudnnCreate"]);
        world.own("torch_cuda.dll", cuda.imports("torch_cpu.dll", &["at_empty"]));
        for (wheel, name, dll) in nvidia_dlls([9, 10, 2, 21], 12080) {
            match nvidia {
                Nvidia::InLib => world.own(name, dll),
                Nvidia::InWheels => world.put(&format!("{SITE}/nvidia/{wheel}/bin"), name, dll),
            }
        }
        world
    }

    /// A DLL in a folder.
    pub fn put(&mut self, folder: &str, name: &str, dll: Dll) {
        self.write(&Path::new(folder).join(name), dll.build());
    }

    /// A DLL that torch's wheel brought.
    pub fn own(&mut self, name: &str, dll: Dll) {
        self.recorded.insert(name.to_lowercase());
        self.put(LIB, name, dll);
    }

    pub fn write(&mut self, path: &Path, bytes: Vec<u8>) {
        self.files.insert(lower(path), (path.to_owned(), bytes));
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        self.files[&lower(Path::new(path))].1.clone()
    }

    pub fn remove(&mut self, path: &str) {
        self.files.remove(&lower(Path::new(path))).unwrap();
    }

    pub fn predict(&self) -> LoadReport {
        predict(Manifests::embedded().dlls(), &self.setting, &self.torch, self)
    }

    /// The error code and the DLL that torch's message names.
    pub fn predicted(&self) -> Option<(u32, String)> {
        let prediction = self.predict().prediction?;
        Some((prediction.error_code, prediction.named.file_name().unwrap().to_str().unwrap().to_owned()))
    }

    pub fn problems(&self) -> Vec<Problem> {
        self.predict().problems().cloned().collect()
    }

    pub fn fixes(&self) -> Fixes {
        fixes(&self.predict(), Manifests::embedded().dlls())
    }

    /// Makes the changes, and none of them leaves a problem. The names of what was changed.
    pub fn fixed(&mut self) -> Vec<String> {
        let Fixes { fixes, left } = self.fixes();
        assert!(left.is_empty() && !fixes.is_empty(), "{left:#?}");
        let mut changed = Vec::new();
        for fix in &fixes {
            assert!(fix.why().len() > 30, "{fix:?}");
            changed.push(self.apply(fix));
        }
        let report = self.predict();
        let problems: Vec<String> = report.problems().map(ToString::to_string).collect();
        assert!(problems.is_empty() && report.prediction.is_none(), "{problems:#?}");
        assert_eq!(self.fixes(), Fixes::default(), "nothing is left to do");
        changed
    }

    pub fn apply(&mut self, fix: &Fix) -> String {
        match fix {
            Fix::Aside { path, .. } => {
                assert!(path.starts_with(VENV));
                self.remove(path.to_str().unwrap());
                format!("-{}", path.file_name().unwrap().to_str().unwrap())
            }
            Fix::Complete { name, from, .. } => {
                assert!(from.starts_with(VENV));
                let bytes = self.bytes(from.to_str().unwrap());
                self.write(&Path::new(LIB).join(name), bytes);
                name.clone()
            }
            Fix::CRuntime { name, .. } => {
                let exports = ["memcpy", "_Mtx_lock", "_Mtx_init_in_situ", "_Thrd_start", "_vcomp_fork"];
                self.put(LIB, name, Dll::new().version([14, 51, 36247, 0]).exports(&exports));
                format!("runtime {name}")
            }
        }
    }
}

/// Where NVIDIA's DLLs lie.
#[derive(Clone, Copy)]
pub enum Nvidia {
    InLib,
    InWheels,
}

/// NVIDIA's DLLs, each with the folder of its wheel.
pub fn nvidia_dlls(cudnn: [u16; 4], cuda: u16) -> Vec<(&'static str, &'static str, Dll)> {
    let sub = || Dll::new().version(cudnn);
    vec![
        ("cuda_runtime", "cudart64_12.dll", Dll::new().version([6, 14, 11, cuda]).exports(&["cudaMalloc"])),
        (
            "cublas",
            "cublas64_12.dll",
            Dll::new().imports("cublasLt64_12.dll", &["cublasLt"]).exports(&["cublasCreate"]),
        ),
        ("cublas", "cublasLt64_12.dll", Dll::new().exports(&["cublasLt"])),
        ("cuda_nvrtc", "nvrtc64_120_0.dll", Dll::new().exports(&["nvrtcCompile"])),
        ("cuda_nvrtc", "nvrtc-builtins64_128.dll", Dll::new()),
        ("cudnn", "cudnn64_9.dll", sub().exports(&["cudnnCreate"])),
        ("cudnn", "cudnn_graph64_9.dll", Dll::new().exports(&["graph"])),
        ("cudnn", "cudnn_ops64_9.dll", sub().imports("cudnn_graph64_9.dll", &["graph"])),
        ("cudnn", "cudnn_cnn64_9.dll", sub().imports("cudnn_ops64_9.dll", &[])),
        ("cudnn", "cudnn_adv64_9.dll", sub()),
        ("cudnn", "cudnn_heuristic64_9.dll", Dll::new()),
        ("cudnn", "cudnn_engines_precompiled64_9.dll", sub()),
        ("cudnn", "cudnn_engines_runtime_compiled64_9.dll", sub()),
    ]
}

fn lower(path: &Path) -> String {
    path.to_str().unwrap().replace('\\', "/").to_lowercase()
}

impl DllFiles for World {
    fn image(&self, path: &Path) -> Option<Result<Rc<PeImage>, PeFault>> {
        let (_, bytes) = self.files.get(&lower(path))?;
        Some(PeImage::read(bytes.as_slice()).map(Rc::new))
    }

    fn spelled(&self, path: &Path) -> PathBuf {
        self.files.get(&lower(path)).map_or_else(|| path.to_owned(), |(path, _)| path.clone())
    }

    fn list(&self, folder: &Path) -> Option<Vec<FolderEntry>> {
        let folder = PathBuf::from(lower(folder));
        let mut entries = BTreeMap::new();
        for (known, (path, _)) in &self.files {
            let Ok(rest) = Path::new(known).strip_prefix(&folder) else { continue };
            let depth = rest.components().count();
            let name = path.ancestors().nth(depth - 1).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
            entries.insert(name, depth > 1);
        }
        let entries: Vec<FolderEntry> =
            entries.into_iter().map(|(name, is_folder)| FolderEntry { name, is_folder }).collect();
        (!entries.is_empty()).then_some(entries)
    }

    fn recorded(&self, _torch: &Path) -> Option<BTreeSet<String>> {
        Some(self.recorded.clone())
    }
}
