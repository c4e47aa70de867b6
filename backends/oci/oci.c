/* What the CLI and the TUI see of them: what is installed and works, and what it cannot do. */
#include "backends/oci/oci.h"

#include "backends/kvm_probe.h"
#include "backends/net/translator.h"
#include "backends/oci/runtime.h"
#include "backends/root/check.h"
#include "backends/seccomp/seccomp_cache.h"
#include "base/fd.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OCI_PROBE_MS = 5000, OCI_SAID_MAX = 4096 };

/* --- probe --------------------------------------------------------------------------------------
 */

static const char *oci_mend(enum oci_kind kind)
{
    switch (kind) {
    case OCI_CRUN:
        return "apt install crun, dnf install crun, pacman -S crun";
    case OCI_RUNC:
        return "apt install runc, dnf install runc, pacman -S runc";
    case OCI_RUNSC:
        return "apt install runsc (bookworm-backports has a newer one), or gvisor.dev's own "
               "packages";
    case OCI_OTHER:
        break;
    }
    return NULL;
}

/* "crun version 1.8.1" of the first line of what it says. */
static void oci_probe_version(struct backend_health *h, const char *program, enum oci_kind kind)
{
    const char *const argv[] = {program, "--version", NULL};
    autofree char *said = NULL;
    struct error e;
    int status = 0;
    int r = spawn_run(argv, OCI_PROBE_MS, OCI_SAID_MAX, &status, &said, &e);
    if (r < 0 || status != 0) {
        autofree char *why = r == -ENOENT      ? str_dup("it is not installed")
                             : r == -ETIMEDOUT ? str_dup("it does not answer")
                             : r < 0           ? str_dup(e.text)
                                               : str_format("it ends with %d", WEXITSTATUS(status));
        backend_health_add(h, BACKEND_MISSING, program, why, oci_mend(kind));
        return;
    }
    char *line = str_trim(said);
    line[strcspn(line, "\n")] = '\0';
    autofree char *shown = str_escape_z(line);
    h->usable = true;
    backend_health_add(h, BACKEND_GOOD, shown, NULL, NULL);
}

static void oci_probe(const char *program, const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE | BACKEND_CAN_COPY |
                                          BACKEND_CAN_DIFF};
    oci_probe_version(ret, program, oci_kind_of(program));
    if (ret->usable && !host->userns) {
        ret->usable = false;
        backend_health_add(ret, BACKEND_MISSING, "user namespaces", "none can be made here",
                           "sysctl user.max_user_namespaces (it may be 0)");
    }
}

static void crun_probe(const struct plan_host *host, struct backend_health *ret)
{
    oci_probe("crun", host, ret);
}

static void runc_probe(const struct plan_host *host, struct backend_health *ret)
{
    oci_probe("runc", host, ret);
}

static void runsc_probe(const struct plan_host *host, struct backend_health *ret)
{
    struct error why;
    oci_probe("runsc", host, ret);
    if (!ret->usable)
        return;
    if (kvm_probe(&why) < 0)
        backend_health_add(ret, BACKEND_PARTLY, "gVisor's platform kvm", why.text,
                           "none needed: its platforms systrap and ptrace do without");
    else
        backend_health_add(ret, BACKEND_GOOD, "gVisor's platform kvm", NULL, NULL);
}

/* One of those: which, only a plan can say. */
static void path_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.usable = true};
}

/* --- check --------------------------------------------------------------------------------------
 */

static bool oci_is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static int oci_check_platform(const struct plan *p, struct error *e)
{
    struct error why;
    if (p->platform && str_equal(p->platform, "kvm") && kvm_probe(&why) < 0)
        return error_set(e, ENOTSUP, "isolation.platform = kvm: %s; systrap needs none", why.text);
    return 0;
}

