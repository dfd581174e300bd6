/* Stands in for torch's torch_cuda.dll: needs the real cudart, cuBLAS and cuDNN, and calls into each of them. */
#include <windows.h>

__declspec(dllimport) int cudaRuntimeGetVersion(int *version);
__declspec(dllimport) int cublasGetProperty(int property, int *value);
__declspec(dllimport) size_t cudnnGetVersion(void);
__declspec(dllimport) int torchfix_cuda_driver_version(void);
__declspec(dllimport) void c10_function(void);
__declspec(dllimport) void torch_cpu_function(void);

__declspec(dllexport) const void *const torchfix_c10 = c10_function;
__declspec(dllexport) const void *const torchfix_torch_cpu = torch_cpu_function;
__declspec(dllexport) const void *const torchfix_c10_cuda = torchfix_cuda_driver_version;

/* 12080 for CUDA 12.8. */
__declspec(dllexport) int torchfix_cudart_version(void) {
    int version = 0;
    return cudaRuntimeGetVersion(&version) ? -1 : version;
}

/* The major version, 12. */
__declspec(dllexport) int torchfix_cublas_version(void) {
    int version = 0;
    return cublasGetProperty(0, &version) ? -1 : version;
}

/* 91002 for cuDNN 9.10.2. It asks cudnn_graph64_9.dll, which cuDNN looks up by its bare name. */
__declspec(dllexport) size_t torchfix_cudnn_version(void) {
    return cudnnGetVersion();
}

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, LPVOID reserved) {
    return TRUE;
}
