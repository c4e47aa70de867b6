/*
 * Snapshots of a whole machine: its overlays, copied while it stands still, and with memory a file
 * of libvirt's beside them. What starts from one lies over its overlays.
 */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/copy.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "images/disk_base.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT_NAME "cofferdam"
#define SNAPSHOT_MEMORY "memory"
enum { SNAPSHOT_HEAD = 4096, SNAPSHOT_LAYERS = 64 };

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
    /* what it has in its memory is on its disks then, where somebody in it can see to that */
    bool held = running && kind == LAUNCH_SNAPSHOT_FILES && domains_agent_hold(d);
    if (running && virDomainSuspend(d) < 0) {
        domains_error(e, "holding it still");
        if (held)
            domains_agent_let_go(d);
        return -e->code;
    }
    if (kind == LAUNCH_SNAPSHOT_MEMORY)
        r = snapshot_memory(d, p, path, e);
    if (r == 0)
        r = snapshot_copy(p->machine.folder, path, snapshot_wants, e);
    if (running && virDomainResume(d) < 0 && r == 0)
        r = domains_error(e, "letting it go on");
    if (held)
        domains_agent_let_go(d);
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

static bool snapshot_may_lie_on(const char *name, const char *base, const char *snapshot)
{
    autofree char *real = realpath(base, NULL);
    if (str_equal(name, base) || str_equal(name, real))
        return true;
    const char *mark = strstr(snapshot, "/snapshots/"); /* one that was itself started from one */
    size_t ours = mark ? (size_t)(mark - snapshot) + strlen("/snapshots/") : 0;
    return ours && strncmp(name, snapshot, ours) == 0 && !strstr(name, "/../");
}

int domains_snapshot_check(const char *path, const char *base, const char *snapshot,
                           uint64_t *ret_size, char **ret_below, struct error *e)
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
    if (at && !snapshot_may_lie_on(name, base, snapshot))
        return error_set(e, EPERM, "%s leads to another file than its disk", path);
    *ret_size = snapshot_big(head + 24, 8);
    *ret_below = at ? str_dup(name) : NULL;
    return 0;
}

/* The same down to the disk: a machine's program may name the disk of another one's snapshot. */
static int snapshot_check_all(const char *path, const char *base, const char *snapshot,
                              uint64_t *ret_size, struct error *e)
{
    autofree char *real = realpath(base, NULL), *at = str_dup(path);
    uint64_t size = 0;
    for (int layer = 0; at && !str_equal(at, base) && !str_equal(at, real); layer++) {
        autofree char *below = NULL;
        uint64_t of_this = 0;
        if (layer == SNAPSHOT_LAYERS)
            return error_set(e, ELOOP,
                             "%s lies on more than %d others, one on another: \"cofferdam clone "
                             "--full SNAPSHOT\" makes a machine whose disks lie on none",
                             path, SNAPSHOT_LAYERS);
        int r = domains_snapshot_check(at, base, snapshot, &of_this, &below, e);
        if (r < 0)
            return r;
        if (layer == 0)
            size = of_this;
        free(at);
        at = TAKE(below);
    }
    *ret_size = size;
    return 0;
}

static int snapshot_link(const char *base, const char *overlay, uint64_t size, struct error *e)
{
    autoclose int fd = open(overlay, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, errno, "%s", overlay);
    return disk_overlay_write(fd, base, DISK_QCOW2, size, e);
}

/* Who cannot get to the snapshot, or outlives it, gets what it holds: what has changed. */
static int snapshot_lay(const char *from, const char *to, struct error *e)
{
    autoclose int source = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int target = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (source < 0 || target < 0)
        return error_errno(e, errno, "%s", source < 0 ? from : to);
    int r = copy_content(source, target);
    return r < 0 ? error_errno(e, -r, "%s", to) : 0;
}

int domains_snapshot_disks(const struct plan *p, const struct domain_host *h, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && p->machine.disks[i]; i++) {
        autofree char *name = str_format("disk%zu.qcow2", i);
        autofree char *base = str_join_path(p->snapshot_path, name);
        autofree char *overlay = domain_disk_path(p, i);
        uint64_t bytes = 0;
        bool full = p->snapshot_disks == PLAN_DISKS_FULL; /* which looks at each it reads */
        r = full ? 0 : snapshot_check_all(base, p->machine.disks[i], p->snapshot_path, &bytes, e);
        if (r == 0 && full)
            r = domains_flatten(base, p->machine.disks[i], p->snapshot_path, overlay, e);
        else if (r == 0 && (h->other || p->snapshot_disks == PLAN_DISKS_COPIED))
            r = snapshot_lay(base, overlay, e);
        else if (r == 0)
            r = snapshot_link(base, overlay, bytes, e);
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

static int snapshot_memory_of(const struct plan *p, const struct domain_host *h, const char *path,
                              struct error *e)
{
    autofree char *source = str_join_path(p->snapshot_path, SNAPSHOT_MEMORY);
    autofree char *xml = domain_xml(p, h);
    autoclose int from = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return error_errno(e, errno, "%s", from < 0 ? source : path);
    return snapshot_rename(from, to, xml, e);
}

virDomainPtr domains_snapshot_revert(virConnectPtr c, const struct plan *p,
                                     const struct domain_host *h, struct error *e)
{
    autofree char *path = str_join_path(p->machine.folder, SNAPSHOT_MEMORY);
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(p->id, uuid);
    int r = snapshot_memory_of(p, h, path, e);
    if (r == 0 && virDomainRestoreFlags(c, path, NULL, VIR_DOMAIN_SAVE_PAUSED) < 0)
        r = domains_error(e, "bringing it back");
    unlink(path);
    virDomainPtr d = r == 0 ? virDomainLookupByUUIDString(c, uuid) : NULL;
    if (r == 0 && !d)
        domains_error(e, "libvirt");
    return d;
}
