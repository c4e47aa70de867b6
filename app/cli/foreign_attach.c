#include "app/cli/foreign_attach.h"

#include "app/cli/launch_run.h"
#include "backends/libvirt/libvirt.h"

#include <ctype.h>

/* "libvirt:NAME@URI": by which a second viewer finds what the first one has begun. */
static bool attach_finds(const struct dirs *d, const char *image, struct state_record *ret)
{
    struct state_record *list = NULL;
    size_t count = 0;
    struct error ignored;
    bool found = false;
    if (state_list(d, &list, &count, &ignored) < 0)
        return false;
    for (size_t i = 0; i < count && !found; i++)
        if (state_phase_lives(list[i].phase) && str_equal(list[i].image, image))
            found = state_find(d, list[i].id, ret, &ignored) == 0;
    state_list_free(list, count);
    return found;
}

/* A name of ours for it: what a domain may be called is wider. */
static char *attach_name(const char *domain, const char *id)
{
    char *name = str_format("console-%.32s-%.6s", domain, id);
    for (char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
            *at = '-';
    return name;
}

/* A plan that makes nothing. */
static struct plan *attach_plan(const struct launching *l, const char *uri, const char *name,
                                const char *image)
{
    struct plan *p = NEW(struct plan);
    p->profile = str_dup("console");
    p->boundary = PLAN_VM;
    p->runtime = str_dup("libvirt");
    p->image = str_dup(image);
    strv_add(&p->argv, "console");
    strv_add(&p->argv, name);
    p->cwd = str_dup("/");
    p->home = str_dup("/");
    p->user_name = str_dup("nobody"); /* is started by it */
    p->hostname = str_dup("console");
    p->terminal = true;
    p->scrollback = (unsigned)settings_number(&l->settings, KEY_CONSOLE_SCROLLBACK);
    p->stop_signal = 15;
    p->detach_keys = str_dup_or_null(settings_text(&l->settings, KEY_CONSOLE_DETACH_KEYS));
    p->machine.type = str_dup("console");
    p->machine.uri = str_dup(uri);
    p->machine.client = libvirt_client_env(environ);
    p->machine.watched = str_dup(name);
    return p;
}

static int attach_begin(struct cli *c, const char *uri, const char *name, const char *image)
{
    struct launching l = {.read_only = cli_switch(c, "read-only"),
                          .detach_keys = cli_option(c, "detach-keys")};
    struct error e;
    char id[13] = "";
    int r = launching_load(&l, NULL, NULL, &e);
    struct plan *p = r == 0 ? attach_plan(&l, uri, name, image) : NULL;
    struct plan_renewal renewal = {.name = NULL};
    if (r == 0)
        r = launching_renew(&l, p, &renewal, &e);
    if (r == 0) {
        memcpy(id, l.id, sizeof(id));
        p->name = attach_name(name, id);
        r = launching_check(&l, NULL, NULL, &e);
    }
    int status = r < 0 ? cli_fail(c, &e) : launch_run(c, &l);
    launching_done(&l);
    return status;
}

int foreign_attach(struct cli *c, workload_run *join)
{
    struct foreign_places places;
    const struct foreign_place *place = NULL;
    struct state_record record;
    autofree char *name = NULL;
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status, r = foreign_resolve(c->args[0], &places, &place, &name, &e);
    if (r < 0) {
        dirs_done(&d);
        return cli_fail(c, &e);
    }
    autofree char *image = str_format(FOREIGN_PREFIX "%s@%s", name, place->uri);
    if (attach_finds(&d, image, &record)) {
        status = join(c, &d, &record, NULL);
        state_record_done(&record);
    } else {
        status = attach_begin(c, place->uri, name, image);
    }
    foreign_places_done(&places);
    dirs_done(&d);
    return status;
}
