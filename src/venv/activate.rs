//! The scripts that make an environment the shell's own.

use std::path::Path;

use super::Flavour;

/// File name and text of each script, for an environment that will lie at `root`.
pub fn activation_scripts(root: &Path, prompt: &str, flavour: Flavour) -> Vec<(&'static str, String)> {
    let root = root.to_string_lossy();
    let fill = |template: &str, root: String, prompt: String| {
        template.replace("@ROOT@", &root).replace("@PROMPT@", &prompt).replace("@SCRIPTS@", flavour.scripts())
    };
    let posix = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    // csh expands `!` even between single quotes, and ends a line wherever it ends.
    let csh = |text: &str| posix(text).replace('!', r"\!").replace('\n', " ");
    let fish = |text: &str| format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"));
    let powershell = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let powershell_script = fill(POWERSHELL, String::new(), powershell(prompt));
    match flavour {
        Flavour::Posix => vec![
            ("activate", fill(SH, posix(&root), posix(prompt)).replace("@CONVERT@", "")),
            ("activate.csh", fill(CSH, csh(&root), csh(prompt))),
            ("activate.fish", fill(FISH, fish(&root), fish(prompt))),
            ("Activate.ps1", powershell_script),
        ],
        Flavour::Windows => {
            // A line cannot end within quotes, nor a quote stand between them.
            let plain = |text: &str| text.replace(['\r', '\n', '"'], " ").replace('%', "%%");
            let batch = |template: &str| fill(template, plain(&root), plain(prompt)).replace('\n', "\r\n");
            vec![
                ("activate", fill(SH, posix(&root), posix(prompt)).replace("@CONVERT@", SH_CONVERT)),
                // Windows' own PowerShell takes a file for one in the system's code page unless it begins so.
                ("Activate.ps1", format!("\u{feff}{powershell_script}")),
                ("activate.bat", batch(ACTIVATE_BAT)),
                ("deactivate.bat", batch(DEACTIVATE_BAT)),
            ]
        }
    }
}

// The names of the saved variables are those of CPython's own scripts, so that the `deactivate` of either kind undoes
// what the other did.
const SH: &str = r#"# For sh, bash, zsh, dash: source this file, do not run it.

deactivate () {
    if [ -n "${_OLD_VIRTUAL_PATH:-}" ] ; then
        PATH="$_OLD_VIRTUAL_PATH"
        export PATH
    fi
    if [ -n "${_OLD_VIRTUAL_PYTHONHOME:-}" ] ; then
        PYTHONHOME="$_OLD_VIRTUAL_PYTHONHOME"
        export PYTHONHOME
    fi
    if [ -n "${_OLD_VIRTUAL_PS1+set}" ] ; then
        PS1="$_OLD_VIRTUAL_PS1"
    fi
    unset _OLD_VIRTUAL_PATH _OLD_VIRTUAL_PYTHONHOME _OLD_VIRTUAL_PS1 VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    hash -r 2>/dev/null || true
    if [ "${1:-}" != nondestructive ] ; then
        unset -f deactivate
    fi
}

deactivate nondestructive

VIRTUAL_ENV=@ROOT@
@CONVERT@VIRTUAL_ENV_PROMPT=@PROMPT@
export VIRTUAL_ENV VIRTUAL_ENV_PROMPT

_OLD_VIRTUAL_PATH="$PATH"
PATH="$VIRTUAL_ENV/@SCRIPTS@:$PATH"
export PATH

if [ -n "${PYTHONHOME:-}" ] ; then
    _OLD_VIRTUAL_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi

if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ] ; then
    _OLD_VIRTUAL_PS1="${PS1:-}"
    PS1="($VIRTUAL_ENV_PROMPT) ${PS1:-}"
fi

hash -r 2>/dev/null || true
"#;

/// Git's and Cygwin's shells write `C:\venv` as `/c/venv` and `/cygdrive/c/venv`: PATH has colons between folders there.
const SH_CONVERT: &str = r#"case "$(uname)" in
    CYGWIN* | MSYS* | MINGW*) VIRTUAL_ENV=$(cygpath "$VIRTUAL_ENV") ;;
esac
"#;

const CSH: &str = r#"# For csh, tcsh: source this file, do not run it.

alias deactivate 'test $?_OLD_VIRTUAL_PATH != 0 && setenv PATH "$_OLD_VIRTUAL_PATH" && unset _OLD_VIRTUAL_PATH; test $?_OLD_VIRTUAL_PROMPT != 0 && set prompt="$_OLD_VIRTUAL_PROMPT" && unset _OLD_VIRTUAL_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; rehash; test "\!:*" != "nondestructive" && unalias deactivate'

