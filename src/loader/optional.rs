//! Libraries that may be absent without anything being broken.

/// Libraries that come with NVIDIA's driver, never with a wheel.
const OF_THE_DRIVER: &[&str] = &["libcuda.so", "libnvidia-ml.so", "nvcuda.dll", "nvml.dll"];

/// Libraries of cluster networks, which plug-ins of NVSHMEM, cuFile and NCCL need where such a network is.
const OF_CLUSTER_NETWORKS: &[&str] = &[
    "libibverbs.so",
    "libmlx5.so",
    "librdmacm.so",
    "libfabric.so",
    "libucp.so",
    "libucs.so",
    "libuct.so",
    "libucm.so",
    "libmpi.so",
    "libpmix.so",
    "liboshmem.so",
    "libshmem.so",
    "libgdrapi.so",
];

/// Why a library may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Optional {
    /// It comes with the driver, which this machine does not have.
    Driver,
    /// It serves a cluster network, which this machine does not have.
    ClusterNetwork,
}

impl Optional {
    /// Why the library `name` may be absent, if it may.
    pub(super) fn of(name: &str) -> Option<Self> {
        let is = |list: &[&str]| list.iter().any(|known| names_same_library(name, known));
        if is(OF_THE_DRIVER) {
            Some(Self::Driver)
        } else if is(OF_CLUSTER_NETWORKS) {
            Some(Self::ClusterNetwork)
        } else {
            None
        }
    }

    /// The reason as a clause.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Driver => "it comes with the NVIDIA driver, which is not on this machine",
            Self::ClusterNetwork => "it serves a cluster network, which is not on this machine",
        }
    }
}

/// The missing file that a message of the dynamic linker names:
/// `libcuda.so.1: cannot open shared object file: No such file or directory`.
pub(super) fn missing_library(message: &str) -> Option<&str> {
    let (name, _) = message.split_once(": cannot open shared object file: No such file or directory")?;
    Some(name.rsplit([' ', '\'', '"']).next().unwrap_or(name))
}

/// `libcuda.so.1` is `libcuda.so`; `libcudart.so.12` is not.
fn names_same_library(name: &str, known: &str) -> bool {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_wheel_brings_may_be_absent() {
        assert_eq!(Optional::of("libcuda.so.1"), Some(Optional::Driver));
        assert_eq!(Optional::of("libmlx5.so.1"), Some(Optional::ClusterNetwork));
        for needed in ["libcudart.so.12", "libcudnn.so.9", "libz.so.1", "libcuda.sox", ""] {
            assert_eq!(Optional::of(needed), None, "{needed}");
        }
    }

    #[test]
    fn the_linkers_message_names_the_missing_file() {
        let message = "libcuda.so.1: cannot open shared object file: No such file or directory";
        assert_eq!(missing_library(message), Some("libcuda.so.1"));
        assert_eq!(missing_library("/x/liba.so: file too short"), None);
    }
}
