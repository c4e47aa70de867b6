/*
 * A plan's machine as requests of Cloud Hypervisor's API (its cloud-hypervisor.yaml), and its
 * arguments.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_REQUESTS_H
#define COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_REQUESTS_H

#include "backends/launch.h"
#include "backends/microvm/api.h"
#include "backends/microvm/vmm.h"

#include <inttypes.h>

#define CLOUD_HYPERVISOR_API "/api/v1/"

/* The versions whose API is known: 43 to 53, which all have Landlock. */
struct cloud_hypervisor_version {
    unsigned major, minor;
};
enum {
    CLOUD_HYPERVISOR_OLDEST = 43,
    CLOUD_HYPERVISOR_NEWEST = 53,
};

/* "43.0", "v51.1", "52.0.0". -EPROTO: it is no version; -ENOTSUP: none that is known; with text. */
int cloud_hypervisor_version_read(const char *text, struct cloud_hypervisor_version *ret,
                                  struct error *e);

/*
 * A disk's format can be said, from 50.1 on. Before that it is guessed again each time a guest begins
 * anew, of what the guest itself may have written there (CVE-2026-27211).
 */
bool cloud_hypervisor_takes_formats(const struct cloud_hypervisor_version *v);

/* It can be told to keep a guest from KVM's nested machines: from 50.0 on, on AMD from 52.0. */
bool cloud_hypervisor_takes_nested(const struct cloud_hypervisor_version *v);

/* vmm_jail_meeting() and the device that its random numbers come from. */
struct plan *cloud_hypervisor_jail(const struct plan *p);

/* Pure; NULL-terminated, owned by the caller. */
char **cloud_hypervisor_argv(const struct plan *p);

/* From nothing to a running guest. Pure; the caller's. */
struct api_requests cloud_hypervisor_boot(const struct plan *p);

/* The machine as a snapshot has it beside its state: what vm.create is told. Pure; owned. */
char *cloud_hypervisor_config(const struct plan *p);

/* From VMM_LOAD_FOLDER to a guest that goes on. Pure; the caller's. */
struct api_requests cloud_hypervisor_load(void);
/* What has all of a machine that stands still written to VMM_SAVE_FOLDER, by PUT. */
#define CLOUD_HYPERVISOR_SNAPSHOT CLOUD_HYPERVISOR_API "vm.snapshot"
#define CLOUD_HYPERVISOR_SNAPSHOT_BODY "{\"destination_url\":\"file://" VMM_SAVE_FOLDER "\"}"

/* What has its guest give up memory, by PUT; bytes in all. */
#define CLOUD_HYPERVISOR_RESIZE CLOUD_HYPERVISOR_API "vm.resize"
#define CLOUD_HYPERVISOR_RESIZE_BODY "{\"desired_balloon\":%" PRIu64 "}"

/*
 * What vm.counters answers, into the guest_… members of `sum` (these counters never restart). What
 * cannot be read changes nothing. Pure.
 */
void cloud_hypervisor_counters(const char *body, struct launch_sample *sum);

#endif