deactivate nondestructive

setenv VIRTUAL_ENV @ROOT@
setenv VIRTUAL_ENV_PROMPT @PROMPT@
set _OLD_VIRTUAL_PATH="$PATH"
setenv PATH "$VIRTUAL_ENV/@SCRIPTS@:$PATH"

if ( $?prompt && ! $?VIRTUAL_ENV_DISABLE_PROMPT ) then
    set _OLD_VIRTUAL_PROMPT="$prompt"
    set prompt = "($VIRTUAL_ENV_PROMPT) $prompt"
endif

rehash
"#;

const FISH: &str = r#"# For fish: source this file, do not run it.

function deactivate -d "Leave the virtual environment"
    if set -q _OLD_VIRTUAL_PATH
        set -gx PATH $_OLD_VIRTUAL_PATH
        set -e _OLD_VIRTUAL_PATH
    end
    if set -q _OLD_VIRTUAL_PYTHONHOME
        set -gx PYTHONHOME $_OLD_VIRTUAL_PYTHONHOME
        set -e _OLD_VIRTUAL_PYTHONHOME
    end
    if functions -q _old_fish_prompt
        functions -e fish_prompt
        functions -c _old_fish_prompt fish_prompt
        functions -e _old_fish_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end

deactivate nondestructive

set -gx VIRTUAL_ENV @ROOT@
set -gx VIRTUAL_ENV_PROMPT @PROMPT@
set -gx _OLD_VIRTUAL_PATH $PATH
set -gx PATH $VIRTUAL_ENV/@SCRIPTS@ $PATH

if set -q PYTHONHOME
    set -gx _OLD_VIRTUAL_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end

if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt _old_fish_prompt
    function fish_prompt
        set -l before $status
        printf '(%s) ' $VIRTUAL_ENV_PROMPT
        # The prompt may show the status of the last command.
        sh -c "exit $before"
        _old_fish_prompt
    end
end
"#;

const POWERSHELL: &str = r#"# For PowerShell: dot-source this file, do not run it.

function global:deactivate([switch]$NonDestructive) {
    if (Test-Path Function:_OLD_VIRTUAL_PROMPT) {
        Copy-Item Function:_OLD_VIRTUAL_PROMPT Function:prompt
        Remove-Item Function:_OLD_VIRTUAL_PROMPT
    }
    if (Test-Path Env:_OLD_VIRTUAL_PYTHONHOME) {
        $Env:PYTHONHOME = $Env:_OLD_VIRTUAL_PYTHONHOME
        Remove-Item Env:_OLD_VIRTUAL_PYTHONHOME
    }
    if (Test-Path Env:_OLD_VIRTUAL_PATH) {
        $Env:PATH = $Env:_OLD_VIRTUAL_PATH
        Remove-Item Env:_OLD_VIRTUAL_PATH
    }
    Remove-Item Env:VIRTUAL_ENV, Env:VIRTUAL_ENV_PROMPT -ErrorAction SilentlyContinue
    if (-not $NonDestructive) { Remove-Item Function:deactivate }
}

deactivate -NonDestructive

$Env:VIRTUAL_ENV = Split-Path -Parent $PSScriptRoot
$Env:VIRTUAL_ENV_PROMPT = @PROMPT@

if (-not $Env:VIRTUAL_ENV_DISABLE_PROMPT) {
    Copy-Item Function:prompt Function:global:_OLD_VIRTUAL_PROMPT
    function global:prompt {
        Write-Host -NoNewline "($Env:VIRTUAL_ENV_PROMPT) "
        _OLD_VIRTUAL_PROMPT
    }
}

if (Test-Path Env:PYTHONHOME) {
    $Env:_OLD_VIRTUAL_PYTHONHOME = $Env:PYTHONHOME
    Remove-Item Env:PYTHONHOME
}

$Env:_OLD_VIRTUAL_PATH = $Env:PATH
$Env:PATH = $PSScriptRoot + [IO.Path]::PathSeparator + $Env:PATH
"#;

