/* A whole machine: firmware, disks of somebody's, devices; it boots what is on the disk. */
#include "app/plan/build.h"

bool plan_boots_disk(const struct plan *p)
{
    return p->boundary == PLAN_VM && str_starts(p->image, "disk:");
}

bool plan_boots_image(const struct plan *p)
{
    return p->boundary == PLAN_VM && p->machine.root;
}

bool plan_key_counts(const struct plan *p, enum key_id key)
{
    unsigned used = keys[key].used_by;
    return used & (1u << p->boundary) || (plan_boots_image(p) && used & KEY_USED_MICROVM);
}

static int whole_path(struct build *b, enum key_id key, const char *said, char ***to,
                      struct error *e)
{
    char *path = build_path_outside(b, said, e);
    if (!path)
        return error_wrap(e, "%s.%s", keys[key].section, keys[key].name);
    strv_take(to, path);
    return 0;
}

static int whole_list(struct build *b, enum key_id key, char ***to, struct error *e)
{
    char *const *items = settings_list(b->s, key);
    int r = 0;
    for (size_t i = 0; r == 0 && items[i]; i++)
        r = whole_path(b, key, items[i], to, e);
    return r;
}

/* q35 and UEFI for what is of today, pc and BIOS where somebody says so. */
static void whole_board(struct build *b)
{
    struct plan_machine *m = &b->p->machine;
    const struct settings *s = b->s;
    const char *type = settings_text(s, KEY_MACHINE_TYPE);
    const char *firmware = settings_text(s, KEY_MACHINE_FIRMWARE);
    free(m->type);
    m->type = str_dup(str_empty(type) || str_equal(type, "auto") ? "q35" : type);
    m->firmware = str_dup(str_empty(firmware) ? "bios" : firmware);
    m->gpu = str_dup(settings_text(s, KEY_MACHINE_GPU));
    if (settings_list(s, KEY_MACHINE_DEVICE)[0])
        m->devices = strv_copy(settings_list(s, KEY_MACHINE_DEVICE));
    m->disk_size = settings_number(s, KEY_MACHINE_DISK_SIZE);
    m->tpm = settings_bool(s, KEY_MACHINE_TPM);
    m->window = str_equal(settings_text(s, KEY_MACHINE_DISPLAY), "window");
}

int build_whole(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    struct plan_machine *m = &p->machine;
    const struct plan_parts *parts = b->r->parts;
    whole_board(b);
    int r = plan_boots_disk(p) ? whole_path(b, KEY_FILES_IMAGE, p->image + 5, &m->disks, e) : 0;
    if (r == 0)
        r = whole_list(b, KEY_MACHINE_DISK, &m->disks, e);
    if (r == 0)
        r = whole_list(b, KEY_MACHINE_CDROM, &m->cdroms, e);
    if (r < 0)
        return r;
    if (plan_boots_disk(p)) {
        free(p->image);
        p->image = str_format("disk:%s", m->disks[0]);
    }
    if (parts) {
        m->uri = str_dup_or_null(parts->uri);
        m->iommu = parts->iommu;
        m->client = strv_copy(parts->client);
        m->loader = str_equal(m->firmware, "bios") ? NULL : str_dup_or_null(parts->loader);
        m->vars = str_equal(m->firmware, "bios") ? NULL : str_dup_or_null(parts->vars);
        m->sockets = parts->sockets ? str_join_path(parts->sockets, p->id) : NULL;
        m->folder = plan_boots_image(p) ? NULL
                    : p->scratch        ? str_dup(p->scratch)
                    : parts->folder     ? str_join_path(parts->folder, p->id)
                                        : NULL;
    }
    return 0;
}

/* What stands in lists where others have a command. */
void build_whole_command(struct build *b)
{
    struct plan *p = b->p;
    if (p->argv)
        return;
    const char *slash = strrchr(p->image, '/');
    strv_add(&p->argv, "boot");
    strv_add(&p->argv, slash ? slash + 1 : p->image);
}
