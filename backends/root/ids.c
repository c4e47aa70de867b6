#include "backends/root/ids.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDS_HELPER_MS = 5000 };

void root_ids_init(struct root_ids *ids)
{
    *ids = (struct root_ids){.lock = FD_NONE};
}

/* --- a range nobody has ---------------------------------------------------------------------- */

/* Whether /etc/subuid or /etc/subgid gives away anything of [first, first + ROOT_IDS_SIZE). */
static bool ids_are_given_away(const char *text, uint32_t first)
{
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        const char *colon = strchr(line, ':');
        unsigned long long from, count;
        if (colon && (!end || colon < end) && sscanf(colon, ":%llu:%llu", &from, &count) == 2 &&
            from < (uint64_t)first + ROOT_IDS_SIZE && from + count > first)
            return true;
        line = end ? end + 1 : NULL;
    }
    return false;
}

/* Locks the range's file; -EWOULDBLOCK: somebody has it. The lock goes with the process. */
static int ids_lock(int dir, const char *name)
{
    autoclose int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    struct stat held, named;
    if (fstat(fd, &held) < 0)
        return -errno;
    if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != held.st_ino)
        return -EWOULDBLOCK; /* its former owner has just removed it: the next one is as good */
    return TAKE_FD(fd);
}

/* Ranges are tried from a place that differs for each workload, so that none is reused at once. */
static unsigned ids_begin(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return hash % ROOT_IDS_COUNT;
}

static int ids_find_free(const struct plan *p, const struct launch_env *env, struct root_ids *ids,
                         uint32_t *ret, struct error *e)
{
    autofree char *folder = str_join_path(env->system_runtime_dir, "ids");
    autoclose int dir = file_open_private_dir(folder, true, e);
    if (dir < 0)
        return error_wrap(e, "id ranges");
    autofree char *subuid = NULL, *subgid = NULL;
    file_read(AT_FDCWD, "/etc/subuid", 1 << 20, &subuid, NULL);
    file_read(AT_FDCWD, "/etc/subgid", 1 << 20, &subgid, NULL);
    unsigned begin = ids_begin(p->id);
    for (unsigned i = 0; i < ROOT_IDS_COUNT; i++) {
        unsigned n = (begin + i) % ROOT_IDS_COUNT;
        uint32_t first = ROOT_IDS_FIRST + n * ROOT_IDS_SIZE;
        if (ids_are_given_away(subuid, first) || ids_are_given_away(subgid, first))
            continue;
        char name[16];
        snprintf(name, sizeof(name), "%u", n);
        if (snprintf(ids->lock_path, sizeof(ids->lock_path), "%s/%s", folder, name) >=
            (int)sizeof(ids->lock_path))
            return error_set(e, ENAMETOOLONG, "id ranges: %s", folder);
        int r = env->journal ? env->journal(env->journal_data, "ids", ids->lock_path, e) : 0;
        if (r < 0)
            return r;
        ids->lock = ids_lock(dir, name);
        if (ids->lock >= 0) {
            *ret = first;
            return 0;
        }
        if (ids->lock != -EWOULDBLOCK)
            return error_errno(e, -ids->lock, "id range %s", ids->lock_path);
    }
    return error_set(e, EAGAIN, "all %d id ranges are in use", ROOT_IDS_COUNT);
}

/* --- the maps -------------------------------------------------------------------------------- */

static int ids_check(const struct plan_id_map *map, size_t count, const char *what, struct error *e)
{
    if (count == 0)
        return error_set(e, EINVAL, "the plan maps no %s", what);
    for (size_t i = 0; i < count; i++) {
        if (map[i].count == 0 || map[i].outside + map[i].count < map[i].outside)
            return error_set(e, EINVAL, "the plan's map of %ss makes no sense", what);
        if (map[i].outside == 0)
            return error_set(e, EPERM, "%s %u inside would be the host's root: refused", what,
                             map[i].inside);
    }
    return 0;
}

bool root_ids_outside(const struct plan_id_map *map, size_t count, uint32_t inside, uint32_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (inside - map[i].inside < map[i].count && inside >= map[i].inside) {
            if (ret)
                *ret = map[i].outside + (inside - map[i].inside);
            return true;
        }
    }
    return false;
}

