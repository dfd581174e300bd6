/* The program that stands for a Python script on Windows.
 *
 * A launcher is this program, built once, with two things behind it: a line `#!C:\venv\Scripts\python.exe`, and a ZIP
 * archive that holds `__main__.py`. It runs that Python with its own path as the script, which Python opens as the
 * archive, and hands on everything else: the arguments as they were typed, the standard handles, the exit code. The
 * layout is that of the launchers of pip, so that what knows those knows these.
 *
 * Neither C runtime nor heap: a few calls into kernel32, and user32 where it has no console. Built by
 * scripts/build-launchers; with LAUNCHER_GUI defined it is the one without a console.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

/* The most characters that Windows takes for a path or a command line, the last NUL among them. */
#define LIMIT 32768

/* Text that is built up; what does not fit is left away and remembered. */
typedef struct {
    WCHAR text[LIMIT];
    DWORD length;
    BOOL overflown;
} Text;

static void add_character(Text *to, WCHAR character) {
    if (to->length + 1 >= LIMIT) {
        to->overflown = TRUE;
        return;
    }
    to->text[to->length++] = character;
    to->text[to->length] = 0;
}

static void add(Text *to, const WCHAR *text) {
    while (*text) {
        add_character(to, *text++);
    }
}

static void add_number(Text *to, DWORD number) {
    if (number >= 10) {
        add_number(to, number / 10);
    }
    add_character(to, (WCHAR)(L'0' + number % 10));
}

/* Adds UTF-8; false where it is none. */
static BOOL add_utf8(Text *to, const char *bytes, DWORD count) {
    if (count == 0) {
        return TRUE;
    }
    int added = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, bytes, (int)count, to->text + to->length,
                                    (int)(LIMIT - 1 - to->length));
    to->length += (DWORD)added;
    to->text[to->length] = 0;
    return added > 0;
}

static BOOL starts_with(const WCHAR *text, const WCHAR *start) {
    while (*start) {
        if (*text++ != *start++) {
            return FALSE;
        }
    }
    return TRUE;
}

static BOOL is_separator(WCHAR character) {
    return character == L'\\' || character == L'/';
}

static BOOL is_blank(WCHAR character) {
    return character == L' ' || character == L'\t';
}

/* Cuts off the last component of a path. */
static void to_parent(Text *path) {
    while (path->length > 0 && !is_separator(path->text[--path->length])) {
    }
    path->text[path->length] = 0;
}

static void fail(const Text *message) {
#ifdef LAUNCHER_GUI
    MessageBoxW(NULL, message->text, L"torchfix launcher", MB_OK | MB_ICONERROR | MB_SETFOREGROUND);
#else
    static char utf8[3 * LIMIT];
    HANDLE output = GetStdHandle(STD_ERROR_HANDLE);
    DWORD mode, written;
    if (GetConsoleMode(output, &mode)) {
        WriteConsoleW(output, message->text, message->length, &written, NULL);
    } else {
        int count = WideCharToMultiByte(CP_UTF8, 0, message->text, (int)message->length, utf8, sizeof utf8, NULL, NULL);
        WriteFile(output, utf8, (DWORD)count, &written, NULL);
    }
#endif
    ExitProcess(1);
}

static Text message;

/* Ends with what went wrong, the system's own words for it, and where it helps with what to do. */
static void cannot(const WCHAR *what, const Text *path, DWORD error, const Text *self) {
    add(&message, L"torchfix launcher: cannot ");
    add(&message, what);
    add(&message, L" `");
    add(&message, path->text);
    add(&message, L"`: ");
    static WCHAR words[512];
    DWORD count = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, words,
                                 sizeof words / sizeof *words, NULL);
    while (count > 0 && (words[count - 1] <= L' ' || words[count - 1] == L'.')) {
        words[--count] = 0;
    }
    add(&message, words);
    add(&message, count ? L" (error " : L"(error ");
    add_number(&message, error);
    add(&message, L")");
    if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) {
        static Text environment;
        add(&environment, self->text);
        to_parent(&environment);
        to_parent(&environment);
        add(&message, L"; an environment works where it was made, with the Python it was made with: delete `");
        add(&message, environment.text);
        add(&message, L"` and install into a new one");
    }
    add(&message, L"\r\n");
    fail(&message);
}

