#include "backends/bundle/config.h"

#include "base/str.h"

#include <ctype.h>
#include <linux/capability.h>
#include <string.h>

/* --- small words --------------------------------------------------------------------------------
 */

static json_t *text_list(const char *const *list)
{
    json_t *a = json_array();
    for (; list && *list; list++)
        json_array_append_new(a, json_string(*list));
    return a;
}

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

static void put_text(json_t *o, const char *key, const char *value)
{
    put(o, key, json_string(value));
}

/* "net-raw" is CAP_NET_RAW, "nofile" RLIMIT_NOFILE. */
static json_t *shouted(const char *prefix, const char *name)
{
    autofree char *s = str_format("%s%s", prefix, name);
    for (char *c = s; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return json_string(s);
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool oci_is_runtimes(const struct plan_mount *m, enum oci_kind kind)
{
    return is_below(m->target, "/proc") || is_below(m->target, "/dev") ||
           (kind == OCI_RUNSC && m->kind == PLAN_MOUNT_BIND && is_below(m->target, "/sys"));
}

static bool has_root(const struct plan *p)
{
    for (size_t i = 0; i < p->uid_map_count; i++)
        if (p->uid_map[i].inside == 0)
            return true;
    return false;
}

/* gVisor has users of its own; it needs none of the kernel's to make one. */
bool oci_nests(const struct plan *p, enum oci_kind kind)
{
    return !has_root(p) && kind != OCI_RUNSC;
}

/* --- process ------------------------------------------------------------------------------------
 */

static json_t *capability_list(uint64_t set)
{
    json_t *a = json_array();
    for (unsigned c = 0; c < 64; c++)
        if ((set >> c & 1) && plan_capability_name(c))
            json_array_append_new(a, shouted("CAP_", plan_capability_name(c)));
    return a;
}

/*
 * As docker has it: uid 0 has the set, others can get it from files of root only; one id alone that
 * is not 0 keeps it over every exec.
 */
static json_t *capabilities(const struct plan *p, uint32_t uid)
{
    uint64_t own = uid == 0 ? p->capabilities : 0, alone = has_root(p) ? 0 : p->capabilities;
    json_t *o = json_object();
    put(o, "bounding", capability_list(p->capabilities));
    put(o, "effective", capability_list(own | alone));
    put(o, "permitted", capability_list(own | alone));
    put(o, "inheritable", capability_list(alone));
    put(o, "ambient", capability_list(alone));
    return o;
}

static json_t *rlimit(const char *name, uint64_t soft, uint64_t hard)
{
    json_t *o = json_object();
    put(o, "type", shouted("RLIMIT_", name));
    put(o, "hard", json_integer((json_int_t)hard));
    put(o, "soft", json_integer((json_int_t)soft));
    return o;
}

static json_t *rlimits(const struct plan *p)
{
    json_t *a = json_array();
    for (size_t i = 0; i < p->rlimits_count; i++) {
        const struct plan_rlimit *l = &p->rlimits[i];
        if (!str_equal(l->name, "core") || (p->open & PLAN_OPEN_CORE_DUMPS))
            json_array_append_new(a, rlimit(l->name, l->soft, l->hard));
    }
    /* One byte, not none: only that also stops a dump into a helper program of the host's. */
    if (!(p->open & PLAN_OPEN_CORE_DUMPS))
        json_array_append_new(a, rlimit("core", 1, 1));
    return a;
}

static json_t *user(const struct plan *p, uint32_t uid, uint32_t gid)
{
    json_t *o = json_object();
    put(o, "uid", json_integer(uid));
    put(o, "gid", json_integer(gid));
    put(o, "umask", json_integer(p->umask));
    if (p->groups_count && p->map_by != PLAN_MAP_SELF) {
        json_t *a = json_array();
        for (size_t i = 0; i < p->groups_count; i++)
            json_array_append_new(a, json_integer(p->groups[i]));
        put(o, "additionalGids", a);
    }
    return o;
}

struct command {
    const char *const *argv, *const *env;
    const char *cwd;
    const char *const *front; /* what becomes the command, or starts it; NULL: itself */
    uint32_t uid, gid;
    bool terminal;
    uint16_t rows, cols;
};

static json_t *process(const struct plan *p, const struct command *c)
{
    json_t *o = json_object(), *args = text_list(c->front), *words = text_list(c->argv);
    json_array_extend(args, words);
    json_decref(words);
    put(o, "terminal", json_boolean(c->terminal));
    if (c->terminal && c->rows && c->cols)
        put(o, "consoleSize", json_pack("{si si}", "height", c->rows, "width", c->cols));
    put(o, "user", user(p, c->uid, c->gid));
    put(o, "args", args);
    put(o, "env", text_list(c->env));
    put_text(o, "cwd", c->cwd);
    put(o, "capabilities", capabilities(p, c->uid));
    put(o, "rlimits", rlimits(p));
    put(o, "noNewPrivileges", json_boolean(p->no_new_privileges));
    if (p->apparmor)
        put_text(o, "apparmorProfile", p->apparmor);
    if (p->selinux)
        put_text(o, "selinuxLabel", p->selinux);
    return o;
}

/* --- mounts -------------------------------------------------------------------------------------
 */

static void option(json_t *options, const char *text)
{
    json_array_append_new(options, json_string(text));
}

static json_t *mount_options(const struct plan_mount *m)
{
    json_t *a = json_array();
    if (m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_DEVICE)
        option(a, m->kind == PLAN_MOUNT_BIND ? "rbind" : "bind");
    option(a, "nosuid");
    if (m->flags & PLAN_MOUNT_NODEV)
        option(a, "nodev");
    if (m->flags & PLAN_MOUNT_NOEXEC)
        option(a, "noexec");
    option(a, m->flags & PLAN_MOUNT_RO ? "ro" : "rw");
    return a;
}

static void mount_add(json_t *mounts, const char *target, const char *type, const char *source,
                      json_t *options)
{
    json_t *o = json_object();
    put_text(o, "destination", target);
    put_text(o, "type", type);
    put_text(o, "source", source);
    put(o, "options", options);
    json_array_append_new(mounts, o);
}

/* Whether the plan makes this mount read-only in a step of its own, later. */
static bool turns_readonly(const struct plan *p, const char *target)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_READONLY && str_equal(p->mounts[i].target, target))
            return true;
    return false;
}

