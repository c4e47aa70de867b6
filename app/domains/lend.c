/*
 * Where QEMU is somebody else than we are, as root's libvirt has it by default (qemu.conf: user,
 * dynamic_ownership): such a one gets to a folder with what belongs to its machine, and owns that.
 * What a person's disk is, is left as it is: libvirt would give the whole chain below an overlay
 * away, and never back.
 */
#include "app/domains/domains.h"

#include "base/copy.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEND_MODEL "<model>dac</model>"
#define LEND_LABEL "<baselabel type='"
#define LEND_TREE "-libvirt/machines/"
#define LEND_OWN "own"

/* --- who it is -------------------------------------------------------------------------------- */

/* "<baselabel type='kvm'>+64055:+64055</baselabel>" */
static bool lend_read_label(const char *xml, uint32_t *ret_uid, uint32_t *ret_gid)
{
    const char *model = strstr(xml, LEND_MODEL);
    const char *end = model ? strstr(model, "</secmodel>") : NULL;
    const char *label = model ? strstr(model, LEND_LABEL) : NULL;
    const char *text = label && end && label < end ? strchr(label, '>') : NULL;
    return text && sscanf(text, ">+%u:+%u<", ret_uid, ret_gid) == 2;
}

/* What it starts for a machine that names no emulator, as ours do. */
static char *lend_read_program(const char *xml)
{
    const char *arch = strstr(xml, "<arch name='x86_64'>");
    return arch ? domains_element(arch, "emulator") : NULL;
}

int domains_host(virConnectPtr c, struct domain_host *ret, char **ret_program, struct error *e)
{
    autofree char *xml = virConnectGetCapabilities(c);
    *ret = (struct domain_host){0};
    if (!xml)
        return domains_error(e, "libvirt");
    bool told = lend_read_label(xml, &ret->uid, &ret->gid);
    ret->other = told && ret->uid != geteuid();
    if (ret->other && geteuid() != 0)
        return error_set(e, EACCES,
                         "this libvirt runs machines as user %u, who may not get to what is yours; "
                         "mend: --set machine.uri=qemu:///session, or start it as root",
                         ret->uid);
    *ret_program = lend_read_program(xml);
    return 0;
}

/* --- its folder ------------------------------------------------------------------------------- */

/* One that others may go through, by a name they know, and no more. */
static int lend_make_way(const char *path, struct error *e)
{
    if (mkdir(path, 0711) < 0 && errno != EEXIST)
        return error_errno(e, errno, "%s", path);
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return error_set(e, EPERM, "%s is not ours alone", path);
    return fchmod(fd, 0711) < 0 ? error_errno(e, errno, "%s", path) : 0;
}

static int lend_give(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *e)
{
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        return error_errno(e, errno, "%s", path);
    return 0;
}

int domains_lend_folder(const struct plan *p, const struct domain_host *h, struct error *e)
{
    const char *folder = p->machine.folder, *tree = strstr(folder, LEND_TREE);
    int r = p->scratch && !plan_boots_image(p) ? file_make_dirs(p->scratch, 0700) : 0;
    if (r < 0) /* where it all goes at the end */
        return error_errno(e, -r, "%s", p->scratch);
    if (!h->other) {
        r = file_make_dirs(folder, 0700);
        return r < 0 ? error_errno(e, -r, "%s", folder) : 0;
    }
    if (!tree)
        return error_set(e, EINVAL, "the plan has no folder for a machine of another user's");
    autofree char *top = str_ndup(folder, (size_t)(strchr(tree, '/') - folder));
    autofree char *machines = str_join_path(top, "machines");
    autofree char *own = str_join_path(folder, LEND_OWN);
    r = lend_make_way(top, e);
    if (r == 0)
        r = lend_make_way(machines, e);
    if (r < 0)
        return r;
    if (mkdir(folder, 0700) < 0 || mkdir(own, 0700) < 0)
        return error_errno(e, errno, "%s", folder);
    r = lend_give(own, h->uid, h->gid, 0700, e);
    return r < 0 ? r : lend_give(folder, geteuid(), h->gid, 0710, e); /* it makes nothing there */
}

/* --- what is in it ---------------------------------------------------------------------------- */

