//! What a new virtual environment consists of, as `python -m venv --without-pip` makes it.

use std::io;
use std::path::{Path, PathBuf};

use super::activate::activation_scripts;
use super::{BasePython, CreateOptions, Flavour, VenvError};
use crate::host::resolve_links;

/// One thing in a new environment, its path relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A folder.
    Folder(String),
    /// A symbolic link.
    Link {
        /// Its path.
        path: String,
        /// Where it leads.
        target: PathBuf,
    },
    /// A copy of a file of the base.
    Copy {
        /// Its path.
        path: String,
        /// The file.
        from: PathBuf,
    },
    /// A file with this text.
    Text {
        /// Its path.
        path: String,
        /// The text.
        text: String,
    },
}

impl Item {
    /// Its path, relative to the environment.
    pub fn path(&self) -> &str {
        match self {
            Self::Folder(path) | Self::Link { path, .. } | Self::Copy { path, .. } | Self::Text { path, .. } => path,
        }
    }

    /// Whether this, and not something else, lies at `path`, where something does that is no folder.
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        let metadata = fs_err::symlink_metadata(path)?;
        match self {
            Self::Folder(_) => Ok(false),
            Self::Link { target, .. } if metadata.is_symlink() => Ok(fs_err::read_link(path)? == *target),
            Self::Link { .. } => Ok(cfg!(not(unix)) && metadata.is_file()),
            Self::Copy { .. } => Ok(metadata.is_file()),
            Self::Text { text, .. } => {
                let may_be = metadata.is_file() && metadata.len() == text.len() as u64;
                Ok(may_be && fs_err::read(path)? == text.as_bytes())
            }
        }
    }

    /// Makes it below `tree`.
    pub fn write(&self, tree: &Path) -> Result<(), VenvError> {
        match self {
            Self::Folder(path) => fs_err::create_dir_all(tree.join(path))?,
            #[cfg(unix)]
            Self::Link { path, target } => fs_err::os::unix::fs::symlink(target, tree.join(path))?,
            // Only POSIX layouts have links; they are copies where there are none.
            #[cfg(not(unix))]
            Self::Link { path, target } => drop(fs_err::copy(target, tree.join(path))?),
            Self::Copy { path, from } => drop(fs_err::copy(from, tree.join(path))?),
            Self::Text { path, text } => fs_err::write(tree.join(path), text)?,
        }
        Ok(())
    }
}

/// What a new environment at `root` consists of, folders before what is in them.
pub fn contents(
    root: &Path,
    base: &BasePython,
    options: &CreateOptions,
    flavour: Flavour,
) -> Result<Vec<Item>, VenvError> {
    let mut items = match flavour {
        Flavour::Posix => posix_contents(base),
        Flavour::Windows => windows_contents(base)?,
    };
    let prompt = options.prompt.clone().or_else(|| Some(root.file_name()?.to_string_lossy().into_owned()));
    let scripts = flavour.scripts();
    for (name, text) in activation_scripts(root, &prompt.unwrap_or_default(), flavour) {
        items.push(Item::Text { path: format!("{scripts}/{name}"), text });
    }
    items.push(Item::Text { path: ".gitignore".to_owned(), text: "*\n".to_owned() });
    items.push(Item::Text { path: "pyvenv.cfg".to_owned(), text: configuration(root, base, options) });
    Ok(items)
}

fn configuration(root: &Path, base: &BasePython, options: &CreateOptions) -> String {
    let home = base.executable.parent().unwrap_or(Path::new("")).display();
    let resolved = resolve_links(&base.executable).unwrap_or_else(|_| base.executable.clone());
    let prompt = options.prompt.as_ref().map(|prompt| format!("prompt = '{prompt}'\n")).unwrap_or_default();
    format!(
        "home = {home}\ninclude-system-site-packages = {}\nversion = {}\n{prompt}executable = {}\ncommand = {} -m venv --without-pip {}\n",
        options.system_site_packages,
        base.version,
        resolved.display(),
        base.executable.display(),
        root.display(),
    )
}