/* A device on a read-only /dev cannot be written in gVisor. */
static bool may_turn_readonly(const struct oci_words *w, const char *target)
{
    return !str_equal(target, "/dev") || (w->kind != OCI_RUNSC && !w->by_hand);
}

static void mount_tmpfs(json_t *mounts, const struct plan *p, const struct oci_words *w,
                        const struct plan_mount *m)
{
    json_t *a = json_array();
    char text[48];
    option(a, "nosuid");
    if (!str_equal(m->target, "/dev"))
        option(a, "nodev");
    if (m->flags & PLAN_MOUNT_NOEXEC)
        option(a, "noexec");
    snprintf(text, sizeof(text), "mode=%04o", m->mode ? m->mode : 0755);
    option(a, text);
    if (m->size) {
        snprintf(text, sizeof(text), "size=%llu", (unsigned long long)m->size);
        option(a, text);
    }
    if ((m->flags & PLAN_MOUNT_OWNED) && (p->uid || p->gid)) {
        snprintf(text, sizeof(text), "uid=%u", p->uid);
        option(a, text);
        snprintf(text, sizeof(text), "gid=%u", p->gid);
        option(a, text);
    }
    if ((m->flags & PLAN_MOUNT_RO) ||
        (turns_readonly(p, m->target) && may_turn_readonly(w, m->target)))
        option(a, "ro");
    mount_add(mounts, m->target, "tmpfs", "tmpfs", a);
}

static void mount_devpts(json_t *mounts, const struct plan_mount *m)
{
    json_t *a = json_array();
    char most[32];
    snprintf(most, sizeof(most), "max=%u", m->size ? (unsigned)m->size : 64u);
    const char *const words[] = {"nosuid",        "noexec",    "newinstance",
                                 "ptmxmode=0666", "mode=0620", most};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        option(a, words[i]);
    mount_add(mounts, m->target, "devpts", "devpts", a);
}

/* Every runtime makes these by itself (config-linux.md, "Default Devices"). */
static bool is_usual_device(const char *target)
{
    static const char *const usual[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                        "/dev/random", "/dev/urandom", "/dev/tty"};
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        if (str_equal(usual[i], target))
            return true;
    return false;
}

