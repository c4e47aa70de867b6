/*
 * A plan's machine as requests of Cloud Hypervisor's API (its cloud-hypervisor.yaml), and its
 * arguments.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_REQUESTS_H
#define COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_REQUESTS_H

#include "backends/launch.h"
#include "backends/microvm/api.h"
#include "backends/microvm/vmm.h"

#define CLOUD_HYPERVISOR_API "/api/v1/"

/* The versions whose API is known: 43 (the first with Landlock) to 53. */
struct cloud_hypervisor_version {
    unsigned major, minor;
};
enum { CLOUD_HYPERVISOR_OLDEST = 43, CLOUD_HYPERVISOR_NEWEST = 53 };

/* "43.0", "v51.1", "52.0.0". -EPROTO: it is no version; -ENOTSUP: none that is known; with text. */
int cloud_hypervisor_version_read(const char *text, struct cloud_hypervisor_version *ret,
                                  struct error *e);

/* vmm_jail_meeting() and the device that its random numbers come from. */
struct plan *cloud_hypervisor_jail(const struct plan *p);

/* Pure; NULL-terminated, owned by the caller. */
char **cloud_hypervisor_argv(const struct plan *p);

/* From nothing to a running guest. Pure; the caller's. */
struct api_requests cloud_hypervisor_boot(const struct plan *p);

/*
 * What vm.counters answers, into the guest_… members of `sum` (these counters never restart). What
 * cannot be read changes nothing. Pure.
 */
void cloud_hypervisor_counters(const char *body, struct launch_sample *sum);

#endif
