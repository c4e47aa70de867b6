#include "console/snapshots.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "console/listing.h"
#include "console/snapshots_json.h"
#include "console/state_lock.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLAN_MOST = 1024 * 1024 };

/* --- the record ------------------------------------------------------------------------------- */

// clang-format off
#define TEXT(name) {#name, offsetof(struct snapshot_record, name)}
static const struct member {
    const char *name;
    size_t at;
} members[] = {
    TEXT(id), TEXT(name), TEXT(workload), TEXT(workload_name), TEXT(parent), TEXT(profile),
    TEXT(boundary), TEXT(runtime), TEXT(image), TEXT(command), TEXT(reason),
};
// clang-format on

static char **member_at(const struct snapshot_record *r, size_t i)
{
    return (char **)((char *)r + members[i].at);
}

void snapshot_record_done(struct snapshot_record *r)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        free(*member_at(r, i));
    strv_free(r->labels);
    *r = (struct snapshot_record){0};
}

const char *snapshot_kind_name(unsigned kind)
{
    return kind & LAUNCH_SNAPSHOT_MEMORY ? "files and memory" : "files";
}

json_t *snapshot_record_to_json(const struct snapshot_record *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "version", json_integer(1));
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char *text = *member_at(r, i);
        autofree char *safe = text ? str_escape_z(text) : NULL;
        if (text)
            json_object_set_new(o, members[i].name, json_string(safe));
    }
    json_t *labels = json_array();
    for (size_t i = 0; r->labels && r->labels[i]; i++) {
        autofree char *safe = str_escape_z(r->labels[i]);
        json_array_append_new(labels, json_string(safe));
    }
    json_object_set_new(o, "labels", labels);
    json_object_set_new(o, "memory", json_boolean(r->kind & LAUNCH_SNAPSHOT_MEMORY));
    json_object_set_new(o, "created_ms", json_integer(r->created_ms));
    json_object_set_new(o, "bytes", json_integer((json_int_t)r->bytes));
    return o;
}

static int record_parse(const char *text, size_t size, const char *id, struct snapshot_record *ret)
{
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    struct snapshot_record r = {0};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        *member_at(&r, i) = str_dup_or_null(json_string_value(json_object_get(j, members[i].name)));
    const json_t *labels = json_object_get(j, "labels");
    for (size_t i = 0; i < json_array_size(labels); i++)
        if (json_string_value(json_array_get(labels, i)))
            strv_add(&r.labels, json_string_value(json_array_get(labels, i)));
    bool memory = json_is_true(json_object_get(j, "memory"));
    r.kind = memory ? LAUNCH_SNAPSHOT_MEMORY : LAUNCH_SNAPSHOT_FILES;
    r.created_ms = json_integer_value(json_object_get(j, "created_ms"));
    r.bytes = (uint64_t)json_integer_value(json_object_get(j, "bytes"));
    bool good = json_integer_value(json_object_get(j, "version")) == 1 && str_equal(r.id, id) &&
                r.name && r.runtime && r.workload;
    json_decref(j);
    if (!good) {
        snapshot_record_done(&r);
        return -EINVAL;
    }
    *ret = r;
    return 0;
}

static struct snapshot_record read_record(int dir, const char *id)
{
    struct snapshot_record r = {0};
    autofree char *path = str_format("%s/snapshot", id), *text = NULL;
    size_t size = 0;
    int code = file_read(dir, path, STATE_FILE_MAX, &text, &size);
    if (code == 0 && record_parse(text, size, id, &r) == 0)
        return r;
    r = (struct snapshot_record){.id = str_dup(id), .name = str_dup(id)};
    r.reason = code < 0 ? str_format("its record cannot be read: %s", strerror(-code))
                        : str_dup("its record is damaged");
    return r;
}

/* --- listing and finding ---------------------------------------------------------------------- */

static int open_all(const struct dirs *d, bool make, struct error *e)
{
    autofree char *path = str_join_path(d->state, "snapshots");
    if (make)
        return file_open_private_dir(path, true, e);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : error_errno(e, errno, "cannot read %s", path);
    return fd;
}

static int newest_first(const void *a, const void *b)
{
    const struct snapshot_record *x = a, *y = b;
    return listing_newest_first(x->created_ms, x->id, y->created_ms, y->id);
}

