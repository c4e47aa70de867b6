/* A disk that is not there yet: empty at the start, put in its place when a system is on it. */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/str.h"
#include "images/disk_base.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of a path, open; its last name in `*ret_name`. */
static int install_folder(const char *path, const char **ret_name, struct error *e)
{
    const char *slash = strrchr(path, '/');
    autofree char *folder = slash == path ? str_dup("/") : str_ndup(path, (size_t)(slash - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret_name = slash + 1;
    return fd < 0 ? error_errno(e, errno, "%s", folder) : fd;
}

int domains_install_make(const struct plan *p, struct error *e)
{
    const char *path = p->machine.disks[0], *name;
    autofree char *shown = str_escape_z(path), *disk = domain_disk_path(p, 0);
    autoclose int folder = install_folder(path, &name, e);
    if (folder < 0)
        return folder;
    if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(e, EEXIST, "%s is there already: a system is installed on a new disk",
                         shown);
    if (!*name || faccessat(folder, ".", W_OK, 0) < 0)
        return error_set(e, EACCES, "%s: nothing can be put there", shown);
    autoclose int fd = open(disk, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, errno, "%s", disk);
    return disk_overlay_write(fd, NULL, DISK_QCOW2, p->machine.disk_size, e);
}

/* The machine's program wrote it: it must still be a disk that stands alone. */
static int install_check(const char *disk, struct error *e)
{
    struct disk_base base = {.fd = FD_NONE};
    int r = disk_base_open_as(disk, DISK_QCOW2, &base, e);
    disk_base_done(&base);
    return r;
}

static int install_put(int from, const char *what, int to, const char *name, const struct plan *p,
                       struct error *e)
{
    int r = domains_carry(from, what, to, name, e);
    if (r != -EEXIST)
        return r;
    autofree char *beside = str_format("%s.%s", name, p->id), *shown = str_escape_z(beside);
    r = domains_carry(from, what, to, beside, e);
    return r < 0 ? r
                 : error_set(e, EEXIST,
                             "its place was taken meanwhile: what was installed is %s beside it",
                             shown);
}

int domains_install_keep(const struct plan *p, struct error *e)
{
    const char *name;
    autofree char *disk = domain_disk_path(p, 0), *firmware = domain_vars_path(p);
    autoclose int from = open(p->machine.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return error_errno(e, errno, "%s", p->machine.folder);
    int r = install_check(disk, e);
    if (r < 0)
        return r;
    autoclose int to = install_folder(p->machine.disks[0], &name, e);
    if (to < 0)
        return to;
    r = install_put(from, strrchr(disk, '/') + 1, to, name, p, e);
    autofree char *vars = str_format("%s.vars", name);
    if (r == 0 && access(firmware, F_OK) == 0)
        r = install_put(from, strrchr(firmware, '/') + 1, to, vars, p, e);
    return r;
}
