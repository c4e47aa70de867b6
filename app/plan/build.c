/* settings + request + facts → plan. */
#include "app/plan/build.h"

#include "app/plan/handler.h"
#include "app/plan/names.h"
#include "profiles/forms.h"

struct plan_mount *build_step(struct build *b, enum plan_mount_kind kind, const char *source,
                              const char *target, unsigned flags)
{
    struct plan *p = b->p;
    if ((p->mounts_count & (p->mounts_count - 1)) == 0 || p->mounts_count == 0)
        p->mounts = mem_grow(p->mounts, MAX(p->mounts_count * 2, 1), sizeof(p->mounts[0]));
    struct plan_mount *m = &p->mounts[p->mounts_count++];
    *m = (struct plan_mount){
        .kind = kind,
        .source = str_dup_or_null(source),
        .target = str_dup(target),
        .flags = flags,
    };
    return m;
}

void build_dir(struct build *b, const char *target, unsigned mode, unsigned flags)
{
    build_step(b, PLAN_MOUNT_DIR, NULL, target, flags)->mode = mode;
}

void build_file(struct build *b, const char *target, const char *content, unsigned mode)
{
    struct plan_mount *m = build_step(b, PLAN_MOUNT_FILE, NULL, target, 0);
    m->content = str_dup(content);
    m->mode = mode;
}

void build_tmpfs(struct build *b, const char *target, unsigned mode, uint64_t size, unsigned flags)
{
    struct plan_mount *m = build_step(b, PLAN_MOUNT_TMPFS, NULL, target, PLAN_MOUNT_TAME | flags);
    m->mode = mode;
    m->size = size;
}

char *build_path_inside(const char *path)
{
    if (*path != '/')
        return NULL;
    autobuf plain = {0};
    while (*path) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            return NULL;
        if (length && !(length == 1 && path[0] == '.')) {
            buf_putc(&plain, '/');
            buf_add(&plain, path, length);
        }
        path += length;
    }
    if (!plain.used)
        buf_putc(&plain, '/');
    return buf_take(&plain);
}

char *build_path_of_image(const char *path)
{
    autobuf plain = {0};
    for (size_t length; *path; path += length) {
        path += strspn(path, "/");
        length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (plain.used && plain.data[--plain.used] != '/')
                ;
            if (plain.data)
                plain.data[plain.used] = '\0';
        } else if (length && !(length == 1 && path[0] == '.')) {
            buf_putc(&plain, '/');
            buf_add(&plain, path, length);
        }
    }
    if (!plain.used)
        buf_putc(&plain, '/');
    return buf_take(&plain);
}

char *build_path_outside(const struct build *b, const char *path, struct error *e)
{
    autofree char *whole = NULL;
    if (*path == '/') {
        whole = str_dup(path);
    } else if (path[0] == '~' && (!path[1] || path[1] == '/')) {
        whole = str_join_path(b->host->home, path + 1);
    } else if (path[0] == '.' && (!path[1] || path[1] == '/')) {
        if (!b->r->cwd) {
            error_set(e, EINVAL, "%s has no meaning here: there is no current folder", path);
            return NULL;
        }
        whole = str_join_path(b->r->cwd, path + 1);
    } else {
        error_set(e, EINVAL, "%s is neither absolute nor begins with ~ or ./", path);
        return NULL;
    }
    char *plain = build_path_inside(whole);
    if (!plain)
        error_set(e, EINVAL, "%s has a \"..\" in it", path);
    return plain;
}

/* --- what is wanted
 * -------------------------------------------------------------------------------- */

static const char *const runtimes[][8] = {
    [PLAN_CONTAINER] = {"native",            "crun", "runc"},
    [PLAN_SANDBOX] = {"runsc",                   "kata"                  },
    [PLAN_MICROVM] = {"qemu",                   "firecracker",  "cloud-hypervisor"},
    [PLAN_VM] = {"libvirt", "qemu"     },
};

/* A path is any program with the OCI command line; one called runsc is gVisor's. */
static bool build_makes(enum plan_boundary boundary, const char *runtime)
{
    if (runtime[0] == '/')
        return boundary == (plan_runtime_is(runtime, "firecracker") ||
                                    plan_runtime_is(runtime, "cloud-hypervisor")
                                ? PLAN_MICROVM
                            : plan_runtime_is(runtime, "runsc") ? PLAN_SANDBOX
                                                                : PLAN_CONTAINER);
    if (plan_handler_is(runtime))
        return boundary == (plan_handler_has_kernel(runtime) ? PLAN_SANDBOX : PLAN_CONTAINER);
    for (size_t i = 0; runtimes[boundary][i]; i++)
        if (str_equal(runtimes[boundary][i], runtime))
            return true;
    return false;
}

/*
 * Whoever names a runtime on the command line, and no boundary, has named the runtime's own, as
 * long as that is the stronger one.
 */
static bool build_stronger(struct build *b, const char *runtime)
{
    struct plan *p = b->p;
    if (!str_starts(settings_origin(b->s, KEY_ISOLATION_RUNTIME), "--") ||
        str_starts(settings_origin(b->s, KEY_ISOLATION_BOUNDARY), "--"))
        return false;
    for (size_t at = p->boundary + 1; at < ARRAY_SIZE(runtimes); at++)
        if (build_makes((enum plan_boundary)at, runtime)) {
            p->boundary = (enum plan_boundary)at;
            return true;
        }
    return false;
}

