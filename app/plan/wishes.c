/* What the person asked for: the home folder, mounts, folders in memory, copies, hidden paths. */
#include "app/plan/build.h"

#include "profiles/forms.h"

/* "contained.ini:12" of a list's item. */
static void wishes_origin(struct build *b, struct plan_mount *m, enum key_id key, size_t item)
{
    m->origin = str_dup_or_null(b->s->of[key].origins[item]);
}

static bool wishes_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

/* A target inside, made plain; refused where the kernel's own file systems are. NULL with text. */
static char *wishes_target(const char *path, struct error *e)
{
    char *target = build_path_inside(path);
    if (!target) {
        error_set(e, EINVAL, "%s: the path inside must be absolute and without \"..\"", path);
        return NULL;
    }
    static const char *const kept[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (wishes_within(target, kept[i])) {
            error_set(e, EINVAL, "%s: nothing can be put below %s", path, kept[i]);
            free(target);
            return NULL;
        }
    }
    if (str_equal(target, "/")) {
        error_set(e, EINVAL, "%s: the root itself is the image's (files.image)", path);
        free(target);
        return NULL;
    }
    return target;
}

/* What root asks for shall be of use to the workload, which is not root outside. */
static unsigned wishes_lent(const struct build *b)
{
    return b->p->map_by == PLAN_MAP_PARENT ? PLAN_MOUNT_LENT : 0;
}

static int wishes_mount(struct build *b, const char *item, size_t at, struct error *e)
{
    struct form_mount form;
    if (form_mount(item, true, &form) < 0)
        return error_set(e, EINVAL, "%s is not SOURCE[:TARGET][:ro|rw]", item);
    autofree char *source = build_path_outside(b, form.source, e);
    autofree char *target = source ? wishes_target(form.target ? form.target : source, e) : NULL;
    unsigned flags = PLAN_MOUNT_TAME | wishes_lent(b) | (form.writable ? 0 : PLAN_MOUNT_RO);
    bool here = str_equal(form.source, ".") && !form.target;
    form_mount_done(&form);
    if (!target)
        return -e->code;
    /* Who brings the folder they are in wants to work in it. */
    if (here && str_empty(settings_text(b->s, KEY_FILES_WORKDIR))) {
        free(b->p->cwd);
        b->p->cwd = str_dup(target);
    }
    wishes_origin(b, build_step(b, PLAN_MOUNT_BIND, source, target, flags), KEY_FILES_MOUNT, at);
    return 0;
}

static int wishes_tmpfs(struct build *b, const char *item, size_t at, struct error *e)
{
    autofree char *said = NULL;
    uint64_t size;
    if (form_tmpfs(item, &said, &size) < 0)
        return error_set(e, EINVAL, "%s is not TARGET[:SIZE]", item);
    autofree char *target = wishes_target(said, e);
    if (!target)
        return -e->code;
    build_tmpfs(b, target, 0755, size ? size : b->p->limits.disk, PLAN_MOUNT_OWNED);
    wishes_origin(b, &b->p->mounts[b->p->mounts_count - 1], KEY_FILES_TMPFS, at);
    return 0;
}

/* A copy that lands in a mounted folder is made on the host, perhaps over its own original. */
static int wishes_check_copy(const struct plan *p, const char *target, struct error *e)
{
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->kind == PLAN_MOUNT_BIND && m->origin &&
            (wishes_within(target, m->target) || wishes_within(m->target, target)))
            return error_set(e, EINVAL,
                             "the copy %s and the host's own %s (%s) lie in each other: leave one "
                             "out, or give it another place",
                             target, m->target, m->origin);
    }
    return 0;
}

static int wishes_copy(struct build *b, const char *item, size_t at, struct error *e)
{
    struct form_mount form;
    if (form_mount(item, false, &form) < 0)
        return error_set(e, EINVAL, "%s is not SOURCE[:TARGET]", item);
    autofree char *source = build_path_outside(b, form.source, e);
    autofree char *said = form.target ? str_dup(form.target) : NULL;
    form_mount_done(&form);
    if (!source)
        return -e->code;
    if (!said || str_ends(said, "/")) {
        autofree char *folder = said ? TAKE(said) : str_dup(b->p->home);
        said = str_join_path(folder, strrchr(source, '/') + 1);
    }
    autofree char *target = wishes_target(said, e);
    if (!target || wishes_check_copy(b->p, target, e) < 0)
        return -e->code;
    wishes_origin(b, build_step(b, PLAN_MOUNT_COPY, source, target, PLAN_MOUNT_OWNED),
                  KEY_FILES_COPY_IN, at);
    return 0;
}

static int wishes_hide(struct build *b, const char *item, size_t at, struct error *e)
{
    autofree char *target = build_path_inside(item);
    if (!target || str_equal(target, "/"))
        return error_set(e, EINVAL, "%s cannot be hidden", item);
    /* Nothing could start without them, and what is there is the workload's own. */
    if (str_equal(target, "/proc") || wishes_within(target, "/dev"))
        return error_set(e, EINVAL, "%s cannot be hidden: it holds nothing of the host's", item);
    wishes_origin(b, build_step(b, PLAN_MOUNT_MASK, NULL, target, 0), KEY_FILES_HIDE, at);
    return 0;
}

int build_wishes(struct build *b, struct error *e)
{
    /* Folders before what may be put into them, and hiding last of all. */
    static const struct {
        enum key_id key;
        int (*build)(struct build *b, const char *item, size_t at, struct error *e);
    } rows[] = {
        {KEY_FILES_TMPFS,   wishes_tmpfs},
        {KEY_FILES_MOUNT,   wishes_mount},
        {KEY_FILES_COPY_IN, wishes_copy },
        {KEY_FILES_HIDE,    wishes_hide },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *const *items = settings_list(b->s, rows[i].key);
        for (size_t n = 0; items[n]; n++) {
            int r = rows[i].build(b, items[n], n, e);
            if (r < 0)
                return error_wrap(e, "%s.%s (%s)", keys[rows[i].key].section,
                                  keys[rows[i].key].name, b->s->of[rows[i].key].origins[n]);
        }
    }
    return 0;
}

int build_home(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    const char *home = settings_text(b->s, KEY_FILES_HOME);
    const char *origin = settings_origin(b->s, KEY_FILES_HOME);
    struct plan_mount *m = NULL;
    bool own = str_equal(home, "read-only") || str_equal(home, "overlay");
    if (str_equal(home, "none") || (b->r->image && !own))
        return 0; /* an image has one of its own */
    if (str_equal(home, "read-only"))
        m = build_step(b, PLAN_MOUNT_BIND, p->home, p->home,
                       PLAN_MOUNT_TAME | wishes_lent(b) | PLAN_MOUNT_RO);
    else if (str_equal(home, "overlay"))
        m = build_step(b, PLAN_MOUNT_OVERLAY, p->home, p->home,
                       PLAN_MOUNT_TAME | wishes_lent(b) | (p->read_only ? PLAN_MOUNT_RO : 0));
    if (m) {
        m->origin = str_dup(origin);
        return 0;
    }
    if (p->read_only)
        build_tmpfs(b, p->home, 0700, p->limits.disk / 4, PLAN_MOUNT_OWNED);
    else
        build_dir(b, p->home, 0700, PLAN_MOUNT_OWNED);
    return 0;
}
