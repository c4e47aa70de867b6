/* Who a name is, by the files of the workload's root, which are a stranger's. */
#include "backends/oci/hands.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USER_FILE_MAX = 1024 * 1024 };

static char *user_read(int rootfs, const char *path)
{
    autoclose int fd = fd_openat2(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
                                  RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > USER_FILE_MAX)
        return NULL;
    char *text = mem_zero((size_t)st.st_size + 1, 1);
    if (fd_read_full(fd, text, (size_t)st.st_size) < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The ids in the line of `name` (or of the number `id`): fields 3 and, for passwd, 4. */
static int user_look_up(char *text, const char *name, uint64_t id, bool by_id, uint32_t *ret,
                        uint32_t *ret_group)
{
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char *fields[4] = {0};
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            fields[i] = strsep(&line, ":");
        uint64_t own, group = 0;
        if (!fields[2] || str_to_uint(fields[2], &own) < 0 || own >= UINT32_MAX)
            continue;
        if (by_id ? own != id : !str_equal(fields[0], name))
            continue;
        if (ret_group && (!fields[3] || str_to_uint(fields[3], &group) < 0 || group >= UINT32_MAX))
            continue;
        *ret = (uint32_t)own;
        if (ret_group)
            *ret_group = (uint32_t)group;
        return 0;
    }
    return -ENOENT;
}

int hands_find_user(int rootfs, const char *text, uint32_t *ret_uid, uint32_t *ret_gid)
{
    autofree char *user = str_dup(text);
    char *group = strchr(user, ':');
    if (group)
        *group++ = '\0';
    uint64_t id = 0;
    bool number = str_to_uint(user, &id) == 0 && id < UINT32_MAX;
    autofree char *passwd = user_read(rootfs, "/etc/passwd");
    uint32_t uid = (uint32_t)id, gid = *ret_gid;
    int r = passwd ? user_look_up(passwd, user, id, number, &uid, &gid) : -ENOENT;
    if (r < 0 && !number)
        return r;
    if (group) {
        bool is_id = str_to_uint(group, &id) == 0 && id < UINT32_MAX;
        autofree char *groups = user_read(rootfs, "/etc/group");
        r = is_id ? 0 : groups ? user_look_up(groups, group, 0, false, &gid, NULL) : -ENOENT;
        if (r < 0)
            return r;
        if (is_id)
            gid = (uint32_t)id;
    }
    *ret_uid = uid;
    *ret_gid = gid;
    return 0;
}
