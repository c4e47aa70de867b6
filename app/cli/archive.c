#include "app/cli/archive.h"

#include "app/cli/archive_module.h"
#include "app/cli/confine.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/module.h"
#include "base/str.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NAME_MOST = 4096,
    WIRE_MOST = 64 << 20,
    ENTRIES_MOST = 1000000,
    WHY_MOST = 256,
    CPU_SECONDS = 20,
};
#define MEMORY_MOST (UINT64_C(1) << 30)

/* On the pipe: this, then path and link. `last`: no entry, the path says what is wrong, if
 * anything. */
struct wire_item {
    uint64_t size;
    uint32_t mode;
    uint16_t path_size, link_size;
    uint8_t last, has_link, pad[6];
};
_Static_assert(sizeof(struct wire_item) == 24, "the pipe's layout");

static bool path_leads_out(const char *path)
{
    if (path[0] == '/')
        return true;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return true;
    }
    return false;
}

unsigned archive_notes(const char *path, const char *link, mode_t mode)
{
    unsigned notes = 0;
    if (path_leads_out(path))
        notes |= ARCHIVE_OUTSIDE;
    if (link && path_leads_out(link))
        notes |= ARCHIVE_LINK_OUTSIDE;
    if (S_ISREG(mode) && mode & (S_ISUID | S_ISGID))
        notes |= ARCHIVE_SETID;
    if (S_ISCHR(mode) || S_ISBLK(mode))
        notes |= ARCHIVE_DEVICE;
    if (S_ISREG(mode) && mode & 0111)
        notes |= ARCHIVE_PROGRAM;
    return notes;
}

/* The child's side. */
static int wire_send(int fd, const struct archive_item *item, bool last)
{
    char text[sizeof(struct wire_item) + 2 * NAME_MOST];
    struct wire_item w = {
        .size = item->size,
        .mode = item->mode,
        .path_size = (uint16_t)strnlen(item->path, NAME_MOST),
        .link_size = item->link ? (uint16_t)strnlen(item->link, NAME_MOST) : 0,
        .has_link = item->link != NULL,
        .last = last,
    };
    memcpy(text, &w, sizeof(w));
    memcpy(text + sizeof(w), item->path, w.path_size);
    if (item->link)
        memcpy(text + sizeof(w) + w.path_size, item->link, w.link_size);
    return fd_write_full(fd, text, sizeof(w) + w.path_size + w.link_size);
}

static int send_item(void *data, const struct archive_item *item)
{
    return wire_send(*(int *)data, item, false);
}

static void __attribute__((noreturn)) reader(const struct archive_module *m, int fd, int out)
{
    struct error e = {0};
    char why[WHY_MOST] = "";
    struct archive_item end = {.path = why};
    const int keep[] = {MIN(fd, out), MAX(fd, out)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Names in UTF-8 need no table from a file then; glibc has this locale built in. */
    setlocale(LC_CTYPE, "C.UTF-8");
    if (confine_self(keep, 2, MEMORY_MOST, CPU_SECONDS, &e) < 0)
        _exit(3);
    if (m->list(fd, send_item, &out, why, sizeof(why)) < 0 && !why[0])
        snprintf(why, sizeof(why), "it cannot be read");
    _exit(wire_send(out, &end, true) < 0);
}

/* Our side: what comes is the child's word, and the child may be the archive's. */
static void list_add(struct archive_list *l, const struct wire_item *w, const char *text,
                     size_t keep)
{
    autofree char *path = str_ndup(text, w->path_size);
    autofree char *link = w->has_link ? str_ndup(text + w->path_size, w->link_size) : NULL;
    unsigned notes = archive_notes(path, link, w->mode);
    l->entries++;
    l->bytes += w->size < UINT64_MAX - l->bytes ? w->size : UINT64_MAX - l->bytes;
    l->notes |= notes;
    if (l->count >= keep)
        return;
    l->list = mem_grow(l->list, l->count + 1, sizeof(*l->list));
    l->list[l->count++] = (struct archive_name){
        .path = TAKE(path), .link = TAKE(link), .mode = w->mode, .size = w->size, .notes = notes};
}

/* Takes whole records off the front. 1: the last one was there; -EBADMSG. */
static int list_take(struct archive_list *l, struct buf *b, size_t keep)
{
    size_t at = 0;
    int r = 0;
    struct wire_item w;
    while (r == 0 && b->used - at >= sizeof(w)) {
        memcpy(&w, b->data + at, sizeof(w));
        size_t need = sizeof(w) + w.path_size + w.link_size;
        if (w.path_size > NAME_MOST || w.link_size > NAME_MOST)
            return -EBADMSG;
        if (b->used - at < need)
            break;
        if (w.last) {
            if (w.path_size)
                l->why = str_ndup(b->data + at + sizeof(w), w.path_size);
            r = 1;
        } else {
            list_add(l, &w, b->data + at + sizeof(w), keep);
        }
        at += need;
    }
    buf_drop(b, at);
    return r;
}

static int list_receive(struct archive_list *l, int fd, size_t keep, unsigned timeout_ms)
{
    autobuf b = {0};
    char chunk[65536];
    uint64_t end = loop_now_ms() + timeout_ms, bytes = 0;
    for (;;) {
        uint64_t now = loop_now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= end || bytes > WIRE_MOST || l->entries > ENTRIES_MOST) {
            l->cut = true;
            return 0;
        }
        if (poll(&p, 1, (int)(end - now)) <= 0)
            continue;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            l->why = str_dup("its reader died of it");
            return 0;
        }
        bytes += (uint64_t)n;
        buf_add(&b, chunk, (size_t)n);
        int r = list_take(l, &b, keep);
        if (r != 0)
            return MIN(r, 0);
    }
}

int archive_list(int fd, size_t keep, unsigned timeout_ms, struct archive_list *ret,
                 struct error *e)
{
    int pair[2], status;
    const struct archive_module *m = module_open("archive", "archive_module", e);
    if (!m)
        return -e->code;
    if (lseek(fd, 0, SEEK_SET) < 0 || fd_pipe(pair, 0) < 0)
        return error_errno(e, errno, "reading the archive");
    pid_t pid = fork();
    if (pid == 0)
        reader(m, fd, pair[1]);
    fd_close(pair[1]);
    if (pid < 0) {
        fd_close(pair[0]);
        return error_errno(e, errno, "starting a reader for the archive");
    }
    struct archive_list l = {0};
    int r = list_receive(&l, pair[0], keep, timeout_ms);
    fd_close(pair[0]);
    kill(pid, SIGKILL); /* its end is ours to choose; it is not reaped yet */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 3)
        r = error_set(e, EPERM, "the reader of the archive could not be confined");
    else if (r < 0)
        error_set(e, -r, "the reader of the archive speaks nonsense");
    if (r < 0) {
        archive_list_done(&l);
        return r;
    }
    *ret = l;
    return 0;
}

void archive_list_done(struct archive_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->list[i].path);
        free(l->list[i].link);
    }
    free(l->list);
    free(l->why);
    *l = (struct archive_list){0};
}