fn posix_contents(base: &BasePython) -> Vec<Item> {
    let minor = minor_version(&base.version);
    let folder = format!("python{minor}{}", if base.free_threaded { "t" } else { "" });
    let mut items = vec![
        Item::Folder("bin".to_owned()),
        Item::Folder(format!("include/{folder}")),
        Item::Folder(format!("lib/{folder}/site-packages")),
    ];
    if base.has_lib64 {
        items.push(Item::Link { path: "lib64".to_owned(), target: PathBuf::from("lib") });
    }
    // One name links to the base, the others to that name.
    let mut names = vec!["python".to_owned(), "python3".to_owned(), format!("python{minor}")];
    if base.free_threaded {
        names.push(format!("python{minor}t"));
    }
    let own = base.executable.file_name().and_then(|name| name.to_str()).filter(|name| names.iter().any(|n| n == name));
    let first = own.unwrap_or("python").to_owned();
    items.push(Item::Link { path: format!("bin/{first}"), target: base.executable.clone() });
    for name in names.iter().filter(|name| **name != first) {
        items.push(Item::Link { path: format!("bin/{name}"), target: PathBuf::from(&first) });
    }
    items
}

/// Windows has no links that everyone may make: small programs that come with Python stand for it, and find it by the
/// `pyvenv.cfg` beside their folder.
///
/// They are called `python.exe` up to 3.12 and `venvlauncher.exe` since, in `Lib\venv\scripts\nt`; a Python that was
/// not installed but built has them beside itself. Python's own `venv` looks for them there too.
fn windows_contents(base: &BasePython) -> Result<Vec<Item>, VenvError> {
    let installed = base.prefix.join("Lib").join("venv").join("scripts").join("nt");
    let beside = base.executable.parent().unwrap_or(&base.prefix);
    let kind = if base.free_threaded { "t" } else { "" };
    let mut items: Vec<_> =
        ["Scripts", "Include", "Lib/site-packages"].map(|path| Item::Folder(path.to_owned())).into();
    for (name, renamed) in [("python", "venvlauncher"), ("pythonw", "venvwlauncher")] {
        let renamed = format!("{renamed}{kind}.exe");
        let places = [installed.join(&renamed), installed.join(format!("{name}.exe")), beside.join(&renamed)];
        let Some(from) = places.iter().find(|place| place.is_file()) else {
            // Without the one that opens no console an environment is of use; Python's own `venv` makes it then too.
            if name == "python" {
                return Err(VenvError::NoRedirector { prefix: base.prefix.clone(), folder: installed });
            }
            continue;
        };
        let mut names = vec![format!("{name}.exe")];
        if base.free_threaded {
            names.push(format!("{name}{}t.exe", minor_version(&base.version)));
        }
        items.extend(names.iter().map(|name| Item::Copy { path: format!("Scripts/{name}"), from: from.clone() }));
    }
    Ok(items)
}

