//! The CUDA driver library: the calls we make, and nothing of what they mean.
//!
//! <https://docs.nvidia.com/cuda/cuda-driver-api/>

use std::ffi::{c_char, c_int};
use std::mem::ManuallyDrop;
use std::path::Path;

use libloading::Library;

use super::library::{function, open, text_of};

/// A return code other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CudaCode(pub c_int);

impl CudaCode {
    /// No device, or none visible.
    pub const NO_DEVICE: Self = Self(100);
    /// The library lacks the function.
    pub const NOT_FOUND: Self = Self(500);

    /// What it means, after `cuda.h`.
    pub fn meaning(self) -> String {
        match self.0 {
            3 => "not initialised".to_owned(),
            34 => "a stub of the library, not the driver's".to_owned(),
            100 => "no device".to_owned(),
            101 => "invalid device, as CUDA_VISIBLE_DEVICES names it".to_owned(),
            304 => "an operating system call failed".to_owned(),
            500 => "function not found".to_owned(),
            802 => "the system is not ready; NVSwitch machines need nvidia-fabricmanager running".to_owned(),
            803 => "the library and the kernel module are of different versions".to_owned(),
            804 => "forward compatibility was tried on a card that has none".to_owned(),
            999 => "unknown error".to_owned(),
            code => format!("CUDA error {code}"),
        }
    }
}

type Answer<T> = Result<T, CudaCode>;
type Device = c_int;

/// More than any name has.
const TEXT: u16 = 256;
const ATTRIBUTE_PCI_DOMAIN: c_int = 50;
const ATTRIBUTE_PCI_BUS: c_int = 33;
const ATTRIBUTE_PCI_DEVICE: c_int = 34;
const ATTRIBUTE_MAJOR: c_int = 75;
const ATTRIBUTE_MINOR: c_int = 76;

/// The driver library, opened.
///
/// It is never closed: once initialised it has threads and exit handlers of its own.
pub struct Cuda {
    library: ManuallyDrop<Library>,
}

/// A device that CUDA sees.
#[derive(Clone, Copy)]
pub struct CudaDevice<'a> {
    cuda: &'a Cuda,
    handle: Device,
}

impl Cuda {
    /// Opens the first library that opens.
    pub fn open(candidates: &[impl AsRef<Path>]) -> Option<Self> {
        open(candidates).map(|library| Self { library: ManuallyDrop::new(library) })
    }

    /// The newest CUDA the driver supports, as `12080`; needs no initialisation.
    pub fn driver_version(&self) -> Answer<c_int> {
        // SAFETY: `CUresult cuDriverGetVersion(int *)`.
        unsafe { self.integer("cuDriverGetVersion") }
    }

    /// Initialises the library, which reads `CUDA_VISIBLE_DEVICES` of the process itself.
    pub fn initialise(&self) -> Answer<()> {
        // SAFETY: `CUresult cuInit(unsigned int)`.
        let call: unsafe extern "system" fn(std::ffi::c_uint) -> c_int = unsafe { self.function("cuInit") }?;
        // SAFETY: 0 is the one value the flags may have.
        checked(unsafe { call(0) })
    }

    /// How many devices are visible.
    pub fn device_count(&self) -> Answer<c_int> {
        // SAFETY: `CUresult cuDeviceGetCount(int *)`.
        unsafe { self.integer("cuDeviceGetCount") }
    }

    /// The device with this ordinal.
    pub fn device(&self, ordinal: c_int) -> Answer<CudaDevice<'_>> {
        type F = unsafe extern "system" fn(*mut Device, c_int) -> c_int;
        // SAFETY: `CUresult cuDeviceGet(CUdevice *, int)`.
        let call: F = unsafe { self.function("cuDeviceGet") }?;
        let mut handle = 0;
        // SAFETY: the pointer is valid for the call, which writes one int.
        checked(unsafe { call(&raw mut handle, ordinal) }).map(|()| CudaDevice { cuda: self, handle })
    }

    /// # Safety
    /// The function must be `CUresult (int *)`.
    unsafe fn integer(&self, name: &str) -> Answer<c_int> {
        // SAFETY: the caller vouches for the type.
        let call: unsafe extern "system" fn(*mut c_int) -> c_int = unsafe { self.function(name) }?;
        let mut number = 0;
        // SAFETY: the pointer is valid for the call, which writes one int.
        checked(unsafe { call(&raw mut number) }).map(|()| number)
    }

    /// # Safety
    /// `F` must be the function's type as `cuda.h` declares it.
    unsafe fn function<F: Copy>(&self, name: &str) -> Answer<F> {
        // SAFETY: the caller vouches for the type, and the library is never closed.
        unsafe { function(&self.library, name) }.ok_or(CudaCode::NOT_FOUND)
    }
}

impl CudaDevice<'_> {
    /// Its marketing name.
    pub fn name(&self) -> Answer<String> {
        type F = unsafe extern "system" fn(*mut c_char, c_int, Device) -> c_int;
        // SAFETY: `CUresult cuDeviceGetName(char *, int, CUdevice)`.
        let call: F = unsafe { self.cuda.function("cuDeviceGetName") }?;
        let mut buffer = [0_u8; 2 * TEXT as usize];
        // SAFETY: the buffer is valid for the call and longer than is said.
        checked(unsafe { call(buffer.as_mut_ptr().cast(), c_int::from(TEXT), self.handle) })?;
        text_of(&buffer[..usize::from(TEXT)]).ok_or(CudaCode::NOT_FOUND)
    }

    /// Its compute capability, major and minor, as the library gives them.
    pub fn compute_capability(&self) -> Answer<(c_int, c_int)> {
        Ok((self.attribute(ATTRIBUTE_MAJOR)?, self.attribute(ATTRIBUTE_MINOR)?))
    }

    /// Its memory in bytes.
    pub fn memory(&self) -> Answer<u64> {
        type F = unsafe extern "system" fn(*mut usize, Device) -> c_int;
        // SAFETY: `CUresult cuDeviceTotalMem_v2(size_t *, CUdevice)`.
        let call: F = unsafe { self.cuda.function("cuDeviceTotalMem_v2") }?;
        let mut bytes = 0;
        // SAFETY: the pointer is valid for the call, which writes one size.
        checked(unsafe { call(&raw mut bytes, self.handle) }).map(|()| bytes as u64)
    }

    /// Its place on the PCI bus: domain, bus, device.
    pub fn pci_address(&self) -> Answer<(c_int, c_int, c_int)> {
        Ok((
            self.attribute(ATTRIBUTE_PCI_DOMAIN)?,
            self.attribute(ATTRIBUTE_PCI_BUS)?,
            self.attribute(ATTRIBUTE_PCI_DEVICE)?,
        ))
    }

    fn attribute(&self, attribute: c_int) -> Answer<c_int> {
        type F = unsafe extern "system" fn(*mut c_int, c_int, Device) -> c_int;
        // SAFETY: `CUresult cuDeviceGetAttribute(int *, CUdevice_attribute, CUdevice)`, an enum being an int.
        let call: F = unsafe { self.cuda.function("cuDeviceGetAttribute") }?;
        let mut value = 0;
        // SAFETY: the pointer is valid for the call, which writes one int.
        checked(unsafe { call(&raw mut value, attribute, self.handle) }).map(|()| value)
    }
}

fn checked(code: c_int) -> Answer<()> {
    if code == 0 { Ok(()) } else { Err(CudaCode(code)) }
}
