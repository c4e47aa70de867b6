#include "backends/microvm/vmm_hands.h"

#include "backends/microvm/vmm.h"
#include "backends/microvm/vmm_call.h"
#include "backends/microvm/vmm_confine.h"
#include "backends/microvm/vmm_core.h"
#include "base/copy.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HANDS_SILENCE_MS = 30000,
    HANDS_PIPE = 1 << 20,
    HANDS_HALF_S = 300,
    HANDS_WRITING_MS = 600000,
    HANDS_CALL_MS = 10000,
    HANDS_DROP_MS = 10000,
    HANDS_LEFT_MOST = 1024, /* entries looked at in the folder of a program's */
};

enum {
    HANDS_BEGIN = 'b',
    HANDS_CHANGES = 'd',
    HANDS_BASE = 'm',
    HANDS_WRITTEN = 'w',
    HANDS_ABORTED = 'a',
    HANDS_FILES = 'f',
    HANDS_CALL = 'c',
    HANDS_DISK = 's',
    HANDS_DROP = 'x',
};

struct hands_word {
    enum { HANDS_DONE, HANDS_BEGUN, HANDS_CALLED, HANDS_STORED } kind;
    struct error error;
};

/* The process's own. */
struct hands {
    const struct plan *plan; /* borrowed */
    const char *over;        /* borrowed; vmm_over() of what it runs on */
    int socket;              /* borrowed */
    int files[2];            /* owned; memory and state as the program writes them; or FD_NONE */
    int folder;              /* owned; in which it makes them; or FD_NONE */
    int base;                /* owned; the memory that what changes is told from; or FD_NONE */
    bool tracks;             /* it can be told what changes */
    bool changes;            /* that alone is written this time */
    int dir, scratch;        /* borrowed; of the snapshot in the making; or FD_NONE */
};

char *vmm_over(const struct plan *p, int fd)
{
    struct stat st;
    if (!plan_boots_disk(p))
        return str_dup("");
    if ((fd < 0 ? stat(p->machine.disks[0], &st) : fstat(fd, &st)) < 0)
        return NULL;
    return str_format("over %ju %ju %jd %jd.%09ld %s\n", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                      (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                      p->machine.disk_format);
}

char *vmm_saved_by(const struct plan *p, const char *over)
{
    const struct plan_machine *m = &p->machine;
    struct stat st;
    if (stat(m->program, &st) < 0)
        return NULL;
    return str_format("2 %s %jd.%09ld %ju %s %s %s%s %u %" PRIu64 "\n%s",
                      m->version ? m->version : "-", (intmax_t)st.st_mtim.tv_sec,
                      st.st_mtim.tv_nsec, (uintmax_t)st.st_size, m->type,
                      m->accel == PLAN_ACCEL_KVM ? "kvm" : "tcg", m->cpu_model ? m->cpu_model : "-",
                      m->nested == PLAN_NESTED_YES ? " nested" : "", m->cpus, m->memory, over);
}

/* --- the process --------------------------------------------------------------------------------
 */

static int hands_file(int dir, const char *name, struct error *e)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    return fd < 0 ? error_errno(e, errno, "%s of the snapshot", name) : fd;
}

ssize_t vmm_core_read(int fd, void *to, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int r;
    do
        r = poll(&p, 1, HANDS_SILENCE_MS);
    while (r < 0 && errno == EINTR);
    if (r <= 0)
        return r < 0 ? -errno : -ETIMEDOUT;
    ssize_t n = read(fd, to, size);
    return n < 0 ? -errno : n;
}

/* What QEMU may have kept of `from` is not the snapshot's file. */
static int hands_state(int from, int to, struct error *e)
{
    static char bytes[65536];
    for (off_t all = 0; all <= (off_t)VMM_SAVE_STATE_MAX;) {
        ssize_t n = pread(from, bytes, sizeof(bytes), all);
        int r = n < 0 ? -errno : fd_write_full(to, bytes, (size_t)n);
        if (r < 0)
            return error_errno(e, -r, "the machine's state");
        if (n == 0)
            return all ? 0 : error_set(e, EPIPE, "the machine's state did not come");
        all += n;
    }
    return error_set(e, EFBIG, "the machine's state has no end");
}

