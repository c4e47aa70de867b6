/*
 * Snapshots of a whole machine. Files: its overlays, copied while it stands still; what starts from
 * them lies over them. With memory: an internal one of libvirt's is taken into the overlays first,
 * they are copied with it, and it goes again; each that starts from it has copies of its own.
 */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/copy.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SNAPSHOT_NAME "cofferdam"
enum { SNAPSHOT_TOOL_MS = 30000, SNAPSHOT_SAID = 4096, SNAPSHOT_HEAD = 4096 };

static bool snapshot_wants(void *data, const char *path, const struct stat *st)
{
    return S_ISREG(st->st_mode) && (str_starts(path, "disk") || str_equal(path, "firmware.fd"));
}

static bool snapshot_wants_firmware(void *data, const char *path, const struct stat *st)
{
    return S_ISREG(st->st_mode) && str_equal(path, "firmware.fd");
}

static int snapshot_copy(const char *from, const char *to,
                         bool (*wants)(void *, const char *, const struct stat *), struct error *e)
{
    autoclose int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct copy_counts counts;
    if (source < 0 || target < 0)
        return error_errno(e, errno, "%s", source < 0 ? from : to);
    const struct copy_wish w = {
        .from = source, .to = target, .bytes_most = UINT64_MAX, .wants = wants};
    return copy_tree(&w, &counts, e);
}

/* --- taking ----------------------------------------------------------------------------------- */

static int snapshot_can(const struct plan *p, struct error *e)
{
    if (!str_equal(p->machine.firmware, "bios"))
        return error_set(e, ENOTSUP,
                         "with UEFI's variables this libvirt takes no memory; take the files alone "
                         "(--files)");
    if (p->machine.cdroms)
        return error_set(e, ENOTSUP,
                         "with a CD in it libvirt takes no memory; take the files alone (--files)");
    return 0;
}

static int snapshot_with_memory(virDomainPtr d, const struct plan *p, const char *path,
                                struct error *e)
{
    virDomainSnapshotPtr s = virDomainSnapshotCreateXML(
        d, "<domainsnapshot><name>" SNAPSHOT_NAME "</name></domainsnapshot>", 0);
    if (!s)
        return domains_error(e, "libvirt");
    int r = snapshot_copy(p->machine.folder, path, snapshot_wants, e);
    if (virDomainSnapshotDelete(s, 0) < 0 && r == 0)
        r = domains_error(e, "forgetting it in the machine's own disks");
    virDomainSnapshotFree(s);
    return r;
}

int domains_snapshot(virDomainPtr d, const struct plan *p, unsigned kind, const char *path,
                     struct error *e)
{
    bool memory = kind == LAUNCH_SNAPSHOT_MEMORY;
    int state = 0, reason;
    int r = memory ? snapshot_can(p, e) : 0;
    if (r < 0)
        return r;
    if (virDomainGetState(d, &state, &reason, 0) < 0)
        return domains_error(e, "libvirt");
    bool running = state == VIR_DOMAIN_RUNNING;
    if (running && virDomainSuspend(d) < 0)
        return domains_error(e, "holding it still");
    r = memory ? snapshot_with_memory(d, p, path, e)
               : snapshot_copy(p->machine.folder, path, snapshot_wants, e);
    if (running && virDomainResume(d) < 0 && r == 0)
        r = domains_error(e, "letting it go on");
    return r;
}

/* --- starting from one ------------------------------------------------------------------------ */

static uint64_t snapshot_big(const unsigned char *at, size_t bytes)
{
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | *at++;
    return n;
}

/* The machine's program wrote it: what lies below must still be what we laid there. */
static bool snapshot_may_lie_on(const char *name, const char *base, const char *snapshot)
{
    autofree char *real = realpath(base, NULL);
    if (str_equal(name, base) || str_equal(name, real))
        return true;
    const char *mark = strstr(snapshot, "/snapshots/"); /* one that was itself started from one */
    size_t ours = mark ? (size_t)(mark - snapshot) + strlen("/snapshots/") : 0;
    return ours && strncmp(name, snapshot, ours) == 0 && !strstr(name, "/../");
}