static int lend_copy(const struct plan *p, const struct domain_host *h, const char *name,
                     const char *path, struct error *e)
{
    autofree char *copy = domain_copy_path(p, name);
    autoclose int from = open(path, O_RDONLY | O_CLOEXEC);
    autoclose int to = open(copy, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return error_errno(e, errno, "%s", from < 0 ? path : copy);
    int r = copy_content(from, to);
    return r < 0 ? error_errno(e, -r, "%s", copy) : lend_give(copy, geteuid(), h->gid, 0440, e);
}

/* Tried as that user, in all its groups as libvirt starts it: 0, or what open(2) says. */
static int lend_try(const struct domain_host *h, const char *path)
{
    int status = 0;
    const struct passwd *account = getpwuid(h->uid);
    pid_t child = fork();
    if (child == 0) {
        int groups = account ? initgroups(account->pw_name, h->gid) : setgroups(0, NULL);
        if (groups < 0 || setresgid(h->gid, h->gid, h->gid) < 0 ||
            setresuid(h->uid, h->uid, h->uid) < 0)
            _exit(EPERM);
        _exit(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 ? errno : 0);
    }
    if (child < 0)
        return errno;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* Our own folder for it: what is above that is the person's. */
static int lend_check_way(const struct plan *p, const struct domain_host *h, struct error *e)
{
    autofree char *own = str_join_path(p->machine.folder, LEND_OWN);
    int why = lend_try(h, own);
    return why ? error_set(e, EACCES,
                           "the way to %s is closed to user %u, as whom this libvirt runs machines "
                           "(%s); mend: XDG_STATE_HOME, a folder that user may go through",
                           p->machine.folder, h->uid, strerror(why))
               : 0;
}

static int lend_check(const struct domain_host *h, char *const *paths, struct error *e)
{
    for (size_t i = 0; paths && paths[i]; i++) {
        int why = lend_try(h, paths[i]);
        autofree char *shown = str_escape_z(paths[i]);
        if (why)
            return error_set(e, EACCES,
                             "%s: this libvirt runs machines as user %u, who cannot read it (%s), "
                             "and nobody's rights are changed for that; mend: put it where that "
                             "user may read it, as /var/lib/libvirt/images",
                             shown, h->uid, strerror(why));
    }
    return 0;
}

int domains_lend(const struct plan *p, const struct domain_host *h, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    int r = lend_check_way(p, h, e);
    if (r < 0)
        return r;
    if (plan_boots_image(p)) {
        r = lend_copy(p, h, "kernel", m->kernel, e);
        if (r == 0)
            r = lend_copy(p, h, "initramfs", m->initramfs, e);
        return r < 0 ? r : lend_copy(p, h, "root", m->root, e);
    }
    for (size_t i = 0; r == 0 && m->disks[i]; i++) {
        autofree char *overlay = domain_disk_path(p, i);
        r = lend_give(overlay, h->uid, h->gid, 0600, e);
    }
    autofree char *vars = domain_vars_path(p);
    if (r == 0 && access(vars, F_OK) == 0) /* of a snapshot; else libvirt makes them */
        r = lend_give(vars, h->uid, h->gid, 0600, e);
    if (r == 0)
        r = p->snapshot_disks == PLAN_DISKS_FULL /* nothing lies below */
                ? 0
                : lend_check(h, m->disks + m->install, e); /* the first is to be made */
    if (r == 0)
        r = lend_check(h, m->cdroms, e);
    if (r == 0 && m->window) {
        autofree char *shown = domain_screen_path(p), *real = domain_screen_away(p);
        if (symlink(real, shown) < 0 && errno != EEXIST)
            r = error_errno(e, errno, "%s", shown);
    }
    return r;
}

/* --- and back --------------------------------------------------------------------------------- */

/* To another file system: it has its name there when it is whole, until then one of ours alone. */
static int lend_carry(int fd, int from, const char *name, int to, const char *to_name,
                      unsigned flags)
{
    autofree char *part = str_format(".%.200s.cofferdam-part", to_name); /* a name has 255 bytes */
    unlinkat(to, part, 0); /* of a turn that was cut off */
    autoclose int copy = openat(to, part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = copy < 0 ? -errno : copy_content(fd, copy);
    if (r == 0 && (fsync(copy) < 0 || renameat2(to, part, to, to_name, flags) < 0 || fsync(to) < 0))
        r = -errno;
    if (r < 0)
        unlinkat(to, part, 0);
    return r < 0 ? r : unlinkat(from, name, 0) < 0 ? -errno : 0;
}

static int lend_give_back(int from, const char *name, int to, const char *to_name, unsigned flags,
                          struct error *e)
{
    autoclose int fd = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT && !flags) /* another's turn has it */
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", name);
    if (!S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "%s is no file", name);
    if (fchown(fd, geteuid(), getegid()) < 0)
        return error_errno(e, errno, "%s", name);
    int r = renameat2(from, name, to, to_name, flags) < 0 ? -errno : 0;
    if (r == -EXDEV)
        r = lend_carry(fd, from, name, to, to_name, flags);
    return r < 0 ? error_errno(e, -r, "keeping %s", name) : 0;
}

static int lend_move(int from, int to, const char *name, struct error *e)
{
    return lend_give_back(from, name, to, name, 0, e);
}

int domains_carry(int from, const char *name, int to, const char *to_name, struct error *e)
{
    return lend_give_back(from, name, to, to_name, RENAME_NOREPLACE, e);
}

static bool lend_is_kept(const char *name)
{
    size_t digits = str_starts(name, "disk") ? strspn(name + 4, "0123456789") : 0;
    return str_equal(name, "firmware.fd") || (digits && str_equal(name + 4 + digits, ".qcow2"));
}

/* Whatever is left of it: an earlier turn may have been cut off between two. */
static int lend_move_all(DIR *list, int to, struct error *e)
{
    bool moved = true;
    while (moved) {
        struct dirent *entry;
        moved = false;
        rewinddir(list);
        while ((errno = 0, entry = readdir(list))) {
            if (!lend_is_kept(entry->d_name))
                continue;
            if (lend_move(dirfd(list), to, entry->d_name, e) < 0)
                return -e->code;
            moved = true;
        }
        if (errno)
            return error_errno(e, errno, "the folder of what is kept");
    }
    return 0;
}

int domains_lend_back(const char *folder, const char *id, struct error *e)
{
    const char *tree = strstr(folder, LEND_TREE);
    if (!tree)
        return 0;
    autofree char *kept = str_format("%.*s/workloads/%s/scratch", (int)(tree - folder), folder, id);
    autoclose int to = open(kept, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0) /* it is made before any disk, where they are kept */
        return errno == ENOENT ? 0 : error_errno(e, errno, "%s", kept);
    autoclose int from = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = from < 0 ? NULL : fdopendir(from);
    if (!list)
        return errno == ENOENT ? 0 : error_errno(e, errno, "%s", folder);
    from = FD_NONE; /* the list's */
    int r = lend_move_all(list, to, e);
    closedir(list);
    return r;
}
