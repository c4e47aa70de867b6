/*
 * A machine on another host: what it is made from is brought there as volumes of a pool of its own,
 * which goes with it. Nothing of ours is taken to be on that host but its libvirt.
 */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/str.h"
#include "images/disk_base.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- its pool --------------------------------------------------------------------------------- */

static int far_pool_make(virConnectPtr c, const struct plan *p, virStoragePoolPtr *ret,
                         struct error *e)
{
    char uuid[DOMAIN_UUID_SIZE];
    autofree char *name = domain_name(p);
    struct buf b = {0};
    domain_uuid(p->id, uuid);
    buf_printf(&b, "<pool type='dir'><name>%s</name><uuid>%s</uuid><target><path>", name, uuid);
    domain_xml_text(&b, p->machine.folder);
    buf_puts(&b, "</path><permissions><mode>0711</mode></permissions></target></pool>");
    autofree char *xml = buf_take(&b);
    virStoragePoolPtr pool = virStoragePoolDefineXML(c, xml, 0);
    if (!pool)
        return domains_error(e, "a place for its disks there");
    if (virStoragePoolBuild(pool, 0) < 0 || virStoragePoolCreate(pool, 0) < 0) {
        domains_error(e, "a place for its disks there");
        virStoragePoolFree(pool);
        return -e->code;
    }
    *ret = pool;
    return 0;
}

/* One that cannot be opened has no folder, or an empty one; else it is known until it can be. */
static int far_pool_was_begun(virStoragePoolPtr pool, struct error *e)
{
    int r = domains_error(e, "opening the place of its disks");
    if (virStoragePoolDelete(pool, 0) == 0)
        return 0;
    virErrorPtr last = virGetLastError();
    bool none = last && last->code == VIR_ERR_SYSTEM_ERROR && last->int1 == ENOENT;
    return none ? 0 : r;
}

/* Where it was stopped meanwhile it is started once more, so that what is in it can be removed. */
static int far_pool_empty(virStoragePoolPtr pool, struct error *e)
{
    virStorageVolPtr *of = NULL;
    if (virStoragePoolIsActive(pool) == 0 && virStoragePoolCreate(pool, 0) < 0)
        return far_pool_was_begun(pool, e);
    virStoragePoolRefresh(pool, 0);
    int count = virStoragePoolListAllVolumes(pool, &of, 0);
    int r = count < 0 ? domains_error(e, "the disks there") : 0;
    for (int i = 0; i < count; i++) {
        if (virStorageVolDelete(of[i], 0) < 0)
            r = domains_error(e, "removing a disk there");
        virStorageVolFree(of[i]);
    }
    free(of);
    if (r == 0 && virStoragePoolDestroy(pool) < 0)
        r = domains_error(e, "closing the place of its disks");
    if (r == 0 && virStoragePoolDelete(pool, 0) < 0)
        r = domains_error(e, "removing the place of its disks");
    return r;
}

int domains_far_undo(virConnectPtr c, const char *id, struct error *e)
{
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(id, uuid);
    autofree char *name = str_format("cofferdam-%s", id);
    virStoragePoolPtr pool = virStoragePoolLookupByUUIDString(c, uuid);
    if (!pool) {
        virErrorPtr last = virGetLastError();
        return last && last->code == VIR_ERR_NO_STORAGE_POOL ? 0 : domains_error(e, "libvirt");
    }
    int r = str_equal(virStoragePoolGetName(pool), name)
                ? far_pool_empty(pool, e)
                : error_set(e, EPERM, "the place of its disks has another name");
    if (r == 0 && virStoragePoolUndefine(pool) < 0)
        r = domains_error(e, "forgetting the place of its disks");
    virStoragePoolFree(pool);
    return r;
}

/* --- bringing it ------------------------------------------------------------------------------ */

struct far_load {
    int fd;        /* borrowed */
    uint64_t sent; /* its holes as well */
    bool refused;  /* whoever wants it has said something, or has gone */
};

/* Whoever asked for the machine is heard between two pieces: what they say now ends it. */
static bool far_is_ended(struct far_load *l)
{
    struct pollfd p = {.fd = DOMAIN_FD_CONTROL, .events = POLLIN};
    l->refused = l->refused || poll(&p, 1, 0) > 0;
    return l->refused;
}

static int far_read(virStreamPtr s, char *bytes, size_t size, void *data)
{
    struct far_load *l = data;
    if (far_is_ended(l))
        return -1;
    alarm(CONNECT_S); /* of one that hangs, not of one that takes long */
    ssize_t n = read(l->fd, bytes, size);
    l->sent += n > 0 ? (uint64_t)n : 0;
    return n < 0 && errno == EINTR ? far_read(s, bytes, size, data) : (int)n;
}

/* As lseek(2) has it: whether data comes next, and how much; both 0 at the end. */
static int far_section(virStreamPtr s, int *ret_data, long long *ret_length, void *data)
{
    struct far_load *l = data;
    off_t at = lseek(l->fd, 0, SEEK_CUR), from = lseek(l->fd, at, SEEK_DATA);
    *ret_data = 0;
    if (at < 0 || far_is_ended(l))
        return -1;
    if (from < 0 && errno == ENXIO) { /* a hole up to the end, which may have come nearer */
        *ret_length = MAX(lseek(l->fd, 0, SEEK_END) - at, (off_t)0);
    } else if (from < 0) { /* a device */
        *ret_length = lseek(l->fd, 0, SEEK_END) - at;
        *ret_data = *ret_length > 0;
    } else if (from > at) {
        *ret_length = from - at;
    } else {
        *ret_length = lseek(l->fd, at, SEEK_HOLE) - at;
        *ret_data = 1;
    }
    return lseek(l->fd, at, SEEK_SET) < 0 ? -1 : 0;
}

