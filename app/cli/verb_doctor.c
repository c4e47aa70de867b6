/* cofferdam doctor: what works on this host, what does not, why, and the mend. */
#include "app/cli/doctor.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "backends/backend.h"
#include "backends/cgroup/scope.h"
#include "backends/net/translator.h"
#include "images/kernel.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

static const char *const state_names[] = {
    [BACKEND_GOOD] = "good", [BACKEND_PARTLY] = "partly", [BACKEND_MISSING] = "missing"};

static void host_kernel(const struct plan_host *h, struct backend_health *to)
{
    autofree char *kernel =
        str_format("Linux %s on %s", h->kernel ? h->kernel : "?", h->arch ? h->arch : "?");
    backend_health_add(to, BACKEND_GOOD, kernel, NULL, NULL);
    backend_health_add(to, h->userns ? BACKEND_GOOD : BACKEND_MISSING, "user namespaces",
                       h->userns ? NULL : "the kernel refuses to make one for this user",
                       h->userns
                           ? NULL
                           : "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces"
                             "=10000 (and, on Ubuntu, an AppArmor profile that allows userns)");
    backend_health_add(to, h->timens ? BACKEND_GOOD : BACKEND_PARTLY, "time namespaces",
                       h->timens ? NULL : "this kernel has none: a workload sees the host's uptime",
                       NULL);
    autofree char *landlock =
        h->landlock_abi ? str_format("Landlock, version %u", h->landlock_abi) : str_dup("Landlock");
    backend_health_add(to, h->landlock_abi ? BACKEND_GOOD : BACKEND_PARTLY, landlock,
                       h->landlock_abi ? NULL : "the second lock on files is missing",
                       h->landlock_abi ? NULL
                                       : "add landlock to lsm= in the kernel's command line");
}

static void host_ids(const struct plan_host *h, struct backend_health *to)
{
    if (h->uid == 0)
        return; /* root takes ranges of its own */
    autofree char *add =
        str_format("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
                   h->user ? h->user : "USER");
    bool ranges = h->subuid_count && h->subgid_count;
    backend_health_add(to, ranges ? BACKEND_GOOD : BACKEND_PARTLY, "subordinate ids",
                       ranges ? NULL
                              : "a workload has one user only: isolation.user = ranges is refused",
                       ranges ? NULL : add);
    backend_health_add(to, h->newuidmap ? BACKEND_GOOD : BACKEND_PARTLY, "newuidmap and newgidmap",
                       h->newuidmap ? NULL : "they write maps of more than one id",
                       h->newuidmap ? NULL : "apt install uidmap");
}

static void host_cgroup(const struct plan_host *h, struct backend_health *to)
{
    static const char *const names[] = {
        [PLAN_CGROUP_NONE] = "control groups",
        [PLAN_CGROUP_V2] = "control groups, version 2",
        [PLAN_CGROUP_SYSTEMD] = "control groups from systemd",
        [PLAN_CGROUP_V1] = "control groups, version 1",
    };
    struct error e;
    if (h->cgroup == PLAN_CGROUP_NONE) {
        backend_health_add(to, BACKEND_PARTLY, names[h->cgroup],
                           "none can be had: memory, processes and processor time are not limited",
                           "log in through systemd, or --set resources.limits=best-effort");
        return;
    }
    if (h->cgroup == PLAN_CGROUP_SYSTEMD && cgroup_scope_probe(&e) < 0) {
        backend_health_add(to, BACKEND_MISSING, names[h->cgroup], e.text,
                           h->uid ? "systemctl --user status; --set resources.limits=best-effort"
                                  : "systemctl status; --set resources.limits=best-effort");
        return;
    }
    if (h->cgroup == PLAN_CGROUP_SYSTEMD && h->uid) {
        autofree char *linger = str_format("/var/lib/systemd/linger/%s", h->user);
        autofree char *mend = str_format("loginctl enable-linger %s", h->user);
        bool stays = access(linger, F_OK) == 0;
        backend_health_add(to, stays ? BACKEND_GOOD : BACKEND_PARTLY, "workloads after a logout",
                           stays ? NULL
                                 : "those with limits end with your last session, as systemd ends "
                                   "its manager for you then",
                           stays ? NULL : mend);
    }
    autofree char *has = strv_join(h->cgroup_controllers, ", ");
    autofree char *what = str_format("%s: %s", names[h->cgroup], *has ? has : "no controllers");
    static const char *const wanted[] = {"memory", "pids", "cpu"};
    bool all = true;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        all = all && strv_has(h->cgroup_controllers, wanted[i]);
    backend_health_add(to, all ? BACKEND_GOOD : BACKEND_PARTLY, what,
                       all ? NULL : "not every limit can be enforced",
                       all ? NULL : "systemd: Delegate=cpu memory pids io for user@.service");
}

