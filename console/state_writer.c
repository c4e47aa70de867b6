#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "console/state_json.h"
#include "console/state_lock.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct state_writer {
    int runtime;   /* owned; $runtime */
    int dir;       /* owned; the workload's folder in it */
    int lock;      /* owned; holds the lock, the first record and the journal */
    int workloads; /* owned; $state/workloads; FD_NONE: nothing is kept */
    int kept_dir;  /* owned; the workload's folder in it */
    char *id;      /* owned */
    char *name;    /* owned; NULL until it is claimed */
    bool published, keep;
    bool begun; /* something stands in the lock's file: no room for a first record any more */
};

static void folder_name(const struct state_writer *w, char to[32])
{
    snprintf(to, 32, "%s%s", w->published ? "" : STATE_HALF, w->id);
}

/* One try. -EAGAIN: a prune took the folder for a dead one's before it was locked. */
static int lock_runtime(struct state_writer *w, const char *name)
{
    if (mkdirat(w->runtime, name, 0700) < 0)
        return errno == EEXIST ? -EAGAIN : -errno;
    w->dir = openat(w->runtime, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->dir < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    w->lock = openat(w->dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->lock < 0)
        return errno == ENOENT || errno == EEXIST ? -EAGAIN : -errno;
    return state_lock_take(w->lock);
}

static int open_runtime(struct state_writer *w, struct error *e)
{
    enum { TRIES = 100 };
    char name[32];
    folder_name(w, name);
    int r = -EAGAIN;
    for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
        if (i)
            sched_yield();
        w->lock = fd_close(w->lock);
        w->dir = fd_close(w->dir);
        r = lock_runtime(w, name);
    }
    if (r < 0)
        w->lock = fd_close(w->lock);
    return r < 0 ? error_errno(e, -r, "cannot make the workload's folder") : 0;
}

