/* A plan's machine as requests of Firecracker's API (its firecracker.yaml), and its arguments. */
#ifndef COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_REQUESTS_H
#define COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_REQUESTS_H

#include "backends/launch.h"
#include "backends/microvm/api.h"
#include "backends/microvm/vmm.h"

/* The versions whose API is known: 1.7 to 1.16. */
struct firecracker_version {
    unsigned major, minor, patch;
};
enum { FIRECRACKER_OLDEST = 7, FIRECRACKER_NEWEST = 16, FIRECRACKER_ACPI = 8 };

/* "1.14.2", "v1.7.0-dev". -EPROTO: it is no version; -ENOTSUP: none that is known; both with text.
 */
int firecracker_version_read(const char *text, struct firecracker_version *ret, struct error *e);

/* Pure; NULL-terminated, owned by the caller. */
char **firecracker_argv(const struct plan *p);

/* From nothing to a running guest. Pure; the caller's. */
struct api_requests firecracker_boot(const struct plan *p);

/* From a snapshot (VMM_LOAD_…) to a guest that goes on. Pure; the caller's. */
struct api_requests firecracker_load(void);
/* What has all of a machine that stands still written to VMM_SAVE_…: PUT FIRECRACKER_CREATE. */
#define FIRECRACKER_CREATE "/snapshot/create"
#define FIRECRACKER_CREATE_BODY                                             \
    "{\"snapshot_type\":\"Full\",\"snapshot_path\":\"" VMM_SAVE_STATE "\"," \
    "\"mem_file_path\":\"" VMM_SAVE_MEMORY "\"}"

/*
 * Adds a line of its metrics, which count from the line before, to the guest_… members of `sum`
 * (UINT64_MAX: nothing yet). What cannot be read adds nothing. Pure.
 */
void firecracker_metrics(const char *line, struct launch_sample *sum);

/* The kernel's command line without what Firecracker adds itself. Pure; owned by the caller. */
char *firecracker_kernel_line(const struct plan *p);

#endif
