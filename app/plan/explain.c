/* What a workload can still reach, read from the plan that is executed. */
#include "app/plan/names.h"

struct explain {
    const struct plan *p;
    struct plan_reach *list;
    size_t count;
};

__attribute__((format(printf, 5, 6))) static void explain_add(struct explain *x, unsigned badness,
                                                              const char *subject,
                                                              const char *close, const char *fmt,
                                                              ...)
{
    va_list ap;
    va_start(ap, fmt);
    x->list = mem_grow(x->list, x->count + 1, sizeof(x->list[0]));
    x->list[x->count++] = (struct plan_reach){
        .badness = badness,
        .subject = subject,
        .text = str_vformat(fmt, ap),
        .close = str_dup_or_null(close),
    };
    va_end(ap);
}

static void explain_nested(struct explain *x)
{
    const struct plan *p = x->p;
    if (plan_is_machine(p) && p->machine.accel == PLAN_ACCEL_KVM && !plan_hides_nested(p))
        explain_add(x, 20, "kernel",
                    p->machine.nested == PLAN_NESTED_YES ? "machine.nested = auto"
                                                         : "Cloud Hypervisor 52, or --runtime qemu",
                    "the guest can run machines of its own on %s KVM: of all of it, what has let "
                    "guests out most often",
                    plan_is_far(p) ? "that host's" : "this host's");
}

static void explain_kernel(struct explain *x)
{
    const struct plan *p = x->p;
    if (p->boundary == PLAN_VM && !plan_is_by_qemu_alone(p)) {
        bool emulated = p->machine.accel == PLAN_ACCEL_TCG;
        bool session = str_ends(p->machine.uri ? p->machine.uri : "", "/session");
        explain_add(x, emulated ? 65 : 15, "kernel", emulated ? "machine.accel = kvm" : NULL,
                    "a whole machine of its own%s; what gets out of it is %s",
                    emulated ? ", but emulated (tcg): by QEMU's own word that is no security "
                               "boundary"
                             : "",
                    plan_is_far(p) ? "what libvirt there makes of it, with QEMU's own filter"
                    : session ? "a process of yours, with QEMU's own filter and your files in reach"
                              : "what libvirt's qemu.conf makes of it, with QEMU's own filter");
        explain_nested(x);
        if (plan_is_far(p))
            explain_add(x, 20, "other host", "machine.uri = a libvirt of this host",
                        "it runs at %s: its disks, and what it is made from, are copied there, and "
                        "whoever is root there sees and changes all of it; nothing of this host is "
                        "in its reach",
                        p->machine.uri);
        if (plan_is_far(p) && plan_uri_is_unverified(p->machine.uri))
            explain_add(x, 60, "other host", "machine.uri without no_verify, known_hosts_verify",
                        "nobody verifies which host that is: whoever is in between can be it");
        if (p->machine.devices) {
            autofree char *names = strv_join(p->machine.devices, " ");
            explain_add(x, 20, "devices", "take out machine.device",
                        "of this host, handed over: %s; the guest may change their firmware, and "
                        "only the IOMMU keeps a PCI one from this host's memory",
                        names);
        }
        return;
    }
    if (plan_is_machine(p) && !str_equal(p->machine.type, "microvm"))
        explain_add(
            x, 9, "devices",
            p->boundary == PLAN_MICROVM ? "machine.type = microvm"
            : plan_boots_disk(p)        ? NULL
                                        : "isolation.boundary = microvm",
            "a chipset's (%s): far more of its program than a microvm's few, and each a way "
            "to go wrong",
            p->machine.type);
    if (plan_is_machine(p) && p->machine.accel == PLAN_ACCEL_TCG) {
        explain_add(x, 60, "kernel", "machine.accel = kvm",
                    "a kernel of its own, but emulated (tcg): by QEMU's own word that is no "
                    "security boundary; what gets out of it is in a namespace with no right, %s "
                    "and few files",
                    x->p->network == PLAN_NETWORK_NONE ? "no network" : "its guest's network");
        return;
    }
    explain_nested(x);
    if (p->boundary != PLAN_CONTAINER) {
        explain_add(x, p->boundary == PLAN_SANDBOX ? 15 : 5, "kernel", NULL,
                    "a kernel of its own; the host's is reached only through it");
        return;
    }
    if (!p->seccomp)
        explain_add(x, 75, "kernel", "isolation.seccomp = default",
                    "every system call of the host's kernel: one bug in it is the way out");
    else
        explain_add(x, 30, "kernel", "isolation.boundary = microvm",
                    "the host's kernel, through the system calls ordinary programs need");
    static const struct {
        uint32_t bit;
        unsigned badness;
    } opened[] = {
        {PLAN_OPEN_BPF,         60},
        {PLAN_OPEN_USERNS,      55},
        {PLAN_OPEN_IO_URING,    50},
        {PLAN_OPEN_USERFAULTFD, 45},
        {PLAN_OPEN_PERF,        40},
        {PLAN_OPEN_VSOCK,       35},
        {PLAN_OPEN_KEYRING,     35},
        {PLAN_OPEN_PTRACE,      20},
        {PLAN_OPEN_CORE_DUMPS,  10},
    };
    for (size_t i = 0; i < ARRAY_SIZE(opened); i++) {
        if (!(p->open & opened[i].bit))
            continue;
        autofree char *close =
            str_format("isolation.open without %s", plan_open_names[__builtin_ctz(opened[i].bit)]);
        explain_add(x, opened[i].badness, "kernel", close, "%s, which has been a way out before",
                    plan_open_names[__builtin_ctz(opened[i].bit)]);
    }
}

