//! NVML, NVIDIA's management library: the calls we make, and nothing of what they mean.
//!
//! <https://docs.nvidia.com/deploy/nvml-api/>

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::path::Path;

use libloading::Library;

use super::library::{function, open, text_of};

/// A return code other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NvmlCode(pub c_int);

impl NvmlCode {
    /// The kernel's part of the driver does not run.
    pub const DRIVER_NOT_LOADED: Self = Self(9);
    /// The library lacks the function.
    pub const FUNCTION_NOT_FOUND: Self = Self(13);
    /// The library and the kernel module are of different versions.
    pub const VERSION_MISMATCH: Self = Self(18);

    /// What it means, as `nvmlErrorString` has it.
    pub fn meaning(self) -> String {
        match self.0 {
            2 => "invalid argument".to_owned(),
            3 => "not supported".to_owned(),
            4 => "insufficient permissions".to_owned(),
            6 => "not found".to_owned(),
            9 => "driver not loaded".to_owned(),
            12 => "NVIDIA shared library not found".to_owned(),
            13 => "function not found".to_owned(),
            15 => "GPU is lost".to_owned(),
            16 => "GPU requires a reset".to_owned(),
            17 => "blocked by the operating system".to_owned(),
            18 => "driver and library version mismatch".to_owned(),
            code => format!("NVML error {code}"),
        }
    }
}

type Device = *mut c_void;
type Answer<T> = Result<T, NvmlCode>;

/// The buffers' sizes in the header are 80 to 96; a library of the future may have longer texts.
const TEXT: u16 = 256;

/// NVML, opened and initialised; shut down when dropped.
pub struct Nvml {
    library: Library,
}

/// A device, valid as long as its library.
#[derive(Clone, Copy)]
pub struct NvmlDevice<'a> {
    nvml: &'a Nvml,
    handle: Device,
}

/// `nvmlPciInfo_t`.
#[repr(C)]
struct PciInfo {
    bus_id_legacy: [c_char; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    pci_device_id: c_uint,
    pci_subsystem_id: c_uint,
    bus_id: [c_char; 32],
    // Room for a library that believes in a longer structure.
    _spare: [u64; 16],
}

/// `nvmlMemory_t`.
#[repr(C)]
struct Memory {
    total: u64,
    free: u64,
    used: u64,
    // Room for a library that believes in a longer structure.
    _spare: [u64; 8],
}

impl Nvml {
    /// Opens the first library that opens: `None` when there is none, an error when it does not initialise.
    pub fn open(candidates: &[impl AsRef<Path>]) -> Option<Answer<Self>> {
        let library = open(candidates)?;
        // SAFETY: `nvmlReturn_t nvmlInit_v2(void)`.
        let Some(init) = (unsafe { function::<unsafe extern "C" fn() -> c_int>(&library, "nvmlInit_v2") }) else {
            return Some(Err(NvmlCode::FUNCTION_NOT_FOUND));
        };
        // SAFETY: it takes nothing, and may be called at any time.
        Some(checked(unsafe { init() }).map(|()| Self { library }))
    }

    /// The driver's version.
    pub fn driver_version(&self) -> Answer<String> {
        self.system_text("nvmlSystemGetDriverVersion")
    }

    /// The newest CUDA the driver supports, as `12080`.
    pub fn cuda_driver_version(&self) -> Answer<c_int> {
        type F = unsafe extern "C" fn(*mut c_int) -> c_int;
        let mut version = 0;
        for name in ["nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"] {
            // SAFETY: both are `nvmlReturn_t (int *)`.
            let Some(call) = (unsafe { function::<F>(&self.library, name) }) else { continue };
            // SAFETY: the pointer is valid for the call, which writes one int.
            return checked(unsafe { call(&raw mut version) }).map(|()| version);
        }
        Err(NvmlCode::FUNCTION_NOT_FOUND)
    }

    /// How many devices there are.
    pub fn device_count(&self) -> Answer<c_uint> {
        // SAFETY: `nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *)`.
        let call: unsafe extern "C" fn(*mut c_uint) -> c_int = unsafe { self.function("nvmlDeviceGetCount_v2") }?;
        let mut count = 0;
        // SAFETY: the pointer is valid for the call, which writes one unsigned int.
        checked(unsafe { call(&raw mut count) }).map(|()| count)
    }

