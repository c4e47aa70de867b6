#include "init/init.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { USERS_FILE_MAX = 1024 * 1024 };

/* A file of lines, read a block at a time; lines too long for the block are passed over. */
struct users_file {
    int fd;
    size_t used, next, total;
    bool skipping;
    char block[4096];
};

static int users_open(struct users_file *f, const char *path)
{
    memset(f, 0, offsetof(struct users_file, block));
    f->fd = fd_openat2(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                       RESOLVE_NO_MAGICLINKS);
    if (f->fd == -ENOSYS) { /* the workload's filter refuses openat2(2): it hides its mode */
        f->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        f->fd = f->fd < 0 ? -errno : f->fd;
    }
    if (f->fd < 0)
        return f->fd;
    struct stat st;
    if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        f->fd = fd_close(f->fd);
        return -EINVAL;
    }
    return 0;
}

/* The next line, NUL-terminated, valid until the call after; NULL at the end. */
static char *users_line(struct users_file *f)
{
    for (;;) {
        char *start = f->block + f->next;
        char *newline = memchr(start, '\n', f->used - f->next);
        if (newline) {
            *newline = 0;
            f->next = (size_t)(newline + 1 - f->block);
            bool cut = f->skipping;
            f->skipping = false;
            if (!cut)
                return start;
            continue;
        }
        f->used -= f->next;
        memmove(f->block, start, f->used);
        f->next = 0;
        if (f->used == sizeof(f->block)) {
            f->used = 0;
            f->skipping = true;
        }
        ssize_t n = f->total < USERS_FILE_MAX
                        ? read(f->fd, f->block + f->used, sizeof(f->block) - f->used)
                        : 0;
        if (n <= 0)
            return NULL; /* a last line without its end is no entry */
        f->used += (size_t)n;
        f->total += (size_t)n;
    }
}

/* Cuts the field before the next ':' off; NULL when there is none left. */
static char *users_field(char **line)
{
    char *field = *line;
    if (!field)
        return NULL;
    char *colon = strchr(field, ':');
    if (colon)
        *colon++ = 0;
    *line = colon;
    return field;
}

static bool users_number(const char *s, uint32_t *ret)
{
    uint64_t value = 0;
    if (!s || !*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        value = value * 10 + (uint64_t)(*s - '0');
        if (value >= UINT32_MAX)
            return false;
    }
    *ret = (uint32_t)value;
    return true;
}

static bool users_listed(char *members, const char *name)
{
    while (members) {
        char *comma = strchr(members, ',');
        if (comma)
            *comma++ = 0;
        if (strcmp(members, name) == 0)
            return true;
        members = comma;
    }
    return false;
}

/* Finds a user; `name` (of `room` bytes) gets the one the groups are listed under. */
static int users_find_user(const char *user, struct init_identity *who, char *name, size_t room)
{
    uint32_t number = 0;
    bool numeric = users_number(user, &number);
    struct users_file f;
    int r = users_open(&f, "/etc/passwd");
    bool found = false;
    for (char *line; r == 0 && !found && (line = users_line(&f));) {
        char *login = users_field(&line);
        users_field(&line);
        uint32_t uid, gid;
        if (!users_number(users_field(&line), &uid) || !users_number(users_field(&line), &gid))
            continue;
        if (strcmp(login, user) != 0 && !(numeric && uid == number))
            continue;
        found = true;
        who->uid = uid;
        who->gid = gid;
        size_t length = strnlen(login, room - 1);
        memcpy(name, login, length);
        name[length] = 0;
    }
    fd_close(f.fd);
    if (!found && numeric) {
        who->uid = number;
        name[0] = 0;
        found = true;
    }
    return found ? 0 : -ENOENT;
}

/* The group asked for, or (group NULL) every group that lists `name`. */
static int users_find_groups(const char *group, const char *name, struct init_identity *who)
{
    uint32_t number = 0;
    bool numeric = users_number(group, &number);
    struct users_file f;
    int r = users_open(&f, "/etc/group");
    bool found = false;
    for (char *line; r == 0 && !found && (line = users_line(&f));) {
        char *title = users_field(&line);
        users_field(&line);
        uint32_t gid;
        if (!users_number(users_field(&line), &gid))
            continue;
        if (group) {
            found = strcmp(title, group) == 0 || (numeric && gid == number);
            if (found)
                who->gid = gid;
        } else if (who->groups_count < 32 && name[0] && users_listed(line, name)) {
            who->groups[who->groups_count++] = gid;
        }
    }
    fd_close(f.fd);
    if (group && !found && numeric) {
        who->gid = number;
        found = true;
    }
    return !group || found ? 0 : -ENOENT;
}

int users_find(const char *text, struct init_identity *ret)
{
    char user[256], name[256];
    size_t size = strlen(text) + 1;
    if (size > sizeof(user))
        return -ENOENT;
    memcpy(user, text, size);
    char *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    if (!user[0] || (group && !group[0]))
        return -ENOENT;
    struct init_identity who = {.gid = ret->gid};
    int r = users_find_user(user, &who, name, sizeof(name));
    if (r == 0)
        r = users_find_groups(group, name, &who);
    if (r == 0)
        *ret = who;
    return r;
}

/*
 * The bounding set for uid 0, the ambient set for any other: the set-up has seen to which it is. Of
 * both only what is permitted now, which is little, so few have to be asked about.
 */
static uint64_t users_capabilities(const struct init_identity *who, uint64_t permitted)
{
    uint64_t keep = 0;
    for (int c = 0; c < 64; c++) {
        if (!(permitted >> c & 1))
            continue;
        int r = who->uid == 0 ? prctl(PR_CAPBSET_READ, c, 0, 0, 0)
                              : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0);
        if (r < 0)
            break;
        keep |= (uint64_t)(r > 0) << c;
    }
    return keep;
}

int users_become(const struct init_identity *who)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2], then[2] = {0};
    if (syscall(SYS_capget, &head, now) < 0)
        return -errno;
    uint64_t keep = users_capabilities(who, now[0].permitted | (uint64_t)now[1].permitted << 32);
    /* a namespace of one id has no groups to give or to drop */
    if (setgroups(who->groups_count, who->groups) < 0 && errno != EPERM)
        return -errno;
    if (setresgid(who->gid, who->gid, who->gid) < 0 || setresuid(who->uid, who->uid, who->uid) < 0)
        return -errno;
    if (syscall(SYS_capget, &head, now) < 0) /* another id may have fewer */
        return -errno;
    for (int i = 0; i < 2; i++) {
        then[i].permitted = then[i].effective = now[i].permitted & (uint32_t)(keep >> (32 * i));
        if (who->uid != 0) /* ambient is what is inheritable too */
            then[i].inheritable = then[i].permitted;
    }
    return syscall(SYS_capset, &head, then) < 0 ? -errno : 0;
}
