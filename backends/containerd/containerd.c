/* What the CLI and the TUI see of them: what is installed and answers, and what it cannot do. */
#include "backends/containerd/containerd.h"

#include "app/plan/handler.h"
#include "backends/containerd/ctr.h"
#include "backends/root/check.h"
#include "base/fd.h"
#include "base/spawn.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_MS = 5000, PROBE_CHECK_MS = 20000, PROBE_SAID_MAX = 16 * 1024 };

#define CONTAINERD_MEND "apt install containerd, dnf install containerd, pacman -S containerd"
#define KATA_MEND                                                                            \
    "the release archive of github.com/kata-containers/kata-containers unpacked at /, then " \
    "ln -s /opt/kata/bin/containerd-shim-kata-v2 /opt/kata/bin/kata-runtime /usr/local/bin"

/* --- probe --------------------------------------------------------------------------------------
 */

/* The server's version: "Server:", and below it "  Version:  1.6.20". */
static char *probe_server(const char *said)
{
    const char *at = strstr(said, "Server:");
    at = at ? strstr(at, "Version:") : NULL;
    if (!at)
        return str_dup("?");
    at += strlen("Version:");
    at += strspn(at, " \t");
    autofree char *word = str_ndup(at, strcspn(at, " \t\n"));
    return str_escape_z(word);
}

static bool probe_containerd(struct backend_health *h)
{
    char **argv = ctr_argv(PLAN_CONTAINERD_SOCKET);
    strv_add(&argv, "version");
    autofree char *said = NULL;
    struct error e;
    int r = ctr_run(argv, PROBE_MS, &said, &e);
    if (r == 0) {
        autofree char *version = probe_server(said), *what = str_format("containerd %s", version);
        backend_health_add(h, BACKEND_GOOD, what, NULL, NULL);
        return true;
    }
    bool refused = access(PLAN_CONTAINERD_SOCKET, F_OK) == 0 || errno == EACCES;
    if (r == -ENOENT)
        backend_health_add(h, BACKEND_MISSING, "containerd", "it is not installed",
                           CONTAINERD_MEND);
    else if (refused && geteuid() != 0)
        backend_health_add(h, BACKEND_MISSING, "containerd", "it answers root alone",
                           "sudo cofferdam");
    else
        backend_health_add(h, BACKEND_MISSING, "containerd", e.text,
                           "systemctl enable --now containerd");
    return false;
}

static bool probe_has(const char *program)
{
    static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = str_join_path(folders[i], program);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* `kata-runtime check` says what of the host does not suit, in lines with level=error. */
static bool probe_kata_check(struct backend_health *h)
{
    static const char *const argv[] = {"kata-runtime", "check", "--no-network-checks", NULL};
    autofree char *said = NULL;
    struct error e;
    int status = 0;
    int r = spawn_run(argv, PROBE_CHECK_MS, PROBE_SAID_MAX, &status, &said, &e);
    if (r == -ENOENT) {
        backend_health_add(h, BACKEND_MISSING, "kata-runtime check",
                           "kata-runtime is not installed", KATA_MEND);
        return false;
    }
    if (r == 0 && status == 0) {
        backend_health_add(h, BACKEND_GOOD, "kata-runtime check", NULL, NULL);
        return true;
    }
    char *line = r < 0 ? NULL : strstr(said, "level=error");
    char *text = line ? strstr(line, "msg=\"") : NULL;
    text = text ? text + 5 : line ? line : r < 0 ? e.text : str_trim(said);
    text[strcspn(text, text == line ? "\n" : "\"\n")] = '\0';
    autofree char *shown = str_escape_z(text);
    backend_health_add(h, BACKEND_MISSING, "kata-runtime check", *shown ? shown : "it fails",
                       "access to /dev/kvm, virtualisation in the firmware, vhost_vsock and "
                       "vhost_net; kata-runtime check says all of it");
    return false;
}

static const unsigned containerd_can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE;

static void kata_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = containerd_can};
    bool good = probe_containerd(ret), shim = probe_has("containerd-shim-kata-v2");
    backend_health_add(ret, shim ? BACKEND_GOOD : BACKEND_MISSING, "containerd-shim-kata-v2",
                       shim ? NULL : "containerd has no way to Kata without it",
                       shim ? NULL : KATA_MEND);
    bool check = probe_kata_check(ret);
    ret->usable = good && shim && check && host->uid == 0;
}

static void containerd_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = containerd_can};
    ret->usable = probe_containerd(ret) && host->uid == 0;
}

/* --- check --------------------------------------------------------------------------------------
 */