    /// The device at this place in the order of the bus.
    pub fn device(&self, index: c_uint) -> Answer<NvmlDevice<'_>> {
        type F = unsafe extern "C" fn(c_uint, *mut Device) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int, nvmlDevice_t *)`.
        let call: F = unsafe { self.function("nvmlDeviceGetHandleByIndex_v2") }?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the pointer is valid for the call, which writes one handle.
        checked(unsafe { call(index, &raw mut handle) }).map(|()| NvmlDevice { nvml: self, handle })
    }

    fn system_text(&self, name: &str) -> Answer<String> {
        type F = unsafe extern "C" fn(*mut c_char, c_uint) -> c_int;
        // SAFETY: the functions this is called for are `nvmlReturn_t (char *, unsigned int)`.
        let call: F = unsafe { self.function(name) }?;
        // SAFETY: the buffer is valid for the call and as long as is said.
        filled(|buffer, length| unsafe { call(buffer, length) })
    }

    /// # Safety
    /// `F` must be the function's type as `nvml.h` declares it, and must not outlive `self`.
    unsafe fn function<F: Copy>(&self, name: &str) -> Answer<F> {
        // SAFETY: the caller vouches for the type.
        unsafe { function(&self.library, name) }.ok_or(NvmlCode::FUNCTION_NOT_FOUND)
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        // SAFETY: `nvmlReturn_t nvmlShutdown(void)`.
        if let Some(shutdown) = unsafe { function::<unsafe extern "C" fn() -> c_int>(&self.library, "nvmlShutdown") } {
            // SAFETY: it was initialised, and no device outlives `self`.
            unsafe { shutdown() };
        }
    }
}

impl NvmlDevice<'_> {
    /// Its marketing name.
    pub fn name(&self) -> Answer<String> {
        self.text("nvmlDeviceGetName")
    }

    /// `GPU-…`, or of a MIG device `MIG-…`.
    pub fn uuid(&self) -> Answer<String> {
        self.text("nvmlDeviceGetUUID")
    }

    /// Its compute capability, major and minor, as the library gives them.
    pub fn compute_capability(&self) -> Answer<(c_int, c_int)> {
        type F = unsafe extern "C" fn(Device, *mut c_int, *mut c_int) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t, int *, int *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetCudaComputeCapability") }?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the handle is of this library, the pointers are valid for the call, which writes one int each.
        checked(unsafe { call(self.handle, &raw mut major, &raw mut minor) }).map(|()| (major, minor))
    }

    /// Its memory in bytes.
    pub fn memory(&self) -> Answer<u64> {
        type F = unsafe extern "C" fn(Device, *mut Memory) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t, nvmlMemory_t *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetMemoryInfo") }?;
        let mut memory = Memory { total: 0, free: 0, used: 0, _spare: [0; 8] };
        // SAFETY: the handle is of this library, the structure is that of the header and valid for the call.
        checked(unsafe { call(self.handle, &raw mut memory) }).map(|()| memory.total)
    }

    /// PCI device and vendor: `0x1b0610de`.
    pub fn pci_device_id(&self) -> Answer<c_uint> {
        type F = unsafe extern "C" fn(Device, *mut PciInfo) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t, nvmlPciInfo_t *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetPciInfo_v3") }?;
        let mut info = PciInfo {
            bus_id_legacy: [0; 16],
            domain: 0,
            bus: 0,
            device: 0,
            pci_device_id: 0,
            pci_subsystem_id: 0,
            bus_id: [0; 32],
            _spare: [0; 16],
        };
        // SAFETY: the handle is of this library, the structure is that of the header and valid for the call.
        checked(unsafe { call(self.handle, &raw mut info) }).map(|()| info.pci_device_id)
    }

    /// Whether it is split into MIG devices now.
    pub fn is_split(&self) -> Answer<bool> {
        type F = unsafe extern "C" fn(Device, *mut c_uint, *mut c_uint) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t, unsigned int *, unsigned int *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetMigMode") }?;
        let (mut current, mut pending) = (0, 0);
        // SAFETY: the handle is of this library, the pointers are valid for the call, which writes one int each.
        checked(unsafe { call(self.handle, &raw mut current, &raw mut pending) }).map(|()| current == 1)
    }

    /// The most MIG devices it can be split into.
    pub fn part_count(&self) -> Answer<c_uint> {
        type F = unsafe extern "C" fn(Device, *mut c_uint) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t, unsigned int *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetMaxMigDeviceCount") }?;
        let mut count = 0;
        // SAFETY: the handle is of this library, the pointer is valid for the call, which writes one unsigned int.
        checked(unsafe { call(self.handle, &raw mut count) }).map(|()| count)
    }

    /// One of its MIG devices.
    pub fn part(&self, index: c_uint) -> Answer<Self> {
        type F = unsafe extern "C" fn(Device, c_uint, *mut Device) -> c_int;
        // SAFETY: `nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t, unsigned int, nvmlDevice_t *)`.
        let call: F = unsafe { self.nvml.function("nvmlDeviceGetMigDeviceHandleByIndex") }?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the handle is of this library, the pointer is valid for the call, which writes one handle.
        checked(unsafe { call(self.handle, index, &raw mut handle) }).map(|()| Self { nvml: self.nvml, handle })
    }

    fn text(&self, name: &str) -> Answer<String> {
        type F = unsafe extern "C" fn(Device, *mut c_char, c_uint) -> c_int;
        // SAFETY: the functions this is called for are `nvmlReturn_t (nvmlDevice_t, char *, unsigned int)`.
        let call: F = unsafe { self.nvml.function(name) }?;
        // SAFETY: the handle is of this library, the buffer is valid for the call and as long as is said.
        filled(|buffer, length| unsafe { call(self.handle, buffer, length) })
    }
}

/// Lets a call fill a buffer; the library is told of half of it only.
fn filled(call: impl FnOnce(*mut c_char, c_uint) -> c_int) -> Answer<String> {
    let mut buffer = [0_u8; 2 * TEXT as usize];
    checked(call(buffer.as_mut_ptr().cast(), c_uint::from(TEXT)))?;
    text_of(&buffer[..usize::from(TEXT)]).ok_or(NvmlCode(6))
}

fn checked(code: c_int) -> Answer<()> {
    if code == 0 { Ok(()) } else { Err(NvmlCode(code)) }
}