int root_ids_take(const struct plan *p, const struct launch_env *env, struct root_ids *ret,
                  struct error *e)
{
    struct root_ids ids;
    root_ids_init(&ids);
    memcpy(ids.uid_map, p->uid_map, sizeof(ids.uid_map));
    memcpy(ids.gid_map, p->gid_map, sizeof(ids.gid_map));
    ids.uid_map_count = p->uid_map_count;
    ids.gid_map_count = p->gid_map_count;
    if (p->map_by == PLAN_MAP_PARENT) {
        uint32_t first = 0;
        int r = ids_find_free(p, env, &ids, &first, e);
        if (r < 0)
            return r;
        for (size_t i = 0; i < ids.uid_map_count; i++)
            if (ids.uid_map[i].outside == 0)
                ids.uid_map[i].outside = first + ids.uid_map[i].inside;
        for (size_t i = 0; i < ids.gid_map_count; i++)
            if (ids.gid_map[i].outside == 0)
                ids.gid_map[i].outside = first + ids.gid_map[i].inside;
    }
    int r = ids_check(ids.uid_map, ids.uid_map_count, "uid", e);
    if (r == 0)
        r = ids_check(ids.gid_map, ids.gid_map_count, "gid", e);
    if (r < 0) {
        root_ids_release(&ids);
        return r;
    }
    ids.root_inside = root_ids_outside(ids.uid_map, ids.uid_map_count, 0, NULL) &&
                      root_ids_outside(ids.gid_map, ids.gid_map_count, 0, NULL);
    ids.many = ids.uid_map_count > 1 || ids.uid_map[0].count > 1;
    *ret = ids;
    return 0;
}

void root_ids_release(struct root_ids *ids)
{
    if (ids->lock >= 0 && ids->lock_path[0])
        unlinkat(AT_FDCWD, ids->lock_path,
                 0); /* while it is still ours, so nobody can hold it in between */
    ids->lock = fd_close(ids->lock);
    ids->lock_path[0] = '\0';
}

/* --- writing them ---------------------------------------------------------------------------- */

static void ids_print(const struct plan_id_map *map, size_t count, char *to, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < count && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%u %u %u\n", map[i].inside,
                                 map[i].outside, map[i].count);
}

static int ids_put(const char *path, const struct plan_id_map *map, size_t count, struct error *e)
{
    char text[256];
    ids_print(map, count, text, sizeof(text));
    int r = file_put(AT_FDCWD, path, text);
    return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

static int ids_run_helper(const char *program, pid_t pid, const struct plan_id_map *map,
                          size_t count, struct error *e)
{
    autostrv char **argv = NULL;
    strv_add(&argv, program);
    strv_take(&argv, str_format("%d", (int)pid));
    for (size_t i = 0; i < count; i++) {
        strv_take(&argv, str_format("%u", map[i].inside));
        strv_take(&argv, str_format("%u", map[i].outside));
        strv_take(&argv, str_format("%u", map[i].count));
    }
    int status;
    autofree char *said = NULL;
    int r = spawn_run((const char *const *)argv, IDS_HELPER_MS, 4096, &status, &said, e);
    if (r < 0)
        return r;
    if (status != 0) {
        autofree char *shown = str_escape_z(str_trim(said));
        return error_set(e, EPERM, "%s: %.300s", program, shown);
    }
    return 0;
}

int root_ids_write(const struct root_ids *ids, enum plan_map_by by, pid_t pid, struct error *e)
{
    if (by == PLAN_MAP_HELPER) {
        int r = ids_run_helper("newuidmap", pid, ids->uid_map, ids->uid_map_count, e);
        return r < 0 ? r : ids_run_helper("newgidmap", pid, ids->gid_map, ids->gid_map_count, e);
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
    int r = ids_put(path, ids->uid_map, ids->uid_map_count, e);
    snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
    return r < 0 ? r : ids_put(path, ids->gid_map, ids->gid_map_count, e);
}

int root_ids_write_own(const struct root_ids *ids, struct error *e)
{
    int r = file_put(AT_FDCWD, "/proc/self/setgroups", "deny");
    if (r < 0)
        return error_errno(e, -r, "/proc/self/setgroups");
    r = ids_put("/proc/self/uid_map", ids->uid_map, ids->uid_map_count, e);
    return r < 0 ? r : ids_put("/proc/self/gid_map", ids->gid_map, ids->gid_map_count, e);
}
