#include "backends/cgroup/internal.h"

#include "base/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *const cgroup_v1_names[CGROUP_V1_COUNT] = {
    "memory", "pids", "cpu", "cpuacct", "blkio", "freezer", "devices",
};

enum { CGROUP_LIST_MAX = 4096 };

bool cgroup_name_is_ours(const char *name)
{
    if (!str_starts(name, CGROUP_PREFIX))
        return false;
    const char *id = name + strlen(CGROUP_PREFIX);
    size_t digits = strspn(id, "0123456789abcdef");
    return digits == 12 && (!id[digits] || strcmp(id + digits, ".scope") == 0);
}

bool cgroup_list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        size_t n = strcspn(list, " \n");
        if (n == length && memcmp(list, word, n) == 0)
            return true;
        list += n;
        list += strspn(list, " \n");
    }
    return false;
}

static bool cgroup_is_v2(int dir)
{
    struct statfs s;
    return fstatfs(dir, &s) == 0 && (unsigned long)s.f_type == CGROUP2_SUPER_MAGIC;
}

static int cgroup_open_dir(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cgroup_enable(int parent, const char *const *wanted)
{
    autofree char *on = NULL;
    int r = file_read_virtual(parent, "cgroup.subtree_control", CGROUP_LIST_MAX, &on, NULL);
    if (r < 0)
        return r;
    for (size_t i = 0; wanted[i]; i++) {
        char word[32];
        if (cgroup_list_has(on, wanted[i]))
            continue;
        snprintf(word, sizeof(word), "+%s", wanted[i]);
        int put = file_put(parent, "cgroup.subtree_control", word);
        if (put < 0 && r == 0)
            r = put;
    }
    return r;
}

/* Makes our folder at a place whose parent is open. Somebody else's folder of that name is refused.
 */
static int cgroup_place_make(struct cgroup_place *p, const char *name)
{
    if (mkdirat(p->parent, name, 0755) < 0)
        return -errno;
    p->made = true;
    int fd = openat(p->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    p->dir = fd;
    return 0;
}

/* The text behind "0::" in /proc/self/cgroup. */
static int cgroup_own_path(char **ret)
{
    autofree char *text = NULL;
    int r = file_read_virtual(AT_FDCWD, "/proc/self/cgroup", CGROUP_LIST_MAX * 4, &text, NULL);
    if (r < 0)
        return r;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (str_starts(line, "0::/")) {
            *ret = str_ndup(line + 3, strcspn(line + 3, "\n"));
            return 0;
        }
    }
    return -ENOENT;
}

/* Whether a control group is one that systemd manages itself: nobody else may make children in it.
 */
static bool cgroup_is_managed(int dir, const char *name)
{
    char value[8];
    if (str_ends(name, ".slice") || (str_starts(name, "user@") && str_ends(name, ".service")))
        return true;
    if (!str_ends(name, ".scope") && !str_ends(name, ".service"))
        return false;
    return fgetxattr(dir, "user.delegate", value, sizeof(value)) != 1 || value[0] != '1';
}

/* May we make children here, and would controllers work in them? */
static bool cgroup_is_usable(int dir, const char *name, const char *const *wanted)
{
    autofree char *on = NULL, *procs = NULL;
    if (cgroup_is_managed(dir, name) || faccessat(dir, ".", W_OK, AT_EACCESS) < 0 ||
        faccessat(dir, "cgroup.procs", W_OK, AT_EACCESS) < 0)
        return false;
    if (file_read_virtual(dir, "cgroup.subtree_control", CGROUP_LIST_MAX, &on, NULL) < 0)
        return false;
    bool all = true;
    for (size_t i = 0; wanted[i]; i++)
        all = all && cgroup_list_has(on, wanted[i]);
    if (all)
        return true;
    return file_read_virtual(dir, "cgroup.procs", 64 * 1024, &procs, NULL) == 0 && !*procs;
}

/* The nearest of our own control group and those above it that can hold ours. */
static int cgroup_find_delegated(const char *own, const char *const *wanted, char **ret_path)
{
    autofree char *path = str_dup(own);
    for (;;) {
        char *slash = strrchr(path, '/');
        if (!slash || !slash[1])
            return -ENOENT;
        autofree char *full = str_format(CGROUP_ROOT "%s", path);
        autoclose int dir = cgroup_open_dir(AT_FDCWD, full);
        if (dir >= 0 && cgroup_is_usable(dir, slash + 1, wanted)) {
            *ret_path = TAKE(full);
            return TAKE_FD(dir);
        }
        *slash = '\0';
    }
}

/* In the scope that was made for us: we step aside into "monitor", so that it may have controllers.
 */
static int cgroup_enter_scope(struct cgroup *c, const char *own)
{
    autofree char *full = str_format(CGROUP_ROOT "%s", own);
    autoclose int dir = cgroup_open_dir(AT_FDCWD, full);
    if (dir < 0)
        return dir;
    if (mkdirat(dir, "monitor", 0755) < 0 && errno != EEXIST)
        return -errno;
    int r = file_put(dir, "monitor/cgroup.procs", "0");
    if (r < 0)
        return r;
    snprintf(c->name, sizeof(c->name), "workload");
    c->mode = PLAN_CGROUP_SYSTEMD;
    return TAKE_FD(dir);
}

/* Finds and opens the parent in a v2 tree. `*ret_path`: what to journal, NULL for a scope. */
static int cgroup_v2_parent(struct cgroup *c, const char *id, const char *const *wanted,
                            char **ret_path)
{
    autofree char *own = NULL;
    autofree char *scope = str_format("/" CGROUP_PREFIX "%s.scope", id);
    autofree char *inner = str_format("%s/monitor", scope);
    if (cgroup_own_path(&own) == 0 && str_ends(own, inner)) /* started again */
        own[strlen(own) - strlen("/monitor")] = '\0';
    if (own && str_ends(own, scope))
        return cgroup_enter_scope(c, own);

    autofree char *parent = NULL;
    int dir;
    if (geteuid() == 0) {
        parent = str_dup(CGROUP_ROOT);
        dir = cgroup_open_dir(AT_FDCWD, parent);
    } else {
        dir = own ? cgroup_find_delegated(own, wanted, &parent) : -ENOENT;
    }
    if (dir < 0)
        return dir;
    c->mode = PLAN_CGROUP_V2;
    *ret_path = str_format("%s/%s", parent, c->name);
    return dir;
}

static void cgroup_tell_ready(const struct cgroup *c, const struct cgroup_wish *w)
{
    if (w->ready && c->v2.dir >= 0)
        w->ready(w->data, c);
}

static int cgroup_journal(const struct cgroup_wish *w, const char *what, struct error *e)
{
    return w->journal ? w->journal(w->journal_data, "cgroup", what, e) : 0;
}

/* A pure v2 tree. -ENOENT without text: none for us here. */
static int cgroup_make_v2(struct cgroup *c, const struct cgroup_wish *w, struct error *e)
{
    const struct plan_limits *l = &w->plan->limits;
    const char *wanted[5] = {"memory", "pids"};
    size_t n = 2;
    if (l->cpu_milli)
        wanted[n++] = "cpu";
    if (l->io_weight)
        wanted[n++] = "io";

    autofree char *path = NULL;
    c->v2.parent = cgroup_v2_parent(c, w->plan->id, wanted, &path);
    if (c->v2.parent < 0)
        return -ENOENT;
    /* What this misses shows when the limit's own file is not there. */
    (void)cgroup_enable(c->v2.parent, wanted);
    int r = path ? cgroup_journal(w, path, e) : 0;
    if (r < 0)
        return r;
    r = cgroup_place_make(&c->v2, c->name);
    if (r == -EROFS || r == -EACCES || r == -EPERM)
        return -ENOENT;
    if (r < 0)
        return error_errno(e, -r, "control group %s", path ? path : c->name);
    c->v2_controllers = true;
    r = cgroup_limits_v2(c, l, e);
    if (r == 0)
        cgroup_tell_ready(c, w);
    return r;
}

/* Opens the hierarchies this workload needs; the ones that are not there stay FD_NONE. */
static void cgroup_v1_parents(struct cgroup *c, const struct plan_limits *l)
{
    bool hybrid = c->v2.parent >= 0;
    const bool needed[CGROUP_V1_COUNT] = {
        [CGROUP_V1_MEMORY] = true,
        [CGROUP_V1_PIDS] = l->pids > 0,
        [CGROUP_V1_CPU] = l->cpu_milli > 0,
        [CGROUP_V1_CPUACCT] = !hybrid,
        [CGROUP_V1_BLKIO] = l->io_weight > 0,
        [CGROUP_V1_FREEZER] = !hybrid,
        [CGROUP_V1_DEVICES] = true,
    };
    autoclose int root = cgroup_open_dir(AT_FDCWD, CGROUP_ROOT);
    struct stat st, other;
    for (size_t i = 0; root >= 0 && i < CGROUP_V1_COUNT; i++) {
        if (!needed[i])
            continue;
        int fd = cgroup_open_dir(root, cgroup_v1_names[i]);
        if (fd < 0)
            continue;
        c->v1[i].parent = fd;
        for (size_t j = 0; j < i; j++)
            if (c->v1[j].parent >= 0 && fstat(fd, &st) == 0 &&
                fstat(c->v1[j].parent, &other) == 0 && st.st_dev == other.st_dev)
                c->v1[i].shared = true;
    }
}

static int cgroup_open_joins(struct cgroup *c, struct error *e)
{
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        struct cgroup_place *p = &c->v1[i];
        if (p->dir < 0 || p->shared)
            continue;
        p->join = openat(p->dir, "tasks", O_WRONLY | O_CLOEXEC);
        if (p->join < 0)
            return error_errno(e, errno, "control group: %s", cgroup_v1_names[i]);
    }
    return 0;
}

