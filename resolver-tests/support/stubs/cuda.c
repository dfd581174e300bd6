/* A stand-in for the CUDA driver library (libcuda.so.1, nvcuda.dll): the calls torchfix makes, answered from a file; see
 * cards.h. */
#include "cards.h"

EXPORT int cuInit(unsigned flags) {
    know();
    return flags ? 1 : machine.count ? 0 : 100;
}
EXPORT int cuDriverGetVersion(int *to) {
    know();
    *to = machine.cuda;
    return 0;
}
EXPORT int cuDeviceGetCount(int *to) {
    *to = (int)machine.count;
    return 0;
}
EXPORT int cuDeviceGet(int *to, int ordinal) {
    *to = ordinal;
    return ordinal < (int)machine.count ? 0 : 101;
}
EXPORT int cuDeviceGetName(char *to, int length, int device) {
    snprintf(to, (size_t)length, "%s", machine.cards[device].name);
    return 0;
}
EXPORT int cuDeviceTotalMem_v2(size_t *to, int device) {
    *to = (size_t)machine.cards[device].memory_mib << 20;
    return 0;
}
/* Card 0 is at bus 1. */
EXPORT int cuDeviceGetAttribute(int *to, int attribute, int device) {
    switch (attribute) {
    case 75: *to = machine.cards[device].major; return 0;
    case 76: *to = machine.cards[device].minor; return 0;
    case 33: *to = device + 1; return 0;
    case 34:
    case 50: *to = 0; return 0;
    default: return 1;
    }
}