static void damaged(const Text *self) {
    add(&message, L"torchfix launcher: `");
    add(&message, self->text);
    add(&message, L"` does not say which Python it is for: it is damaged\r\n");
    fail(&message);
}

/* `\\?\C:\x` as `C:\x`, `\\?\UNC\server\x` as `\\server\x`: what Python shows to its user. */
static void add_plain(Text *to, const WCHAR *path) {
    if (starts_with(path, L"\\\\?\\UNC\\")) {
        add(to, L"\\\\");
        path += 8;
    } else if (starts_with(path, L"\\\\?\\") && path[4] && path[5] == L':') {
        path += 4;
    }
    add(to, path);
}

/* Without the prefix the system takes no path of more than 260 characters, unless it was set up to. */
static void add_usable(Text *to, const Text *plain) {
    const WCHAR *path = plain->text;
    if (plain->length >= MAX_PATH && !starts_with(path, L"\\\\?\\")) {
        if (starts_with(path, L"\\\\")) {
            add(to, L"\\\\?\\UNC\\");
            path += 2;
        } else {
            add(to, L"\\\\?\\");
        }
    }
    add(to, path);
}

/* Where this program ends and what was put behind it begins. */
static DWORD own_size(void) {
    const BYTE *image = (const BYTE *)GetModuleHandleW(NULL);
    const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *)(image + ((const IMAGE_DOS_HEADER *)image)->e_lfanew);
    const IMAGE_SECTION_HEADER *section = IMAGE_FIRST_SECTION(headers);
    DWORD size = 0;
    for (WORD index = 0; index < headers->FileHeader.NumberOfSections; index++, section++) {
        DWORD end = section->PointerToRawData + section->SizeOfRawData;
        size = end > size ? end : size;
    }
    return size;
}

/* Reads the first line behind this program: the path of Python, in quotes or not, and arguments to it. */
static void read_line(const Text *self, Text *python, Text *arguments) {
    static Text file_name;
    add_usable(&file_name, self);
    HANDLE file = CreateFileW(file_name.text, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        cannot(L"read", self, GetLastError(), self);
    }
    static char line[3 * LIMIT];
    DWORD count = 0;
    LARGE_INTEGER start;
    start.QuadPart = own_size();
    if (!SetFilePointerEx(file, start, NULL, FILE_BEGIN) || !ReadFile(file, line, sizeof line, &count, NULL)) {
        cannot(L"read", self, GetLastError(), self);
    }
    CloseHandle(file);
    DWORD end = 0;
    while (end < count && line[end] != '\n') {
        end++;
    }
    if (end < 2 || end == count || line[0] != '#' || line[1] != '!') {
        damaged(self);
    }
    while (end > 2 && (BYTE)line[end - 1] <= ' ') {
        end--;
    }
    DWORD first = 2;
    while (first < end && is_blank(line[first])) {
        first++;
    }
    BOOL quoted = first < end && line[first] == '"';
    first += quoted;
    DWORD last = first;
    while (last < end && (quoted ? line[last] != '"' : !is_blank(line[last]))) {
        last++;
    }
    if (first == last || !add_utf8(python, line + first, last - first)) {
        damaged(self);
    }
    last += quoted && last < end;
    if (!add_utf8(arguments, line + last, end - last)) {
        damaged(self);
    }
}

/* Takes a relative path from the folder of the launcher, and `..` out of it. */
static void add_absolute(Text *to, const Text *python, const Text *self) {
    static Text joined;
    BOOL absolute = is_separator(python->text[0]) || python->text[1] == L':';
    if (!absolute) {
        add(&joined, self->text);
        to_parent(&joined);
        add(&joined, L"\\");
    }
    add_plain(&joined, python->text);
    to->length = GetFullPathNameW(joined.text, LIMIT, to->text, NULL);
    if (to->length == 0 || to->length >= LIMIT) {
        cannot(L"find", python, GetLastError(), self);
    }
}

/* The command line without its first word, which is read as the C runtime reads it: quotes only shield blanks. */
static const WCHAR *typed_arguments(void) {
    const WCHAR *rest = GetCommandLineW();
    BOOL quoted = FALSE;
    while (*rest && (quoted || !is_blank(*rest))) {
        quoted ^= *rest++ == L'"';
    }
    return rest;
}

/* Ctrl-C reaches Python too, which decides what comes of it; a closed window gives both their seconds to end. */
static BOOL WINAPI on_control(DWORD event) {
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) {
        Sleep(INFINITE);
    }
    return TRUE;
}

