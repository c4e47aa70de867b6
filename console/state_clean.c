#include "backends/launch.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "console/state_json.h"
#include "console/state_lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Undoes a journal's lines, the last first. The first error stays; the rest is still tried. */
static int replay(int dir, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = file_read(dir, "lock", STATE_LOCK_MAX, &text, &size);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return error_errno(e, -r, "cannot read the journal");
    autostrv char **lines = strv_split(text, "\n");
    int first = 0;
    for (size_t i = strv_length(lines); i-- > 0;) {
        char *tab = strchr(lines[i], '\t');
        if (!tab)
            continue; /* the first state; or cut off by the kill: what it announces was not made */
        *tab = 0;
        struct error mine;
        r = launch_undo(lines[i], tab + 1, &mine);
        if (r < 0 && first == 0) {
            *e = mine;
            first = r;
        }
    }
    return first;
}

/* The name's link, if it is still this workload's. */
static void drop_name(int runtime, int lock)
{
    struct stat ours, named;
    if (fstat(lock, &ours) < 0 || ours.st_nlink < 2)
        return;
    autoclose int names = state_names_lock(runtime);
    if (names < 0)
        return; /* the sweep has it */
    DIR *list;
    int own = openat(runtime, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return;
    if (!(list = fdopendir(own))) {
        fd_close(own);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(list))) {
        if (str_starts(entry->d_name, STATE_NAME) &&
            fstatat(runtime, entry->d_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
            unlinkat(runtime, entry->d_name, 0);
    }
    closedir(list);
}

/*
 * A monitor that has written down the end is about to go: for that one it is worth waiting. It lets
 * go of the lock as soon as its folder is gone, whoever of its clients still reads.
 */
static int take_lock(int dir, int lock)
{
    int r = state_lock_take(lock);
    struct state_record record;
    if (r != -EAGAIN || state_read_record(dir, &record) < 0)
        return r;
    bool ended = record.phase == STATE_EXITED;
    state_record_done(&record);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (ended && r < 0)
        if (fcntl(lock, F_OFD_SETLKW, &l) == 0)
            r = 0;
        else if (errno != EINTR)
            return -errno;
    return r;
}

static int clean_runtime(int runtime, const char *id, struct error *e)
{
    autoclose int dir = openat(runtime, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the folder of %s", id);
    autoclose int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0) /* no folder any more: it has just gone by itself */
        return errno == ENOENT ? 0 : error_errno(e, errno, "cannot open the lock of %s", id);
    int r = take_lock(dir, lock);
    if (r == -EAGAIN)
        return error_set(e, EBUSY, "%s is running, or somebody else is cleaning it up", id);
    if (r < 0)
        return error_errno(e, -r, "cannot lock %s", id);
    r = replay(dir, e);
    if (r < 0)
        return error_wrap(e, "cleaning up %s", id); /* the folder stays: it knows what is left */
    drop_name(runtime, lock);
    r = state_remove_folder(runtime, id);
    return r < 0 ? error_errno(e, -r, "cannot remove the folder of %s", id) : 0;
}

int state_clean(const struct dirs *d, const char *id, struct error *e)
{
    if (!state_id_valid(id))
        return error_set(e, EINVAL, "this is not a workload's id");
    autoclose int runtime = open(d->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runtime >= 0) {
        int r = clean_runtime(runtime, id, e);
        if (r < 0)
            return r;
    }
    autofree char *path = str_join_path(d->state, "workloads");
    autoclose int kept = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (kept >= 0) {
        int r = state_remove_folder(kept, id);
        if (r < 0)
            return error_errno(e, -r, "cannot remove what was kept of %s", id);
    }
    return 0;
}

/* Removes a half folder unless somebody works on it; whoever was about to begins anew. */
static bool drop_half(int runtime, const char *name)
{
    autofree char *path = str_format("%s/lock", name);
    autoclose int lock = openat(runtime, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return lock >= 0 && state_lock_take(lock) == 0 && file_remove_tree(runtime, name) == 0;
}

/* Its lock is nowhere else any more: the folder is gone. */
static bool name_is_dead(int runtime, const char *link)
{
    struct stat st;
    return fstatat(runtime, link, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink < 2 ||
           !S_ISREG(st.st_mode);
}

/* Whoever starts may be giving it to another: see name_claim(). */
static bool drop_dead_name(int dir, const char *link)
{
    if (!name_is_dead(dir, link))
        return false;
    autoclose int names = state_names_lock(dir);
    return names >= 0 && name_is_dead(dir, link) && unlinkat(dir, link, 0) == 0;
}

static bool sweep_one(int dir, const char *name, bool halves)
{
    if (halves)
        return str_starts(name, STATE_HALF) && drop_half(dir, name);
    return str_starts(name, STATE_NAME) && drop_dead_name(dir, name);
}

static unsigned sweep(const char *path, bool halves)
{
    unsigned count = 0;
    autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int own = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
    DIR *list = own < 0 ? NULL : fdopendir(own);
    if (!list) {
        fd_close(own);
        return 0;
    }
    struct dirent *entry;
    while ((entry = readdir(list)))
        count += sweep_one(dir, entry->d_name, halves);
    closedir(list);
    return count;
}

unsigned state_sweep(const struct dirs *d)
{
    autofree char *kept = str_join_path(d->state, "workloads");
    unsigned count = sweep(d->runtime, true) + sweep(kept, true);
    return count + sweep(d->runtime, false); /* the names of those that are gone now */
}
