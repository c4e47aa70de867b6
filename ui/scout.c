#include "ui/scout.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "ui/aside.h"

#include <signal.h>
#include <sys/mman.h>
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
enum { TEXTS = 11, LISTS = 4 };
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
        {&r->id,     &r->name,    &r->profile, &r->boundary, &r->runtime, &r->image, &r->command,
         &r->snapshot, &r->accel, &r->reason},
        {&r->labels, &r->phases, &r->limits,                         &r->events                           },
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

static void profile_owned(void *record, struct owned *ret)
{
    struct profile_entry *r = record;
    *ret = (struct owned){
        {&r->name, &r->path, &r->why},
        {NULL}
    };
}

static const struct kind profiles = {sizeof(struct profile_entry), profile_owned};
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
        for (char ***t = o.texts; *t; t++)
            **t = NULL; /* where they lie here says nothing there, and would always be news */
        for (char ****l = o.lists; *l; l++)
            **l = NULL;
        put(b, copy, k->size);
        memcpy(copy, (const char *)list + i * k->size, k->size);
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
    struct buf list, snapshots; /* as they were told last */
    uint64_t disk, disk_free;   /* so, too; MiB */
    int snapshots_status;       /* of reading them; 0 or -errno */
};

static int64_t changed_ns(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
}

enum { LIST_ANYWAY_MS = 20000, SNAPSHOTS_MS = 5000 };

/* Whether there may be other workloads than before: what becomes of each its own monitor tells. */
static bool list_is_due(struct looked *l, const struct dirs *d, bool all)
{
    autofree char *kept = str_join_path(d->state, "workloads");
    int64_t changed = changed_ns(d->runtime) ^ changed_ns(kept), now = (int64_t)loop_now_ms();
    if (!all && l->listed_ms && changed == l->changed && now - l->listed_ms < LIST_ANYWAY_MS)
        return false;
    l->changed = changed;
    l->listed_ms = now;
    return true;
}

/* Never true again: a mark is left. */
static bool is_first_time(const struct dirs *d)
{
    autofree char *mark = str_join_path(d->state, "toured");
    return file_make_dirs(d->state, 0700) == 0 && mkdir(mark, 0700) == 0;
}

static void look_profiles(struct scout_news *n)
{
    struct profile_path path;
    if (profile_path_init(&path, &n->profiles_error) < 0)
        return;
    n->profiles_listed =
        profile_list(&path, "profiles", &n->profiles, &n->profiles_count, &n->profiles_error) == 0;
    profile_path_done(&path);
}

static void look_settings(const struct dirs *d, struct buf *b)
{
    struct scout_news n = {.settings_read = true, .first_time = is_first_time(d)};
    ui_settings_read(&n.settings);
    put(b, &n, sizeof(n));
}

static bool are_news(struct buf *told, const struct kind *k, const void *list, size_t count)
{
    struct buf b = {0};
    put_records(&b, k, list, count);
    bool same = told->used == b.used && !memcmp(told->data, b.data, b.used);
    buf_done(told);
    *told = b;
    return !same;
}

/* By the MiB: on most machines somebody writes a few bytes each second. */
static bool disk_is_news(struct looked *l, const struct scout_news *n)
{
    uint64_t disk = n->disk >> 20, left = n->disk_free >> 20;
    bool same = disk == l->disk && left == l->disk_free;
    l->disk = disk;
    l->disk_free = left;
    return !same;
}

/* That they cannot be read is told once, and what they are then anew. */
static void look_snapshots(struct looked *l, const struct dirs *d, struct scout_news *n)
{
    struct error e;
    int r = snapshots_list(d, &n->snapshots, &n->snapshots_count, &e);
    l->snapshots_ms = (int64_t)loop_now_ms();
    if (r == 0)
        n->snapshots_listed = are_news(&l->snapshots, &snapshots, n->snapshots, n->snapshots_count);
    else if (r != l->snapshots_status)
        n->snapshots_error = e;
    if (r < 0)
        buf_done(&l->snapshots);
    l->snapshots_status = r;
}

