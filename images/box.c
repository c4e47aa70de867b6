/* The outer half: starting it, giving it ids, hearing its report, ending it. */
#include "images/box.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BOX_HELPER_MS = 10000 };

static int box_send(int control, const struct box_report *report)
{
    char message[1 + sizeof(*report)];
    message[0] = BOX_REPORT;
    memcpy(message + 1, report, sizeof(*report));
    return fd_write_full(control, message, sizeof(message));
}

static void __attribute__((noreturn)) box_child(const struct box_wish *w, int control)
{
    struct box_report report;
    memset(&report, 0, sizeof(report));
    int r = box_enter(w, control, &report.error);
    if (r == 0) {
        char word = BOX_READY;
        if (fd_write_full(control, &word, 1) < 0)
            _exit(1);
        r = w->run(w->data, &report);
    }
    if (r == 0)
        report.error.code = 0;
    box_send(control, &report);
    _exit(r < 0);
}

static int box_helper(const char *program, pid_t pid, uint32_t own, uint32_t first, uint32_t count,
                      struct error *e)
{
    char numbers[5][16];
    snprintf(numbers[0], sizeof(numbers[0]), "%d", (int)pid);
    snprintf(numbers[1], sizeof(numbers[1]), "%u", own);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", first);
    snprintf(numbers[3], sizeof(numbers[3]), "%u", MIN(count, 65535u));
    const char *const argv[] = {program, numbers[0], "0",        numbers[1], "1",
                                "1",     numbers[2], numbers[3], NULL};
    int status;
    autofree char *said = NULL;
    int r = spawn_run(argv, BOX_HELPER_MS, 4096, &status, &said, e);
    if (r < 0 || status == 0)
        return r;
    autofree char *shown = str_escape_z(str_trim(said));
    return error_set(e, EPERM, "%s: %.300s", program, shown);
}

static int box_write_map(pid_t pid, const char *file, uint32_t first, uint32_t count,
                         struct error *e)
{
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    snprintf(text, sizeof(text), "0 %u %u\n", first, count);
    int r = file_put(AT_FDCWD, path, text);
    return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

/* The ids a child cannot take by itself. */
static int box_give_ids(const struct image_owner *o, pid_t pid, struct error *e)
{
    switch (o->how) {
    case IMAGE_OWNER_SELF:
        return 0;
    case IMAGE_OWNER_RANGES: {
        int r = box_helper("newuidmap", pid, geteuid(), o->subuid, o->subuid_count, e);
        return r < 0 ? r : box_helper("newgidmap", pid, getegid(), o->subgid, o->subgid_count, e);
    }
    case IMAGE_OWNER_SHIFTED:
        break;
    }
    int r = box_write_map(pid, "uid_map", IMAGE_OWNER_FIRST, IMAGE_OWNER_COUNT, e);
    return r < 0 ? r : box_write_map(pid, "gid_map", IMAGE_OWNER_FIRST, IMAGE_OWNER_COUNT, e);
}

/* A report's error made fit to be passed on. */
static int box_error(const struct box_report *report, struct error *e)
{
    struct error said;
    error_take(&said, &report->error);
    autofree char *text = str_escape_z(*said.text ? said.text : "the unpacking process failed");
    return error_set(e, said.code, "%.470s", text);
}

static int box_await(struct box *b, char word, struct error *e)
{
    char said = 0;
    struct box_report report;
    int r = fd_read_full(b->control, &said, 1);
    if (r == 0 && said == word)
        return 0;
    if (r == 0 && said == BOX_REPORT && fd_read_full(b->control, &report, sizeof(report)) == 0)
        return box_error(&report, e);
    return error_set(e, ECANCELED, "the unpacking process ended without a word");
}

int box_start(const struct box_wish *w, struct box *ret, struct error *e)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel to the unpacking process");
    struct box b = {.control = pair[0]};
    b.pid = fork();
    if (b.pid == 0) {
        fd_close(pair[0]);
        box_child(w, pair[1]);
    }
    fd_close(pair[1]);
    if (b.pid < 0) {
        r = error_errno(e, errno, "starting the unpacking process");
        fd_close(b.control);
        return r;
    }
    if (w->owner.how != IMAGE_OWNER_SELF) {
        r = box_await(&b, BOX_WANTS_IDS, e);
        if (r == 0)
            r = box_give_ids(&w->owner, b.pid, e);
        if (r == 0 && fd_write_full(b.control, "g", 1) < 0)
            r = error_set(e, ECANCELED, "the unpacking process ended without a word");
    }
    if (r == 0)
        r = box_await(&b, BOX_READY, e);
    if (r < 0) {
        box_kill(&b);
        return r;
    }
    *ret = b;
    return 0;
}

static int box_reap(struct box *b)
{
    int status = 0;
    while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
        ;
    b->pid = 0;
    b->control = fd_close(b->control);
    return status;
}

void box_kill(struct box *b)
{
    if (b->pid <= 0)
        return;
    kill(b->pid, SIGKILL);
    box_reap(b);
}

int box_finish(struct box *b, struct box_report *ret, struct error *e)
{
    struct box_report report;
    char word = 0;
    int r = fd_read_full(b->control, &word, 1);
    if (r == 0 && word == BOX_REPORT)
        r = fd_read_full(b->control, &report, sizeof(report));
    else
        r = -EPROTO;
    int status = box_reap(b);
    if (r < 0)
        return error_set(e, ECANCELED, "the unpacking process was killed%s",
                         WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? ": too slow" : "");
    if (report.error.code || status)
        return box_error(&report, e);
    if (ret)
        *ret = report;
    return 0;
}
