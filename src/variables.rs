//! Every environment variable torchfix reads, in one place.

/// The cache folder, beside `--cache-dir`.
pub const CACHE_DIR: &str = "TORCHFIX_CACHE_DIR";
/// The default index; wins over pip's and uv's variables.
pub const INDEX_URL: &str = "TORCHFIX_INDEX_URL";
/// Extra indexes, separated by white space.
pub const EXTRA_INDEX_URL: &str = "TORCHFIX_EXTRA_INDEX_URL";
/// Folders and pages of links, separated by white space.
pub const FIND_LINKS: &str = "TORCHFIX_FIND_LINKS";
/// A mirror of the PyTorch index.
pub const TORCH_INDEX: &str = "TORCHFIX_TORCH_INDEX";
/// The variant wanted, as `--variant` takes it.
pub const VARIANT: &str = "TORCHFIX_VARIANT";
/// The channel of the PyTorch index, as `--channel` takes it.
pub const CHANNEL: &str = "TORCHFIX_CHANNEL";
/// Files uploaded then or later do not exist, as `--exclude-newer` takes it; wins over uv's variable.
pub const EXCLUDE_NEWER: &str = "TORCHFIX_EXCLUDE_NEWER";
/// Manifests that replace the embedded ones.
pub const MANIFESTS: &str = "TORCHFIX_MANIFESTS";
/// Any value: no network is used.
pub const OFFLINE: &str = "TORCHFIX_OFFLINE";
/// Any value: no progress is drawn.
pub const NO_PROGRESS: &str = "TORCHFIX_NO_PROGRESS";
/// How files get from the cache into the environment.
pub const LINK_MODE: &str = "TORCHFIX_LINK_MODE";

/// pip's default index.
pub const PIP_INDEX_URL: &str = "PIP_INDEX_URL";
/// pip's extra indexes.
pub const PIP_EXTRA_INDEX_URL: &str = "PIP_EXTRA_INDEX_URL";
/// uv's default index.
pub const UV_DEFAULT_INDEX: &str = "UV_DEFAULT_INDEX";
/// uv's default index, by its older name.
pub const UV_INDEX_URL: &str = "UV_INDEX_URL";
/// uv's word for `--exclude-newer`.
pub const UV_EXCLUDE_NEWER: &str = "UV_EXCLUDE_NEWER";

/// The variables that say what is installed and where from: one that cannot be read must not be passed over.
pub const SETTINGS: [&str; 14] = [
    INDEX_URL,
    EXTRA_INDEX_URL,
    FIND_LINKS,
    TORCH_INDEX,
    VARIANT,
    CHANNEL,
    EXCLUDE_NEWER,
    MANIFESTS,
    LINK_MODE,
    PIP_INDEX_URL,
    PIP_EXTRA_INDEX_URL,
    UV_DEFAULT_INDEX,
    UV_INDEX_URL,
    UV_EXCLUDE_NEWER,
];

/// The active virtual environment.
pub const VIRTUAL_ENV: &str = "VIRTUAL_ENV";
/// The base directory of user caches on Linux.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The base directory of user caches on Windows.
pub const LOCALAPPDATA: &str = "LOCALAPPDATA";
/// Any value: no colour. <https://no-color.org>
pub const NO_COLOR: &str = "NO_COLOR";
/// Any value: the process runs in continuous integration, where bars only fill logs.
pub const CI: &str = "CI";
