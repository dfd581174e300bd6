/* The cards that a stand-in library answers with.
 *
 * They stand in a text file beside the library, called as it is with `.cards` added, one thing a line:
 *
 *   driver 572.83
 *   cuda 12080
 *   card NVIDIA A100-SXM4-40GB|8|0|40960|20b0|GPU-a100|MIG-1,MIG-2
 *
 * A card is name, capability (major, minor), memory in MiB, PCI device, UUID, and the UUIDs of its MIG devices, which may
 * be left out. Without the file there is one RTX 4090 on driver 572.83.
 */
#ifdef _WIN32
#include <windows.h>
#define EXPORT __declspec(dllexport)
#else
#define _GNU_SOURCE
#include <dlfcn.h>
#define EXPORT __attribute__((visibility("default")))
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CARDS = 16, MOST_PARTS = 7, LONGEST = 96 };

struct card {
    char name[LONGEST];
    int major, minor;
    unsigned long long memory_mib;
    unsigned pci_device;
    char uuid[LONGEST];
    unsigned part_count;
    char parts[MOST_PARTS][LONGEST];
};

static struct {
    int known;
    char driver[LONGEST];
    int cuda;
    unsigned count;
    struct card cards[MOST_CARDS];
} machine;

static void copy(char *to, const char *from) { snprintf(to, LONGEST, "%s", from); }

static int own_path(char *to, unsigned length) {
#ifdef _WIN32
    HMODULE own;
    DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (!GetModuleHandleExA(flags, (const char *)&machine, &own)) return 0;
    DWORD written = GetModuleFileNameA(own, to, length);
    return written > 0 && written < length;
#else
    Dl_info own;
    if (!dladdr(&machine, &own)) return 0;
    return snprintf(to, length, "%s", own.dli_fname) < (int)length;
#endif
}

static void read_card(char *line) {
    if (machine.count == MOST_CARDS) return;
    struct card *card = &machine.cards[machine.count];
    char parts[MOST_PARTS * LONGEST] = "";
    int read = sscanf(line, "%95[^|]|%d|%d|%llu|%x|%95[^|\n]|%671[^\n]", card->name, &card->major, &card->minor,
                      &card->memory_mib, &card->pci_device, card->uuid, parts);
    if (read < 6) return;
    for (char *part = strtok(parts, ","); part && card->part_count < MOST_PARTS; part = strtok(0, ","))
        copy(card->parts[card->part_count++], part);
    machine.count++;
}

static void know(void) {
    if (machine.known) return;
    machine.known = 1;
    copy(machine.driver, "572.83");
    machine.cuda = 12080;
    char path[2048];
    FILE *file = 0;
    if (own_path(path, sizeof path - 8)) file = fopen(strcat(path, ".cards"), "r");
    if (!file) {
        char line[] = "NVIDIA GeForce RTX 4090|8|9|24564|2684|GPU-4090bbbb";
        read_card(line);
        return;
    }
    char line[2048];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!strncmp(line, "driver ", 7)) copy(machine.driver, line + 7);
        if (!strncmp(line, "cuda ", 5)) machine.cuda = atoi(line + 5);
        if (!strncmp(line, "card ", 5)) read_card(line + 5);
    }
    fclose(file);
}
