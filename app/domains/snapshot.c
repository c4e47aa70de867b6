/*
 * Snapshots of a whole machine: its overlays, copied while it stands still, and with memory a file
 * of libvirt's beside them. What starts from one lies over its overlays.
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
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT_NAME "cofferdam"
#define SNAPSHOT_MEMORY "memory"
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

/*
 * An external one of the memory alone: the disks stand still and are copied. So it is the same with
 * the variables of UEFI and with a CD, where this libvirt takes no internal ones.
 */
static int snapshot_memory(virDomainPtr d, const struct plan *p, const char *path, struct error *e)
{
    const unsigned flags =
        VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    struct buf b = {0};
    autofree char *file = str_join_path(path, SNAPSHOT_MEMORY);
    buf_puts(&b,
             "<domainsnapshot><name>" SNAPSHOT_NAME "</name><memory snapshot='external' file='");
    domain_xml_text(&b, file);
    buf_puts(&b, "'/><disks>");
    for (size_t i = 0; p->machine.disks[i]; i++)
        buf_printf(&b, "<disk name='%s' snapshot='no'/>", domain_disk_name(p, i).text);
    buf_puts(&b, "</disks></domainsnapshot>");
    autofree char *xml = buf_take(&b);
    virDomainSnapshotPtr s = virDomainSnapshotCreateXML(d, xml, flags);
    if (!s)
        return domains_error(e, "libvirt");
    virDomainSnapshotFree(s);
    return 0;
}

int domains_snapshot(virDomainPtr d, const struct plan *p, unsigned kind, const char *path,
                     struct error *e)
{
    int state = 0, reason, r = 0;
    if (virDomainGetState(d, &state, &reason, 0) < 0)
        return domains_error(e, "libvirt");
    bool running = state == VIR_DOMAIN_RUNNING;
    if (running && virDomainSuspend(d) < 0)
        return domains_error(e, "holding it still");
    if (kind == LAUNCH_SNAPSHOT_MEMORY)
        r = snapshot_memory(d, p, path, e);
    if (r == 0)
        r = snapshot_copy(p->machine.folder, path, snapshot_wants, e);
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
    int r = 0;
    for (size_t i = 0; r == 0 && p->machine.disks[i]; i++) {
        autofree char *name = str_format("disk%zu.qcow2", i);
        autofree char *base = str_join_path(p->snapshot_path, name);
        autofree char *overlay = domain_disk_path(p, i);
        r = snapshot_check(base, p->machine.disks[i], p->snapshot_path, e);
        if (r == 0)
            r = snapshot_link(base, overlay, e);
    }
    if (r == 0)
        r = snapshot_copy(p->snapshot_path, p->machine.folder, snapshot_wants_firmware, e);
    return r;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* What stands before QEMU's stream in such a file (libvirt's virQEMUSaveHeader), this host's way.
 */
struct snapshot_head {
    char magic[16];
    uint32_t version, size, running, compressed, cookie, unused[14];
};

/* The same stream for another domain: libvirt takes which one it is of from what stands before. */
static int snapshot_rename(int from, int to, const char *xml, struct error *e)
{
    struct snapshot_head head;
    struct stat st;
    if (pread(from, &head, sizeof(head), 0) != sizeof(head) || fstat(from, &st) < 0 ||
        memcmp(head.magic, "LibvirtQemudSave", sizeof(head.magic)) != 0 || head.version != 2 ||
        (off_t)head.size > st.st_size - (off_t)sizeof(head))
        return error_set(e, EBADMSG, "the memory in it is of another kind of libvirt");
    off_t at = (off_t)sizeof(head) + head.size;
    head.size = (uint32_t)strlen(xml) + 1;
    head.cookie = 0;
    int r = fd_write_full(to, &head, sizeof(head));
    if (r == 0)
        r = fd_write_full(to, xml, head.size);
    while (r == 0 && at < st.st_size) {
        ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));
        r = n > 0 ? 0 : n < 0 ? -errno : -EPIPE;
    }
    return r < 0 ? error_errno(e, -r, "its memory") : 0;
}

static int snapshot_memory_of(const struct plan *p, const char *path, struct error *e)
{
    autofree char *source = str_join_path(p->snapshot_path, SNAPSHOT_MEMORY);
    autofree char *xml = domain_xml(p);
    autoclose int from = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return error_errno(e, errno, "%s", from < 0 ? source : path);
    return snapshot_rename(from, to, xml, e);
}

virDomainPtr domains_snapshot_revert(virConnectPtr c, const struct plan *p, struct error *e)
{
    autofree char *path = str_join_path(p->machine.folder, SNAPSHOT_MEMORY);
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(p->id, uuid);
    int r = snapshot_memory_of(p, path, e);
    if (r == 0 && virDomainRestoreFlags(c, path, NULL, VIR_DOMAIN_SAVE_PAUSED) < 0)
        r = domains_error(e, "bringing it back");
    unlink(path);
    virDomainPtr d = r == 0 ? virDomainLookupByUUIDString(c, uuid) : NULL;
    if (r == 0 && !d)
        domains_error(e, "libvirt");
    return d;
}
