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

/* From a snapshot to a running guest (paused if `resume` is not said). Pure; the caller's. */
struct firecracker_load {
    const char *state, *memory; /* as the jail shows them */
    bool resume;
    bool diff; /* pages are tracked: a diff can be taken of it */
    bool tap;  /* it has a network interface, whose tap is VMM_TAP here */
};
struct api_requests firecracker_load(const struct plan *p, const struct firecracker_load *l,
                                     const struct firecracker_version *v);

/* Of a paused guest; `diff`: only pages that changed since the last one. Pure; the caller's. */
struct api_requests firecracker_save(const char *state, const char *memory, bool diff);

/*
 * Adds a line of its metrics, which count from the line before, to the guest_… members of `sum`
 * (UINT64_MAX: nothing yet). What cannot be read adds nothing. Pure.
 */
void firecracker_metrics(const char *line, struct launch_sample *sum);

/* The kernel's command line without what Firecracker adds itself. Pure; owned by the caller. */
char *firecracker_kernel_line(const struct plan *p);

#endif
