//! Which programs use a file: the Restart Manager of Windows, which installers ask.
//!
//! <https://learn.microsoft.com/windows/win32/rstmgr/restart-manager-portal>

use std::path::PathBuf;

/// The programs that have one of `files` open or loaded, `python.exe (process 4242)`; none where nobody tells.
///
/// The library is opened by its full path when it is needed: one that the linker binds would be looked for beside
/// torchfix first, where anything may lie.
#[cfg(windows)]
pub fn programs_using(files: &[PathBuf]) -> Vec<String> {
    use std::os::windows::ffi::OsStrExt as _;

    use windows_sys::Win32::Foundation::ERROR_SUCCESS;
    use windows_sys::Win32::System::RestartManager::{CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RM_UNIQUE_PROCESS};

    use super::library::{function, open};

    type Start = unsafe extern "system" fn(*mut u32, u32, *mut u16) -> u32;
    type Register = unsafe extern "system" fn(
        u32,
        u32,
        *const *const u16,
        u32,
        *const RM_UNIQUE_PROCESS,
        u32,
        *const *const u16,
    ) -> u32;
    type List = unsafe extern "system" fn(u32, *mut u32, *mut u32, *mut RM_PROCESS_INFO, *mut u32) -> u32;
    type End = unsafe extern "system" fn(u32) -> u32;
    const MOST: u32 = 32;

    let Some(library) = system_folder().and_then(|folder| open(&[folder.join("rstrtmgr.dll")])) else {
        return Vec::new();
    };
    // SAFETY: the types are those of `restartmanager.h`, and the library stays open to the end.
    let functions = unsafe {
        let start = function::<Start>(&library, "RmStartSession");
        let register = function::<Register>(&library, "RmRegisterResources");
        let list = function::<List>(&library, "RmGetList");
        start.zip(register).zip(list.zip(function::<End>(&library, "RmEndSession")))
    };
    let Some(((start, register), (list, end))) = functions else { return Vec::new() };
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
        if start(&raw mut session, 0, key.as_mut_ptr()) != ERROR_SUCCESS {
            return Vec::new();
        }
        let registered = register(session, count, pointers.as_ptr(), 0, std::ptr::null(), 0, std::ptr::null());
        let listed = registered == ERROR_SUCCESS
            && list(session, &raw mut needed, &raw mut found, programs.as_mut_ptr(), &raw mut reasons) == ERROR_SUCCESS;
        end(session);
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

/// `C:\Windows\System32`, as the kernel knows it.
#[cfg(windows)]
fn system_folder() -> Option<PathBuf> {
    use std::os::windows::ffi::OsStringExt as _;

    let mut buffer = [0u16; 260];
    // SAFETY: the buffer has the size that is told.
    let length = unsafe {
        windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW(buffer.as_mut_ptr(), buffer.len() as u32)
    };
    let name = buffer.get(..length as usize).filter(|name| !name.is_empty())?;
    Some(PathBuf::from(std::ffi::OsString::from_wide(name)))
}

/// Elsewhere a file that is in use can be replaced all the same.
#[cfg(not(windows))]
pub fn programs_using(_files: &[PathBuf]) -> Vec<String> {
    Vec::new()
}
