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
    struct plan *p = b->p;
    const struct plan_image *image = b->r->image;
    uint64_t disk = p->limits.disk;
    /* Made in the layer, so that they are folders whatever the image has in their place. */
    static const char *const made[] = {"/proc", "/sys", "/dev", "/run"};
    for (size_t i = 0; i < ARRAY_SIZE(made); i++)
        build_dir(b, made[i], 0755, 0);
    build_dir(b, "/tmp", 01777, 0);
    build_identity_small(b);
    struct plan_mount *m = build_step(b, PLAN_MOUNT_OVERLAY, image->layers[0], "/",
                                      PLAN_MOUNT_TAME | (p->read_only ? PLAN_MOUNT_RO : 0));
    m->layers = strv_copy(image->layers);
    m->layers_owner = image->layers_owner;
    if (!p->read_only)
        return;
    build_tmpfs(b, "/tmp", 01777, disk / 2, 0);
    build_tmpfs(b, "/run", 0755, disk / 4, PLAN_MOUNT_OWNED);
    for (size_t i = 0; image->volumes && image->volumes[i]; i++) {
        autofree char *path = build_path_inside(image->volumes[i]);
        if (path && path[1])
            build_tmpfs(b, path, 0755, disk / 4, PLAN_MOUNT_OWNED);
    }
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

void build_stored_life(struct build *b)
{
    const struct plan_image *image = b->r->image;
    struct plan *p = b->p;
    if (image->stop_signal && settings_is_default(b->s, KEY_LIFECYCLE_STOP_SIGNAL))
        form_signal(image->stop_signal, &p->stop_signal);
    for (size_t i = 0; image->labels && image->labels[i]; i++)
        if (strv_find_name(p->labels, image->labels[i]) < 0)
            strv_add(&p->labels, image->labels[i]);
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