/* Takes `folder`. */
static void hands_call(const struct hands *h, int folder)
{
    struct hands_word word = {.kind = HANDS_CALLED};
    autoclose int guest = vmm_call(folder, FD_NONE, HANDS_CALL_MS, &word.error);
    fd_send(h->socket, &word, sizeof(word), &guest, guest >= 0);
    fd_close(folder);
}

/* While the machine stands still. */
static int hands_disk(int scratch, int dir, struct error *e)
{
    autoclose int to = hands_file(dir, VMM_SAVED_SCRATCH, e);
    if (to < 0)
        return to;
    int r = copy_content(scratch, to);
    return r < 0 ? error_errno(e, -r, "the guest's disk") : 0;
}

static void hands_store(const struct hands *h)
{
    struct hands_word word = {.kind = HANDS_STORED};
    if (h->scratch >= 0)
        hands_disk(h->scratch, h->dir, &word.error);
    fd_send(h->socket, &word, sizeof(word), NULL, 0);
}

/* The monitor's word that it is written, or that there will be none. */
static int hands_await(const struct hands *h, struct error *e)
{
    for (;;) {
        struct pollfd p = {.fd = h->socket, .events = POLLIN};
        char word;
        int folder;
        size_t count = 1;
        bool files = h->files[0] >= 0 || h->folder >= 0;
        int r = poll(&p, 1, files ? HANDS_WRITING_MS : HANDS_SILENCE_MS);
        if (r < 0 && errno == EINTR)
            continue;
        ssize_t n = r > 0 ? fd_receive(h->socket, &word, 1, &folder, &count) : -ETIMEDOUT;
        if (n == 1 && count == 1 && word == HANDS_CALL) {
            hands_call(h, folder);
            continue;
        }
        for (size_t i = 0; n == 1 && i < count; i++)
            fd_close(folder);
        if (n == 1 && word == HANDS_DISK) {
            hands_store(h);
            continue;
        }
        return n == 1 && word == HANDS_WRITTEN
                   ? 0
                   : error_set(e, n < 0 ? (int)-n : ECANCELED, "the machine's state did not come");
    }
}

static void __attribute__((noreturn)) hands_unpack(int from, int to, uint64_t memory, pid_t parent)
{
    enum { FROM = 3, TO = 4, LOW = 16 };
    struct error e;
    int high[2] = {fcntl(from, F_DUPFD, LOW), fcntl(to, F_DUPFD, LOW)};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent || high[0] < 0 || high[1] < 0 || dup2(high[0], FROM) < 0 ||
        dup2(high[1], TO) < 0 || syscall(SYS_close_range, TO + 1, ~0u, 0) < 0)
        _exit(EIO);
    int r = vmm_confine_unpacking(&e);
    if (r == 0)
        r = vmm_core_unpack(FROM, TO, memory, &e);
    _exit(-r);
}

/*
 * Whoever has taken the machine's program over writes what is read here: that is done by a child
 * which has the pipe, the file and no other call than those that move bytes.
 */
static int hands_memory(int from, int to, uint64_t memory, struct error *e)
{
    int status = 0;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        hands_unpack(from, to, memory, parent);
    if (pid < 0)
        return error_errno(e, errno, "starting who reads the guest's memory");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status))
        return error_set(e, EPROTO, "who read the guest's memory was led astray");
    int code = WEXITSTATUS(status);
    return code ? error_errno(e, code, "the guest's memory") : 0;
}

/* What the machine's program writes: two pipes, and a disk that is copied while it stands still. */
struct hands_ends {
    int memory, state; /* owned; FD_NONE: it writes files */
    int scratch;       /* owned; FD_NONE: none */
};

static int hands_scratch_disk(const struct hands_ends *from, int dir, struct error *e)
{
    struct pollfd p = {.fd = from->memory, .events = POLLIN};
    int r;
    if (from->scratch < 0)
        return 0;
    do
        r = poll(&p, 1, HANDS_SILENCE_MS);
    while (r < 0 && errno == EINTR);
    if (r <= 0 || !(p.revents & POLLIN))
        return error_set(e, ETIMEDOUT, "the guest's memory: nothing has come");
    return hands_disk(from->scratch, dir, e);
}

