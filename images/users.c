/* Who the image says it runs as: names are looked up in its own files. */
#include "base/fd.h"
#include "images/image.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { USERS_FILE_MAX = 1 << 20 };

/* Whether a layer hides what lies below it at `path` ("etc", "etc/passwd"). */
static bool users_hides(int layer)
{
    char value[2];
    autoclose int etc = openat(layer, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (etc < 0)
        return errno == ENOTDIR || errno == ELOOP;
    return fgetxattr(etc, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* Of the uppermost layer that has it; "" if none has, or it is hidden, or there but not to be read.
 */
static char *users_read(char *const *layers, const char *path, bool *ret_odd)
{
    for (size_t n = strv_length(layers); n-- > 0;) {
        autoclose int layer = open(layers[n], O_PATH | O_DIRECTORY | O_CLOEXEC);
        autoclose int fd = layer < 0 ? -errno
                                     : fd_openat2(layer, path, O_RDONLY | O_NONBLOCK, 0,
                                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < USERS_FILE_MAX) {
            char *text = mem_zero((size_t)st.st_size + 1, 1);
            if (fd_read_full(fd, text, (size_t)st.st_size) == 0)
                return text;
            free(text);
        }
        *ret_odd = fd != -ENOENT;
        if (*ret_odd || users_hides(layer))
            break;
    }
    return str_dup("");
}

static int users_unknown(const char *what, const char *shown, const char *path, bool odd,
                         struct error *e)
{
    return error_set(e, ENOENT, "the image's %s %s is not in its %s%s", what, shown, path,
                     odd ? ", which is a link or no plain file of less than 1 MiB and not read"
                         : "");
}

/* The colon-separated fields of the first line whose field `key` is `value`. */
static char **users_line(const char *text, size_t key, const char *value)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        char **fields = NULL;
        const char *p = line, *end = line + length;
        while (p <= end) {
            const char *colon = memchr(p, ':', (size_t)(end - p));
            const char *stop = colon ? colon : end;
            strv_take(&fields, str_ndup(p, (size_t)(stop - p)));
            p = stop + 1;
        }
        if (strv_length(fields) > key && strv_length(fields) >= 3 && str_equal(fields[key], value))
            return fields;
        strv_free(fields);
        line = end + (*end == '\n');
    }
    return NULL;
}

static bool users_number(const char *s, uint32_t *ret)
{
    uint64_t n;
    if (*s < '0' || *s > '9' || str_to_uint(s, &n) < 0 || n > 0xfffffffe)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* Every group that lists `name` among its members. */
static void users_add_groups(struct image_user *u, const char *group, const char *name)
{
    autostrv char **lines = strv_split(group, "\n");
    for (size_t i = 0; lines && lines[i]; i++) {
        const char *members = strrchr(lines[i], ':');
        autostrv char **list = members ? strv_split(members + 1, ",") : NULL;
        autofree char *key = str_ndup(lines[i], strcspn(lines[i], ":"));
        autostrv char **fields = list && strv_has(list, name) ? users_line(lines[i], 0, key) : NULL;
        uint32_t gid;
        if (fields && strv_length(fields) == 4 && users_number(fields[2], &gid) &&
            u->groups_count < ARRAY_SIZE(u->groups))
            u->groups[u->groups_count++] = gid;
    }
}

int image_find_user(char *const *layers, const char *user, struct image_user *ret, struct error *e)
{
    struct image_user u = {0};
    const char *colon = strchr(user, ':');
    autofree char *who = str_ndup(user, colon ? (size_t)(colon - user) : strlen(user));
    if (!*who) { /* ":GROUP" is root's, and "USER:" is no group's in particular */
        free(who);
        who = str_dup("0");
    }
    colon = colon && colon[1] ? colon : NULL;
    bool odd_users = false, odd_groups = false;
    autofree char *passwd = users_read(layers, "etc/passwd", &odd_users),
                  *group = users_read(layers, "etc/group", &odd_groups);
    autofree char *shown = str_escape(user, strnlen(user, 100));
    bool number = users_number(who, &u.uid);
    autofree char *key = number ? str_format("%u", u.uid) : str_dup(who); /* "01000" is 1000 */
    autostrv char **line = users_line(passwd, number ? 2 : 0, key);
    if (!line && !number)
        return users_unknown("user", shown, "/etc/passwd", odd_users, e);
    if (line && strv_length(line) >= 6) {
        if (!users_number(line[2], &u.uid) || !users_number(line[3], &u.gid))
            return error_set(e, EINVAL, "the image's /etc/passwd makes no sense of %s", shown);
        u.name = str_dup(line[0]);
        u.home = line[5][0] == '/' ? str_dup(line[5]) : NULL;
    }
    if (colon && !users_number(colon + 1, &u.gid)) {
        autostrv char **g = users_line(group, 0, colon + 1);
        if (!g || !users_number(g[2], &u.gid)) {
            free(u.name);
            free(u.home);
            return users_unknown("group in", shown, "/etc/group", odd_groups, e);
        }
    } else if (!colon && u.name) {
        users_add_groups(&u, group, u.name);
    }
    *ret = u;
    return 0;
}