static int open_kept(struct state_writer *w, const struct dirs *d, struct error *e)
{
    w->workloads = state_open_kept(d, true, e);
    if (w->workloads < 0)
        return w->workloads;
    /* it may be there: made for the scratch layer, or left by the run before a restart */
    if (mkdirat(w->workloads, w->id, 0700) < 0 && errno != EEXIST)
        return error_errno(e, errno, "cannot make the kept folder");
    w->kept_dir = openat(w->workloads, w->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return w->kept_dir < 0 ? error_errno(e, errno, "cannot open the kept folder") : 0;
}

int state_writer_open(const struct dirs *d, const char *id, bool kept, struct state_writer **ret,
                      struct error *e)
{
    if (!state_id_valid(id))
        return error_set(e, EINVAL, "this is not a workload's id");
    int runtime = file_open_private_dir(d->runtime, true, e);
    if (runtime < 0)
        return runtime;
    struct state_writer *w = NEW(struct state_writer);
    *w = (struct state_writer){.runtime = runtime,
                               .dir = FD_NONE,
                               .lock = FD_NONE,
                               .workloads = FD_NONE,
                               .kept_dir = FD_NONE,
                               .id = str_dup(id),
                               .keep = kept};
    struct stat st;
    int r = 0;
    if (fstatat(runtime, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
        r = error_set(e, EEXIST, "there is a workload with the id %s", id);
    if (r == 0)
        r = open_runtime(w, e);
    if (r == 0 && kept)
        r = open_kept(w, d, e);
    if (r < 0) {
        if (w->lock >= 0)
            state_writer_remove(w);
        state_writer_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

int state_writer_dir(const struct state_writer *w)
{
    return w->dir;
}

int state_writer_kept_dir(const struct state_writer *w)
{
    return w->kept_dir;
}

/* --- names ------------------------------------------------------------------------------------ */

static void name_link(const char *name, char to[80])
{
    snprintf(to, 80, "%s%s", STATE_NAME, name);
}

/* Removes the link of a name whose holder is dead. -EEXIST: it lives. */
static int name_release_dead(int runtime, const char *link)
{
    autoclose int lock = state_names_lock(runtime);
    if (lock < 0)
        return lock;
    if (state_lock_held(runtime, link))
        return -EEXIST;
    return unlinkat(runtime, link, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int name_claim(struct state_writer *w, const char *name, struct error *e)
{
    char link[80];
    if (!*name || strlen(name) > 63 || strchr(name, '/'))
        return error_set(e, EINVAL, "this is not a workload's name");
    name_link(name, link);
    for (int tries = 0; tries < 8; tries++) {
        if (linkat(w->dir, "lock", w->runtime, link, 0) == 0) {
            w->name = str_dup(name);
            return 0;
        }
        if (errno != EEXIST)
            return error_errno(e, errno, "cannot write down the name");
        if (name_release_dead(w->runtime, link) == -EEXIST)
            break;
    }
    return error_set(e, EEXIST, "a workload called \"%s\" is running", name);
}

static void name_unclaim(struct state_writer *w)
{
    if (!w->name)
        return;
    char link[80];
    name_link(w->name, link);
    unlinkat(w->runtime, link, 0);
    free(TAKE(w->name));
}

/* --- files ------------------------------------------------------------------------------------ */

/* One line in the file of the lock, once, while nobody can be reading it. */
static int put_first(struct state_writer *w, char *text)
{
    size_t size = strlen(text);
    w->begun = true;
    text[size] = '\n'; /* in the place of its end, which is put back */
    int r = fd_write_full(w->lock, text, size + 1);
    text[size] = '\0';
    return r;
}

/* The first time nobody can be reading it: then it is written in place. */
static int put_file(int dir, const char *name, const void *data, size_t size, bool fresh)
{
    if (!fresh)
        return file_write_brief(dir, name, data, size);
    autoclose int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    return fd_write_full(fd, data, size);
}

static int put_kept(struct state_writer *w, const char *name, const void *data, size_t size)
{
    return w->kept_dir >= 0 ? file_write_whole(w->kept_dir, name, data, size, 0600, false) : 0;
}

int state_writer_put(struct state_writer *w, const struct state_record *r, struct error *e)
{
    if (!w->name && r->name) {
        int c = name_claim(w, r->name, e);
        if (c < 0)
            return c;
    }
    json_t *j = state_record_to_json(r);
    autofree char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    size_t size = strlen(text);
    bool first = !w->begun && !w->published;
    int c = first ? put_first(w, text) : put_file(w->dir, "state", text, size, false);
    if (c == 0)
        c = put_kept(w, "state", text, size);
    return c < 0 ? error_errno(e, -c, "cannot write the workload's state") : 0;
}

int state_writer_file(struct state_writer *w, const char *name, const void *data, size_t size,
                      struct error *e)
{
    int r = put_file(w->dir, name, data, size, !w->published);
    if (r == 0)
        r = put_kept(w, name, data, size);
    return r < 0 ? error_errno(e, -r, "cannot write the workload's %s", name) : 0;
}

int state_writer_publish(struct state_writer *w, struct error *e)
{
    char half[32];
    folder_name(w, half);
    if (renameat2(w->runtime, half, w->runtime, w->id, RENAME_NOREPLACE) < 0)
        return error_errno(e, errno, "cannot publish the workload's folder");
    w->published = true;
    return 0;
}

int state_writer_journal(struct state_writer *w, const char *kind, const char *what,
                         struct error *e)
{
    if (strpbrk(kind, "\t\n") || strpbrk(what, "\t\n"))
        return error_set(e, EINVAL, "a path with a tab or a newline cannot be journalled");
    autofree char *line = str_format("%s\t%s\n", kind, what);
    w->begun = true;
    ssize_t n = write(w->lock, line, strlen(line));
    if (n == (ssize_t)strlen(line))
        return 0;
    int code = n < 0 ? errno : ENOSPC;
    off_t end = n > 0 ? lseek(w->lock, -n, SEEK_CUR) : -1; /* half a line would be undone as one */
    if (end >= 0 && ftruncate(w->lock, end) < 0)
        code = errno;
    return error_errno(e, code, "cannot write the journal");
}

int state_writer_sync(struct state_writer *w)
{
    static const char *const names[] = {"plan", "state", "report", "log", "kernel"};
    if (w->kept_dir < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autoclose int fd = openat(w->kept_dir, names[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fsync(fd) < 0)
            return -errno;
    }
    return fsync(w->kept_dir) < 0 || fsync(w->workloads) < 0 ? -errno : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

void state_writer_keep(struct state_writer *w, bool kept)
{
    w->keep = kept;
}

int state_writer_remove(struct state_writer *w)
{
    static const char *const names[] = {"socket", "state", "plan"};
    char half[32];
    folder_name(w, half);
    if (w->published) {
        /* one step for whoever looks: it is there, or it is not */
        w->published = false;
        folder_name(w, half);
        if (renameat(w->runtime, w->id, w->runtime, half) < 0)
            return errno == ENOENT ? 0 : -errno;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unlinkat(w->dir, names[i], 0);
    name_unclaim(w);
    unlinkat(w->dir, "lock", 0);
    int r = 0;
    if (unlinkat(w->runtime, half, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = file_remove_tree(w->runtime, half);
    if (w->workloads >= 0 && !w->keep) {
        int k = state_remove_folder(w->workloads, w->id);
        r = r < 0 ? r : k;
    }
    w->lock = fd_close(w->lock);
    return r;
}

void state_writer_free(struct state_writer *w)
{
    if (!w)
        return;
    fd_close(w->dir);
    fd_close(w->kept_dir);
    fd_close(w->workloads);
    fd_close(w->runtime);
    fd_close(w->lock);
    free(w->name);
    free(w->id);
    free(w);
}
