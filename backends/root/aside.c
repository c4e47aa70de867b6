/*
 * The overlay with most in it, made beside the rest: a second process fills its upper folder and
 * mounts it, detached, while the first goes on with steps that have nothing to do with its place.
 * The second one shares the descriptors, so what it has mounted is simply there; it has ended
 * before the first goes on to anything that could tell. Where it cannot be had all is done in
 * order.
 */
#include "backends/root/aside.h"

#include "backends/root/steps.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* No process of the workload's is numbered otherwise than without it: none has this number yet. */
enum { ASIDE_PID = 300, ASIDE_MADE = 1 << 20 };

/* What it tells, in memory of both. */
struct aside_result {
    int mount; /* owned by who reads it; -errno */
    struct error error;
    size_t made_used;
    char made[ASIDE_MADE];
};

/* All it can note: a path and those of its parents, for each step. */
static bool aside_has_room(const struct plan *p)
{
    size_t most = 0;
    for (size_t i = 0; i < p->mounts_count && most < ASIDE_MADE; i++) {
        size_t length = strlen(p->mounts[i].target) + 2;
        most += length * length;
    }
    return most < ASIDE_MADE;
}

/* One that needs nothing but its own folders. */
static bool aside_can(const struct setup *s, const struct plan_mount *m)
{
    return !m->layers && !(m->flags & PLAN_MOUNT_LENT) && !str_equal(m->target, "/") && !s->lent &&
           !s->lowers_count && !s->restored.of && s->snapshot <= 0 && aside_has_room(s->plan);
}

static void __attribute__((noreturn))
aside_main(struct setup *s, const struct plan_mount *m, uint64_t attributes, struct aside_result *r)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    s->error = (struct error){0};
    s->made.used = 0;
    r->mount = step_overlay_make(s, m, attributes);
    r->error = s->error;
    r->made_used = MIN(s->made.used, sizeof(r->made));
    if (r->made_used)
        memcpy(r->made, s->made.data, r->made_used);
    _exit(0);
}

bool aside_begin(struct aside *a, struct setup *s, size_t step, uint64_t attributes)
{
    const struct plan_mount *m = &s->plan->mounts[step];
    if (a->pid > 0 || !aside_can(s, m))
        return false;
    struct aside_result *r =
        mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED)
        return false;
    r->mount = -ESRCH;
    pid_t number = ASIDE_PID;
    struct clone_args args = {
        .flags = CLONE_FILES,
        .exit_signal = SIGCHLD,
        .set_tid = (uint64_t)(uintptr_t)&number,
        .set_tid_size = 1,
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        aside_main(s, m, attributes, r);
    if (pid < 0) {
        munmap(r, sizeof(*r));
        return false;
    }
    s->layers++; /* the one it takes */
    *a = (struct aside){.pid = (pid_t)pid, .step = step, .result = r};
    return true;
}

/* Whether one is the other's place, above it or below it. */
static bool aside_touches(const char *one, const char *other)
{
    size_t a = strlen(one), b = strlen(other), least = MIN(a, b);
    const char *longer = a > b ? one : other;
    while (least && (a > b ? other : one)[least - 1] == '/')
        least--;
    return strncmp(one, other, least) == 0 && (longer[least] == '\0' || longer[least] == '/');
}

bool aside_concerns(const struct aside *a, const struct setup *s, const struct plan_mount *m)
{
    return a->pid > 0 && aside_touches(s->plan->mounts[a->step].target, m->target);
}

int aside_end(struct aside *a, struct setup *s)
{
    if (a->pid <= 0)
        return 0;
    while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    struct aside_result *r = a->result;
    const struct plan_mount *m = &s->plan->mounts[a->step];
    *a = (struct aside){0};
    autoclose int mount = r->mount;
    int code = mount;
    if (mount < 0)
        s->error = r->error;
    else
        buf_add(&s->made, r->made, r->made_used);
    munmap(r, sizeof(*r));
    return mount < 0 ? code : step_overlay_attach(s, m, &mount);
}
