#include "app/cli/snapshot_start.h"

#include "app/cli/machine.h"
#include "profiles/forms.h"

static enum plan_snapshot start_kind(const struct snapshot_record *r)
{
    return r->kind & LAUNCH_SNAPSHOT_MEMORY ? PLAN_SNAPSHOT_MEMORY : PLAN_SNAPSHOT_FILES;
}

static int start_override(const struct snapshot_start *s, struct plan *p, struct error *e)
{
    for (size_t i = 0; s->labels && s->labels[i]; i++)
        strv_add(&p->labels, s->labels[i]);
    if (!s->command)
        return 0;
    if (s->snapshot->kind & LAUNCH_SNAPSHOT_MEMORY)
        return error_set(e, EINVAL,
                         "its memory is in the snapshot: it goes on where it was, and no "
                         "other command can be given");
    strv_free(p->argv);
    p->argv = strv_copy(s->command);
    return 0;
}

const char *snapshot_same_inside(const struct snapshot_start *s, const struct plan *p)
{
    if (!s->fresh || start_kind(s->snapshot) != PLAN_SNAPSHOT_MEMORY || !plan_boots_disk(p))
        return NULL;
    return plan_is_by_qemu_alone(p) ? PLAN_SAME_BUT_STIRRED : PLAN_SAME_INSIDE;
}

int snapshot_may_be_fresh(const struct snapshot_start *s, const struct plan *p, struct error *e)
{
    const char *same = snapshot_same_inside(s, p);
    if (!same || !p->machine.clones_fresh)
        return 0;
    return error_set(e, EPERM,
                     "machine.clones = fresh: no clone of it is made with its memory, for %s; "
                     "mend: start it with --set machine.clones=any",
                     same);
}

int snapshot_prepare(const struct snapshot_start *s, const struct dirs *d, struct launching *ret,
                     struct error *e)
{
    autofree char *json = NULL, *path = snapshots_files_path(d, s->snapshot->id);
    size_t size;
    struct plan *p = NULL;
    *ret = (struct launching){.detach = true};
    if (!form_is_name(s->name)) {
        autofree char *safe = str_escape(s->name, strnlen(s->name, 80));
        return error_set(e, EINVAL,
                         "\"%s\" is no name: letters, digits and _ . - after the first, at most 63",
                         safe);
    }
    if (s->snapshot->reason)
        return error_set(e, EINVAL, "the snapshot cannot be used: %s", s->snapshot->reason);
    int r = snapshots_read_plan(d, s->snapshot->id, &json, &size, e);
    if (r == 0)
        r = plan_from_json(json, size, &p, e);
    if (r < 0)
        return r;
    struct plan_renewal renewal = {
        .name = s->name,
        .fresh = s->fresh,
        .snapshot = s->snapshot->id,
        .snapshot_path = path,
        .kind = start_kind(s->snapshot),
        .disks = s->disks,
    };
    r = launching_renew(ret, p, &renewal, e);
    if (r == 0)
        r = snapshot_may_be_fresh(s, p, e);
    if (r == 0)
        r = start_override(s, p, e);
    if (r == 0)
        r = machine_blank_again(d, p, e);
    return r < 0 ? r : launching_check(ret, NULL, NULL, e);
}