static void explain_privileges(struct explain *x)
{
    const struct plan *p = x->p;
    if (plan_is_machine(p)) {
        explain_add(x, 3, "privileges", NULL, "whatever it gains is gained inside its own kernel");
        return;
    }
    if (p->capabilities) {
        autobuf names = {0};
        for (unsigned i = 0; plan_capability_name(i); i++)
            if (p->capabilities & (1ull << i))
                buf_printf(&names, "%s%s", names.used ? ", " : "", plan_capability_name(i));
        bool large = p->capabilities & (1ull << 21 | 1ull << 12 | 1ull << 39 | 1ull << 16);
        explain_add(x, large ? 60 : 25, "privileges", "isolation.capabilities = none",
                    "capabilities over its own namespaces: %s", names.data);
    }
    if (!p->no_new_privileges)
        explain_add(x, 20, "privileges", "isolation.no-new-privileges = yes",
                    "programs with the set-user-id bit gain privileges inside");
}

static bool explain_card_is_a_tap(const struct plan *p)
{
    return p->boundary == PLAN_MICROVM && p->runtime && !str_equal(p->runtime, "qemu");
}

/* The only road on which a machine's program is not shut up as it else is. */
static void explain_jailer(struct explain *x)
{
    const struct plan_machine *m = &x->p->machine;
    if (m->jailer)
        explain_add(x, 10, "jailer", NULL,
                    "what gets out of the guest is held by %s and Firecracker's own filter of "
                    "system calls: an id of a subordinate range without a right, namespaces "
                    "without a network, few files, new device nodes; not by a user namespace, "
                    "Landlock and the filter that stand around it without a jailer",
                    m->jailer);
    else if (m->no_jailer)
        explain_add(x, 0, "jailer", NULL,
                    "not used (%s): a user namespace, Landlock and a filter of system calls stand "
                    "around Firecracker instead",
                    m->no_jailer);
    if (m->program && plan_runtime_is(x->p->runtime, "cloud-hypervisor") &&
        x->p->landlock == PLAN_LANDLOCK_NO)
        explain_add(
            x, 5, "landlock", NULL,
            "Cloud Hypervisor's own Landlock is off, by isolation.landlock or since it wants "
            "Linux 6.2; a mount namespace with nothing but its files and the "
            "filters of system calls stand around it");
}