static void mount_step(json_t *mounts, const struct plan *p, const struct oci_words *w,
                       const struct plan_mount *m)
{
    switch (m->kind) {
    case PLAN_MOUNT_PROC:
        mount_add(mounts, m->target, "proc", "proc", mount_options(m));
        break;
    case PLAN_MOUNT_SYSFS:
        mount_add(mounts, m->target, "sysfs", "sysfs", mount_options(m));
        break;
    case PLAN_MOUNT_MQUEUE:
        mount_add(mounts, m->target, "mqueue", "mqueue", mount_options(m));
        break;
    case PLAN_MOUNT_CGROUP:
        mount_add(mounts, m->target, "cgroup", "cgroup", mount_options(m));
        break;
    case PLAN_MOUNT_TMPFS:
        mount_tmpfs(mounts, p, w, m);
        break;
    case PLAN_MOUNT_DEVPTS:
        mount_devpts(mounts, m);
        break;
    case PLAN_MOUNT_DEVICE:
        if (!is_usual_device(m->target))
            mount_add(mounts, m->target, "bind", m->source, mount_options(m));
        break;
    case PLAN_MOUNT_BIND:
        mount_add(mounts, m->target, "bind", m->source, mount_options(m));
        break;
    case PLAN_MOUNT_OVERLAY: /* these are the root itself, or words of their own */
    case PLAN_MOUNT_MASK:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_DIR:
    case PLAN_MOUNT_SYMLINK:
    case PLAN_MOUNT_FILE:
    case PLAN_MOUNT_COPY:
        break;
    }
}

/* runsc puts an empty file system of its own over an empty /tmp, unless something is mounted. */
static void mount_tmp(json_t *mounts, const struct oci_words *w)
{
    autofree char *tmp = str_join_path(w->root, "tmp");
    mount_add(mounts, "/tmp", "bind", tmp, json_pack("[sss]", "rbind", "nosuid", "nodev"));
}

static json_t *mounts(const struct plan *p, const struct oci_words *w)
{
    json_t *a = json_array();
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        bool theirs = oci_is_runtimes(m, w->kind);
        if (theirs ? !(w->kind == OCI_RUNSC && is_below(m->target, "/sys")) : w->by_hand)
            mount_step(a, p, w, m);
    }
    if (w->kind == OCI_RUNSC && !w->by_hand)
        mount_tmp(a, w);
    if (w->init)
        mount_add(a, OCI_INIT_INSIDE, "bind", w->init,
                  json_pack("[ssss]", "bind", "ro", "nosuid", "nodev"));
    if (w->list)
        mount_add(a, OCI_LIST_INSIDE, "bind", w->list,
                  json_pack("[sssss]", "bind", "ro", "nosuid", "nodev", "noexec"));
    return a;
}

/* --- linux --------------------------------------------------------------------------------------
 */

static json_t *namespaces(const struct plan *p, const struct oci_words *w)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } kinds[] = {
        {PLAN_NS_PID,    "pid"    },
        {PLAN_NS_MOUNT,  "mount"  },
        {PLAN_NS_IPC,    "ipc"    },
        {PLAN_NS_UTS,    "uts"    },
        {PLAN_NS_NET,    "network"},
        {PLAN_NS_CGROUP, "cgroup" },
    };
    bool ours =
        !w->by_hand && p->network == PLAN_NETWORK_PRIVATE; /* made, and the runtime is in it */
    json_t *a = json_array();
    if ((w->by_hand && !w->own_kernel) || (!w->by_hand && oci_nests(p, w->kind)))
        json_array_append_new(a, json_pack("{ss}", "type", "user"));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (p->namespaces & kinds[i].bit && !(ours && kinds[i].bit == PLAN_NS_NET))
            json_array_append_new(a, json_pack("{ss}", "type", kinds[i].name));
    if (ours && w->kind == OCI_RUNSC) /* it would make one, unless it is told where to look */
        json_array_append_new(a,
                              json_pack("{ssss}", "type", "network", "path", "/proc/self/ns/net"));
    return a;
}

static json_t *id_map(uint32_t inside, uint32_t outside, uint32_t count)
{
    json_t *o = json_object();
    put(o, "containerID", json_integer(inside));
    put(o, "hostID", json_integer(outside));
    put(o, "size", json_integer(count));
    return o;
}

static json_t *id_maps(const struct plan_id_map *map, size_t count, uint32_t range)
{
    json_t *a = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, id_map(map[i].inside,
                                        map[i].outside ? map[i].outside : range + map[i].inside,
                                        map[i].count));
    return a;
}

/* Below ours there is one id alone, and ours is 0 there. */
static json_t *id_map_alone(uint32_t inside)
{
    json_t *a = json_array();
    json_array_append_new(a, id_map(inside, 0, 1));
    return a;
}

/* A file of ours over one of proc is not to be had everywhere: what it hides is hidden. */
static json_t *masked(const struct plan *p, const struct oci_words *w)
{
    json_t *a = json_array();
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        bool theirs = oci_is_runtimes(m, w->kind);
        if ((m->kind == PLAN_MOUNT_MASK && (theirs || w->by_hand)) ||
            (m->kind == PLAN_MOUNT_FILE && is_below(m->target, "/proc")))
            json_array_append_new(a, json_string(m->target));
    }
    return a;
}

