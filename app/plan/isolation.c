/* Namespaces, capabilities, filters, labels and the locks behind the locks. */
#include "app/plan/build.h"

#include "app/plan/names.h"
#include "profiles/forms.h"

#include <linux/capability.h>
#include <stdio.h>

#define CAP(n) (1ull << CAP_##n)

/* The fourteen docker gives. */
static const uint64_t docker_capabilities =
    CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) | CAP(MKNOD) | CAP(NET_RAW) |
    CAP(SETGID) | CAP(SETUID) | CAP(SETFCAP) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) |
    CAP(SYS_CHROOT) | CAP(KILL) | CAP(AUDIT_WRITE);

static uint64_t isolation_capabilities(const struct settings *s)
{
    uint64_t set = 0;
    char *const *list = settings_list(s, KEY_ISOLATION_CAPABILITIES);
    for (size_t i = 0; list[i]; i++) {
        unsigned capability;
        if (str_equal(list[i], "none"))
            set = 0;
        else if (str_equal(list[i], "default"))
            set |= docker_capabilities;
        else if (form_capability(list[i], &capability) == 0)
            set |= 1ull << capability;
    }
    return set;
}

static uint32_t isolation_open(const struct settings *s)
{
    uint32_t open = 0;
    char *const *list = settings_list(s, KEY_ISOLATION_OPEN);
    for (size_t i = 0; list[i]; i++) {
        int bit = plan_name_find(plan_open_names, list[i]);
        if (bit >= 0)
            open |= 1u << bit;
    }
    return open;
}

static void isolation_sysctl(struct plan *p, const char *path, uint64_t value)
{
    p->sysctls = mem_grow(p->sysctls, p->sysctls_count + 1, sizeof(p->sysctls[0]));
    p->sysctls[p->sysctls_count++] = (struct plan_sysctl){
        .path = str_dup(path),
        .value = str_format("%llu", (unsigned long long)value),
    };
}

/*
 * Numbers that belong to the new user namespace, so nothing of the host changes. They hold even if
 * the filter is off or has a gap. Without a nested user namespace only CAP_SYS_ADMIN makes the
 * other kinds, so those are written down only for a workload that has it.
 */
static void isolation_sysctls(struct plan *p)
{
    static const char *const kinds[] = {"mnt", "pid", "net", "uts", "ipc", "cgroup", "time"};
    if (!(p->open & PLAN_OPEN_USERNS)) {
        isolation_sysctl(p, "user/max_user_namespaces", 0);
        for (size_t i = 0; (p->capabilities & CAP(SYS_ADMIN)) && i < ARRAY_SIZE(kinds); i++) {
            char path[48];
            snprintf(path, sizeof(path), "user/max_%s_namespaces", kinds[i]);
            isolation_sysctl(p, path, 0);
        }
    }
    /* The kernel's pool is 128 instances for a user: leave some for the neighbours. */
    isolation_sysctl(p, "user/max_inotify_instances", 64);
    isolation_sysctl(p, "user/max_inotify_watches", 16384);
}

static char *isolation_label(const struct settings *s, enum key_id key)
{
    const char *label = settings_text(s, key);
    return str_empty(label) ? NULL : str_dup(label);
}

static enum plan_network isolation_network(const struct settings *s)
{
    int network = plan_name_find(plan_network_names, settings_text(s, KEY_NETWORK_MODE));
    return network < 0 ? PLAN_NETWORK_NONE : (enum plan_network)network;
}

static uint32_t isolation_namespaces(const struct settings *s)
{
    uint32_t all =
        PLAN_NS_USER | PLAN_NS_MOUNT | PLAN_NS_PID | PLAN_NS_UTS | PLAN_NS_IPC | PLAN_NS_CGROUP;
    return isolation_network(s) == PLAN_NETWORK_HOST ? all : all | PLAN_NS_NET;
}

bool plan_foresee(const struct settings *s, const char **ret_runtime, uint32_t *ret_shape)
{
    const char *boundary = settings_text(s, KEY_ISOLATION_BOUNDARY);
    const char *runtime = settings_text(s, KEY_ISOLATION_RUNTIME);
    const char *image = settings_text(s, KEY_WORKLOAD_IMAGE);
    if (str_empty(image))
        image = settings_text(s, KEY_FILES_IMAGE);
    if ((boundary && !str_equal(boundary, plan_boundary_name(PLAN_CONTAINER))) ||
        (!str_empty(runtime) && !str_equal(runtime, "auto") && !str_equal(runtime, "native")))
        return false;
    /* layers of a stored image may have to be mounted before the first process is made */
    if (!str_equal(image, "host") && !str_starts(image, "dir:"))
        return false;
    *ret_runtime = "native";
    *ret_shape = isolation_namespaces(s);
    return true;
}

void build_isolation(struct build *b)
{
    struct plan *p = b->p;
    const struct settings *s = b->s;
    p->network = isolation_network(s);
    p->namespaces = isolation_namespaces(s);
    if (b->host->timens)
        p->namespaces |= PLAN_NS_TIME;

    p->capabilities = isolation_capabilities(s);
    p->no_new_privileges = settings_bool(s, KEY_ISOLATION_NO_NEW_PRIVILEGES);
    p->seccomp = !str_equal(settings_text(s, KEY_ISOLATION_SECCOMP), "off");
    p->open = isolation_open(s);
    p->read_only = settings_bool(s, KEY_ISOLATION_READ_ONLY);
    const char *landlock = settings_text(s, KEY_ISOLATION_LANDLOCK);
    p->landlock = str_equal(landlock, "yes")  ? PLAN_LANDLOCK_YES
                  : str_equal(landlock, "no") ? PLAN_LANDLOCK_NO
                                              : PLAN_LANDLOCK_AUTO;
    p->apparmor = isolation_label(s, KEY_ISOLATION_APPARMOR);
    p->selinux = isolation_label(s, KEY_ISOLATION_SELINUX);
    if (!str_equal(settings_text(s, KEY_ISOLATION_PLATFORM), "auto"))
        p->platform = isolation_label(s, KEY_ISOLATION_PLATFORM);
    isolation_sysctls(p);
}