/* Nothing is put into `b` if there is no news. */
static void look(struct looked *l, const struct dirs *d, unsigned what, struct buf *b)
{
    struct scout_news n = {0};
    bool all = what & SCOUT_ALL;
    struct statvfs fs;
    if (list_is_due(l, d, all))
        n.listed = state_list(d, &n.list, &n.count, &n.error) == 0 &&
                   (are_news(&l->list, &states, n.list, n.count) || all);
    if (all || !l->snapshots_ms || (int64_t)loop_now_ms() - l->snapshots_ms > SNAPSHOTS_MS)
        look_snapshots(l, d, &n);
    if ((what & SCOUT_DISK) && (statvfs(d->data, &fs) == 0 || statvfs("/", &fs) == 0)) {
        n.disk = fs.f_blocks * fs.f_frsize;
        n.disk_free = fs.f_bavail * fs.f_frsize;
        if (!disk_is_news(l, &n) && !all)
            n.disk = 0;
    }
    if (what & SCOUT_PROFILES)
        look_profiles(&n);
    if (n.disk || n.listed || n.snapshots_listed || n.snapshots_error.code || n.error.code ||
        n.profiles_error.code || n.profiles_listed)
        put(b, &n, sizeof(n));
    if (n.profiles_listed)
        put_records(b, &profiles, n.profiles, n.profiles_count);
    if (n.listed)
        put_records(b, &states, n.list, n.count);
    if (n.snapshots_listed)
        put_records(b, &snapshots, n.snapshots, n.snapshots_count);
    scout_news_done(&n);
}

static _Noreturn void scout_main(int fd, const struct dirs *d, _Atomic uint32_t *answered)
{
    struct looked l = {0};
    char what;
    fd = aside_settle(fd);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (fd_read_full(fd, &what, 1) == 0) {
        autobuf b = {0};
        uint64_t size = 0;
        put(&b, &size, sizeof(size));
        if (what & SCOUT_SETTINGS)
            look_settings(d, &b);
        else
            look(&l, d, (unsigned)what, &b);
        size = b.used - sizeof(size);
        memcpy(b.data, &size, sizeof(size));
        if (size && fd_write_full(fd, b.data, b.used) < 0)
            break;
        ++*answered;
    }
    _exit(0);
}

/* --- our end --- */

int scout_start(struct scout *s, const struct dirs *d, struct error *e)
{
    int pair[2];
    void *shared =
        mmap(NULL, sizeof(*s->answered), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct scout fresh = {.fd = FD_NONE};
    memcpy(fresh.killed, s->killed, sizeof(fresh.killed));
    *s = fresh;
    if (shared == MAP_FAILED)
        return error_errno(e, errno, "mmap");
    s->answered = shared;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        int r = errno;
        scout_done(s);
        return error_errno(e, r, "socketpair");
    }
    s->pid = fork();
    if (s->pid == 0) {
        fd_close(pair[0]);
        scout_main(pair[1], d, s->answered);
    }
    fd_close(pair[1]);
    if (s->pid < 0) {
        int r = errno;
        fd_close(pair[0]);
        scout_done(s);
        return error_errno(e, r, "fork");
    }
    s->fd = pair[0];
    fd_nonblock(s->fd);
    return 0;
}

void scout_reap(struct scout *s)
{
    for (size_t i = 0; i < SCOUT_KILLED; i++)
        if (s->killed[i] > 0 && waitpid(s->killed[i], NULL, WNOHANG) != 0)
            s->killed[i] = 0;
}

/* Its end may be seen before it can be reaped; one that hangs on a disk goes when that lets it. */
static void scout_kill(struct scout *s)
{
    kill(s->pid, SIGKILL);
    scout_reap(s);
    for (size_t i = 0; i < SCOUT_KILLED && s->pid; i++)
        if (!s->killed[i]) {
            s->killed[i] = s->pid;
            s->pid = 0;
        }
    scout_reap(s);
}

/* world_tick() starts another. */
void scout_done(struct scout *s)
{
    s->fd = fd_close(s->fd);
    s->busy = false;
    if (s->answered)
        munmap(TAKE(s->answered), sizeof(*s->answered));
    buf_done(&s->in);
    if (s->pid > 0)
        scout_kill(s);
    s->pid = 0;
}

bool scout_is_busy(struct scout *s)
{
    char c;
    if (s->busy && *s->answered == s->asked && recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
        !s->in.used)
        s->busy = false;
    return s->busy;
}

void scout_ask(struct scout *s, unsigned what, int64_t now_ms)
{
    bool alone = what & SCOUT_SETTINGS; /* and asked for each second until they are known */
    if (scout_is_busy(s)) {
        s->again |= what & ~(unsigned)SCOUT_SETTINGS;
        return;
    }
    char c = (char)(alone ? SCOUT_SETTINGS : what | s->again);
    s->again = alone ? s->again : 0;
    s->asked++;
    s->busy = s->fd >= 0 && write(s->fd, &c, 1) == 1;
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
    n.profiles = NULL;
    n.count = n.snapshots_count = n.profiles_count = 0;
    if (n.profiles_listed)
        n.profiles = get_records(&r, &profiles, &n.profiles_count);
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
    profile_list_free(n->profiles, n->profiles_count);
}