static int cgroup_make_v1(struct cgroup *c, const struct cgroup_wish *w, struct error *e)
{
    if (geteuid() != 0)
        return -ENOENT;
    c->v2.parent = cgroup_open_dir(AT_FDCWD, CGROUP_HYBRID);
    if (c->v2.parent >= 0 && !cgroup_is_v2(c->v2.parent))
        c->v2.parent = fd_close(c->v2.parent);
    cgroup_v1_parents(c, &w->plan->limits);

    int r = cgroup_journal(w, c->name, e);
    if (r < 0)
        return r;
    c->mode = PLAN_CGROUP_V1;
    bool any = c->v2.parent >= 0 && cgroup_place_make(&c->v2, c->name) == 0;
    if (any)
        cgroup_tell_ready(c, w);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        struct cgroup_place *p = &c->v1[i];
        if (p->parent < 0)
            continue;
        if (!p->shared && cgroup_place_make(p, c->name) == 0)
            any = true;
        else if (p->shared)
            p->dir = cgroup_open_dir(p->parent, c->name);
    }
    if (!any)
        return -ENOENT;
    r = cgroup_limits_v1(c, w->plan, e);
    return r < 0 ? r : cgroup_open_joins(c, e);
}

/* No control group at all: every limit asked for is one that cannot be kept. */
static int cgroup_make_none(struct cgroup *c, const struct plan_limits *l, struct error *e)
{
    const struct {
        const char *name;
        bool asked;
    } limits[] = {
        {"memory",    l->memory > 0   },
        {"pids",      l->pids > 0     },
        {"cpus",      l->cpu_milli > 0},
        {"io-weight", l->io_weight > 0},
    };
    c->mode = PLAN_CGROUP_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        int r = limits[i].asked ? cgroup_short(c, l, limits[i].name, -EOPNOTSUPP, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_short(struct cgroup *c, const struct plan_limits *l, const char *limit, int r,
                 struct error *e)
{
    const char *why = r == -EOPNOTSUPP ? "there is no control group for it here"
                      : r == -ENOENT   ? "this control group has no controller for it"
                                       : strerror(-r);
    if (!l->best_effort)
        return error_set(e, EOPNOTSUPP,
                         "resources.%s cannot be enforced: %s "
                         "(--set resources.limits=best-effort runs without)",
                         limit, why);
    strv_take(&c->shortfalls, str_format("resources.%s is not enforced: %s", limit, why));
    return 0;
}

static struct cgroup *cgroup_new(const char *id)
{
    struct cgroup *c = NEW(struct cgroup);
    snprintf(c->name, sizeof(c->name), CGROUP_PREFIX "%s", id);
    c->v2.parent = c->v2.dir = c->proc = FD_NONE;
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++)
        c->v1[i].parent = c->v1[i].dir = c->v1[i].join = FD_NONE;
    for (size_t i = 0; i < CGROUP_FILE_COUNT; i++)
        c->file[i] = FD_NONE;
    return c;
}

int cgroup_make(const struct cgroup_wish *w, struct cgroup **ret, struct error *e)
{
    struct cgroup *c = cgroup_new(w->plan->id);
    int r = -ENOENT;
    struct error why = {0};
    if (!cgroup_name_is_ours(c->name))
        r = error_set(&why, EINVAL, "an id of 12 hexadecimal digits is needed");
    else {
        autoclose int root = cgroup_open_dir(AT_FDCWD, CGROUP_ROOT);
        if (root >= 0)
            r = cgroup_is_v2(root) ? cgroup_make_v2(c, w, &why) : cgroup_make_v1(c, w, &why);
    }
    if (r == -ENOENT && !why.code)
        r = cgroup_make_none(c, &w->plan->limits, &why);
    if (r < 0) {
        struct error ignored;
        launch_own_failure(&why);
        *e = why;
        if (w->undone)
            w->undone(w->data);
        cgroup_clean(c, &ignored);
        cgroup_free(c);
        return -e->code;
    }
    *ret = c;
    return 0;
}

enum plan_cgroup cgroup_mode(const struct cgroup *c)
{
    return c->mode;
}

int cgroup_clone_fd(const struct cgroup *c)
{
    return c->v2.dir;
}

char *const *cgroup_shortfalls(const struct cgroup *c)
{
    static char *const none[] = {NULL};
    return c->shortfalls ? c->shortfalls : none;
}

size_t cgroup_joins(const struct cgroup *c, int *ret_fds, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < CGROUP_V1_COUNT && n < most; i++)
        if (c->v1[i].join >= 0)
            ret_fds[n++] = c->v1[i].join;
    return n;
}