static json_t *readonly(const struct plan *p, const struct oci_words *w)
{
    json_t *a = json_array();
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->kind == PLAN_MOUNT_READONLY && !str_equal(m->target, "/dev") &&
            (w->by_hand || oci_is_runtimes(m, w->kind)))
            json_array_append_new(a, json_string(m->target));
    }
    return a;
}

static json_t *resources(const struct plan *p)
{
    enum { PERIOD_US = 100000 };
    const struct plan_limits *l = &p->limits;
    json_t *o = json_object();
    if (l->memory)
        put(o, "memory",
            json_pack("{sI sI}", "limit", (json_int_t)l->memory, "swap",
                      (json_int_t)(l->memory + l->swap)));
    if (l->pids)
        put(o, "pids", json_pack("{sI}", "limit", (json_int_t)l->pids));
    if (l->cpu_milli)
        put(o, "cpu",
            json_pack("{sI si}", "quota", (json_int_t)l->cpu_milli * PERIOD_US / 1000, "period",
                      PERIOD_US));
    return o;
}

static json_t *linux_part(const struct plan *p, const struct oci_words *w)
{
    json_t *o = json_object();
    put(o, "namespaces", namespaces(p, w));
    if (w->by_hand) {
        if (!w->own_kernel) {
            put(o, "uidMappings", id_maps(p->uid_map, p->uid_map_count, w->range));
            put(o, "gidMappings", id_maps(p->gid_map, p->gid_map_count, w->range));
        }
        if (w->group)
            put_text(o, "cgroupsPath", w->group);
        put(o, "resources", resources(p));
    } else if (oci_nests(p, w->kind)) {
        put(o, "uidMappings", id_map_alone(p->uid));
        put(o, "gidMappings", id_map_alone(p->gid));
    }
    put_text(o, "rootfsPropagation", "private");
    put(o, "maskedPaths", masked(p, w));
    put(o, "readonlyPaths", readonly(p, w));
    if (p->seccomp && !w->list)
        put(o, "seccomp", oci_seccomp(p, w));
    return o;
}

/* --- the documents ------------------------------------------------------------------------------
 */

char *oci_config(const struct plan *p, const struct oci_words *w)
{
    static const char *const plain[] = {OCI_INIT_INSIDE, "--", NULL};
    static const char *const held[] = {OCI_INIT_INSIDE, "list", OCI_LIST_INSIDE, "--", NULL};
    const struct command c = {
        .argv = (const char *const *)p->argv,
        .env = (const char *const *)p->env,
        .cwd = p->cwd,
        .front = w->list   ? held
                 : w->init ? plain
                           : NULL,
        .uid = p->uid,
        .gid = p->gid,
        .terminal = p->terminal,
        .rows = w->rows,
        .cols = w->cols,
    };
    json_t *o = json_object();
    put_text(o, "ociVersion", "1.0.2");
    put(o, "process", process(p, &c));
    put(o, "root", json_pack("{ss sb}", "path", w->root, "readonly", p->read_only));
    if (p->hostname)
        put_text(o, "hostname", p->hostname);
    put(o, "mounts", mounts(p, w));
    put(o, "linux", linux_part(p, w));
    if (w->restored)
        put(o, "annotations", json_pack("{ss}", "dev.gvisor.flag.rootless", "true"));
    char *text = json_dumps(o, w->by_hand ? JSON_INDENT(2) : JSON_COMPACT);
    json_decref(o);
    return text;
}

/* The workload's variables, with those of `more` over them. */
static char **environment(char *const *own, char *const *more)
{
    char **env = strv_copy(own);
    for (; more && *more; more++)
        strv_put(&env, *more);
    return env;
}

char *oci_process(const struct plan *p, const struct oci_words *w, const struct launch_exec *x,
                  uint32_t uid, uint32_t gid)
{
    static const char *const held[] = {OCI_INIT_INSIDE, "list", OCI_LIST_INSIDE, "env", "--", NULL};
    autostrv char **env = environment(p->env, x->env);
    const struct command c = {
        .argv = (const char *const *)x->argv,
        .env = (const char *const *)env,
        .cwd = x->cwd ? x->cwd : p->cwd,
        .front = w->list ? held : NULL,
        .uid = uid,
        .gid = gid,
        .terminal = x->terminal,
        .rows = x->rows,
        .cols = x->cols,
    };
    json_t *o = process(p, &c);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}
