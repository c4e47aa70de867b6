/* From a plan to a domain that stands ready. */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/fd.h"
#include "base/str.h"
#include "images/disk_base.h"

#include <fcntl.h>
#include <stdio.h>
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
