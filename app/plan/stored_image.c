/* An image of the store: its layers below a layer for the changes, and what it wants to be run as.
 */
#include "app/plan/build.h"

#include "profiles/forms.h"

bool build_is_stored(const char *image)
{
    return !str_equal(image, "host") && !str_starts(image, "dir:") && !str_starts(image, "disk:");
}

void build_stored_image(struct build *b)
{
    const struct plan_image *image = b->r->image;
    struct plan_mount *m = build_layered_root(b, image->layers[0], PLAN_MOUNT_TAME);
    m->layers = strv_copy(image->layers);
    m->layers_owner = image->layers_owner;
    build_stored_folders(b);
}

/* The kernel's own, which are mounted over whatever the image has there. */
static bool stored_is_ours(const char *path)
{
    static const char *const ours[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (str_starts(path, ours[i]) && (!path[strlen(ours[i])] || path[strlen(ours[i])] == '/'))
            return true;
    return false;
}

static void stored_folder(struct build *b, const char *said, unsigned flags)
{
    autofree char *path = build_path_of_image(said);
    if (path[1] && !stored_is_ours(path))
        build_dir(b, path, 0755, PLAN_MOUNT_FOLLOW | flags);
}

/*
 * As docker has it: where the image wants to start, and its volumes, are made where they are
 * missing, its root's; and volumes can be written, with what the image has in them, where nothing
 * else can.
 */
void build_stored_folders(struct build *b)
{
    const struct plan_image *image = b->r->image;
    struct plan *p = b->p;
    autofree char *start = image->workdir ? build_path_of_image(image->workdir) : NULL;
    if (start && str_equal(start, p->cwd))
        stored_folder(b, start, 0);
    for (size_t i = 0; image->volumes && image->volumes[i]; i++)
        stored_folder(b, image->volumes[i], p->read_only ? PLAN_MOUNT_WRITABLE : 0);
}

/* As docker has it: the entry point stands in front of whatever the command is. */
void build_stored_command(struct build *b, char *const *argv)
{
    const struct plan_image *image = b->r->image;
    struct plan *p = b->p;
    if (!b->r->entrypoint)
        p->argv = strv_copy(image->entrypoint);
    else if (*b->r->entrypoint)
        strv_add(&p->argv, b->r->entrypoint);
    /* the image's own arguments are for its own entry point */
    if (!argv || !argv[0])
        argv = b->r->entrypoint ? NULL : image->command;
    for (size_t i = 0; argv && argv[i]; i++)
        strv_add(&p->argv, argv[i]);
    if (!p->argv || !p->argv[0])
        strv_add(&p->argv, "/bin/sh");
}

int build_stored_life(struct build *b, struct error *e)
{
    const struct plan_image *image = b->r->image;
    struct plan *p = b->p;
    const char *said =
        settings_is_default(b->s, KEY_LIFECYCLE_STOP_SIGNAL) ? image->stop_signal : "";
    if (!str_empty(said) && form_signal(said, &p->stop_signal) < 0) {
        autofree char *shown = str_escape(said, strnlen(said, 60));
        return error_set(
            e, EINVAL, "the image's stop signal %s is none; mend: --set lifecycle.stop-signal=TERM",
            shown);
    }
    for (size_t i = 0; image->labels && image->labels[i]; i++)
        if (strv_find_name(p->labels, image->labels[i]) < 0)
            strv_add(&p->labels, image->labels[i]);
    return 0;
}

/* "self" and "ranges" mean whoever the image says; root or a number is the person's own word. */
int build_stored_identity(struct build *b, struct error *e)
{
    const struct plan_image *image = b->r->image;
    struct plan *p = b->p;
    const char *said = settings_text(b->s, KEY_ISOLATION_USER);
    enum form_user user = FORM_USER_SELF;
    uint32_t id;
    if (said && form_user(said, &user, &id) == 0 &&
        (user == FORM_USER_ROOT || user == FORM_USER_ID))
        return 0;
    if (p->map_by != PLAN_MAP_SELF && (image->uid > 65535 || image->gid > 65535))
        return error_set(e, EINVAL, "the image's user %u:%u is beyond 65535", image->uid,
                         image->gid);
    p->uid = image->uid;
    p->gid = image->gid;
    if (p->map_by == PLAN_MAP_SELF && !plan_is_machine(p)) {
        p->uid_map[0].inside = p->uid;
        p->gid_map[0].inside = p->gid;
    } else if (image->groups_count) {
        p->groups = mem_copy(image->groups, image->groups_count * sizeof(image->groups[0]));
        p->groups_count = image->groups_count;
    }
    free(p->user_name);
    p->user_name = str_dup(image->user_name ? image->user_name : p->uid ? "user" : "root");
    const char *home = settings_text(b->s, KEY_FILES_HOME);
    if (!str_equal(home, "read-only") && !str_equal(home, "overlay")) {
        autofree char *own = image->home ? build_path_inside(image->home) : NULL;
        free(p->home);
        p->home = own ? TAKE(own) : str_dup(p->uid ? "/" : "/root");
    }
    return 0;
}
