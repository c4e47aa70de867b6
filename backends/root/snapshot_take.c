/* The way out: a process with the workload's ids, and no others, copies what it has changed. */
#include "backends/root/snapshot.h"

#include "backends/root/snapshot_made.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAKE_GO = 'g', TAKE_TELL_MS = 100 };

/* What the child has to say, in the end and now and then. */
struct take_report {
    bool goes_on;
    struct error error;
    struct copy_counts counts;
};

struct take {
    const struct plan *plan;
    int from, to;
    uint64_t bytes_most;
    const struct snapshot_watch *watch; /* borrowed or NULL */
    int control;                        /* of the child's; how far it is goes there */
    uint64_t told_ms;
    int (*run)(struct take *t, struct take_report *report);
    struct made made;
    struct buf changed, inside; /* owned */
};

/* --- the child -------------------------------------------------------------------------------- */

static bool take_wants(void *data, const char *path, const struct stat *st)
{
    struct take *t = data;
    switch (made_judge(&t->made, path, st, &t->inside)) {
    case MADE_LEAVE:
        return false;
    case MADE_CHANGED:
        buf_add(&t->changed, t->inside.data, t->inside.used + 1);
        break;
    case MADE_TAKE:
    case MADE_OURS:
        break;
    }
    return true;
}

static void take_tells(void *data, uint64_t bytes)
{
    struct take *t = data;
    uint64_t now = loop_now_ms();
    if (now - t->told_ms < TAKE_TELL_MS)
        return;
    t->told_ms = now;
    const struct take_report report = {.goes_on = true, .counts.bytes = bytes};
    fd_write_full(t->control, &report, sizeof(report)); /* it will be missed at the end */
}

static int take_copy(struct take *t, struct take_report *report)
{
    int r = made_read(t->from, &t->made, &report->error);
    if (r < 0)
        return r;
    const struct copy_wish w = {
        .from = t->from,
        .to = t->to,
        .bytes_most = t->bytes_most,
        .wants = take_wants,
        .tells = t->watch ? take_tells : NULL,
        .data = t,
    };
    r = copy_tree(&w, &report->counts, &report->error);
    if (r < 0 || t->to < 0)
        return r;
    r = file_write_whole(t->to, "changed", t->changed.data ? t->changed.data : "", t->changed.used,
                         0600, false);
    if (r == 0) /* the last thing: everything in it is older */
        r = file_write_whole(t->to, "made", t->made.made.text ? t->made.made.text : "",
                             t->made.made.size, 0600, false);
    if (r == 0 && syncfs(t->to) < 0)
        r = -errno;
    return r < 0 ? error_errno(&report->error, -r, "the snapshot") : 0;
}

static int take_clear(struct take *t, struct take_report *report)
{
    static const char *const names[] = {"layers", "root",    "void",  "empty",
                                        "made",   "changed", "memory"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int one = file_remove_tree(t->to, names[i]);
        r = r < 0 ? r : one;
    }
    return r < 0 ? error_errno(&report->error, -r, "emptying it") : 0;
}

/* Nothing else is held open: if who asked is killed, the workload goes on at once. */
static int take_close_others(const struct take *t, int control, struct error *e)
{
    int keep[] = {t->from, t->to, control};
    for (size_t i = 0; i < ARRAY_SIZE(keep); i++) /* rising */
        for (size_t k = i + 1; k < ARRAY_SIZE(keep); k++)
            if (keep[k] < keep[i]) {
                int lower = keep[k];
                keep[k] = keep[i];
                keep[i] = lower;
            }
    unsigned first = 3;
    for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
        unsigned fd = (unsigned)keep[i];
        if (keep[i] < 3)
            continue;
        if (fd > first && close_range(first, fd - 1, 0) < 0)
            return error_errno(e, errno, "closing descriptors");
        first = fd + 1;
    }
    return close_range(first, ~0u, 0) < 0 ? error_errno(e, errno, "closing descriptors") : 0;
}

/* Dies with who asked; one that has gone already has hung up. */
static int take_follow(int control, struct error *e)
{
    struct pollfd p = {.fd = control};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_errno(e, errno, "a process of its own");
    if (poll(&p, 1, 0) != 0 && (p.revents & (POLLHUP | POLLERR)))
        return error_set(e, ESRCH, "given up");
    return 0;
}

static int take_become(const struct take *t, const struct root_ids *ids, int control,
                       struct error *e)
{
    char word = 0;
    int r = take_follow(control, e);
    if (r == 0)
        r = take_close_others(t, control, e);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "a process of its own");
    if (t->plan->map_by == PLAN_MAP_SELF)
        return root_ids_write_own(ids, e);
    if (fd_read_full(control, &word, 1) < 0 || word != TAKE_GO)
        return error_set(e, ESRCH, "given up");
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return error_errno(e, errno, "switching to the workload's ids");
    return take_follow(control, e); /* switching ids has undone it */
}

static void __attribute__((noreturn))
take_child(struct take *t, const struct root_ids *ids, int control)
{
    struct take_report report = {0};
    umask(077);
    t->control = control;
    if (take_become(t, ids, control, &report.error) == 0 && t->run(t, &report) == 0)
        report.error.code = 0;
    _exit(fd_write_full(control, &report, sizeof(report)) < 0);
}

/* --- the parent ------------------------------------------------------------------------------- */

