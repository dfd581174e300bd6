use super::*;
use crate::wheel::UnpackedFile;

#[test]
fn record_paths_start_from_site_packages() {
    let site = "lib/python3.12/site-packages";
    assert_eq!(record_path("lib/python3.12/site-packages/a/b.py", site), "a/b.py");
    assert_eq!(record_path("bin/tool", site), "../../../bin/tool");
    assert_eq!(record_path("lib/libx.so", site), "../../libx.so");
    assert_eq!(record_path("lib/python3.12/site-packages-other/a", site), "../site-packages-other/a");
    assert_eq!(record_path("Scripts/tool.exe", "Lib/site-packages"), "../../Scripts/tool.exe");
}

#[test]
fn the_interpreter_is_not_replaced_and_names_like_it_are_free() {
    for reserved in [
        "bin/python",
        "bin/python3",
        "bin/PYTHON3.12",
        "bin/python3.13t",
        "bin/pythonw.exe",
        "bin/python.bat",
        "bin/Python3.com",
        "PyVenv.cfg",
        ".torchfix/lock",
    ] {
        assert!(is_reserved(reserved, "bin"), "{reserved}");
    }
    for free in ["bin/python-argcomplete", "bin/pythonista", "lib/python", "bin/torchrun", "bin/pyvenv.cfg"] {
        assert!(!is_reserved(free, "bin"), "{free}");
    }
}

#[test]
fn a_direct_url_keeps_no_secret() {
    let url = "https://user:secret@host.test/a.whl#sha256=00".parse().unwrap();
    let text = String::from_utf8(direct_url(&url, Sha256::of(b""))).unwrap();
    assert!(!text.contains("secret") && !text.contains("user"), "{text}");
    assert!(text.ends_with(r#""url":"https://host.test/a.whl"}"#), "{text}");
}

/// What a wheel with these files becomes in an environment laid out as on Windows, in a folder with spaces.
fn on_windows(files: &[(&str, &str)]) -> (Result<WheelLayout, Refusal>, Scheme) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("my é venv");
    let scripts = root.join("Scripts");
    fs_err::create_dir_all(&scripts).unwrap();
    for name in ["python.exe", "pythonw.exe"] {
        fs_err::write(scripts.join(name), "").unwrap();
    }
    let scheme = Scheme::on_windows(&root, "3.12");
    let unpacked = folder.path().join("unpacked");
    let wheel_file = ("tool-1.dist-info/WHEEL", "Wheel-Version: 1.0\n");
    let mut wheel = UnpackedWheel {
        file_name: "tool-1-py3-none-any.whl".parse().unwrap(),
        sha256: Sha256::of(b""),
        root: unpacked.clone(),
        dist_info: "tool-1.dist-info".to_owned(),
        files: Vec::new(),
        bytes_fetched: 0,
    };
    for (path, text) in files.iter().chain([&wheel_file]) {
        fs_err::create_dir_all(unpacked.join(path).parent().unwrap()).unwrap();
        fs_err::write(unpacked.join(path), text).unwrap();
        let record_hash = format!("sha256={}", Sha256::of(text.as_bytes()).to_record());
        wheel.files.push(UnpackedFile {
            path: (*path).to_owned(),
            size: text.len() as u64,
            executable: false,
            record_hash,
        });
    }
    let locked = LockedWheel {
        name: wheel.file_name.name.clone(),
        version: wheel.file_name.version.clone(),
        url: "https://index.test/tool-1-py3-none-any.whl".parse().unwrap(),
        file_name: wheel.file_name.clone(),
        sha256: None,
        size: None,
        requested: false,
        direct: false,
        why: String::new(),
    };
    (lay_out(&wheel, &locked, &scheme), scheme)
}

fn generated<'a>(layout: &'a WheelLayout, path: &str) -> &'a [u8] {
    match &layout.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path}")).content {
        Content::Generated(bytes) => bytes,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn programs_get_launchers_on_windows() {
    let programs =
        "[console_scripts]\ntorchrun = torch.run:main\nplain.exe = t:m\n[gui_scripts]\nview = torch.view:Main.show\n";
    let (layout, scheme) = on_windows(&[
        ("tool.py", ""),
        ("tool-1.dist-info/entry_points.txt", programs),
        ("tool-1.data/scripts/old-tool", "#!python -u\r\nimport tool\r\n"),
        ("tool-1.data/headers/tool.h", ""),
    ]);
    let layout = layout.unwrap();
    assert_eq!(layout.warnings, [""; 0]);
    let paths: Vec<_> = layout.files.iter().map(|file| file.path.as_str()).collect();
    for path in [
        "Scripts/torchrun.exe",
        "Scripts/plain.exe",
        "Scripts/view.exe",
        "Scripts/old-tool",
        "Lib/site-packages/tool.py",
        "Include/site/python3.12/tool/tool.h",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    let (python, pythonw) = (scheme.scripts.join("python.exe"), scheme.scripts.join("pythonw.exe"));
    let (python, pythonw) = (python.display(), pythonw.display());
    let torchrun = generated(&layout, "Scripts/torchrun.exe");
    let holds = |program: &[u8], line: &str| program.windows(line.len()).any(|bytes| bytes == line.as_bytes());
    assert!(holds(torchrun, &format!("#!\"{python}\"\r\nPK")), "it names its Python");
    assert!(holds(torchrun, "from torch.run import main\n"));
    let view = generated(&layout, "Scripts/view.exe");
    assert!(holds(view, &format!("#!\"{pythonw}\"\r\nPK")) && holds(view, "sys.exit(Main.show())\n"));
    let script = String::from_utf8_lossy(generated(&layout, "Scripts/old-tool"));
    assert_eq!(script, format!("#!\"{python}\" -u\nimport tool\r\n"));
    let record = String::from_utf8_lossy(generated(&layout, "Lib/site-packages/tool-1.dist-info/RECORD"));
    let line = format!("../../Scripts/torchrun.exe,sha256={},{}\n", Sha256::of(torchrun).to_record(), torchrun.len());
    assert!(record.contains(&line), "{record}");
}

#[test]
fn programs_that_differ_in_case_alone_are_one_file_on_windows() {
    let programs = "[console_scripts]\nTool = a:first\n[gui_scripts]\ntool = b:second\n";
    let (layout, _) = on_windows(&[("tool-1.dist-info/entry_points.txt", programs)]);
    let layout = layout.unwrap();
    assert_eq!(
        layout.warnings,
        ["`Scripts/Tool.exe` and `Scripts/tool.exe` are one file on Windows: the second is taken"]
    );
    let programs: Vec<_> = layout.files.iter().filter(|file| file.path.starts_with("Scripts/")).collect();
    assert_eq!(programs.len(), 1);
    assert!(generated(&layout, "Scripts/tool.exe").windows(8).any(|bytes| bytes == b"second()"));
}

#[test]
fn the_interpreter_of_windows_is_not_replaced() {
    for name in ["python", "Python3.12", "pythonw", "PYTHON.exe"] {
        let programs = format!("[console_scripts]\n{name} = a:b\n");
        let (refused, _) = on_windows(&[("tool-1.dist-info/entry_points.txt", &programs)]);
        assert!(matches!(refused, Err(Refusal::Reserved { .. })), "{name}: {refused:?}");
    }
}