static int snapshot_check(const char *path, const char *base, const char *snapshot, struct error *e)
{
    unsigned char head[SNAPSHOT_HEAD] = {0};
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 104)
        return error_errno(e, fd < 0 ? errno : EBADMSG, "%s", path);
    uint64_t at = snapshot_big(head + 8, 8), size = snapshot_big(head + 16, 4);
    uint64_t features = snapshot_big(head + 4, 4) == 3 ? snapshot_big(head + 72, 8) : 0;
    char name[1024] = "";
    if (memcmp(head, "QFI\xfb", 4) != 0 || size >= sizeof(name) || (features & 4) ||
        (at && pread(fd, name, size, (off_t)at) != (ssize_t)size))
        return error_set(e, EBADMSG, "%s is no overlay of ours any more", path);
    if (!at || !snapshot_may_lie_on(name, base, snapshot))
        return error_set(e, EPERM, "%s leads to another file than its disk", path);
    return 0;
}

static int snapshot_link(const char *base, const char *overlay, struct error *e)
{
    const char *const argv[] = {"qemu-img", "create", "-q", "-f",    "qcow2", "-F",
                                "qcow2",    "-b",     base, overlay, NULL};
    autofree char *said = NULL;
    int status = 0;
    int r = spawn_run(argv, SNAPSHOT_TOOL_MS, SNAPSHOT_SAID, &status, &said, e);
    if (r == 0 && status != 0) {
        autofree char *shown = str_escape_z(said ? said : "");
        r = error_set(e, EIO, "qemu-img: %.300s", shown);
    }
    return r;
}

int domains_snapshot_disks(const struct plan *p, struct error *e)
{
    bool memory = p->snapshot_kind == PLAN_SNAPSHOT_MEMORY;
    int r = 0;
    for (size_t i = 0; r == 0 && p->machine.disks[i]; i++) {
        autofree char *name = str_format("disk%zu.qcow2", i);
        autofree char *base = str_join_path(p->snapshot_path, name);
        autofree char *overlay = domain_disk_path(p, i);
        r = snapshot_check(base, p->machine.disks[i], p->snapshot_path, e);
        if (r == 0 && !memory)
            r = snapshot_link(base, overlay, e);
    }
    if (r == 0)
        r = snapshot_copy(p->snapshot_path, p->machine.folder,
                          memory ? snapshot_wants : snapshot_wants_firmware, e);
    return r;
}

/* As virsh snapshot-create --redefine: what the disks hold, and of which domain. */
static char *snapshot_xml(const struct plan *p)
{
    struct buf b = {0};
    autofree char *xml = domain_xml(p);
    const char *prefix = str_equal(p->machine.type, "pc") ? "hd" : "vd";
    buf_printf(&b, "<domainsnapshot><name>%s</name><state>paused</state>", SNAPSHOT_NAME);
    buf_printf(&b, "<creationTime>%lld</creationTime>", (long long)time(NULL));
    buf_puts(&b, "<memory snapshot='internal'/><disks>");
    for (size_t i = 0; p->machine.disks[i]; i++)
        buf_printf(&b, "<disk name='%s%c' snapshot='internal'/>", prefix, (char)('a' + i));
    buf_printf(&b, "</disks>%s</domainsnapshot>", xml);
    return buf_take(&b);
}

virDomainPtr domains_snapshot_revert(virConnectPtr c, const struct plan *p, struct error *e)
{
    autofree char *xml = domain_xml(p), *redefine = snapshot_xml(p);
    virDomainPtr d = virDomainDefineXMLFlags(c, xml, VIR_DOMAIN_DEFINE_VALIDATE);
    virDomainSnapshotPtr s = NULL;
    int r = d ? 0 : domains_error(e, "libvirt");
    if (r == 0) {
        s = virDomainSnapshotCreateXML(
            d, redefine, VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT);
        r = s ? 0 : domains_error(e, "telling libvirt of the snapshot");
    }
    if (r == 0 && virDomainRevertToSnapshot(s, VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED) < 0)
        r = domains_error(e, "bringing it back");
    if (r == 0 && virDomainSnapshotDelete(s, 0) < 0)
        r = domains_error(e, "forgetting it in the machine's own disks");
    if (s)
        virDomainSnapshotFree(s);
    if (r == 0)
        return d;
    if (d)
        virDomainFree(d);
    return NULL;
}
