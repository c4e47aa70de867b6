/* A whole machine: firmware, disks of somebody's, devices; it boots what is on the disk. */
#include "app/plan/build.h"

#define WHOLE_INSTALL_SIZE (16ull << 30)

bool plan_boots_disk(const struct plan *p)
{
    return p->boundary == PLAN_VM && str_starts(p->image, "disk:");
}

bool plan_is_by_qemu_alone(const struct plan *p)
{
    return p->boundary == PLAN_VM && str_equal(p->runtime, "qemu");
}

size_t plan_more_disks(const struct plan *p)
{
    return p->boundary == PLAN_MICROVM ? strv_length(p->machine.disks) : 0;
}

bool plan_boots_image(const struct plan *p)
{
    return p->boundary == PLAN_VM && p->machine.root;
}

bool plan_uri_is_far(const char *uri)
{
    static const char *const roads[] = {"ssh", "tls", "tcp", "libssh", "libssh2"};
    if (!uri || !str_starts(uri, "qemu"))
        return false;
    const char *rest = strstr(uri, "://");
    if (!rest || rest[3] == '/' || !rest[3])
        return false;
    if (uri[4] == ':') /* a host's name alone: libvirt takes TLS */
        return true;
    for (size_t i = 0; uri[4] == '+' && i < ARRAY_SIZE(roads); i++)
        if (strlen(roads[i]) == (size_t)(rest - uri - 5) &&
            strncmp(uri + 5, roads[i], strlen(roads[i])) == 0)
            return true;
    return false;
}

bool plan_uri_is_by_ssh(const char *uri)
{
    return uri && str_starts(uri, "qemu+ssh://");
}

bool plan_uri_is_unverified(const char *uri)
{
    const char *said = uri ? strchr(uri, '?') : NULL;
    autostrv char **all = strv_split(said ? said + 1 : "", "&;#");
    for (size_t i = 0; i < strv_length(all); i++)
        if ((strncasecmp(all[i], "no_verify=", 10) == 0 && strtol(all[i] + 10, NULL, 10) != 0) ||
            strcasecmp(all[i], "known_hosts_verify=ignore") == 0)
            return true;
    return false;
}

bool plan_is_far(const struct plan *p)
{
    return p->boundary == PLAN_VM && plan_uri_is_far(p->machine.uri);
}

const char *plan_folder_to_forget(const struct plan *p)
{
    return !p->machine.folder || plan_is_far(p) || str_equal(p->machine.folder, p->scratch)
               ? "-"
               : p->machine.folder;
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
    const char *card = settings_text(s, KEY_MACHINE_CARD);
    m->card = str_empty(card) || str_equal(card, "user") ? NULL : str_dup(card);
    m->clones_fresh = str_equal(settings_text(s, KEY_MACHINE_CLONES), "fresh");
    m->windows = str_equal(settings_text(s, KEY_MACHINE_GUEST), "windows");
    m->install = settings_bool(s, KEY_MACHINE_INSTALL);
    if (m->install && !m->disk_size)
        m->disk_size = WHOLE_INSTALL_SIZE;
    m->tpm = settings_bool(s, KEY_MACHINE_TPM);
    m->window = str_equal(settings_text(s, KEY_MACHINE_DISPLAY), "window");
}

int build_more_disks(struct build *b, struct error *e)
{
    return whole_list(b, KEY_MACHINE_DISK, &b->p->machine.disks, e);
}

int build_whole(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    struct plan_machine *m = &p->machine;
    const struct plan_parts *parts = b->r->parts;
    whole_board(b);
    int r = plan_boots_disk(p) ? whole_path(b, KEY_FILES_IMAGE, p->image + 5, &m->disks, e) : 0;
    if (r == 0)
        r = build_more_disks(b, e);
    if (r == 0)
        r = whole_list(b, KEY_MACHINE_CDROM, &m->cdroms, e);
    if (r < 0)
        return r;
    if (plan_boots_disk(p)) {
        free(p->image);
        p->image = str_format("disk:%s", m->disks[0]);
    }
    if (parts && plan_is_by_qemu_alone(p)) {
        if (plan_boots_disk(p)) {
            m->disk_format = str_dup_or_null(parts->disk_format);
            m->disk_size = parts->disk_size;
            m->blank = str_dup_or_null(parts->blank);
            m->no_blank = str_dup_or_null(parts->no_blank);
        }
    } else if (parts) {
        m->uri = str_dup_or_null(parts->uri);
        m->iommu = parts->iommu;
        m->no_devices = parts->no_devices ? strv_copy(parts->no_devices) : NULL;
        m->device_notes = parts->device_notes ? strv_copy(parts->device_notes) : NULL;
        m->client = strv_copy(parts->client);
        m->loader = str_equal(m->firmware, "bios") ? NULL : str_dup_or_null(parts->loader);
        m->vars = str_equal(m->firmware, "bios") ? NULL : str_dup_or_null(parts->vars);
        m->sockets = parts->sockets ? str_join_path(parts->sockets, p->id) : NULL;
        m->folder = plan_is_far(p) ? str_format("%s/cofferdam-%s", parts->folder, p->id)
                    : plan_boots_image(p) && !parts->away ? NULL
                    : p->scratch && !parts->away          ? str_dup(p->scratch)
                    : parts->folder                       ? str_join_path(parts->folder, p->id)
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