/* The runtime by name; the first of the boundary for "auto". */
static int build_boundary(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    const char *boundary = settings_text(b->s, KEY_ISOLATION_BOUNDARY);
    int at = plan_name_find(plan_boundary_names, boundary ? boundary : "container");
    p->boundary = at < 0 ? PLAN_CONTAINER : (enum plan_boundary)at;
    const char *runtime = settings_text(b->s, KEY_ISOLATION_RUNTIME);
    if (!runtime || str_equal(runtime, "auto"))
        runtime = p->boundary == PLAN_MICROVM && b->r->parts && b->r->parts->runtime
                      ? b->r->parts->runtime
                      : runtimes[p->boundary][0];
    if (build_makes(p->boundary, runtime) || build_stronger(b, runtime)) {
        p->runtime = str_dup(runtime);
        return 0;
    }
    return error_set(e, EINVAL, "isolation.runtime = %s (%s) does not make the boundary %s (%s)",
                     runtime, settings_origin(b->s, KEY_ISOLATION_RUNTIME), boundary,
                     settings_origin(b->s, KEY_ISOLATION_BOUNDARY));
}

static int build_image(struct build *b, struct error *e)
{
    const char *image = settings_text(b->s, KEY_WORKLOAD_IMAGE);
    if (str_empty(image))
        image = settings_text(b->s, KEY_FILES_IMAGE);
    if (!str_starts(image, "dir:")) {
        b->p->image = str_dup(image);
        return 0;
    }
    autofree char *path = build_path_outside(b, image + 4, e);
    if (!path)
        return error_wrap(e, "files.image");
    if (str_equal(path, "/"))
        return error_set(e, EINVAL,
                         "files.image = dir:/ would show everything there is; "
                         "files.image = host is this machine with homes and keys hidden");
    b->p->image = str_format("dir:%s", path);
    return 0;
}

static int build_names(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    p->id = str_dup(b->r->id);
    p->profile = str_dup(b->r->profile);
    if (b->r->name && !form_is_name(b->r->name)) {
        autofree char *shown = str_escape(b->r->name, strnlen(b->r->name, 80));
        return error_set(e, EINVAL,
                         "\"%s\" is no name: letters, digits and _ . - after the first, at most 63",
                         shown);
    }
    p->name = b->r->name ? str_dup(b->r->name) : str_format("%.40s-%.6s", b->r->profile, b->r->id);
    const char *hostname = settings_text(b->s, KEY_ISOLATION_HOSTNAME);
    p->hostname = str_dup(str_empty(hostname) ? p->name : hostname);
    for (char *c = p->hostname; *c; c++)
        if (*c == '_')
            *c = '-';
    return 0;
}

/* Whether a value only says what would hold anyway. */
static bool build_is_usual(const struct settings *s, enum key_id k)
{
    autofree char *text = strv_join(s->of[k].items, " ");
    return str_equal(text, keys[k].fallback ? keys[k].fallback : "");
}

/* Where each value came from. What says nothing new needs no backend that obeys it. */
static void build_origins(struct build *b)
{
    for (enum key_id k = 0; k < KEY_COUNT; k++)
        if (!settings_is_default(b->s, k) && (plan_key_counts(b->p, k) || !build_is_usual(b->s, k)))
            b->p->origins[k] = str_dup(settings_origin(b->s, k));
}

static int build_root(struct build *b, struct error *e)
{
    if (plan_boots_disk(b->p))
        return 0;
    if (plan_is_machine(b->p)) {
        build_machine_root(b);
        if (b->r->image)
            build_stored_folders(b);
        int r = build_home(b, e);
        return r < 0 ? r : build_wishes(b, e);
    }
    if (str_starts(b->p->image, "dir:"))
        build_dir_image(b);
    else if (b->r->image)
        build_stored_image(b);
    else
        build_host_image(b);
    build_proc(b);
    build_sys(b);
    build_dev(b);
    int r = build_home(b, e);
    if (r < 0)
        return r;
    return build_wishes(b, e);
}

static int build_all(struct build *b, struct error *e)
{
    int r = build_boundary(b, e);
    if (r < 0)
        return r;
    r = build_names(b, e);
    if (r < 0)
        return r;
    r = build_image(b, e);
    if (r < 0)
        return r;
    r = build_identity(b, e);
    if (r == 0 && b->r->image)
        r = build_stored_identity(b, e);
    if (r < 0)
        return r;
    build_life(b);
    r = b->r->image ? build_stored_life(b, e) : 0;
    if (r < 0)
        return r;
    build_isolation(b);
    build_limits(b);
    if (plan_is_machine(b->p))
        build_machine(b);
    if (b->p->boundary == PLAN_VM)
        r = build_whole(b, e);
    else if (b->p->boundary == PLAN_MICROVM)
        r = build_more_disks(b, e);
    if (r < 0)
        return r;
    r = build_command(b, e);
    if (r < 0)
        return r;
    build_environment(b);
    build_origins(b);
    return build_root(b, e);
}

int plan_build(const struct settings *s, const struct plan_request *r, const struct plan_host *host,
               struct plan **ret, struct error *e)
{
    struct build b = {.s = s, .r = r, .host = host, .p = NEW(struct plan)};
    int result = build_all(&b, e);
    if (result < 0) {
        plan_free(b.p);
        return result;
    }
    *ret = b.p;
    return 0;
}
