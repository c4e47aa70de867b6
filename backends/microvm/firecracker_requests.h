/* A plan's machine as requests of Firecracker's API (its firecracker.yaml), and its arguments. */
#ifndef COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_REQUESTS_H
#define COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_REQUESTS_H

#include "backends/launch.h"
#include "backends/microvm/api.h"
#include "backends/microvm/vmm.h"

#include <inttypes.h>

/* The versions whose API is known: 1.7 to 1.16. */
struct firecracker_version {
    unsigned major, minor, patch;
};
enum {
    FIRECRACKER_OLDEST = 7,
    FIRECRACKER_ACPI = 8,               /* tells of devices by it */
    FIRECRACKER_NETWORK_OVERRIDES = 12, /* a snapshot may go on with other things of the host */
    FIRECRACKER_TRACKS = 13,            /* calls that track_dirty_pages, as when it boots */
    FIRECRACKER_VSOCK_OVERRIDE = 16,
    FIRECRACKER_NEWEST = 16,
};

/* "1.14.2", "v1.7.0-dev". -EPROTO: it is no version; -ENOTSUP: none that is known; both with text.
 */
int firecracker_version_read(const char *text, struct firecracker_version *ret, struct error *e);

/* Pure; NULL-terminated, owned by the caller. */
char **firecracker_argv(const struct plan *p);

/* From nothing to a running guest. Pure; the caller's. */
struct api_requests firecracker_boot(const struct plan *p);

/*
 * Whether what it changes of its memory can be told: 1.14.0 and 1.14.1 write what lies behind the
 * first 3 GiB to a wrong place (their issue 5705). Pure.
 */
bool firecracker_tells_changes(const struct plan_machine *m, const struct firecracker_version *v);

/*
 * From a snapshot (VMM_LOAD_…) to a guest that goes on, of which what it changes can be told from
 * then on if ever, as this version wants it said. Pure; the caller's.
 */
struct api_requests firecracker_load(const struct plan *p, const struct firecracker_version *v);
/*
 * What has all of a machine that stands still written to VMM_SAVE_…: PUT FIRECRACKER_CREATE. Or
 * what of its memory it has changed since it was loaded or last written, and all else.
 */
#define FIRECRACKER_CREATE "/snapshot/create"
#define FIRECRACKER_CREATE_BODY FIRECRACKER_CREATE_BODY_OF("Full")
#define FIRECRACKER_CREATE_CHANGES_BODY FIRECRACKER_CREATE_BODY_OF("Diff")
#define FIRECRACKER_CREATE_BODY_OF(type)                                        \
    "{\"snapshot_type\":\"" type "\",\"snapshot_path\":\"" VMM_SAVE_STATE "\"," \
    "\"mem_file_path\":\"" VMM_SAVE_MEMORY "\"}"

/* Of PATCH /balloon; MiB in all. */
#define FIRECRACKER_BALLOON_BODY "{\"amount_mib\":%" PRIu64 "}"

/*
 * Adds a line of its metrics, which count from the line before, to the guest_… members of `sum`
 * (UINT64_MAX: nothing yet). What cannot be read adds nothing. Pure.
 */
void firecracker_metrics(const char *line, struct launch_sample *sum);

/* The kernel's command line without what Firecracker adds itself. Pure; owned by the caller. */
char *firecracker_kernel_line(const struct plan *p);

#endif