int cgroup_attach(struct cgroup *c, pid_t pid, struct error *e)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)pid);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        if (c->v1[i].dir < 0 || c->v1[i].shared)
            continue;
        int r = file_put(c->v1[i].dir, "cgroup.procs", text);
        if (r < 0)
            return error_errno(e, -r, "control group: joining %s", cgroup_v1_names[i]);
    }
    return 0;
}

size_t cgroup_reach(const struct cgroup *c, struct launch_reach *ret, size_t most, bool *ret_proc)
{
    size_t n = 0;
    if (c->v2.made && n < most)
        ret[n++] = (struct launch_reach){.fd = c->v2.parent, .how = LAUNCH_REACH_REMOVE};
    for (size_t i = 0; i < CGROUP_V1_COUNT && n < most; i++)
        if (c->v1[i].made)
            ret[n++] = (struct launch_reach){.fd = c->v1[i].parent, .how = LAUNCH_REACH_REMOVE};
    *ret_proc = c->mode == PLAN_CGROUP_NONE;
    return n;
}

int cgroup_clean(struct cgroup *c, struct error *e)
{
    int first = 0;
    for (size_t i = 0; i <= CGROUP_V1_COUNT; i++) {
        struct cgroup_place *p = i < CGROUP_V1_COUNT ? &c->v1[i] : &c->v2;
        if (!p->made)
            continue;
        int r = cgroup_remove(p->parent, c->name, false);
        if (r == 0)
            p->made = false;
        else if (first == 0)
            first = r;
    }
    return first < 0 ? error_errno(e, -first, "removing control group %s", c->name) : 0;
}

void cgroup_free(struct cgroup *c)
{
    if (!c)
        return;
    fd_close(c->v2.dir);
    fd_close(c->v2.parent);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        fd_close(c->v1[i].join);
        fd_close(c->v1[i].dir);
        fd_close(c->v1[i].parent);
    }
    for (size_t i = 0; i < CGROUP_FILE_COUNT; i++)
        fd_close(c->file[i]);
    fd_close(c->proc);
    strv_free(c->shortfalls);
    free(c);
}

int cgroup_end(struct cgroup **c, struct error *e)
{
    int r = *c ? cgroup_clean(*c, e) : 0;
    if (r < 0)
        return r;
    cgroup_free(*c);
    *c = NULL;
    return 0;
}