/* Hands the standard handles on. */
static void set_handles(STARTUPINFOW *startup) {
    startup->hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup->hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup->hStdError = GetStdHandle(STD_ERROR_HANDLE);
    HANDLE handles[] = {startup->hStdInput, startup->hStdOutput, startup->hStdError};
    for (int index = 0; index < 3; index++) {
        if (handles[index] && handles[index] != INVALID_HANDLE_VALUE) {
            SetHandleInformation(handles[index], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
            startup->dwFlags |= STARTF_USESTDHANDLES;
        }
    }
    /* A hot key or a monitor of the shell's would lie in the same fields. */
    startup->dwFlags &= ~(DWORD)(STARTF_USEHOTKEY | 0x400);
}

/* Lets go of pipes: who reads or writes their other end waits until all copies are closed, not only Python's. */
static void close_handles(const STARTUPINFOW *startup) {
    HANDLE handles[] = {startup->hStdInput, startup->hStdOutput};
    for (int index = 0; index < 2; index++) {
        if (GetFileType(handles[index]) == FILE_TYPE_PIPE) {
            CloseHandle(handles[index]);
        }
    }
    /* File descriptors that a C runtime passes on: their count, a byte of flags each, a handle each. */
    if (startup->lpReserved2 && startup->cbReserved2 >= sizeof(int)) {
        int count = *(const int UNALIGNED *)startup->lpReserved2;
        const BYTE *first = startup->lpReserved2 + sizeof(int) + count;
        if (count > 3 && count <= (int)((startup->cbReserved2 - sizeof(int)) / (1 + sizeof(HANDLE)))) {
            for (int index = 3; index < count; index++) {
                HANDLE handle = *(const HANDLE UNALIGNED *)(first + (SIZE_T)index * sizeof(HANDLE));
                if (handle != INVALID_HANDLE_VALUE && handle != (HANDLE)-2) {
                    CloseHandle(handle);
                }
            }
        }
    }
}

#ifdef LAUNCHER_GUI
/* Windows shows a busy cursor until a new program asks for a message, and waits for it to be idle where asked to.
 * Python's program does the first, so this one waits until that has, then does it too. */
static void end_of_busy_cursor(HANDLE child) {
    MSG first;
    WaitForInputIdle(child, 10000);
    if (PostMessageW(NULL, 0, 0, 0)) {
        GetMessageW(&first, NULL, 0, 0);
    }
}
#endif

void __stdcall start(void) {
    static WCHAR module[LIMIT];
    static Text self, self_usable, line, arguments, python, python_usable, command;
    DWORD length = GetModuleFileNameW(NULL, module, LIMIT);
    if (length == 0 || length >= LIMIT) {
        cannot(L"find", &self, GetLastError(), &self);
    }
    add_plain(&self, module);
    read_line(&self, &line, &arguments);
    add_absolute(&python, &line, &self);
    add_usable(&self_usable, &self);
    add_usable(&python_usable, &python);

    add(&command, L"\"");
    add(&command, python_usable.text);
    add(&command, L"\"");
    add(&command, arguments.text);
    add(&command, L" \"");
    add(&command, self_usable.text);
    add(&command, L"\"");
    add(&command, typed_arguments());
    if (command.overflown) {
        cannot(L"run", &python, ERROR_FILENAME_EXCED_RANGE, &self);
    }

    /* Python ends with its launcher, whatever ends that; what Python starts is free to outlive both. */
    static JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    HANDLE job = CreateJobObjectW(NULL, NULL);
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);

    static STARTUPINFOW startup;
    static PROCESS_INFORMATION child;
    startup.cb = sizeof startup;
    GetStartupInfoW(&startup);
    set_handles(&startup);
    SetConsoleCtrlHandler(on_control, TRUE);
    if (!CreateProcessW(python_usable.text, command.text, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup,
                        &child)) {
        cannot(L"run", &python, GetLastError(), &self);
    }
    AssignProcessToJobObject(job, child.hProcess);
    ResumeThread(child.hThread);
    CloseHandle(child.hThread);
    close_handles(&startup);
#ifdef LAUNCHER_GUI
    end_of_busy_cursor(child.hProcess);
#endif
    DWORD code = 1;
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    ExitProcess(code);
}