static int check_host(const struct plan *p, const struct plan_handler *h,
                      const struct plan_host *host, struct error *e)
{
    if (host->uid != 0)
        return error_set(e, EPERM, "%s: containerd answers root alone: sudo cofferdam", p->runtime);
    if (!probe_has("ctr"))
        return error_set(e, ENOENT, "ctr is not installed: " CONTAINERD_MEND);
    if (str_equal(p->runtime, "kata") && !probe_has("containerd-shim-kata-v2"))
        return error_set(e, ENOENT, "kata is not installed: " KATA_MEND);
    if (h->program && access(h->program, X_OK) < 0)
        return error_errno(e, errno, "isolation.runtime: program=%s", h->program);
    if (access(h->address, F_OK) < 0)
        return error_errno(e, errno, "containerd at %s", h->address);
    return 0;
}

/* Without a user namespace root inside writes as the host's. */
static int check_mount(const struct plan *p, const struct plan_mount *m, bool own, struct error *e)
{
    const char *from = m->origin ? m->origin : "the plan";
    if (m->kind == PLAN_MOUNT_COPY)
        return error_set(e, ENOTSUP, "files.copy-in (%s): containerd has no word for it", from);
    if (m->kind == PLAN_MOUNT_OVERLAY && !str_equal(m->target, "/"))
        return error_set(e, ENOTSUP, "%s (%s): an overlay cannot be handed to containerd",
                         m->target, from);
    if (m->kind == PLAN_MOUNT_BIND && m->origin && own && !(m->flags & PLAN_MOUNT_RO))
        return error_set(e, ENOTSUP,
                         "%s (%s): root inside would write there as the host's root, since %s has "
                         "no user namespace; mend: a read-only mount, or --runtime runsc",
                         m->target, from, p->runtime);
    if (m->kind == PLAN_MOUNT_DEVICE && m->origin && own)
        return error_set(e, ENOTSUP, "%s (%s): %s has no devices of the host", m->target, from,
                         p->runtime);
    return 0;
}

static int check_words(const struct plan *p, bool own, struct error *e)
{
    bool layers = false;
    for (size_t i = 0; i < p->mounts_count; i++)
        layers = layers || (str_equal(p->mounts[i].target, "/") && p->mounts[i].layers);
    if (!layers)
        return error_set(e, ENOTSUP,
                         "files.image = %s: only an image of the store can be handed to "
                         "containerd; mend: --image NAME",
                         p->image);
    for (size_t i = 0; i < p->mounts_count; i++) {
        int r = check_mount(p, &p->mounts[i], own, e);
        if (r < 0)
            return r;
    }
    if (p->landlock == PLAN_LANDLOCK_YES)
        return error_set(e, ENOTSUP,
                         "isolation.landlock = yes: containerd has no word for it; native has");
    if (own && (p->apparmor || p->selinux))
        return error_set(e, ENOTSUP, "isolation.%s: %s has a kernel without such labels",
                         p->apparmor ? "apparmor" : "selinux", p->runtime);
    if (p->network == PLAN_NETWORK_PRIVATE)
        return error_set(e, ENOTSUP,
                         "network.mode = private: containerd gives it no translator; the "
                         "runtimes crun, runc and runsc have one");
    if (own && p->network != PLAN_NETWORK_NONE)
        return error_set(e, ENOTSUP, "network.mode: with %s only none", p->runtime);
    if (p->snapshot || p->snapshot_on_exit)
        return error_set(e, ENOTSUP, "snapshots: containerd's layers are its own");
    if (p->limits.disk && !p->limits.best_effort)
        return error_set(e, ENOTSUP,
                         "resources.disk: containerd's layer for the changes has no limit; mend: "
                         "--set resources.limits=best-effort");
    return 0;
}

static int containerd_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    struct plan_handler h = {0};
    int r = plan_handler_read(p->runtime, &h, e);
    if (r == 0)
        r = root_check_plan(p, e);
    if (r == 0)
        r = check_words(p, plan_handler_has_kernel(p->runtime), e);
    if (r == 0)
        r = check_host(p, &h, host, e);
    plan_handler_done(&h);
    return r;
}

/* The runtime compiles its filter itself. */
static int containerd_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    *ret_filter = FD_NONE;
    return 0;
}

const struct backend kata_backend = {
    .name = "kata",
    .summary = "Kata Containers, through containerd: a container in a light machine of its own",
    .boundary = PLAN_SANDBOX,
    .probe = kata_probe,
    .check = containerd_check,
    .prepare = containerd_prepare,
};

const struct backend containerd_backend = {
    .name = "containerd",
    .summary = "any runtime handler of containerd's, by its name",
    .boundary = PLAN_CONTAINER,
    .probe = containerd_probe,
    .check = containerd_check,
    .prepare = containerd_prepare,
};

const struct backend containerd_sandbox_backend = {
    .name = "containerd",
    .summary = "a handler of containerd's with a kernel of its own",
    .boundary = PLAN_SANDBOX,
    .probe = containerd_probe,
    .check = containerd_check,
    .prepare = containerd_prepare,
};