static void explain_network(struct explain *x)
{
    switch (x->p->network) {
    case PLAN_NETWORK_NONE:
        explain_add(x, 0, "network", NULL, "nothing but a loopback interface of its own");
        break;
    case PLAN_NETWORK_PRIVATE:
        explain_add(x, 35, "network", "network.mode = none",
                    "the internet, and the local network behind this host, not the host itself or "
                    "the known addresses of a cloud's metadata: what it reads can leave");
        if (x->p->boundary == PLAN_SANDBOX)
            explain_add(x, 12, "network", "network.mode = none",
                        "gVisor holds the network card itself: what breaks out of its kernel can "
                        "send to the host's own addresses, its loopback too");
        explain_add(x, 4, "other workloads", "network.mode = none",
                    "the translator's work, which no limit of this workload counts");
        if (plan_is_machine(x->p))
            explain_add(x, 6, "devices", "network.mode = none",
                        explain_card_is_a_tap(x->p)
                            ? "a network card, whose packets the machine's program hands to the "
                              "host's kernel, in a network of the machine's own"
                            : "a network card, whose packets the machine's program takes apart and "
                              "turns into connections of its own");
        break;
    case PLAN_NETWORK_ALLOW:
        explain_add(x, 15, "network", "network.mode = none", "what network.allow names");
        break;
    case PLAN_NETWORK_HOST:
        explain_add(x, 70, "network", "network.mode = none",
                    plan_is_far(x->p)
                        ? "all the networks of that host, its services on localhost included: what "
                          "it reads can leave"
                        : "all the host's networks, its services on localhost and abstract sockets "
                          "included: what it reads can leave");
        break;
    }
}

/* Whether `path` is `of` or lies above or below it. */
static bool explain_touches(const char *path, const char *of)
{
    size_t a = strlen(path), b = strlen(of), n = MIN(a, b);
    if (str_equal(path, "/"))
        return true;
    return strncmp(path, of, n) == 0 && (a == b || (a > b ? path[n] : of[n]) == '/');
}

static void explain_mount(struct explain *x, const struct plan_mount *m)
{
    static const char *const displays[] = {"/tmp/.X11-unix", "/run/user", "/run/dbus"};
    bool writable = !(m->flags & PLAN_MOUNT_RO);
    autofree char *shown = str_escape_z(m->source);
    autofree char *close = str_format("files.mount without %s", shown);
    for (size_t i = 0; i < ARRAY_SIZE(displays); i++) {
        if (explain_touches(m->source, displays[i])) {
            explain_add(x, 90, "display", close,
                        "sockets of the session below %s: who can talk to them is not held", shown);
            return;
        }
    }
    bool wide = str_equal(m->source, "/") || str_equal(m->source, "/home") ||
                str_equal(m->source, "/root") || str_equal(m->source, "/etc");
    if (plan_is_machine(x->p) && x->p->machine.shares)
        explain_add(x, 30, "host files", "--copy-in instead of --mount",
                    "%s is served by %s while it runs: the guest's kernel "
                    "speaks to code that opens files of this host, which a copy spares",
                    shown,
                    x->p->machine.served ? "virtiofsd, in a jail of its own,"
                                         : "the machine's program");
    explain_add(x, writable ? (wide ? 100 : 50) : (wide ? 80 : 20), "host files", close,
                writable ? "%s of the host: read and changed there at once"
                         : "%s of the host: read, not changed",
                shown);
}

static void explain_files(struct explain *x)
{
    const struct plan *p = x->p;
    bool home = false;
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->origin && m->kind == PLAN_MOUNT_BIND && !str_equal(m->target, p->home))
            explain_mount(x, m);
        else if (m->kind == PLAN_MOUNT_COPY)
            explain_add(x, 5, "host files", NULL, "a copy of %s", m->source);
        if (m->origin && str_equal(m->target, p->home) &&
            (m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_OVERLAY))
            home = true;
    }
    if (home)
        explain_add(x, 80, "home", "files.home = empty",
                    "everything in your home folder can be read, keys and browser included");
    else
        explain_add(x, 0, "home", NULL,
                    "nothing of your home folder but what is copied or mounted");
    if (str_equal(p->image, "host"))
        explain_add(x, 10, "host files", "files.image = dir:PATH",
                    "the programs installed here, and those files of /etc that everybody may read "
                    "and that hold no secrets");
}

static void explain_groups(struct explain *x)
{
    const struct plan *p = x->p;
    if (!p->kept_groups || plan_is_machine(p))
        return;
    explain_add(x, 12, "host files", "isolation.user = ranges",
                "what of the folders shown only your groups may read or write (%s; see id(1)): a "
                "single id cannot leave them",
                p->kept_groups);
}

/* What one clone could know of another. */
static void explain_clones(struct explain *x)
{
    const struct plan *p = x->p;
    if (!plan_is_by_qemu_alone(p) || !plan_boots_disk(p))
        return;
    if (p->machine.clones_fresh)
        explain_add(x, 0, "clones", NULL, "none is made of it with its memory (machine.clones)");
    else
        explain_add(x, p->snapshot_kind == PLAN_SNAPSHOT_MEMORY ? 25 : 4, "clones",
                    "machine.clones = fresh", "of a clone with its memory: " PLAN_SAME_BUT_STIRRED);
}