int snapshots_list(const struct dirs *d, struct snapshot_record **ret, size_t *ret_count,
                   struct error *e)
{
    autoclose int dir = open_all(d, false, e);
    if (dir < 0 && dir != -ENOENT)
        return dir;
    autostrv char **ids = dir < 0 ? NULL : listing_names(dir, state_id_valid);
    size_t count = ids ? strv_length(ids) : 0;
    struct snapshot_record *list = mem_zero(count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = read_record(dir, ids[i]);
    if (count)
        qsort(list, count, sizeof(*list), newest_first);
    *ret = list;
    *ret_count = count;
    return 0;
}

void snapshots_list_free(struct snapshot_record *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        snapshot_record_done(&list[i]);
    free(list);
}

int snapshots_find(const struct dirs *d, const char *word, struct snapshot_record *ret,
                   struct error *e)
{
    struct snapshot_record *list;
    size_t count, at;
    int r = snapshots_list(d, &list, &count, e);
    if (r < 0)
        return r;
    autofree struct listing_entry *entries = mem_zero(count + 1, sizeof(*entries));
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct listing_entry){.id = list[i].id, .name = list[i].name};
    r = listing_find(entries, count, "snapshot", word, &at, e);
    if (r == 0) {
        *ret = list[at];
        list[at] = (struct snapshot_record){0};
    }
    snapshots_list_free(list, count);
    return r;
}

char *snapshots_files_path(const struct dirs *d, const char *id)
{
    return str_format("%s/snapshots/%s/files", d->state, id);
}

int snapshots_read_plan(const struct dirs *d, const char *id, char **ret, size_t *ret_size,
                        struct error *e)
{
    autofree char *path = str_format("%s/snapshots/%s/plan", d->state, id);
    int r = file_read(AT_FDCWD, path, PLAN_MOST, ret, ret_size);
    return r < 0 ? error_errno(e, -r, "cannot read the plan of the snapshot %s", id) : 0;
}

/*
 * Whoever has just published it, or looks whether it is a half one, has the lock for a moment, and
 * so has who removes it until it is hidden. What counts is whether it is there after that.
 */
int snapshots_hold(const struct dirs *d, const char *id, struct error *e)
{
    autofree char *path = str_format("%s/snapshots/%s/lock", d->state, id);
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    struct stat held, there;
    if (fd < 0)
        return error_errno(e, errno, "cannot open the lock of the snapshot %s", id);
    if (fcntl(fd, F_OFD_SETLKW, &l) < 0 || fstat(fd, &held) < 0)
        return error_errno(e, errno, "cannot lock the snapshot %s", id);
    if (stat(path, &there) < 0 || there.st_ino != held.st_ino || there.st_dev != held.st_dev)
        return error_set(e, EBUSY, "the snapshot %s is being removed", id);
    return TAKE_FD(fd);
}

/* --- making one ------------------------------------------------------------------------------- */

struct snapshot_writer {
    int all;    /* owned; $state/snapshots */
    int dir;    /* owned; the snapshot's folder in it */
    int files;  /* owned; files/ in it */
    int lock;   /* owned; holds the lock */
    char *path; /* owned; $state/snapshots */
    char id[STATE_ID_SIZE + 1], half[STATE_ID_SIZE + sizeof(STATE_HALF)];
    bool published;
};

