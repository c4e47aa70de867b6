/* From a plan to a domain that stands ready. */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/fd.h"
#include "base/file.h"
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

int domains_make_disks(const struct plan *p, struct error *e)
{
    if (plan_boots_image(p)) /* what it changes is in its memory */
        return 0;
    int r = file_make_dirs(p->machine.folder, 0700);
    if (r < 0)
        return error_errno(e, -r, "%s", p->machine.folder);
    if (p->snapshot)
        return domains_snapshot_disks(p, e);
    for (size_t i = 0; r == 0 && p->machine.disks[i]; i++)
        r = make_overlay(p, i, e);
    return r;
}

/* --- the domain ------------------------------------------------------------------------------- */

/* It is forgotten by libvirt at its end, of itself. */
virDomainPtr domains_make(virConnectPtr c, const struct plan *p, struct error *e)
{
    if (p->snapshot_kind == PLAN_SNAPSHOT_MEMORY && p->snapshot)
        return domains_snapshot_revert(c, p, e);
    autofree char *xml = domain_xml(p);
    virDomainPtr d = virDomainCreateXML(c, xml, VIR_DOMAIN_START_PAUSED);
    if (!d)
        domains_error(e, "libvirt");
    return d;
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

pid_t domains_find_process(const char *id)
{
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(id, uuid);
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *d; !found && proc && (d = readdir(proc));) {
        autofree char *path = str_format("%s/cmdline", d->d_name), *text = NULL;
        size_t size = 0;
        if (d->d_name[0] < '1' || d->d_name[0] > '9' ||
            file_read_virtual(dirfd(proc), path, 65536, &text, &size) < 0)
            continue;
        for (const char *at = text; at < text + size; at += strlen(at) + 1)
            if (str_equal(at, "-uuid") && at + 6 < text + size && str_equal(at + 6, uuid))
                found = (pid_t)atoi(d->d_name);
    }
    if (proc)
        closedir(proc);
    return found;
}