/* The ids on the host: the plan says them all, but for the range that root's workload was given. */
static int take_ids(const struct plan *p, int scratch, struct root_ids *ret, struct error *e)
{
    struct stat st;
    root_ids_init(ret);
    memcpy(ret->uid_map, p->uid_map, sizeof(ret->uid_map));
    memcpy(ret->gid_map, p->gid_map, sizeof(ret->gid_map));
    ret->uid_map_count = p->uid_map_count;
    ret->gid_map_count = p->gid_map_count;
    if (p->map_by != PLAN_MAP_PARENT)
        return 0;
    if (fstatat(scratch, "root", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, errno, "the layer of changes");
    if (!S_ISDIR(st.st_mode) || st.st_uid < ROOT_IDS_FIRST || st.st_uid != st.st_gid ||
        (st.st_uid - ROOT_IDS_FIRST) % ROOT_IDS_SIZE != 0 ||
        (st.st_uid - ROOT_IDS_FIRST) / ROOT_IDS_SIZE >= ROOT_IDS_COUNT)
        return error_set(e, EPERM, "the layer of changes is not of a range of ids of ours");
    ret->uid_map[0].outside = ret->gid_map[0].outside = st.st_uid;
    return 0;
}

/* Its last word; what it says before that is passed on. */
static int take_hear(const struct take *t, int control, struct take_report *report, struct error *e)
{
    struct pollfd p = {.fd = control, .events = POLLIN};
    do {
        int r = cancel_poll(&p, 1, -1);
        if (r == -EINTR && cancelled)
            return error_set(e, ECANCELED, "given up");
        if (r == -EINTR)
            continue;
        r = fd_read_full(control, report, sizeof(*report));
        if (r < 0)
            return error_set(e, EPROTO, "the copying process ended without a word (killed?)");
        if (report->goes_on && t->watch)
            t->watch->tells(t->watch->data, report->counts.bytes);
    } while (report->goes_on);
    return report->error.code == 0 ? 0 : error_take(e, &report->error);
}

static int take_talk(struct take *t, const struct root_ids *ids, pid_t pid, int control,
                     struct take_report *report, struct error *e)
{
    const char go = TAKE_GO;
    int r = t->plan->map_by == PLAN_MAP_SELF ? 0 : root_ids_write(ids, t->plan->map_by, pid, e);
    if (r < 0)
        return r;
    if (t->plan->map_by != PLAN_MAP_SELF && (r = fd_send(control, &go, 1, NULL, 0)) < 0)
        return error_errno(e, -r, "a channel to the copying process");
    return take_hear(t, control, report, e);
}

static int take_run(struct take *t, const struct root_ids *ids, struct copy_counts *ret,
                    struct error *e)
{
    int pair[2];
    struct take_report report = {.goes_on = true};
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel to the copying process");
    autoclose int ours = pair[0], theirs = pair[1];
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        fd_close(ours);
        take_child(t, ids, theirs);
    }
    if (pid < 0)
        return error_errno(e, errno, "a user namespace to copy in");
    theirs = fd_close(theirs);
    r = take_talk(t, ids, (pid_t)pid, ours, &report, e);
    ours = fd_close(ours);
    if (r < 0)
        kill((pid_t)pid, SIGKILL);
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && ret)
        *ret = report.counts;
    return r;
}

int root_snapshot_copy(int scratch, int to, uint64_t bytes_most, struct copy_counts *ret,
                       struct error *e)
{
    struct take t = {.from = scratch, .to = to, .bytes_most = bytes_most};
    struct take_report report = {0};
    int r = take_copy(&t, &report);
    made_done(&t.made);
    buf_done(&t.changed);
    buf_done(&t.inside);
    if (r < 0)
        *e = report.error;
    else
        *ret = report.counts;
    return r;
}

int root_snapshot_give(const struct plan *p, int scratch, int to, struct error *e)
{
    struct root_ids ids;
    int r = take_ids(p, scratch, &ids, e);
    if (r == 0 && p->map_by == PLAN_MAP_PARENT &&
        fchown(to, ids.uid_map[0].outside, ids.gid_map[0].outside) < 0)
        r = error_errno(e, errno, "the snapshot's folder");
    return r;
}

int root_snapshot_take(const struct plan *p, int scratch, int to, uint64_t bytes_most,
                       const struct snapshot_watch *watch, struct copy_counts *ret, struct error *e)
{
    struct take t = {
        .plan = p,
        .from = scratch,
        .to = to,
        .bytes_most = bytes_most,
        .watch = watch,
        .run = take_copy,
    };
    struct root_ids ids;
    int r = take_ids(p, scratch, &ids, e);
    if (r == 0 && to >= 0)
        r = root_snapshot_give(p, scratch, to, e);
    return r < 0 ? r : take_run(&t, &ids, ret, e);
}

int root_snapshot_clear(const struct plan *p, int folder, struct error *e)
{
    autoclose int files = openat(folder, "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct take t = {.plan = p, .from = FD_NONE, .to = files, .run = take_clear};
    struct root_ids ids;
    if (files < 0 || p->map_by != PLAN_MAP_HELPER) /* its owner can do it by himself */
        return 0;
    int r = take_ids(p, files, &ids, e);
    return r < 0 ? r : take_run(&t, &ids, NULL, e);
}