static int writer_make(struct snapshot_writer *w)
{
    const int folder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    if (fstatat(w->all, w->id, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    if (mkdirat(w->all, w->half, 0700) < 0 || (w->dir = openat(w->all, w->half, folder)) < 0)
        return -errno;
    w->lock = openat(w->dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r = w->lock < 0 ? -errno : state_lock_take(w->lock);
    if (r < 0)
        return r;
    if (mkdirat(w->dir, "files", 0700) < 0 || (w->files = openat(w->dir, "files", folder)) < 0)
        return -errno;
    return 0;
}

int snapshot_writer_open(const struct dirs *d, const char *id, struct snapshot_writer **ret,
                         struct error *e)
{
    if (!state_id_valid(id))
        return error_set(e, EINVAL, "this is not a snapshot's id");
    int all = open_all(d, true, e);
    if (all < 0)
        return all;
    struct snapshot_writer *w = NEW(struct snapshot_writer);
    *w = (struct snapshot_writer){.all = all, .dir = FD_NONE, .files = FD_NONE, .lock = FD_NONE};
    w->path = str_join_path(d->state, "snapshots");
    memcpy(w->id, id, sizeof(w->id));
    snprintf(w->half, sizeof(w->half), STATE_HALF "%s", id);
    int r = writer_make(w);
    if (r < 0) {
        snapshot_writer_free(w, NULL);
        return error_errno(e, -r, "cannot make the snapshot's folder");
    }
    *ret = w;
    return 0;
}

int snapshot_writer_dir(const struct snapshot_writer *w)
{
    return w->dir;
}

int snapshot_writer_files(const struct snapshot_writer *w)
{
    return w->files;
}

char *snapshot_writer_path(const struct snapshot_writer *w)
{
    return str_format("%s/%s/files", w->path, w->half);
}

int snapshot_writer_plan(struct snapshot_writer *w, const char *json, size_t size, struct error *e)
{
    int r = file_write_whole(w->dir, "plan", json, size, 0600, true);
    return r < 0 ? error_errno(e, -r, "cannot write the snapshot's plan") : 0;
}

int snapshot_writer_move(struct snapshot_writer *w, int from, const char *name, struct error *e)
{
    if (renameat(from, name, w->dir, "files") < 0) /* files/ is empty */
        return error_errno(e, errno, "moving its files there");
    fd_close(w->files);
    w->files = openat(w->dir, "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return w->files < 0 ? error_errno(e, errno, "the files that were moved") : 0;
}

/* What is shown survives a power cut, or is not there: its files first, then its name. */
int snapshot_writer_publish(struct snapshot_writer *w, const struct snapshot_record *r,
                            struct error *e)
{
    json_t *j = snapshot_record_to_json(r);
    autofree char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    int code = file_write_whole(w->dir, "snapshot", text, strlen(text), 0600, true);
    if (code < 0)
        return error_errno(e, -code, "cannot write the snapshot's record");
    if (renameat2(w->all, w->half, w->all, w->id, RENAME_NOREPLACE) < 0)
        return error_errno(e, errno, "cannot publish the snapshot");
    w->published = true;
    w->lock = fd_close(w->lock); /* it can be started from, whatever the disk has to do yet */
    fsync(w->all);
    return 0;
}

/* --- taking one apart ------------------------------------------------------------------------- */

/* Of a folder that is hidden and locked. */
static int remove_half(int all, const char *half, snapshot_clear_fn *clear, struct error *e)
{
    autoclose int dir = openat(all, half, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = dir < 0 || !clear ? 0 : clear(dir, e);
    if (r < 0)
        return r;
    r = file_remove_tree(all, half);
    return r < 0 ? error_errno(e, -r, "cannot remove %s", half) : 0;
}

void snapshot_writer_free(struct snapshot_writer *w, snapshot_clear_fn *clear)
{
    struct error ignored;
    if (!w)
        return;
    if (!w->published && w->lock >= 0)
        remove_half(w->all, w->half, clear, &ignored);
    fd_close(w->files);
    fd_close(w->dir);
    fd_close(w->lock);
    fd_close(w->all);
    free(w->path);
    free(w);
}

int snapshots_remove(const struct dirs *d, const char *id, snapshot_clear_fn *clear,
                     struct error *e)
{
    if (!state_id_valid(id))
        return error_set(e, EINVAL, "this is not a snapshot's id");
    autoclose int all = open_all(d, false, e);
    autofree char *half = str_format(STATE_HALF "%s", id), *path = str_format("%s/lock", id);
    if (all < 0)
        return all == -ENOENT ? error_set(e, ENOENT, "there is no snapshot %s", id) : all;
    autoclose int lock = openat(all, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        return error_errno(e, errno, "cannot open the lock of the snapshot %s", id);
    int r = state_lock_take(lock);
    if (r == -EAGAIN)
        return error_set(e, EBUSY, "something is just being started from it");
    if (r < 0)
        return error_errno(e, -r, "cannot lock the snapshot %s", id);
    if (renameat(all, id, all, half) < 0)
        return error_errno(e, errno, "cannot remove the snapshot %s", id);
    struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    fcntl(lock, F_OFD_SETLK, &shared); /* who waits to start from it sees that it is gone */
    return remove_half(all, half, clear, e);
}

static bool is_half(const char *name)
{
    return str_starts(name, STATE_HALF) && state_id_valid(name + strlen(STATE_HALF));
}

unsigned snapshots_sweep(const struct dirs *d, snapshot_clear_fn *clear, bool dry)
{
    struct error ignored;
    unsigned count = 0;
    autoclose int all = open_all(d, false, &ignored);
    autostrv char **halves = all < 0 ? NULL : listing_names(all, is_half);
    for (size_t i = 0; halves && halves[i]; i++) {
        autofree char *path = str_format("%s/lock", halves[i]);
        autoclose int lock = openat(all, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock < 0 || state_lock_take(lock) < 0)
            continue;
        if (dry || remove_half(all, halves[i], clear, &ignored) == 0)
            count++;
    }
    return count;
}
