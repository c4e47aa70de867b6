/* From a name in the store to the facts a plan is made from. */
#include "app/cli/images.h"
#include "app/cli/progress.h"

#include <stdio.h>

static void launch_say(void *data, const char *text)
{
    (void)data;
    fprintf(stderr, "%s\n", text);
}

/* Layers are unpacked when they come; only a launch with other ids finds some missing. */
static int launch_unpack(struct images_launch *l, const char *name, struct error *e)
{
    const struct image *i = &l->image;
    enum image_owner_how how = image_store_owner(l->store)->how;
    size_t missing = 0;
    for (size_t n = 0; n < i->manifest.count; n++)
        missing += !image_store_has_layer(l->store, how, i->config.diff_ids[n]);
    if (missing) {
        struct image_work w = {.limits = image_limits_usual, .warn = launch_say};
        if (progress_is_wanted())
            w.progress = images_tell;
        fprintf(stderr, "unpacking %s for these ids\n", name);
        int r = image_unpack(l->store, i, &w, e);
        progress_over();
        if (r == 0)
            r = image_store_commit(l->store, e);
        if (r < 0)
            return r;
    }
    /* the same layer lower down adds nothing to the one above, and an overlay takes none twice */
    for (size_t n = 0; n < i->manifest.count; n++)
        if (!strv_has(i->config.diff_ids + n + 1, i->config.diff_ids[n]))
            strv_take(&l->layers, image_store_layer_path(l->store, how, i->config.diff_ids[n]));
    return l->layers ? 0 : error_set(e, EINVAL, "the image has no layers");
}

static void launch_facts(struct images_launch *l)
{
    const struct document_config *c = &l->image.config;
    bool shifted = image_store_owner(l->store)->how == IMAGE_OWNER_SHIFTED;
    l->facts = (struct plan_image){
        .layers = l->layers,
        .layers_owner = shifted ? IMAGE_OWNER_FIRST : 0,
        .env = c->env,
        .entrypoint = c->entrypoint,
        .command = c->command,
        .volumes = c->volumes,
        .labels = c->labels,
        .workdir = c->workdir,
        .stop_signal = c->stop_signal,
        .uid = l->user.uid,
        .gid = l->user.gid,
        .groups = l->user.groups,
        .groups_count = l->user.groups_count,
        .user_name = l->user.name,
        .home = l->user.home,
    };
}

static int launch_load(struct images_launch *l, const char *name, enum form_user user,
                       struct error *e)
{
    struct document_index one = {0};
    int r = image_store_hold(l->store, e);
    if (r == 0)
        r = image_find(l->store, name, &one, e);
    if (r == -ENOENT)
        return 1;
    if (r == 0)
        r = image_load(l->store, &one.list[0], &l->image, e);
    document_index_done(&one);
    if (r == 0)
        r = launch_unpack(l, name, e);
    if (r < 0)
        return r;
    bool other = user == FORM_USER_ROOT || user == FORM_USER_ID;
    const char *named = other ? NULL : l->image.config.user;
    r = image_find_user(l->layers, str_empty(named) ? "0" : named, &l->user, e);
    return r < 0 ? error_wrap(e, "image %s", name) : 0;
}

int images_launch(const char *data, const char *name, const struct plan_host *host,
                  enum form_user user, struct images_launch *ret, struct error *e)
{
    struct image_owner owner = images_owner(host, user == FORM_USER_RANGES);
    struct images_launch l = {0};
    int r = image_store_open(data, false, &owner, &l.store, e);
    if (r == -ENOENT)
        return 1;
    if (r == 0)
        r = launch_load(&l, name, user, e);
    if (r != 0) {
        images_launch_done(&l);
        return r;
    }
    launch_facts(&l);
    l.facts.groups = ret->user.groups; /* where the copy below will be */
    *ret = l;
    return 0;
}

void images_launch_done(struct images_launch *l)
{
    strv_free(l->layers);
    free(l->user.name);
    free(l->user.home);
    image_done(&l->image);
    image_store_free(l->store);
    *l = (struct images_launch){0};
}
