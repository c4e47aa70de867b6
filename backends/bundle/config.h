/*
 * From a plan to the documents of the OCI runtime specification (runtime-spec 1.0.2, config.md and
 * config-linux.md). Pure: nothing is opened or started.
 */
#ifndef COFFERDAM_BACKENDS_BUNDLE_CONFIG_H
#define COFFERDAM_BACKENDS_BUNDLE_CONFIG_H

#include "app/plan/plan.h"
#include "backends/launch.h"

#include <jansson.h>

/* What of a runtime makes a difference to its documents. */
enum oci_kind { OCI_CRUN, OCI_RUNC, OCI_RUNSC, OCI_OTHER };

/* What a plan does not say of the bundle it becomes. All borrowed. */
struct oci_words {
    enum oci_kind kind;
    /*
     * For a person to run by hand: mounts, ids and limits stand in it. Otherwise our own process
     * has made all of them before the runtime is called, and it says only what a runtime alone can
     * do: namespaces, /proc, /dev, capabilities, the filter.
     */
    bool by_hand;
    uint32_t range;    /* by hand: the first id outside, for maps that leave it to the backend */
    bool own_kernel;   /* by hand: a kernel of its own stands behind it, with users of its own */
    const char *group; /* by hand: the control group; NULL: the runtime's choice */
    bool restored; /* gVisor's, from memory: it goes on as one that runs as no root of the host */
    const char *root; /* "rootfs", or absolute */
    const char *init; /* cofferdam-init on the host, for PID 1; NULL: the command itself */
    const char *list; /* gVisor's: the compiled filter on the host; NULL: linux.seccomp says it */
    uint16_t rows, cols;
};

/* Not pure: no limit higher than our own, which not every root may raise. */
void oci_lower_limits(struct plan *p);

/* Where cofferdam-init appears inside. */
#define OCI_INIT_INSIDE "/dev/cofferdam-init"
/* Beside it, for gVisor, native's own filter: our program takes it on before it becomes a command.
 */
#define OCI_LIST_INSIDE "/dev/cofferdam-list"

/* config.json, indented; owned by the caller. */
char *oci_config(const struct plan *p, const struct oci_words *w);

/*
 * process.json for `RUNTIME exec --process`: `x` in the workload's place, with its environment
 * under x's. Owned by the caller.
 */
char *oci_process(const struct plan *p, const struct oci_words *w, const struct launch_exec *x,
                  uint32_t uid, uint32_t gid);

/* linux.seccomp, from the list that also makes native's filter (seccomp_json.c). */
json_t *oci_seccomp(const struct plan *p, const struct oci_words *w);

/* Whether the runtime, not we, has to make this step: it is in /proc, /dev, or (runsc) /sys. */
bool oci_is_runtimes(const struct plan_mount *m, enum oci_kind kind);

/* Whether the container needs a user namespace below ours: one id, and it is not 0. */
bool oci_nests(const struct plan *p, enum oci_kind kind);

#endif
