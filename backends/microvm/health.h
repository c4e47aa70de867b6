/* What the CLI's halves of the drivers for KVM alone have in common: what works here, what is
 * asked. */
#ifndef COFFERDAM_BACKENDS_MICROVM_HEALTH_H
#define COFFERDAM_BACKENDS_MICROVM_HEALTH_H

#include "backends/backend.h"
#include "backends/microvm/facts.h"

/* All static. */
struct vmm_kind {
    const char *name, *title;                           /* "firecracker", "Firecracker" */
    const char *mend;                                   /* how it is had, where it is not */
    int (*known)(const char *version, struct error *e); /* whether its API is; < 0 with text */
};

/* backend.probe(); `*ret_facts` are the caller's. -ENOENT: it is not here, or not usable. */
int vmm_kind_probe(const struct vmm_kind *k, const struct plan_host *host,
                   struct backend_health *ret, struct vmm_facts *ret_facts);
/* backend.check(): what none of them has, and its version. */
int vmm_kind_check(const struct vmm_kind *k, const struct plan *p, struct error *e);
/* Whether the folders that a plan has served can be: 9p and virtiofs have a folder as their root.
 */
int vmm_kind_check_shares(const struct plan *p, struct error *e);
/* backend.prepare(): the filter of machines is part of the monitor. */
int vmm_kind_prepare(const struct plan *p, int *ret_filter, struct error *e);

#endif
