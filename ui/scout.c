#include "ui/scout.h"

#include "base/fd.h"
#include "base/loop.h"
#include "ui/aside.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MOST = 64 << 20 };

/* --- one answer as bytes: both ends are the same program, one a copy of the other --- */

static void put(struct buf *b, const void *data, size_t size)
{
    buf_add(b, data, size);
}

/* NULL and "" are told apart. */
static void put_text(struct buf *b, const char *s)
{
    uint32_t size = s ? (uint32_t)strlen(s) + 1 : 0;
    put(b, &size, sizeof(size));
    put(b, s, size);
}

static void put_texts(struct buf *b, char *const *list)
{
    uint32_t count = (uint32_t)strv_length(list);
    put(b, &count, sizeof(count));
    for (uint32_t i = 0; i < count; i++)
        put_text(b, list[i]);
}

struct reading {
    const char *at, *end;
};

static bool get(struct reading *r, void *to, size_t size)
{
    if ((size_t)(r->end - r->at) < size)
        return false;
    memcpy(to, r->at, size);
    r->at += size;
    return true;
}

static char *get_text(struct reading *r)
{
    uint32_t size;
    if (!get(r, &size, sizeof(size)) || !size || (size_t)(r->end - r->at) < size)
        return NULL;
    char *s = str_ndup(r->at, size - 1);
    r->at += size;
    return s;
}

static char **get_texts(struct reading *r)
{
    uint32_t count = 0;
    char **list = NULL;
    for (get(r, &count, sizeof(count)); count && r->at < r->end; count--)
        strv_take(&list, get_text(r));
    return list;
}

/* A kind of record: numbers travel as the struct itself, its texts behind it in an order. */
enum { TEXTS = 11, LISTS = 3 };
struct owned {
    char **texts[TEXTS + 1]; /* each ends with NULL */
    char ***lists[LISTS + 1];
};
struct kind {
    size_t size;
    void (*owned)(void *record, struct owned *ret); /* every pointer that is in one */
};

static void state_owned(void *record, struct owned *ret)
{
    struct state_record *r = record;
    *ret = (struct owned){
        {&r->id,       &r->name,  &r->profile, &r->boundary, &r->runtime, &r->image, &r->command,
         &r->snapshot, &r->accel, &r->reason},
        {&r->labels, &r->phases, &r->limits},
    };
}

static void snapshot_owned(void *record, struct owned *ret)
{
    struct snapshot_record *r = record;
    *ret = (struct owned){
        {&r->id,        &r->name, &r->workload, &r->workload_name, &r->parent, &r->profile, &r->boundary,
         &r->runtime, &r->image, &r->command, &r->reason},
        {&r->labels},
    };
}

static const struct kind states = {sizeof(struct state_record), state_owned};
static const struct kind snapshots = {sizeof(struct snapshot_record), snapshot_owned};

static void put_records(struct buf *b, const struct kind *k, const void *list, size_t count)
{
    autofree char *copy = mem_alloc(k->size);
    put(b, &count, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        struct owned o;
        memcpy(copy, (const char *)list + i * k->size, k->size);
        k->owned(copy, &o);
        put(b, copy, k->size);
        for (char ***t = o.texts; *t; t++)
            put_text(b, **t);
        for (char ****l = o.lists; *l; l++)
            put_texts(b, **l);
    }
}

static void *get_records(struct reading *r, const struct kind *k, size_t *ret_count)
{
    size_t count = 0;
    get(r, &count, sizeof(count));
    char *list = mem_zero(count + 1, k->size);
    for (size_t i = 0; i < count; i++) {
        struct owned o;
        get(r, list + i * k->size, k->size);
        k->owned(list + i * k->size, &o);
        for (char ***t = o.texts; *t; t++)
            **t = get_text(r);
        for (char ****l = o.lists; *l; l++)
            **l = get_texts(r);
    }
    *ret_count = count;
    return list;
}

/* --- the process beside us --- */

struct looked {
    int64_t changed, listed_ms, snapshots_ms;
};

static int64_t changed_ns(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
}

/* Whether there may be other workloads than before: what becomes of each its own monitor tells. */
static bool list_is_due(struct looked *l, const struct dirs *d, bool all)
{
    enum { ANYWAY_MS = 20000 };
    autofree char *kept = str_join_path(d->state, "workloads");
    int64_t changed = changed_ns(d->runtime) ^ changed_ns(kept), now = (int64_t)loop_now_ms();
    if (!all && l->listed_ms && changed == l->changed && now - l->listed_ms < ANYWAY_MS)
        return false;
    l->changed = changed;
    l->listed_ms = now;
    return true;
}