/* The stops this version has no runtime for: said here, so that nobody has to find out by failing.
 */
static void host_stops(struct backend_health *to)
{
    for (int b = PLAN_CONTAINER; b <= PLAN_VM; b++) {
        struct error e;
        autofree char *what =
            str_format("the %s boundary", plan_boundary_name((enum plan_boundary)b));
        const struct backend *found = backend_for((enum plan_boundary)b, &e);
        backend_health_add(to, found ? BACKEND_GOOD : BACKEND_MISSING, what, found ? NULL : e.text,
                           NULL);
    }
}

static bool host_has_program(const char *name)
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"};
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_SIZE(folders); i++) {
        autofree char *path = str_join_path(folders[i], name);
        found = access(path, X_OK) == 0;
    }
    return found;
}

/* What a machine's disks and kernel are made with; containers need none of it. */
static void host_machines(struct backend_health *to)
{
    static const struct {
        const char *program, *what, *why, *mend;
    } rows[] = {
        {"tar2sqfs", "tar2sqfs: images as disks of machines", "an image cannot be a machine's root",
         "apt install squashfs-tools-ng"},
        {"mke2fs",   "mke2fs: scratch disks of machines",     "machine.scratch = disk is refused",
         "apt install e2fsprogs"        },
        {"qemu-img", "qemu-img: overlays over disk:PATH",     "disk: images cannot be used",
         "apt install qemu-utils"       },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool has = host_has_program(rows[i].program);
        backend_health_add(to, has ? BACKEND_GOOD : BACKEND_PARTLY, rows[i].what,
                           has ? NULL : rows[i].why, has ? NULL : rows[i].mend);
    }
    struct dirs d = {0};
    struct kernel_list l = {0};
    const struct kernel *k = NULL;
    struct error e;
    bool found = dirs_init(&d, &e) == 0 && kernel_list_read(d.data, "", &l, &e) == 0 &&
                 kernel_choose(&l, NULL, &k, &e) == 0;
    autofree char *what = found ? str_format("a kernel for machines: %s", k->release)
                                : str_dup("a kernel for machines");
    backend_health_add(to, found ? BACKEND_GOOD : BACKEND_PARTLY, what,
                       found ? NULL : "none with drivers for virtio, squashfs and overlay is here",
                       found ? NULL
                             : "cofferdam image kernel import FILE.deb (apt-get download "
                               "linux-image-cloud-amd64's package)");
    kernel_list_done(&l);
    dirs_done(&d);
}

static void host_network(struct backend_health *to)
{
    static const char what[] = "network.mode = private: slirp4netns";
    const char *mend = NULL;
    struct error e;
    if (net_probe(&mend, &e) == 0)
        backend_health_add(to, BACKEND_GOOD, what, NULL, NULL);
    else
        backend_health_add(to, BACKEND_PARTLY, what, e.text, mend);
}

/* As the interface has them on a terminal that shows no more than ASCII. */
static const char *const *print_marks(void)
{
    static const char *const marks[] = {"✓", "~", "✗"}, *const plain[] = {"+", "~", "x"};
    setlocale(LC_CTYPE, "");
    bool shown = !isatty(STDOUT_FILENO) || str_equal(nl_langinfo(CODESET), "UTF-8");
    return shown ? marks : plain;
}

static void print_checks(const struct backend_health *h)
{
    static const enum out_colour colours[] = {OUT_GREEN, OUT_YELLOW, OUT_RED};
    const char *const *marks = print_marks();
    for (size_t i = 0; i < h->checks_count; i++) {
        const struct backend_check *c = &h->checks[i];
        autofree char *what = out_text(c->what);
        out_line("  %s%s%s %s", out_colour(colours[c->state]), marks[c->state],
                 out_colour(OUT_PLAIN), what);
        if (c->why) {
            autofree char *why = out_text(c->why);
            out_line("      %s", why);
        }
        if (c->mend) {
            autofree char *mend = out_text(c->mend);
            out_line("      %smend:%s %s", out_colour(OUT_BOLD), out_colour(OUT_PLAIN), mend);
        }
    }
}