/* Each a wish that could only be met by making it weaker. */
static int oci_check_words(const struct plan *p, enum oci_kind kind, struct error *e)
{
    const char *name = p->runtime;
    if (p->landlock == PLAN_LANDLOCK_YES)
        return error_set(e, ENOTSUP, "isolation.landlock = yes: %s has no word for it; native has",
                         name);
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        bool below = oci_is_below(m->target, "/proc") || oci_is_below(m->target, "/dev");
        if (m->origin && below)
            return error_set(e, ENOTSUP, "%s (%s): in /proc and /dev %s makes everything itself",
                             m->target, m->origin, name);
    }
    if (kind != OCI_RUNSC)
        return 0;
    if (p->apparmor || p->selinux)
        return error_set(e, ENOTSUP, "isolation.%s: gVisor's kernel knows no such labels",
                         p->apparmor ? "apparmor" : "selinux");
    static const struct {
        uint32_t bit;
        const char *word;
    } missing[] = {
        {PLAN_OPEN_BPF,         "bpf"        },
        {PLAN_OPEN_USERFAULTFD, "userfaultfd"},
        {PLAN_OPEN_PERF,        "perf"       },
        {PLAN_OPEN_VSOCK,       "vsock"      },
        {PLAN_OPEN_KEYRING,     "keyring"    },
    };
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
        if (p->open & missing[i].bit)
            return error_set(e, ENOTSUP, "isolation.open = %s: gVisor's kernel has none of it",
                             missing[i].word);
    return 0;
}

/* What a runtime starts of its own counts as well: with less it has been seen to fail. */
static int oci_check_pids(const struct plan *p, const struct plan_host *host, enum oci_kind kind,
                          struct error *e)
{
    static const unsigned least[] = {
        [OCI_CRUN] = 6,
        [OCI_RUNC] = 16,
        [OCI_RUNSC] = 32,
        [OCI_OTHER] = 0,
    };
    bool kept = host->cgroup != PLAN_CGROUP_NONE && strv_has(host->cgroup_controllers, "pids");
    if (kept && p->limits.pids && p->limits.pids < least[kind])
        return error_set(e, EINVAL,
                         "resources.pids = %" PRIu64 ": %s needs %u to start, since its own "
                         "threads count; native needs none",
                         p->limits.pids, p->runtime, least[kind]);
    return 0;
}

static const char *const oci_folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};

static int oci_check_program(const struct plan *p, enum oci_kind kind, struct error *e)
{
    if (p->runtime[0] == '/') {
        struct stat st;
        if (stat(p->runtime, &st) < 0 || access(p->runtime, X_OK) < 0)
            return error_errno(e, errno, "isolation.runtime = %s", p->runtime);
        if (!S_ISREG(st.st_mode))
            return error_set(e, EINVAL, "isolation.runtime = %s: it is no program", p->runtime);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(oci_folders); i++) {
        autofree char *path = str_join_path(oci_folders[i], p->runtime);
        if (access(path, X_OK) == 0)
            return 0;
    }
    return error_set(e, ENOENT, "%s is not installed: %s", p->runtime, oci_mend(kind));
}

static int oci_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    enum oci_kind kind = oci_kind_of(p->runtime);
    int r = root_check_plan(p, e);
    if (r == 0)
        r = oci_check_words(p, kind, e);
    if (r == 0)
        r = oci_check_pids(p, host, kind, e);
    if (r == 0)
        r = oci_check_program(p, kind, e);
    if (r == 0)
        r = oci_check_platform(p, e);
    if (r == 0)
        r = net_check(p, e);
    if (r < 0)
        return r;
    return root_check_host(p, host, e);
}

/* Others compile theirs themselves; gVisor's exec knows of none, so our own program installs it. */
static int oci_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    if (oci_kind_of(p->runtime) == OCI_RUNSC)
        return seccomp_cache_open(p, ret_filter, e);
    *ret_filter = FD_NONE;
    return 0;
}

const struct backend crun_backend = {
    .name = "crun",
    .summary = "crun: the same container, made by a runtime of others",
    .boundary = PLAN_CONTAINER,
    .probe = crun_probe,
    .check = oci_check,
    .prepare = oci_prepare,
};

const struct backend runc_backend = {
    .name = "runc",
    .summary = "runc: the same container, made by the runtime docker uses",
    .boundary = PLAN_CONTAINER,
    .probe = runc_probe,
    .check = oci_check,
    .prepare = oci_prepare,
};

const struct backend runsc_backend = {
    .name = "runsc",
    .summary = "gVisor: a kernel of its own in user space between workload and host",
    .boundary = PLAN_SANDBOX,
    .probe = runsc_probe,
    .check = oci_check,
    .prepare = oci_prepare,
};

const struct backend oci_path_backend = {
    .name = "/path",
    .summary = "any program with the OCI command line, by its path",
    .boundary = PLAN_CONTAINER,
    .probe = path_probe,
    .check = oci_check,
    .prepare = oci_prepare,
};