// `cmd` reads a batch file in the console's code page, and this one is UTF-8 (65001).
const ACTIVATE_BAT: &str = r#"@echo off
for /f "tokens=2 delims=:." %%a in ('"%SystemRoot%\System32\chcp.com"') do set "_OLD_CODEPAGE=%%a"
if defined _OLD_CODEPAGE "%SystemRoot%\System32\chcp.com" 65001 >nul
if defined _OLD_VIRTUAL_PATH set "PATH=%_OLD_VIRTUAL_PATH%"
if defined _OLD_VIRTUAL_PROMPT set "PROMPT=%_OLD_VIRTUAL_PROMPT%"
set "VIRTUAL_ENV=@ROOT@"
set "VIRTUAL_ENV_PROMPT=@PROMPT@"
set "_OLD_VIRTUAL_PATH=%PATH%"
set "PATH=%VIRTUAL_ENV%\@SCRIPTS@;%PATH%"
if not defined PROMPT set "PROMPT=$P$G"
set "_OLD_VIRTUAL_PROMPT=%PROMPT%"
if not defined VIRTUAL_ENV_DISABLE_PROMPT set "PROMPT=(@PROMPT@) %PROMPT%"
if defined PYTHONHOME set "_OLD_VIRTUAL_PYTHONHOME=%PYTHONHOME%"
set PYTHONHOME=
if defined _OLD_CODEPAGE "%SystemRoot%\System32\chcp.com" %_OLD_CODEPAGE% >nul
set _OLD_CODEPAGE=
"#;

const DEACTIVATE_BAT: &str = r#"@echo off
if defined _OLD_VIRTUAL_PATH set "PATH=%_OLD_VIRTUAL_PATH%"
if defined _OLD_VIRTUAL_PROMPT set "PROMPT=%_OLD_VIRTUAL_PROMPT%"
if defined _OLD_VIRTUAL_PYTHONHOME set "PYTHONHOME=%_OLD_VIRTUAL_PYTHONHOME%"
set _OLD_VIRTUAL_PATH=
set _OLD_VIRTUAL_PROMPT=
set _OLD_VIRTUAL_PYTHONHOME=
set VIRTUAL_ENV=
set VIRTUAL_ENV_PROMPT=
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_posix_script_sets_and_restores() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("it's $a \"venv\"");
        fs_err::create_dir_all(root.join("bin")).unwrap();
        let (_, text) = activation_scripts(&root, "a b", Flavour::Posix).swap_remove(0);
        let script = folder.path().join("activate");
        fs_err::write(&script, text).unwrap();
        let output = std::process::Command::new("sh")
            .args([
                "-euc",
                r#". "$0"; echo "$VIRTUAL_ENV|${PATH%%:*}|$PS1"; deactivate; echo "${VIRTUAL_ENV-none}|$PATH|$PS1""#,
            ])
            .arg(&script)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PS1", "$ ")
            .output()
            .unwrap();
        let root = root.display();
        let expected = format!("{root}|{root}/bin|(a b) $ \nnone|/usr/bin:/bin|$ \n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_on_windows_has_the_path_in_its_own_way() {
        let folder = tempfile::tempdir().unwrap();
        let (_, text) = activation_scripts(Path::new(r"C:\a b\é"), "p", Flavour::Windows).swap_remove(0);
        fs_err::write(folder.path().join("activate"), text).unwrap();
        for (system, expected) in [("MINGW64_NT-10.0", "/c/converted:"), ("Linux", r"C:\a b\é:")] {
            let script = format!(
                "uname() {{ echo {system}; }}\ncygpath() {{ [ \"$1\" = 'C:\\a b\\é' ] && echo /c/converted; }}\n\
                 . '{}/activate'\nprintf '%s:%s' \"$VIRTUAL_ENV\" \"${{PATH%%/Scripts:*}}\"",
                folder.path().display()
            );
            let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text, format!("{expected}{}", expected.trim_end_matches(':')));
        }
    }

    #[test]
    fn windows_has_batch_files_too() {
        let scripts = activation_scripts(Path::new(r"C:\50%\v"), "v", Flavour::Windows);
        let (_, batch) = scripts.iter().find(|(name, _)| *name == "activate.bat").unwrap();
        assert!(batch.contains("set \"VIRTUAL_ENV=C:\\50%%\\v\"\r\n"), "{batch}");
        assert!(batch.contains(r"%VIRTUAL_ENV%\Scripts;"), "{batch}");
        assert!(batch.contains(" 65001 >nul\r\n") && batch.ends_with("set _OLD_CODEPAGE=\r\n"), "{batch}");
        assert!(scripts.iter().all(|(_, text)| !text.contains("@ROOT@") && !text.contains("@PROMPT@")));
        assert!(scripts.iter().all(|(_, text)| !text.contains("@CONVERT@") && !text.contains("@SCRIPTS@")));
        let mut names: Vec<_> = scripts.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, ["Activate.ps1", "activate", "activate.bat", "deactivate.bat"]);
        let (_, powershell) = scripts.iter().find(|(name, _)| *name == "Activate.ps1").unwrap();
        assert!(powershell.starts_with('\u{feff}'), "Windows' own PowerShell needs it to read UTF-8");
    }
}
