/*
 * Inside gVisor, beside a workload whose memory is written down: everything stops before, and goes
 * on after it, here, and in each that starts from that memory, there once it knows who it is. What
 * stops it is gone by then: gVisor ends what its exec has started when it restores.
 */
#include "init/guest.h"
#include "init/plain.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    STILL_MOST = 8192,   /* processes */
    STILL_PASSES = 3000, /* a millisecond each, at the least */
    STILL_STAT = 512,
};

static struct {
    int stopped[STILL_MOST]; /* by us, in this order */
    size_t count;
    int own;
    bool moves; /* in this pass something ran */
} still;

/* 0: it is no process. */
static int still_pid(const char *name)
{
    uint64_t pid = guest_number(&name);
    return *name || pid > INT32_MAX ? 0 : (int)pid;
}

static bool still_is_ours(int pid)
{
    for (size_t i = still.count; i > 0; i--)
        if (still.stopped[i - 1] == pid)
            return true;
    return false;
}

/* 'R', 'S', 'T', …; 0: it is gone. Its name may hold anything. */
static char still_state(int dir, const char *name)
{
    char path[32] = "", text[STILL_STAT];
    size_t n = strlen(name);
    if (n + sizeof("/stat") > sizeof(path))
        return 0;
    memcpy(path, name, n);
    memcpy(path + n, "/stat", sizeof("/stat"));
    if (guest_read_file(dir, path, text, sizeof(text)) < 0)
        return 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : 0;
}

/* Before it is stopped: should we be ended in between, whoever hears it knows all of them. */
static int still_say(int pid)
{
    char text[16] = "";
    struct guest_text t = {.to = text, .room = sizeof(text)};
    guest_put_number(&t, (uint64_t)pid, 10);
    guest_put(&t, "\n");
    return fd_write_full(1, text, t.used);
}

/* What had stopped before us is not ours to let go on. */
static int still_stop(int dir, const char *name, void *data)
{
    int pid = still_pid(name);
    if (pid <= 1 || pid == still.own)
        return 0;
    char state = still_state(dir, name);
    if (!state || strchr("TtZX", state))
        return 0;
    still.moves = true;
    if (!still_is_ours(pid)) {
        if (still.count == STILL_MOST)
            return -E2BIG;
        int r = still_say(pid);
        if (r < 0)
            return r;
        still.stopped[still.count++] = pid;
    }
    kill(pid, SIGSTOP);
    return 0;
}

/* Until a pass finds nothing that runs: what was being born is found by the next. */
static int still_stop_all(void)
{
    for (int pass = 0; pass < STILL_PASSES; pass++) {
        still.moves = false;
        int r = guest_each(AT_FDCWD, "/proc", still_stop, NULL);
        if (r < 0 || !still.moves)
            return r;
        poll(NULL, 0, 1); /* nobody is told when another stops, but its parent */
    }
    return -ETIMEDOUT;
}

/* Children first: who waits for one never finds it stopped. */
static void still_go_on(void)
{
    while (still.count)
        kill(still.stopped[--still.count], SIGCONT);
}

void still_main(void)
{
    sigset_t waiting;
    main_quiet(&waiting);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    still.own = (int)syscall(SYS_getpid);
    int r = still_stop_all();
    if (r < 0) /* or nobody listens any more */
        still_go_on();
    _exit(r < 0 ? 1 : 0);
}

/* Of those whose list is lost, and, should it come to that, of those that were stopped before. */
static int still_find(int dir, const char *name, void *data)
{
    int pid = still_pid(name);
    if (pid > 1 && still_state(dir, name) == 'T' && still.count < STILL_MOST)
        still.stopped[still.count++] = pid;
    return 0;
}

void go_on_main(char **argv)
{
    char **pids = argv;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    while (*pids && strcmp(*pids, "--") != 0)
        pids++;
    bool listed = *pids != NULL;
    *pids = NULL;
    if (argv[0] && identity_take(argv) < 0)
        _exit(1);
    for (char **p = pids + 1; listed && *p && still.count < STILL_MOST; p++)
        if (still_pid(*p) > 1)
            still.stopped[still.count++] = still_pid(*p);
    if (!listed)
        guest_each(AT_FDCWD, "/proc", still_find, NULL);
    still_go_on();
    _exit(0);
}
