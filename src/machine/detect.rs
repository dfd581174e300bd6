//! Detection, from system to GPUs.

use super::nvidia::{self, VisibleDevices};
use super::windows::registry;
use super::{HardwareTable, Machine, platform};
use crate::host::Host;

/// What detection is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectOptions {
    /// `--visible`: which cards count, in place of `CUDA_VISIBLE_DEVICES`.
    pub visible: Option<VisibleDevices>,
}

/// Detects everything but Python, which [`Machine::with_interpreter`] adds.
///
/// Driver and GPUs, each from the first of these that knows: NVML, the CUDA driver library, `/proc/driver/nvidia`,
/// `/sys/module/nvidia`, the PCI bus with the manifests' ids, `nvidia-smi`; on Windows the registry stands in the place
/// of the kernel's files and of the bus. A machine without a GPU is no error.
pub fn detect(host: &Host, table: &dyn HardwareTable, options: &DetectOptions) -> Machine {
    let registry = registry::of(host);
    let mut machine = platform::detect(host, registry.as_ref(), table);
    nvidia::detect(host, registry.as_ref(), table, options.visible.as_ref(), &mut machine);
    machine.derived(table)
}
