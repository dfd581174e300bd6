/* Stands in for torch's c10_cuda.dll: imports what it imports from c10.dll and the CUDA runtime, and little else. */
#include <windows.h>

__declspec(dllimport) int cudaDriverGetVersion(int *version);
__declspec(dllimport) void c10_function(void);

__declspec(dllexport) const void *const torchfix_c10 = c10_function;

/* What the driver can do, as CUDA counts it: 12080, or 0 where there is none. */
__declspec(dllexport) int torchfix_cuda_driver_version(void) {
    int version = 0;
    return cudaDriverGetVersion(&version) ? -1 : version;
}

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, LPVOID reserved) {
    return TRUE;
}
