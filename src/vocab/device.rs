//! Names that Windows takes for devices.

/// Whether Windows takes one component of a path for a device, whatever its extension: `con`, `aux.py`, `COM1`, `lpt².txt`.
///
/// <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>
pub fn is_windows_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    let is_port = |port: &str| {
        let mut number = stem.strip_prefix(port).unwrap_or_default().chars();
        matches!((number.next(), number.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || is_port("COM") || is_port("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_whatever_their_extension() {
        for device in ["con", "NUL", "aux.py", "prn  .txt", "Com1.txt", "lpt9", "com²", "CONIN$", "conout$.a.b"] {
            assert!(is_windows_device(device), "{device}");
        }
        for other in ["", "console", "com", "com0", "com10", "coma", "lptx", "com⁴", "auxiliary.py", "x.con", "é"] {
            assert!(!is_windows_device(other), "{other}");
        }
    }
}