/* What comes through the pipes. */
static int hands_unpacked(const struct hands *h, int dir, struct hands_ends *from, int memory,
                          int state, struct error *e)
{
    int r = hands_scratch_disk(from, dir, e);
    if (r == 0)
        r = hands_memory(from->memory, memory, h->plan->machine.memory, e);
    if (r < 0) /* who writes must not wait for a reader */
        from->memory = fd_close(from->memory);
    int told = hands_await(h, r < 0 ? &(struct error){0} : e);
    if (r == 0)
        r = told < 0 ? told : hands_state(from->state, state, e);
    return r;
}

/* A file that the program has made, of whatever kind: only one that is what it should be is read.
 */
static int hands_made(const struct hands *h, const char *name, struct error *e)
{
    struct stat st;
    autoclose int fd = openat(h->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s of the machine", name);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return error_set(e, EPROTO, "%s of the machine is no file of its own", name);
    return TAKE_FD(fd);
}

/*
 * Whatever it has left there would be in the way of the next, and takes room. Who has taken the
 * program over can make files as fast as they go: some stay then, and that is its own loss.
 */
static void hands_sweep(const struct hands *h)
{
    int copy = openat(h->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    for (unsigned n = 0; list && n < HANDS_LEFT_MOST && (entry = readdir(list)); n++)
        if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
            unlinkat(h->folder, entry->d_name, 0);
    if (list)
        closedir(list);
}

/* What lies in the folder. */
static int hands_taken(const struct hands *h, int memory, int state, struct error *e)
{
    int r = hands_await(h, e);
    autoclose int from = r < 0 ? FD_NONE : hands_made(h, VMM_FOLDER_MEMORY, e);
    autoclose int as = from < 0 ? FD_NONE : hands_made(h, VMM_FOLDER_STATE, e);
    struct stat st;
    if (r == 0)
        r = from < 0 || as < 0 ? -e->code : 0;
    if (r == 0 && (fstat(from, &st) < 0 || (uint64_t)st.st_size != h->plan->machine.memory))
        r = error_set(e, EPROTO, "what the machine has written is not its memory");
    if (r == 0)
        r = vmm_core_copy(from, memory, h->plan->machine.memory, e);
    if (r == 0)
        r = hands_state(as, state, e);
    if (r == 0 && (fchmod(memory, 0444) < 0 || fchmod(state, 0444) < 0))
        r = error_errno(e, errno, "the snapshot's files");
    hands_sweep(h);
    return r;
}

/* What is no hole in the file of changes takes the place of what was there. */
static int hands_merged(const struct hands *h, int memory, struct error *e)
{
    struct stat st;
    if (h->base < 0)
        return error_set(e, EPROTO, "nobody knows what the guest's memory was before");
    if (fstat(h->files[0], &st) < 0 || (uint64_t)st.st_size != h->plan->machine.memory)
        return error_set(e, EPROTO, "what the machine has written is not its memory");
    int r = copy_content(h->base, memory);
    if (r == 0)
        r = copy_over(h->files[0], memory);
    return r < 0 ? error_errno(e, -r, "the guest's memory") : 0;
}

/*
 * The next is told from this one, which may be gone from the disk by then: opened first, for a
 * snapshot after which nobody knows what the memory was is none. FD_NONE: nothing is told from it.
 */
static int hands_next_base(const struct hands *h, int memory, struct error *e)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
    int fd = h->tracks ? open(path, O_RDONLY | O_CLOEXEC) : FD_NONE;
    return fd < 0 && h->tracks ? error_errno(e, errno, "the guest's memory, for the next one") : fd;
}

/* What lies in the files, which take no room from then on. */
static int hands_copied(struct hands *h, int memory, int state, struct error *e)
{
    int r = hands_await(h, e);
    autoclose int next = r < 0 ? FD_NONE : hands_next_base(h, memory, e);
    if (r == 0 && next < 0 && h->tracks)
        r = -e->code;
    if (r == 0)
        r = h->changes ? hands_merged(h, memory, e)
                       : vmm_core_copy(h->files[0], memory, h->plan->machine.memory, e);
    if (r == 0)
        r = hands_state(h->files[1], state, e);
    /* nobody else gets at the folder, and the program that opens them may be of another id */
    if (r == 0 && (fchmod(memory, 0444) < 0 || fchmod(state, 0444) < 0))
        r = error_errno(e, errno, "the snapshot's files");
    for (size_t i = 0; i < ARRAY_SIZE(h->files); i++)
        if (ftruncate(h->files[i], 0) < 0 && r == 0)
            r = error_errno(e, errno, "the machine's own copy of its memory");
    if (r == 0 && h->tracks) {
        fd_close(h->base);
        h->base = TAKE_FD(next);
    }
    return r;
}

static int hands_fill(struct hands *h, int dir, struct hands_ends *from, struct error *e)
{
    const struct plan *p = h->plan;
    autofree char *over = vmm_over(p, FD_NONE);
    if (!str_equal(over, h->over))
        return error_set(e, ESTALE, VMM_OVER_CHANGED, p->machine.disks[0]);
    autofree char *by = vmm_saved_by(p, over);
    autoclose int memory = hands_file(dir, VMM_SAVED_MEMORY, e);
    autoclose int state = memory < 0 ? FD_NONE : hands_file(dir, VMM_SAVED_STATE, e);
    if (memory < 0 || state < 0 || !by)
        return by ? -e->code : error_set(e, ENOENT, "%s is not there", p->machine.program);
    h->dir = dir;
    h->scratch = from->scratch;
    int r = h->folder >= 0     ? hands_taken(h, memory, state, e)
            : h->files[0] >= 0 ? hands_copied(h, memory, state, e)
                               : hands_unpacked(h, dir, from, memory, state, e);
    autoclose int note = r < 0 ? FD_NONE : hands_file(dir, VMM_SAVED_BY, e);
    if (r == 0)
        r = note < 0 ? -e->code : fd_write_full(note, by, strlen(by));
    return r;
}

/* A half one belongs to whoever is at it, for at most a few minutes. */
static bool hands_is_old(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtim.tv_sec < time(NULL) - HANDS_HALF_S;
}

/*
 * What the new template `kept` of this folder is there for (plan.h): those of the same profile and
 * image that were made of other files. Of other memory sizes they stay; the cache has a bound.
 */
static void hands_drop_others(const char *folder, const char *kept)
{
    size_t whose = strcspn(kept, "-") + 1, of = whose + strcspn(kept + whose, "-") + 1;
    const char *ending = strrchr(kept, '.');
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = dir < 0 ? NULL : fdopendir(dup(dir));
    for (const struct dirent *entry; list && (entry = readdir(list));) {
        const char *name = entry->d_name;
        if (strncmp(name, kept, whose) == 0 &&
            (str_ends(name, ending) ? strncmp(name, kept, of) != 0 : hands_is_old(dir, name)))
            file_remove_tree(dir, name);
    }
    if (list)
        closedir(list);
}

/* The plan's template: a new folder, whole or not there. */
static int hands_template(struct hands *h, struct hands_ends *from, struct error *e)
{
    const char *path = h->plan->machine.warmed;
    if (!path)
        return error_set(e, EINVAL, "no place for a template");
    autofree char *half = str_format("%s.half-%d", path, getpid());
    autofree char *folder = str_dup(path);
    *strrchr(folder, '/') = '\0';
    file_make_dirs(folder, 0700);
    if (mkdir(half, 0700) < 0)
        return error_errno(e, errno, "%s", half);
    autoclose int dir = open(half, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = dir < 0 ? error_errno(e, errno, "%s", half) : hands_fill(h, dir, from, e);
    if (r ==
        0) { /* one that cannot be read goes, and one that somebody else has made goes for ours */
        file_remove_tree(AT_FDCWD, path);
        r = rename(half, path) < 0 ? error_errno(e, errno, "%s", path) : 0;
    }
    if (r < 0)
        file_remove_tree(AT_FDCWD, half);
    else
        hands_drop_others(folder, path + strlen(folder) + 1);
    return r;
}

static void hands_drop(const struct hands *h)
{
    struct hands_word word = {.kind = HANDS_DONE};
    const char *path = h->plan->machine.warmed;
    int r = path ? file_remove_tree(AT_FDCWD, path) : -ENOENT;
    if (r < 0)
        error_errno(&word.error, -r, "%s", path ? path : "the template");
    fd_send(h->socket, &word, sizeof(word), NULL, 0);
}

/* QEMU truncates what it writes to, so it is no pipe; and it has to be open for writing alone. */
static int hands_scratch(int ret[2])
{
    char path[32];
    ret[0] = memfd_create("state", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ret[0]);
    ret[1] = ret[0] < 0 ? FD_NONE : open(path, O_WRONLY | O_CLOEXEC);
    return ret[1] < 0 ? -errno : 0;
}

/* One snapshot. Takes `dir`, FD_NONE: the template, and the disk that goes with it. */
static void hands_make(struct hands *h, int dir, int scratch)
{
    int memory[2] = {FD_NONE, FD_NONE}, state[2] = {FD_NONE, FD_NONE};
    struct hands_word word = {.kind = HANDS_BEGUN};
    bool files = h->files[0] >= 0 || h->folder >= 0;
    if (!files && (fd_pipe(memory, 0) < 0 || hands_scratch(state) < 0))
        _exit(1);
    if (!files)
        fcntl(memory[0], F_SETPIPE_SZ, HANDS_PIPE);
    int ends[2] = {memory[1], state[1]};
    fd_send(h->socket, &word, sizeof(word), ends, files ? 0 : 2);
    fd_close(memory[1]);
    fd_close(state[1]);
    word = (struct hands_word){.kind = HANDS_DONE};
    struct hands_ends from = {memory[0], state[0], scratch};
    if (dir < 0)
        hands_template(h, &from, &word.error);
    else
        hands_fill(h, dir, &from, &word.error);
    fd_close(from.memory);
    fd_close(from.state);
    fd_close(from.scratch);
    fd_close(dir);
    fd_send(h->socket, &word, sizeof(word), NULL, 0);
}

static void hands_serve(struct hands *h)
{
    for (;;) {
        char kind;
        int fds[2] = {FD_NONE, FD_NONE};
        size_t count = ARRAY_SIZE(fds);
        if (fd_receive(h->socket, &kind, 1, fds, &count) != 1)
            _exit(0);
        for (size_t i = count; i < ARRAY_SIZE(fds); i++)
            fds[i] = FD_NONE;
        if (kind == HANDS_FILES && count == 2 && h->files[0] < 0) {
            memcpy(h->files, fds, sizeof(fds));
            continue;
        }
        if (kind == HANDS_FILES && count == 1 && h->folder < 0) {
            h->folder = fds[0];
            continue;
        }
        if (kind == HANDS_BASE && count == 1) {
            fd_close(h->base);
            h->base = fds[0];
            h->tracks = true;
            continue;
        }
        if (kind == HANDS_BEGIN || kind == HANDS_CHANGES) {
            h->changes = kind == HANDS_CHANGES;
            hands_make(h, fds[0], fds[1]);
            continue;
        }
        fd_close(fds[1]);
        if (kind == HANDS_DROP)
            hands_drop(h);
        if (kind == HANDS_CALL && fds[0] >= 0)
            hands_call(h, fds[0]);
        else
            fd_close(fds[0]);
    }
}

static void __attribute__((noreturn))
hands_run(const struct plan *p, const char *over, int socket, pid_t parent)
{
    enum { SOCKET = 3 };
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "snapshots", 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    if (getppid() != parent || dup2(socket, SOCKET) < 0 ||
        syscall(SYS_close_range, SOCKET + 1, ~0u, 0) < 0)
        _exit(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct hands h = {
        .plan = p,
        .over = over,
        .socket = SOCKET,
        .files = {FD_NONE, FD_NONE},
        .folder = FD_NONE,
        .base = FD_NONE,
        .dir = FD_NONE,
        .scratch = FD_NONE,
    };
    hands_serve(&h);
    _exit(0);
}

/* --- the monitor --------------------------------------------------------------------------------
 */

int vmm_hands_start(const struct plan *p, const char *over, struct vmm_hands *ret, struct error *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, errno, "a channel for snapshots");
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        hands_run(p, over, pair[1], parent);
    fd_close(pair[1]);
    if (pid < 0) {
        fd_close(pair[0]);
        return error_errno(e, errno, "starting who makes snapshots");
    }
    *ret = (struct vmm_hands){.pid = pid, .socket = pair[0]};
    return 0;
}

void vmm_hands_end(struct vmm_hands *h)
{
    if (h->pid <= 0)
        return;
    fd_close(h->socket);
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *h = (struct vmm_hands){0};
}

static int hands_begin(const struct vmm_hands *h, char kind, const int given[2], int *ret_memory,
                       int *ret_state, struct error *e)
{
    struct hands_word word;
    int ends[2];
    size_t count = 2;
    if (h->pid <= 0 ||
        fd_send(h->socket, &kind, 1, given, (given[0] >= 0) + (given[0] >= 0 && given[1] >= 0)) < 0)
        return error_set(e, EPIPE, "who makes snapshots is gone");
    ssize_t n = fd_receive(h->socket, &word, sizeof(word), ends, &count);
    if (n == (ssize_t)sizeof(word) && word.kind == HANDS_BEGUN && count != 1) {
        *ret_memory = count ? ends[0] : FD_NONE;
        *ret_state = count ? ends[1] : FD_NONE;
        return 0;
    }
    for (size_t i = 0; n >= 0 && i < count; i++)
        fd_close(ends[i]);
    return error_set(e, EPIPE, "who makes snapshots is gone");
}

int vmm_hands_begin(const struct vmm_hands *h, int dir, int scratch, int *ret_memory,
                    int *ret_state, struct error *e)
{
    return hands_begin(h, HANDS_BEGIN, (const int[]){dir, scratch}, ret_memory, ret_state, e);
}

int vmm_hands_begin_changes(const struct vmm_hands *h, int dir, int scratch, struct error *e)
{
    int none[2];
    return hands_begin(h, HANDS_CHANGES, (const int[]){dir, scratch}, &none[0], &none[1], e);
}

void vmm_hands_tell(const struct vmm_hands *h, bool written)
{
    if (h->pid > 0)
        fd_send(h->socket, &(char){written ? HANDS_WRITTEN : HANDS_ABORTED}, 1, NULL, 0);
}

int vmm_hands_lend(const struct vmm_hands *h, const int *files, size_t count, struct error *e)
{
    int r = h->pid <= 0 ? -EPIPE : fd_send(h->socket, &(char){HANDS_FILES}, 1, files, count);
    return r < 0 ? error_errno(e, -r, "lending files to who makes snapshots") : 0;
}

int vmm_hands_base(const struct vmm_hands *h, int memory, struct error *e)
{
    int r = h->pid <= 0 ? -EPIPE : fd_send(h->socket, &(char){HANDS_BASE}, 1, &memory, 1);
    return r < 0 ? error_errno(e, -r, "lending the memory to who makes snapshots") : 0;
}

int vmm_hands_call(const struct vmm_hands *h, int folder, struct error *e)
{
    int r = h->pid <= 0 ? -EPIPE : fd_send(h->socket, &(char){HANDS_CALL}, 1, &folder, 1);
    return r < 0 ? error_errno(e, -r, "having the guest called") : 0;
}

int vmm_hands_store(const struct vmm_hands *h, struct error *e)
{
    int r = h->pid <= 0 ? -EPIPE : fd_send(h->socket, &(char){HANDS_DISK}, 1, NULL, 0);
    return r < 0 ? error_errno(e, -r, "having the guest's disk copied") : 0;
}

int vmm_hands_drop_template(const struct vmm_hands *h, struct error *e)
{
    struct pollfd p = {.fd = h->socket, .events = POLLIN};
    int none;
    int r = h->pid <= 0 ? -EPIPE : fd_send(h->socket, &(char){HANDS_DROP}, 1, NULL, 0);
    if (r == 0 && poll(&p, 1, HANDS_DROP_MS) <= 0)
        r = -ETIMEDOUT;
    if (r < 0)
        return error_errno(e, -r, "having the template removed");
    vmm_hands_hear(h, &none, e);
    fd_close(none);
    return -e->code;
}

enum vmm_hands_word vmm_hands_hear(const struct vmm_hands *h, int *ret_guest, struct error *e)
{
    struct hands_word word = {0};
    int fd = FD_NONE;
    size_t count = 1;
    ssize_t n = fd_receive(h->socket, &word, sizeof(word), &fd, &count);
    bool called = n == (ssize_t)sizeof(word) && word.kind == HANDS_CALLED;
    *ret_guest = FD_NONE;
    if (n >= 0 && count && !called)
        fd_close(fd);
    if (n != (ssize_t)sizeof(word))
        word = (struct hands_word){.kind = HANDS_DONE, .error = {0}};
    if (n != (ssize_t)sizeof(word))
        error_set(&word.error, EPIPE, "who makes snapshots is gone");
    *e = word.error;
    if (called && count)
        *ret_guest = fd;
    return called                      ? VMM_HANDS_CALLED
           : word.kind == HANDS_STORED ? VMM_HANDS_STORED
                                       : VMM_HANDS_DONE;
}