/// `3.12` of `3.12.9`.
fn minor_version(version: &str) -> &str {
    version.match_indices('.').nth(1).map_or(version, |(end, _)| &version[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(executable: &str) -> BasePython {
        BasePython {
            executable: PathBuf::from(executable),
            version: "3.13.1".to_owned(),
            prefix: PathBuf::from(r"C:\Python313"),
            free_threaded: false,
            has_lib64: true,
        }
    }

    #[test]
    fn every_name_of_python_leads_to_the_base() {
        let items = posix_contents(&base("/usr/bin/python3"));
        let link = |path: &str, target: &str| Item::Link { path: path.to_owned(), target: PathBuf::from(target) };
        assert!(items.contains(&link("bin/python3", "/usr/bin/python3")));
        assert!(items.contains(&link("bin/python", "python3")) && items.contains(&link("bin/python3.13", "python3")));
        assert!(posix_contents(&base("/opt/my-python")).contains(&link("bin/python", "/opt/my-python")));
        let free = BasePython { free_threaded: true, ..base("/usr/bin/python3.13t") };
        assert!(posix_contents(&free).contains(&Item::Folder("lib/python3.13t/site-packages".to_owned())));
    }

    /// A Python of Windows as far as making environments takes it: these files below its prefix.
    fn windows_base(version: &str, free_threaded: bool, files: &[&str]) -> (tempfile::TempDir, BasePython) {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("Python é");
        for file in files {
            let path = prefix.join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        let executable = prefix.join("python.exe");
        let version = version.to_owned();
        (folder, BasePython { executable, version, prefix, free_threaded, has_lib64: false })
    }

    /// Which program becomes which, the paths of the first below the base's prefix.
    fn copies(base: &BasePython) -> Vec<(String, String)> {
        let below = |path: &Path| path.strip_prefix(&base.prefix).unwrap().to_str().unwrap().replace('\\', "/");
        windows_contents(base)
            .unwrap()
            .iter()
            .filter_map(|item| match item {
                Item::Copy { path, from } => Some((path.clone(), below(from))),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn every_python_of_windows_gets_what_its_own_venv_gives_it() {
        let pair = |path: &str, from: &str| (format!("Scripts/{path}"), from.to_owned());
        let up_to_3_12 = ["Lib/venv/scripts/nt/python.exe", "Lib/venv/scripts/nt/pythonw.exe"];
        let (_folder, base) = windows_base("3.8.10", false, &up_to_3_12);
        assert_eq!(copies(&base), [pair("python.exe", up_to_3_12[0]), pair("pythonw.exe", up_to_3_12[1])]);
        let since = ["Lib/venv/scripts/nt/venvlauncher.exe", "Lib/venv/scripts/nt/venvwlauncher.exe"];
        let (_folder, base) = windows_base("3.13.1", false, &since);
        assert_eq!(copies(&base), [pair("python.exe", since[0]), pair("pythonw.exe", since[1])]);
        assert!(windows_contents(&base).unwrap().contains(&Item::Folder("Lib/site-packages".to_owned())));
        let free = ["Lib/venv/scripts/nt/venvlaunchert.exe", "Lib/venv/scripts/nt/venvwlaunchert.exe"];
        let (_folder, base) = windows_base("3.14.0", true, &[&since[..], &free].concat());
        assert_eq!(
            copies(&base),
            [
                pair("python.exe", free[0]),
                pair("python3.14t.exe", free[0]),
                pair("pythonw.exe", free[1]),
                pair("pythonw3.14t.exe", free[1]),
            ]
        );
        let (_folder, base) = windows_base("3.12.9", false, &["venvlauncher.exe"]);
        assert_eq!(copies(&base), [pair("python.exe", "venvlauncher.exe")]);
    }

    #[test]
    fn a_python_that_cannot_make_environments_is_told() {
        let (_folder, base) = windows_base("3.12.9", false, &["python.exe", "python312.zip"]);
        let refused = windows_contents(&base).unwrap_err();
        assert!(matches!(refused, VenvError::NoRedirector { .. }), "{refused}");
    }

    #[test]
    fn a_configuration_for_windows_is_in_its_own_words() {
        let options = CreateOptions { prompt: Some("my é venv".to_owned()), ..CreateOptions::default() };
        let base = BasePython { executable: PathBuf::from(r"C:\Python é\python.exe"), ..base("") };
        let text = configuration(Path::new(r"D:\my é venv"), &base, &options);
        assert!(
            text.contains("include-system-site-packages = false\nversion = 3.13.1\nprompt = 'my é venv'\n"),
            "{text}"
        );
        let command = r"command = C:\Python é\python.exe -m venv --without-pip D:\my é venv";
        assert!(text.contains(command) && !text.contains(r"\\?\"), "{text}");
    }
}
