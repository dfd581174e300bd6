/* A stand-in for NVML (libnvidia-ml.so.1, nvml.dll): the calls torchfix makes, answered from a file; see cards.h. */
#include "cards.h"

static int text(char *to, unsigned length, const char *from) {
    if (strlen(from) >= length) return 7;
    strcpy(to, from);
    return 0;
}

EXPORT int nvmlInit_v2(void) {
    know();
    return 0;
}
EXPORT int nvmlShutdown(void) { return 0; }
EXPORT int nvmlSystemGetDriverVersion(char *to, unsigned length) { return text(to, length, machine.driver); }
EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *to) {
    *to = machine.cuda;
    return machine.cuda ? 0 : 12;
}
EXPORT int nvmlDeviceGetCount_v2(unsigned *to) {
    *to = machine.count;
    return 0;
}
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **to) {
    if (index >= machine.count) return 2;
    *to = &machine.cards[index];
    return 0;
}
EXPORT int nvmlDeviceGetName(const struct card *card, char *to, unsigned length) { return text(to, length, card->name); }
/* A MIG device's handle is its UUID in the card it is of. */
EXPORT int nvmlDeviceGetUUID(const void *device, char *to, unsigned length) {
    for (unsigned i = 0; i < machine.count; i++)
        if (device == &machine.cards[i]) return text(to, length, machine.cards[i].uuid);
    return text(to, length, device);
}
EXPORT int nvmlDeviceGetCudaComputeCapability(const struct card *card, int *major, int *minor) {
    *major = card->major;
    *minor = card->minor;
    return 0;
}
struct memory {
    unsigned long long total, free, used;
};
EXPORT int nvmlDeviceGetMemoryInfo(const struct card *card, struct memory *to) {
    to->total = card->memory_mib << 20;
    return 0;
}
struct pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char address[32];
};
EXPORT int nvmlDeviceGetPciInfo_v3(const struct card *card, struct pci *to) {
    to->id = card->pci_device << 16 | 0x10de;
    return 0;
}
EXPORT int nvmlDeviceGetMigMode(const struct card *card, unsigned *current, unsigned *pending) {
    *current = *pending = card->part_count > 0;
    return 0;
}
EXPORT int nvmlDeviceGetMaxMigDeviceCount(const struct card *card, unsigned *to) {
    (void)card;
    *to = MOST_PARTS;
    return 0;
}
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(struct card *card, unsigned index, void **to) {
    if (index >= card->part_count) return 6;
    *to = card->parts[index];
    return 0;
}