static json_t *checks_json(const struct backend_health *h)
{
    json_t *list = json_array();
    for (size_t i = 0; i < h->checks_count; i++) {
        const struct backend_check *c = &h->checks[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o}", "state", state_names[c->state],
                                        "what", out_json_string(c->what), "why",
                                        out_json_string(c->why), "mend", out_json_string(c->mend)));
    }
    return list;
}

/* --- all of them --- */

static void ask_host(const struct backend *none, const struct plan_host *h,
                     struct backend_health *ret)
{
    host_kernel(h, ret);
    host_ids(h, ret);
    host_cgroup(h, ret);
    host_stops(ret);
    host_network(ret);
    host_machines(ret);
}

static void ask_backend(const struct backend *b, const struct plan_host *h,
                        struct backend_health *ret)
{
    b->probe(h, ret);
}

int doctor_run_all(doctor_news_fn news, void *data, bool *ret_usable, struct error *e)
{
    struct plan_host h = {0};
    size_t count = backends_count + 1;
    int r = plan_host_read(&h, e);
    if (r < 0)
        return r;
    struct doctor_part *parts = mem_zero(count, sizeof(*parts));
    parts[0].ask = ask_host;
    for (size_t i = 1; i < count; i++)
        parts[i] = (struct doctor_part){.backend = backends[i - 1], .ask = ask_backend};
    doctor_ask(parts, count, &h, news, data);
    *ret_usable = false;
    for (size_t i = 0; i < count; i++) {
        *ret_usable |= parts[i].backend && parts[i].health.usable;
        backend_health_done(&parts[i].health);
    }
    free(parts);
    plan_host_done(&h);
    return 0;
}

void doctor_print(const struct doctor_part *p)
{
    const struct backend *b = p->backend;
    if (b)
        out_line("\n%s%s%s: %s (%s boundary)%s", out_colour(OUT_BOLD), b->name,
                 out_colour(OUT_PLAIN), b->summary, plan_boundary_name(b->boundary),
                 !p->answered || p->health.usable ? "" : ", not usable here");
    else
        out_line("%sthis host%s", out_colour(OUT_BOLD), out_colour(OUT_PLAIN));
    if (p->answered)
        print_checks(&p->health);
    else
        out_line("  %s", "looking…");
}

/* In their order, each as soon as those before it are there, too. */
static void print_next(void *data, const struct doctor_part *parts, size_t count)
{
    size_t *next = data;
    for (; *next < count && parts[*next].answered; (*next)++)
        doctor_print(&parts[*next]);
    fflush(stdout);
}

static void collect_json(void *data, const struct doctor_part *parts, size_t count)
{
    json_t *to = data;
    for (size_t i = 0; i < count; i++)
        if (!parts[i].answered)
            return;
    json_t *list = json_array();
    for (size_t i = 1; i < count; i++) {
        const struct backend *b = parts[i].backend;
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", b->name, "summary", b->summary,
                            "boundary", plan_boundary_name(b->boundary), "usable",
                            parts[i].health.usable, "checks", checks_json(&parts[i].health)));
    }
    json_object_set_new(to, "host", checks_json(&parts[0].health));
    json_object_set_new(to, "runtimes", list);
}

static int doctor_run(struct cli *c)
{
    struct error e;
    bool usable = false;
    size_t next = 0;
    if (c->args_count)
        return cli_usage(c, "it takes no argument");
    json_t *to = c->json ? json_pack("{s:b}", "usable", 0) : NULL;
    int r = to ? doctor_run_all(collect_json, to, &usable, &e)
               : doctor_run_all(print_next, &next, &usable, &e);
    if (r == 0 && to) {
        json_object_set_new(to, "usable", json_boolean(usable));
        out_json(TAKE(to));
    }
    json_decref(to);
    if (r < 0)
        return cli_fail(c, &e);
    return usable ? 0 : 1;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .group = "Host",
    .usage = "[--json]",
    .summary = "what works on this host, what does not, why, and the mend",
    .flags = VERB_JSON,
    .run = doctor_run,
};
