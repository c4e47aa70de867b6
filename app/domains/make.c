/* From a plan to a domain that stands ready. */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/disk_base.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* --- disks ------------------------------------------------------------------------------------ */

static int make_overlay(const struct plan *p, size_t i, struct error *e)
{
    struct disk_base base = {.fd = FD_NONE};
    autofree char *overlay = domain_disk_path(p, i);
    uint64_t size = i == 0 ? p->machine.disk_size : 0;
    int r = disk_base_open(p->machine.disks[i], &base, e);
    if (r == 0)
        r = disk_overlay_make(&base, overlay, size, e);
    disk_base_done(&base);
    return r < 0 ? error_wrap(e, "%s", p->machine.disks[i]) : 0;
}

int domains_make_disks(const struct plan *p, const struct domain_host *h, struct error *e)
{
    bool image = plan_boots_image(p); /* what it changes is in its memory */
    if (image && !h->other)
        return 0;
    int r = domains_lend_folder(p, h, e);
    if (r == 0 && !image && p->snapshot)
        r = domains_snapshot_disks(p, h, e);
    if (r == 0 && p->machine.install)
        r = domains_install_make(p, e);
    for (size_t i = p->machine.install; r == 0 && !image && !p->snapshot && p->machine.disks[i];
         i++)
        r = make_overlay(p, i, e);
    return r < 0 || !h->other ? r : domains_lend(p, h, e);
}

/* --- the domain ------------------------------------------------------------------------------- */

/* It is forgotten by libvirt at its end, of itself. */
virDomainPtr domains_make(virConnectPtr c, const struct plan *p, const struct domain_host *h,
                          struct error *e)
{
    if (p->snapshot_kind == PLAN_SNAPSHOT_MEMORY && p->snapshot)
        return domains_snapshot_revert(c, p, h, e);
    autofree char *xml = domain_xml(p, h);
    virDomainPtr d = virDomainCreateXML(c, xml, VIR_DOMAIN_START_PAUSED);
    if (d)
        return d;
    domains_error(e, "libvirt");
    if (str_equal(p->machine.card, "passt") && strstr(e->text, "passt"))
        error_wrap(e,
                   "machine.card = passt: not with this libvirt (mend: --set machine.card=user)");
    return NULL;
}

static int make_connect(const char *path, const char *what, struct error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path))
        return error_set(e, ENAMETOOLONG, "%s: too long for a socket", path);
    strcpy(a.sun_path, path);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return error_errno(e, errno, "%s", what);
    return TAKE_FD(fd);
}

int domains_open_console(const struct plan *p, struct error *e)
{
    autofree char *path = domain_console_path(p);
    return make_connect(path, "its serial line", e);
}

int domains_open_agent(const struct plan *p, struct error *e)
{
    autofree char *path = domain_agent_path(p);
    return make_connect(path, "its agent", e);
}

static bool make_is_process(int proc, pid_t pid, const char *uuid)
{
    autofree char *path = str_format("%d/cmdline", pid), *text = NULL;
    size_t size = 0;
    if (file_read_virtual(proc, path, 65536, &text, &size) < 0)
        return false;
    for (const char *at = text; at < text + size; at += strlen(at) + 1)
        if (str_equal(at, "-uuid") && at + 6 < text + size && str_equal(at + 6, uuid))
            return true;
    return false;
}

static int make_latest_first(const void *a, const void *b)
{
    const pid_t *one = a, *other = b;
    return (*one < *other) - (*one > *other);
}

/* It is most likely the one that was started last. */
pid_t domains_find_process(const char *id)
{
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(id, uuid);
    DIR *proc = opendir("/proc");
    autofree pid_t *pids = NULL;
    size_t count = 0;
    pid_t found = 0;
    for (struct dirent *d; proc && (d = readdir(proc));) {
        if (d->d_name[0] < '1' || d->d_name[0] > '9')
            continue;
        if (count % 256 == 0)
            pids = mem_grow(pids, count + 256, sizeof(pids[0]));
        pids[count++] = (pid_t)atoi(d->d_name);
    }
    if (count)
        qsort(pids, count, sizeof(pids[0]), make_latest_first);
    for (size_t i = 0; i < count && !found; i++)
        if (make_is_process(dirfd(proc), pids[i], uuid))
            found = pids[i];
    if (proc)
        closedir(proc);
    return found;
}