/* What machine.warm costs. */
static void explain_template(struct explain *x)
{
    const struct plan_machine *m = &x->p->machine;
    char size[32];
    str_from_size(m->warmed_bytes ? m->warmed_bytes : m->memory, size, sizeof(size));
    explain_add(x, 1, "template", "machine.warm = no",
                m->warmed_bytes ? "it goes on from a machine that has booted before: %s on the "
                                  "disk, whose memory all such "
                                  "starts share as long as they do not write to it"
                                : "this start keeps what has booted for later ones, before it is "
                                  "told anything: up to %s on "
                                  "the disk",
                size);
}

static void explain_disks(struct explain *x)
{
    for (size_t i = 0; i < plan_more_disks(x->p); i++)
        explain_add(x, 20, "host files", "take machine.disk out",
                    "%s of the host: read as the disk /dev/" PLAN_DISK
                    "%zu, not changed; no snapshots while it is so",
                    x->p->machine.disks[i], i + 1);
}

static void explain_resources(struct explain *x)
{
    const struct plan_limits *l = &x->p->limits;
    static const char text[] = "it can use up %s";
    if (plan_is_machine(x->p) && x->p->machine.warmed)
        explain_template(x);
    if (plan_is_machine(x->p) && x->p->machine.scratch) {
        char size[32];
        explain_add(x, 4, "resources", "machine.scratch = memory",
                    "up to %s of this host's disk with what it changes, in a file without a name "
                    "that is gone with it",
                    str_from_size(l->disk, size, sizeof(size)));
    }
    if (plan_is_machine(x->p))
        return; /* a machine has a size */
    if (!l->memory)
        explain_add(x, 18, "resources", "resources.memory = SIZE", text, "the memory");
    if (!l->pids)
        explain_add(x, 18, "resources", "resources.pids = NUMBER", text, "the process numbers");
    if (!l->disk)
        explain_add(x, 12, "resources", "resources.disk = SIZE", text,
                    x->p->scratch ? "the disk" : "half the memory with files");
    if (!l->cpu_milli)
        explain_add(x, 8, "resources", "resources.cpus = NUMBER", text, "the processors' time");
}

static void explain_others(struct explain *x)
{
    const struct plan *p = x->p;
    explain_add(x, 3, "devices", NULL,
                plan_is_machine(p) ? "the machine's own few (virtio), which its program emulates"
                                   : "null, zero, full, random, urandom and terminals of its own");
    bool shown = false;
    for (size_t i = 0; i < x->count; i++)
        shown = shown || str_equal(x->list[i].subject, "display");
    if (!shown)
        explain_add(x, 0, "display", NULL, "nothing: no socket of the session is shown");
    if (plan_is_far(p))
        explain_add(x, 8, "other workloads", NULL,
                    "not seen; on that host it is counted with whatever else runs there");
    else if (p->map_by == PLAN_MAP_PARENT)
        explain_add(x, 0, "other workloads", NULL, "nothing: its ids outside are its alone");
    else
        explain_add(
            x, 8, "other workloads", NULL,
            "not seen, but counted with you and your other workloads in the kernel's pools");
}

/* Worst first; equals stay in the order they were found. */
static void explain_sort(struct explain *x)
{
    for (size_t i = 1; i < x->count; i++) {
        struct plan_reach moved = x->list[i];
        size_t at = i;
        for (; at > 0 && x->list[at - 1].badness < moved.badness; at--)
            x->list[at] = x->list[at - 1];
        x->list[at] = moved;
    }
}

void plan_explain(const struct plan *p, struct plan_reach **ret, size_t *ret_count)
{
    struct explain x = {.p = p};
    explain_kernel(&x);
    explain_jailer(&x);
    explain_privileges(&x);
    explain_network(&x);
    explain_files(&x);
    explain_groups(&x);
    explain_others(&x);
    explain_clones(&x);
    explain_disks(&x);
    explain_resources(&x);
    explain_sort(&x);
    *ret = x.list;
    *ret_count = x.count;
}

void plan_reach_free(struct plan_reach *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(r[i].text);
        free(r[i].close);
    }
    free(r);
}