static void look(struct looked *l, const struct dirs *d, bool all, struct buf *b)
{
    enum { SNAPSHOTS_MS = 5000 };
    struct scout_news n = {0};
    struct statvfs fs;
    if (list_is_due(l, d, all))
        n.listed = state_list(d, &n.list, &n.count, &n.error) == 0;
    if (all || !l->snapshots_ms || (int64_t)loop_now_ms() - l->snapshots_ms > SNAPSHOTS_MS) {
        struct error ignored;
        l->snapshots_ms = (int64_t)loop_now_ms();
        n.snapshots_listed = snapshots_list(d, &n.snapshots, &n.snapshots_count, &ignored) == 0;
    }
    if (statvfs(d->data, &fs) == 0 || statvfs("/", &fs) == 0) {
        n.disk = fs.f_blocks * fs.f_frsize;
        n.disk_free = fs.f_bavail * fs.f_frsize;
    }
    put(b, &n, sizeof(n));
    if (n.listed)
        put_records(b, &states, n.list, n.count);
    if (n.snapshots_listed)
        put_records(b, &snapshots, n.snapshots, n.snapshots_count);
    scout_news_done(&n);
}

static _Noreturn void scout_main(int fd, const struct dirs *d)
{
    struct looked l = {0};
    char all;
    fd = aside_settle(fd);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (fd_read_full(fd, &all, 1) == 0) {
        autobuf b = {0};
        uint64_t size = 0;
        put(&b, &size, sizeof(size));
        look(&l, d, all, &b);
        size = b.used - sizeof(size);
        memcpy(b.data, &size, sizeof(size));
        if (fd_write_full(fd, b.data, b.used) < 0)
            break;
    }
    _exit(0);
}

/* --- our end --- */

int scout_start(struct scout *s, const struct dirs *d, struct error *e)
{
    int pair[2];
    *s = (struct scout){.fd = FD_NONE};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, errno, "socketpair");
    s->pid = fork();
    if (s->pid == 0) {
        fd_close(pair[0]);
        scout_main(pair[1], d);
    }
    fd_close(pair[1]);
    if (s->pid < 0) {
        fd_close(pair[0]);
        return error_errno(e, errno, "fork");
    }
    s->fd = pair[0];
    fd_nonblock(s->fd);
    return 0;
}

/* world_tick() starts another. */
void scout_done(struct scout *s)
{
    s->fd = fd_close(s->fd);
    s->busy = false;
    buf_done(&s->in);
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, WNOHANG); /* one that hangs on a disk goes when that lets it */
    }
    s->pid = 0;
}

void scout_ask(struct scout *s, bool all, int64_t now_ms)
{
    char c = (char)all;
    if (s->busy) {
        s->again |= all;
        return;
    }
    s->busy = write(s->fd, &c, 1) == 1;
    s->asked_ms = now_ms;
}

static bool answer_take(struct scout *s, struct scout_news *ret)
{
    uint64_t size;
    if (s->in.used < sizeof(size))
        return false;
    memcpy(&size, s->in.data, sizeof(size));
    if (size > ANSWER_MOST) { /* never whole: as if it were gone */
        scout_done(s);
        return false;
    }
    if (s->in.used - sizeof(size) < size)
        return false;
    struct reading r = {s->in.data + sizeof(size), s->in.data + sizeof(size) + size};
    struct scout_news n = {0};
    get(&r, &n, sizeof(n));
    n.list = NULL;
    n.snapshots = NULL;
    n.count = n.snapshots_count = 0;
    if (n.listed)
        n.list = get_records(&r, &states, &n.count);
    if (n.snapshots_listed)
        n.snapshots = get_records(&r, &snapshots, &n.snapshots_count);
    buf_drop(&s->in, sizeof(size) + (size_t)size);
    s->busy = false;
    *ret = n;
    return true;
}

bool scout_read(struct scout *s, struct scout_news *ret)
{
    char data[65536];
    ssize_t n = -1;
    while (s->fd >= 0 && (n = read(s->fd, data, sizeof(data))) > 0)
        buf_add(&s->in, data, (size_t)n);
    if (answer_take(s, ret))
        return true;
    if (n == 0)
        scout_done(s);
    return false;
}

void scout_news_done(struct scout_news *n)
{
    state_list_free(n->list, n->count);
    snapshots_list_free(n->snapshots, n->snapshots_count);
}
