/* Undoes the journal of a launch whose monitor is gone, line by line. */
#include "backends/cgroup/cgroup.h"
#include "backends/containerd/ctr.h"
#include "backends/launch.h"
#include "base/fd.h"
#include "base/module.h"
#include "base/spawn.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of ours: an absolute path without "..", below a folder called "cofferdam" or
 * "cofferdam-UID". */
static bool undo_path_is_ours(const char *path)
{
    if (path[0] != '/' || strstr(path, "/../") || strstr(path, "/./") || str_ends(path, "/.."))
        return false;
    for (const char *p = path; (p = strstr(p, "/cofferdam"));) {
        p += strlen("/cofferdam");
        const char *end = *p == '-' ? p + 1 + strspn(p + 1, "0123456789") : p;
        if (*end == '/' && end[1])
            return true;
    }
    return false;
}

/* Only a folder of ours that something is mounted on; EINVAL: nothing is, any more. */
static int undo_mount(const char *what, struct error *e)
{
    if (!undo_path_is_ours(what))
        return error_set(e, EPERM, "this is no mount of ours");
    struct stat st;
    if (lstat(what, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (umount2(what, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return error_errno(e, errno, "unmounting %s", what);
    return 0;
}

/* A lock file that stands for a range of ids. Held again already by a later workload: left alone.
 */
static int undo_ids(const char *what, struct error *e)
{
    if (!undo_path_is_ours(what))
        return error_set(e, EPERM, "this is no id range of ours");
    autoclose int fd = open(what, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(e, errno, "opening it");
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return error_set(e, EPERM, "this is no id range of ours");
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return 0;
    if (unlink(what) < 0 && errno != ENOENT)
        return error_errno(e, errno, "freeing an id range");
    return 0;
}

/* A file that has its name for a moment only. */
static int undo_file(const char *what, struct error *e)
{
    struct stat st;
    if (!undo_path_is_ours(what) || !str_ends(what, LAUNCH_FILE_ENDING))
        return error_set(e, EPERM, "this is no file of ours");
    if (lstat(what, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return 0;
    if (unlink(what) < 0 && errno != ENOENT)
        return error_errno(e, errno, "removing %s", what);
    return 0;
}

enum { UNDO_DOMAIN_MS = 70000, UNDO_SAID = 4096 };

/* "URI ID FOLDER": libvirt is asked by the one program that knows it, which looks whether it is
 * ours. */
static int undo_domain(const char *what, struct error *e)
{
    autofree char *text = str_dup(what), *program = module_program("cofferdam-domain");
    char *folder = text, *uri = strsep(&folder, " "), *id = folder ? strsep(&folder, " ") : NULL;
    if (!id || !folder || !*folder)
        return error_set(e, EINVAL, "this names no domain");
    const char *const argv[] = {program, "undo", uri, id, folder, NULL};
    autofree char *said = NULL;
    int status = 0;
    int r = spawn_run(argv, UNDO_DOMAIN_MS, UNDO_SAID, &status, &said, e);
    if (r < 0 || status == 0)
        return r;
    autofree char *shown = str_escape_z(said ? str_trim(said) : "");
    return error_set(e, EIO, "%s", *shown ? shown : "libvirt does not answer");
}

int launch_undo(const char *kind, const char *what, struct error *e)
{
    struct error why;
    int r = 0;
    if (str_equal(kind, "cgroup"))
        r = cgroup_undo(what, &why);
    else if (str_equal(kind, "mount"))
        r = undo_mount(what, &why);
    else if (str_equal(kind, "ids"))
        r = undo_ids(what, &why);
    else if (str_equal(kind, "file"))
        r = undo_file(what, &why);
    else if (str_equal(kind, "domain"))
        r = undo_domain(what, &why);
    else if (str_equal(kind, CTR_JOURNAL))
        r = ctr_undo(what, &why);
    else if (!str_equal(kind, "scope")) /* a scope ends by itself with its last process */
        r = error_set(&why, EINVAL, "nobody knows how to undo this");
    if (r == 0)
        return 0;
    autofree char *shown = str_escape_z(what);
    *e = why;
    return error_wrap(e, "%.32s %.160s", kind, shown);
}
