//! Which programs use a file: the Restart Manager of Windows, which installers ask.
//!
//! <https://learn.microsoft.com/windows/win32/rstmgr/restart-manager-portal>

use std::path::PathBuf;

/// The programs that have one of `files` open or loaded, `python.exe (process 4242)`; none where nobody tells.
#[cfg(windows)]
pub fn programs_using(files: &[PathBuf]) -> Vec<String> {
    use std::os::windows::ffi::OsStrExt as _;

    use windows_sys::Win32::Foundation::ERROR_SUCCESS;
    use windows_sys::Win32::System::RestartManager::{
        CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources, RmStartSession,
    };

    const MOST: u32 = 32;
    let names: Vec<Vec<u16>> = files.iter().map(|file| file.as_os_str().encode_wide().chain([0]).collect()).collect();
    let pointers: Vec<*const u16> = names.iter().map(|name| name.as_ptr()).collect();
    let Ok(count) = u32::try_from(pointers.len()) else { return Vec::new() };
    let mut session = 0;
    let mut key = [0u16; CCH_RM_SESSION_KEY as usize + 1];
    let (mut needed, mut found, mut reasons) = (0, MOST, 0);
    // SAFETY: a structure of numbers and arrays of numbers, for which zeroes are a value.
    let mut programs: [RM_PROCESS_INFO; MOST as usize] = unsafe { std::mem::zeroed() };
    // SAFETY: every pointer leads to a buffer that outlives the call and has the size that the call is told or that
    // its contract asks for; `names` end in zeroes.
    let answered = unsafe {
        if RmStartSession(&raw mut session, 0, key.as_mut_ptr()) != ERROR_SUCCESS {
            return Vec::new();
        }
        let registered =
            RmRegisterResources(session, count, pointers.as_ptr(), 0, std::ptr::null(), 0, std::ptr::null());
        let listed = registered == ERROR_SUCCESS
            && RmGetList(session, &raw mut needed, &raw mut found, programs.as_mut_ptr(), &raw mut reasons)
                == ERROR_SUCCESS;
        RmEndSession(session);
        listed
    };
    if !answered {
        return Vec::new();
    }
    let title = |program: &RM_PROCESS_INFO| {
        let end = program.strAppName.iter().position(|unit| *unit == 0).unwrap_or(program.strAppName.len());
        let name = String::from_utf16_lossy(&program.strAppName[..end]).replace(char::is_control, "");
        format!("{name} (process {})", program.Process.dwProcessId)
    };
    programs.iter().take(found.min(MOST) as usize).map(title).collect()
}

/// Elsewhere a file that is in use can be replaced all the same.
#[cfg(not(windows))]
pub fn programs_using(_files: &[PathBuf]) -> Vec<String> {
    Vec::new()
}
