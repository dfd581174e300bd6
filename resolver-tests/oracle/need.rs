//! Requirements, written for the solver and judged without its parsers.

use std::fmt;

use super::machine::{Machine, System};
use super::version::Spec;

/// `name[extra]>=1.0; marker`
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    pub name: String,
    pub extra: Option<String>,
    pub spec: Spec,
    pub marker: Marker,
    /// The extra of the requiring distribution that it belongs to.
    pub of_extra: Option<String>,
}

/// Where a requirement holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    Everywhere,
    OnWindows,
    OnLinux,
    OnX86,
    /// `python_version >= "3.12"`
    PythonFrom(u64),
    /// `python_version < "3.12"`
    PythonBelow(u64),
}

impl Need {
    /// Without extra or marker.
    pub fn of(name: &str, spec: Spec) -> Self {
        Self { name: name.to_owned(), extra: None, spec, marker: Marker::Everywhere, of_extra: None }
    }

    /// Whether it holds on a machine, for a distribution with or without one of its extras.
    pub fn holds(&self, machine: &Machine, extra: Option<&str>) -> bool {
        let marker = match self.marker {
            Marker::Everywhere => true,
            Marker::OnWindows => machine.system == System::Windows,
            Marker::OnLinux => machine.system == System::Linux,
            // Windows says AMD64, and no Arm machine says x86_64.
            Marker::OnX86 => machine.system != System::Windows && !machine.arm,
            Marker::PythonFrom(minor) => machine.python >= minor,
            Marker::PythonBelow(minor) => machine.python < minor,
        };
        marker && self.of_extra.as_deref().is_none_or(|of| extra == Some(of))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(extra) = &self.extra {
            write!(f, "[{extra}]")?;
        }
        write!(f, "{}", self.spec)?;
        let marker = match self.marker {
            Marker::Everywhere => None,
            Marker::OnWindows => Some("sys_platform == \"win32\"".to_owned()),
            Marker::OnLinux => Some("platform_system == \"Linux\"".to_owned()),
            Marker::OnX86 => Some("platform_machine == \"x86_64\"".to_owned()),
            Marker::PythonFrom(minor) => Some(format!("python_version >= \"3.{minor}\"")),
            Marker::PythonBelow(minor) => Some(format!("python_version < \"3.{minor}\"")),
        };
        let extra = self.of_extra.as_ref().map(|extra| format!("extra == \"{extra}\""));
        let conditions: Vec<String> = marker.into_iter().chain(extra).collect();
        if conditions.is_empty() { Ok(()) } else { write!(f, " ; {}", conditions.join(" and ")) }
    }
}