static int far_skip(virStreamPtr s, long long length, void *data)
{
    struct far_load *l = data;
    l->sent += (uint64_t)length;
    return lseek(l->fd, (off_t)length, SEEK_CUR) < 0 ? -1 : 0;
}

static int far_abort(virStreamPtr s, struct error *e)
{
    virStreamAbort(s);
    return error_set(e, EIO, "it changed its size while it was read");
}

static int far_send(virConnectPtr c, virStorageVolPtr volume, int fd, uint64_t size,
                    struct error *e)
{
    struct far_load l = {.fd = fd};
    virStreamPtr s = virStreamNew(c, 0);
    if (!s)
        return domains_error(e, "libvirt");
    int r = 0;
    if (virStorageVolUpload(volume, s, 0, size, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) < 0)
        r = domains_error(e, "bringing it there");
    else if (virStreamSparseSendAll(s, far_read, far_section, far_skip, &l) < 0)
        r = l.refused ? error_set(e, ECANCELED, "it was ended before it had started")
                      : domains_error(e, "bringing it there"); /* the stream is at its end */
    else if (l.sent != size)
        r = far_abort(s, e);
    else if (virStreamFinish(s) < 0)
        r = domains_error(e, "bringing it there");
    virStreamFree(s);
    return r;
}

/* The last name of a path in the machine's folder. */
static const char *far_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static virStorageVolPtr far_volume(virStoragePoolPtr pool, const char *path, const char *format,
                                   uint64_t size, const char *below, struct error *e)
{
    struct buf b = {0};
    buf_printf(&b,
               "<volume><name>%s</name><capacity>%llu</capacity><allocation>0</allocation><target>"
               "<format type='%s'/></target>%s</volume>",
               far_name(path), (unsigned long long)size, format, below);
    autofree char *xml = buf_take(&b);
    virStorageVolPtr v = virStorageVolCreateXML(pool, xml, 0);
    if (!v)
        domains_error(e, "a disk there");
    return v;
}

static int far_bring_fd(virConnectPtr c, virStoragePoolPtr pool, int fd, const char *path,
                        struct error *e)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(e, errno, "its size");
    virStorageVolPtr v = far_volume(pool, path, "raw", (uint64_t)size, "", e);
    if (!v)
        return -e->code;
    int r = far_send(c, v, fd, (uint64_t)size, e);
    virStorageVolFree(v);
    return r;
}

static int far_bring(virConnectPtr c, virStoragePoolPtr pool, const char *from, const char *path,
                     struct error *e)
{
    autofree char *shown = str_escape_z(from);
    autoclose int fd = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO never blocks */
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", shown);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(e, EINVAL, "%s is neither a file nor a device", shown);
    int r = far_bring_fd(c, pool, fd, path, e);
    return r < 0 ? error_wrap(e, "%s", shown) : 0;
}

/* --- what it is made from --------------------------------------------------------------------- */

/* The disk as it is, and over it what takes the changes. */
static int far_disk(virConnectPtr c, virStoragePoolPtr pool, const struct plan *p, size_t i,
                    struct error *e)
{
    struct disk_base base = {.fd = FD_NONE};
    autofree char *shown = str_escape_z(p->machine.disks[i]);
    autofree char *path = domain_base_path(p, i), *overlay = domain_disk_path(p, i);
    int r = disk_base_open(p->machine.disks[i], &base, e);
    if (r == 0)
        r = far_bring_fd(c, pool, base.fd, path, e);
    if (r == 0) {
        struct buf b = {0};
        buf_puts(&b, "<backingStore><path>");
        domain_xml_text(&b, path);
        buf_printf(&b, "</path><format type='%s'/></backingStore>", disk_format_name(base.format));
        autofree char *below = buf_take(&b);
        uint64_t wanted = i == 0 ? p->machine.disk_size : 0;
        virStorageVolPtr v = far_volume(pool, overlay, "qcow2", MAX(wanted, base.size), below, e);
        r = v ? 0 : -e->code;
        if (v)
            virStorageVolFree(v);
    }
    disk_base_done(&base);
    return r < 0 ? error_wrap(e, "%s", shown) : 0;
}

static int far_guest(virConnectPtr c, virStoragePoolPtr pool, const struct plan *p, struct error *e)
{
    const char *const parts[][2] = {
        {"kernel",    p->machine.kernel   },
        {"initramfs", p->machine.initramfs},
        {"root",      p->machine.root     },
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++) {
        autofree char *path = domain_copy_path(p, parts[i][0]);
        r = far_bring(c, pool, parts[i][1], path, e);
    }
    return r;
}

int domains_far_make(virConnectPtr c, const struct plan *p, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    virStoragePoolPtr pool = NULL;
    int r = far_pool_make(c, p, &pool, e);
    if (r < 0)
        return r;
    if (plan_boots_image(p))
        r = far_guest(c, pool, p, e);
    for (size_t i = 0; r == 0 && !plan_boots_image(p) && m->disks[i]; i++)
        r = far_disk(c, pool, p, i, e);
    for (size_t i = 0; r == 0 && m->cdroms && m->cdroms[i]; i++) {
        autofree char *path = domain_cd_path(p, i);
        r = far_bring(c, pool, m->cdroms[i], path, e);
    }
    virStoragePoolFree(pool);
    return r;
}
