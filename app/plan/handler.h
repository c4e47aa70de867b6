/* What isolation.runtime says of a runtime behind containerd. */
#ifndef COFFERDAM_APP_PLAN_HANDLER_H
#define COFFERDAM_APP_PLAN_HANDLER_H

#include "base/error.h"
#include "base/mem.h"

#define PLAN_HANDLER_KATA "io.containerd.kata.v2"
#define PLAN_HANDLER_RUNC "io.containerd.runc.v2"
#define PLAN_CONTAINERD_SOCKET "/run/containerd/containerd.sock"

struct plan_handler {
    char *name;    /* owned; as containerd calls it: "io.containerd.kata.v2" */
    char *program; /* owned or NULL; with io.containerd.runc.v2: the OCI runtime it calls */
    char *address; /* owned; containerd's socket */
};
void plan_handler_done(struct plan_handler *h);

/* Whether the word names a runtime behind containerd: "kata", "containerd:…". */
bool plan_handler_is(const char *runtime);

/* "kata", "containerd:HANDLER[,program=/PATH][,address=/SOCKET]". -EINVAL for anything else. */
int plan_handler_read(const char *runtime, struct plan_handler *ret, struct error *e);

/* Whether a kernel stands behind it that is not the host's: Kata's guest, gVisor's. */
bool plan_handler_has_kernel(const char *runtime);

#endif
