#include "console/state.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "console/listing.h"
#include "console/state_json.h"
#include "console/state_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

bool state_id_valid(const char *id)
{
    return strlen(id) == STATE_ID_SIZE && strspn(id, "0123456789abcdef") == STATE_ID_SIZE;
}

int state_new_id(char to[STATE_ID_SIZE + 1], struct error *e)
{
    unsigned char bytes[STATE_ID_SIZE / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_errno(e, errno, "no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int state_lock_take(int fd)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &l) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

bool state_lock_held(int dir, const char *path)
{
    autoclose int fd = openat(dir, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

bool state_lives(int dir, const char *id)
{
    autofree char *path = str_format("%s/lock", id);
    return state_lock_held(dir, path);
}

int state_names_lock(int runtime)
{
    autoclose int lock = openat(runtime, ".names", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (lock >= 0 && fcntl(lock, F_OFD_SETLKW, &l) < 0)
        if (errno != EINTR)
            return -errno;
    return lock < 0 ? -errno : TAKE_FD(lock);
}

int state_read_record(int dir, struct state_record *ret)
{
    autofree char *text = NULL;
    size_t size = 0;
    int r = file_read(dir, "state", STATE_FILE_MAX, &text, &size);
    if (r == -ENOENT && (r = file_read(dir, "lock", STATE_LOCK_MAX, &text, &size)) == 0) {
        size = strcspn(text, "\n");
        r = size ? 0 : -ENOENT;
    }
    return r < 0 ? r : state_record_parse(text, size, ret);
}

int state_remove_folder(int dir, const char *id)
{
    autofree char *half = str_format("%s%s", STATE_HALF, id);
    if (renameat(dir, id, dir, half) < 0)
        return errno == ENOENT ? 0 : -errno;
    return file_remove_tree(dir, half);
}

int state_open_kept(const struct dirs *d, bool make, struct error *e)
{
    autofree char *path = str_join_path(d->state, "workloads");
    return file_open_private_dir(path, make, e);
}

/* --- listing ---------------------------------------------------------------------------------- */

struct list {
    struct state_record *of;
    size_t count, room;
};

static struct state_record *list_has(struct list *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_equal(l->of[i].id, id))
            return &l->of[i];
    return NULL;
}

static void list_add(struct list *l, struct state_record r)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->of = mem_grow(l->of, l->room, sizeof(*l->of));
    }
    l->of[l->count++] = r;
}

/* Reads one folder's `state`; a broken one gives a record that says so. */
static struct state_record read_record(int dir, const char *id, bool kept)
{
    struct state_record r = {0};
    autoclose int own = openat(dir, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code = own < 0 ? -errno : state_read_record(own, &r);
    const char *why = code == -ENOENT   ? "it was never written down what this is"
                      : code == -EINVAL ? "its state file is damaged"
                                        : NULL;
    if (code == 0 && !str_equal(r.id, id)) {
        state_record_done(&r);
        code = -EINVAL;
        why = "its state file is another's";
    }
    if (code < 0) {
        r = (struct state_record){.id = str_dup(id), .name = str_dup(id), .phase = STATE_LOST};
        r.kept = kept;
        r.reason = why ? str_dup(why) : str_format("its state cannot be read: %s", strerror(-code));
    }
    return r;
}

static void set_lost(struct state_record *r)
{
    r->phase = STATE_LOST;
    r->viewers = 0;
    if (!r->reason)
        r->reason = str_dup("its monitor is gone without a word");
}

static void list_living(struct list *l, int runtime)
{
    autostrv char **ids = listing_names(runtime, state_id_valid);
    for (size_t i = 0; ids && ids[i]; i++) {
        /* the lock first: whoever ends between the two looks is read as ended, never as lost */
        bool alive = state_lives(runtime, ids[i]);
        struct state_record r = read_record(runtime, ids[i], false);
        if (r.reason && faccessat(runtime, ids[i], F_OK, 0) < 0) {
            state_record_done(&r); /* it went away under our eyes */
            continue;
        }
        if (!alive && r.phase != STATE_EXITED)
            set_lost(&r);
        else if (alive && r.phase == STATE_LOST)
            r.phase = STATE_RUNNING;
        list_add(l, r);
    }
}

static void list_kept(struct list *l, int kept, int runtime)
{
    autostrv char **ids = listing_names(kept, state_id_valid);
    size_t living = l->count;
    for (size_t i = 0; ids && ids[i]; i++) {
        struct list front = {l->of, living, living};
        struct state_record *known = list_has(&front, ids[i]);
        if (known && known->phase != STATE_LOST)
            continue;
        struct state_record r = read_record(kept, ids[i], true);
        if (r.phase != STATE_EXITED) {
            if (known || (runtime >= 0 && state_lives(runtime, ids[i]))) {
                state_record_done(&r);
                continue;
            }
            set_lost(&r);
        }
        if (known) {
            state_record_done(known);
            *known = r;
        } else {
            list_add(l, r);
        }
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct state_record *x = a, *y = b;
    return listing_newest_first(x->created_ms, x->id, y->created_ms, y->id);
}

int state_list(const struct dirs *d, struct state_record **ret, size_t *ret_count, struct error *e)
{
    struct list l = {0};
    autoclose int runtime = open(d->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (runtime < 0 && errno != ENOENT)
        return error_errno(e, errno, "cannot read %s", d->runtime);
    autofree char *kept_path = str_join_path(d->state, "workloads");
    autoclose int kept = open(kept_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (kept < 0 && errno != ENOENT)
        return error_errno(e, errno, "cannot read %s", kept_path);
    if (runtime >= 0)
        list_living(&l, runtime);
    if (kept >= 0)
        list_kept(&l, kept, runtime);
    if (l.count)
        qsort(l.of, l.count, sizeof(*l.of), newest_first);
    *ret = l.of;
    *ret_count = l.count;
    return 0;
}

void state_list_free(struct state_record *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        state_record_done(&list[i]);
    free(list);
}

/* --- finding ---------------------------------------------------------------------------------- */

int state_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e)
{
    struct state_record *list;
    size_t count, at;
    int r = state_list(d, &list, &count, e);
    if (r < 0)
        return r;
    autofree struct listing_entry *entries = mem_zero(count + 1, sizeof(*entries));
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct listing_entry){
            .id = list[i].id, .name = list[i].name, .first = state_phase_lives(list[i].phase)};
    r = listing_find(entries, count, "workload", word, &at, e);
    if (r == 0) {
        *ret = list[at];
        list[at] = (struct state_record){0};
    }
    state_list_free(list, count);
    return r;
}

char *state_socket_path(const struct dirs *d, const char *id)
{
    return str_format("%s/%s/socket", d->runtime, id);
}

int state_read_plan(const struct dirs *d, const char *id, char **ret, size_t *ret_size,
                    struct error *e)
{
    enum { MOST = 1024 * 1024 };
    autofree char *live = str_format("%s/%s/plan", d->runtime, id);
    autofree char *kept = str_format("%s/workloads/%s/plan", d->state, id);
    int r = file_read(AT_FDCWD, live, MOST, ret, ret_size);
    if (r == -ENOENT)
        r = file_read(AT_FDCWD, kept, MOST, ret, ret_size);
    return r < 0 ? error_errno(e, -r, "cannot read the plan of %s", id) : 0;
}

char *state_said(uint64_t memory, uint64_t available, uint64_t load)
{
    char whole[32], left[32];
    if (memory == UINT64_MAX || available == UINT64_MAX || load == UINT64_MAX)
        return NULL;
    return str_format("%s of %s free, load %llu.%02llu",
                      str_from_size(available, left, sizeof(left)),
                      str_from_size(memory, whole, sizeof(whole)), (unsigned long long)load / 1000,
                      (unsigned long long)load / 10 % 100);
}
