/*
 * What differs between the root's upper folder and the disk below it, as backends/changes.h has it
 * for containers: what set-up made counts only where it was changed since.
 */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHANGES_MADE = 1 << 16, CHANGES_DEEP = 150, CHANGES_PATH = 4096 };

struct changes_made {
    uint64_t path; /* a hash of it; 0: free */
    int64_t seconds;
    int64_t nanoseconds;
};
static struct changes_made changes_made[CHANGES_MADE];
static unsigned changes_made_count;

/* The entry looked at: its path inside, which begins with a slash. */
static struct changes_walk {
    char path[CHANGES_PATH];
    size_t used;
    unsigned depth;
    int out; /* FD_NONE: noting what set-up made */
    int error;
    size_t filled;
    char block[16384];
} walk;

static uint64_t changes_hash(void)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < walk.used; i++)
        h = (h ^ (unsigned char)walk.path[i]) * 0x100000001b3u;
    return h ? h : 1;
}

static struct changes_made *changes_slot(uint64_t hash)
{
    size_t i = hash % CHANGES_MADE;
    while (changes_made[i].path && changes_made[i].path != hash)
        i = (i + 1) % CHANGES_MADE;
    return &changes_made[i];
}

static void changes_remember(const struct stat *st)
{
    if (changes_made_count >= CHANGES_MADE / 2)
        return; /* more than that will show as the workload's */
    uint64_t hash = changes_hash();
    struct changes_made *m = changes_slot(hash);
    changes_made_count += !m->path;
    *m = (struct changes_made){hash, st->st_ctim.tv_sec, st->st_ctim.tv_nsec};
}

/* --- saying ------------------------------------------------------------------------------------
 */

static void changes_flush(void)
{
    if (walk.filled && walk.error == 0)
        walk.error = fd_write_full(walk.out, walk.block, walk.filled);
    walk.filled = 0;
}

static void changes_put(const void *from, size_t size)
{
    if (walk.filled + size > sizeof(walk.block))
        changes_flush();
    memcpy(walk.block + walk.filled, from, size);
    walk.filled += size;
}

enum { CHANGES_ADDED, CHANGES_CHANGED, CHANGES_DELETED };

static void changes_say(unsigned kind, const struct stat *st, bool capability)
{
    struct agent_change c = {
        .kind = (uint8_t)kind,
        .flags = capability,
        .name_size = (uint16_t)walk.used,
        .mode = st ? st->st_mode : 0,
        .size = st && S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
    };
    changes_put(&c, sizeof(c));
    changes_put(walk.path, walk.used);
}

/* --- looking -----------------------------------------------------------------------------------
 */

static bool changes_in_lower(struct stat *ret)
{
    char path[CHANGES_PATH];
    memcpy(path, walk.path + 1, walk.used - 1);
    path[walk.used - 1] = 0;
    autoclose int fd = fd_openat2(steps_lower, path, O_PATH | O_NOFOLLOW, 0,
                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    return fd >= 0 && fstat(fd, ret) == 0;
}

static bool changes_has(int fd, const char *xattr, char first)
{
    char value[64];
    long n = syscall(SYS_fgetxattr, fd, xattr, value, sizeof(value));
    return n > 0 && (!first || value[0] == first);
}

static int changes_entry(int dir, const char *name, void *data);

/* What an opaque folder hides of the one below. */
static int changes_hidden(int lower, const char *name, void *data)
{
    int upper = *(const int *)data;
    struct stat st;
    size_t used = walk.used, size = strlen(name);
    if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
        used + 1 + size + 1 > sizeof(walk.path))
        return 0;
    walk.path[walk.used++] = '/';
    memcpy(walk.path + walk.used, name, size);
    walk.used += size;
    changes_say(CHANGES_DELETED, NULL, false);
    walk.used = used;
    return walk.error;
}

static void changes_opaque(int fd)
{
    char path[CHANGES_PATH];
    memcpy(path, walk.path + 1, walk.used - 1);
    path[walk.used - 1] = 0;
    autoclose int lower = fd_openat2(steps_lower, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (lower >= 0)
        guest_each(lower, ".", changes_hidden, &fd);
}

static void changes_folder(int dir, const char *name, const struct stat *st)
{
    struct stat lower;
    bool there = changes_in_lower(&lower), made = changes_slot(changes_hash())->path;
    if (walk.out < 0)
        changes_remember(st);
    else if (!there && !made)
        changes_say(CHANGES_ADDED, st, false);
    else if (there && !made && lower.st_mode != st->st_mode)
        changes_say(CHANGES_CHANGED, st, false);
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || walk.depth >= CHANGES_DEEP)
        return;
    if (walk.out >= 0 && there && S_ISDIR(lower.st_mode) &&
        changes_has(fd, "trusted.overlay.opaque", 'y'))
        changes_opaque(fd);
    walk.depth++;
    guest_each(fd, ".", changes_entry, NULL);
    walk.depth--;
}

static void changes_file(int dir, const char *name, const struct stat *st)
{
    if (walk.out < 0)
        return changes_remember(st);
    const struct changes_made *m = changes_slot(changes_hash());
    bool whiteout = S_ISCHR(st->st_mode) && st->st_rdev == 0;
    if (m->path &&
        (whiteout || (m->seconds == st->st_ctim.tv_sec && m->nanoseconds == st->st_ctim.tv_nsec)))
        return;
    if (whiteout)
        return changes_say(CHANGES_DELETED, NULL, false);
    struct stat lower;
    bool capability = false;
    if (S_ISREG(st->st_mode)) {
        autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        capability = fd >= 0 && changes_has(fd, "security.capability", 0);
    }
    changes_say(m->path || changes_in_lower(&lower) ? CHANGES_CHANGED : CHANGES_ADDED, st,
                capability);
}

static int changes_entry(int dir, const char *name, void *data)
{
    struct stat st;
    size_t used = walk.used, size = strlen(name);
    if (used + 1 + size + 1 > sizeof(walk.path) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    walk.path[walk.used++] = '/';
    memcpy(walk.path + walk.used, name, size);
    walk.used += size;
    if (S_ISDIR(st.st_mode))
        changes_folder(dir, name, &st);
    else
        changes_file(dir, name, &st);
    walk.used = used;
    return walk.error;
}

static void changes_walk_all(int out)
{
    walk.used = walk.depth = 0;
    walk.out = out;
    if (steps_upper >= 0 && steps_lower >= 0)
        guest_each(steps_upper, ".", changes_entry, NULL);
}

void changes_note_made(void)
{
    changes_walk_all(FD_NONE);
}

void changes_run(int fd, int report)
{
    changes_walk_all(fd);
    changes_flush();
    report_send(report, -walk.error, walk.error < 0 ? "the changes" : "", NULL, 0);
    _exit(0);
}
