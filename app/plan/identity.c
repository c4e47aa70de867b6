/* Who the workload is: ids inside and out, its home, its words in passwd(5), its environment. */
#include "app/plan/build.h"

#include "profiles/forms.h"

#include <stdio.h>

#define IDENTITY_BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { IDS_RANGE = 65536, IDS_NOBODY = 65534 };

static void identity_map(struct plan *p, struct plan_id_map uid, struct plan_id_map gid)
{
    p->uid_map[p->uid_map_count++] = uid;
    p->gid_map[p->gid_map_count++] = gid;
}

/* Root's workloads: a subordinate range each, which the backend picks. */
static int identity_by_root(struct build *b, enum form_user user, uint32_t id, struct error *e)
{
    struct plan *p = b->p;
    if (user == FORM_USER_ID && id >= IDS_RANGE)
        return error_set(e, EINVAL, "isolation.user = %u (%s): ids inside end at %u", id,
                         settings_origin(b->s, KEY_ISOLATION_USER), IDS_RANGE - 1);
    p->map_by = PLAN_MAP_PARENT;
    p->uid = p->gid = user == FORM_USER_ID ? id : 0;
    identity_map(p, (struct plan_id_map){0, 0, IDS_RANGE}, (struct plan_id_map){0, 0, IDS_RANGE});
    return 0;
}

/* A user's: one id, the caller's, or all of their ranges. */
static void identity_by_user(struct build *b, enum form_user user, uint32_t id)
{
    struct plan *p = b->p;
    const struct plan_host *h = b->host;
    if (user == FORM_USER_SELF) {
        p->uid = h->uid;
        p->gid = h->gid;
    } else {
        p->uid = p->gid = user == FORM_USER_ID ? id : 0;
    }
    p->map_by = user == FORM_USER_RANGES ? PLAN_MAP_HELPER : PLAN_MAP_SELF;
    /* setgroups(2) is denied to who may map but one id: user_namespaces(7) */
    if (p->map_by == PLAN_MAP_SELF)
        p->kept_groups = str_dup_or_null(h->groups);
    identity_map(p, (struct plan_id_map){p->uid, h->uid, 1},
                 (struct plan_id_map){p->gid, h->gid, 1});
    if (user == FORM_USER_RANGES)
        identity_map(p,
                     (struct plan_id_map){1, h->subuid, MIN(h->subuid_count, (uint32_t)IDS_RANGE)},
                     (struct plan_id_map){1, h->subgid, MIN(h->subgid_count, (uint32_t)IDS_RANGE)});
}

/* No container of theirs is without an id 0. */
static bool identity_needs_root(const struct plan *p)
{
    const char *slash = strrchr(p->runtime, '/');
    return !plan_is_machine(p) && !str_equal(p->runtime, "native") &&
           !str_equal(slash ? slash + 1 : p->runtime, "crun");
}

int build_identity(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    enum form_user user = FORM_USER_SELF;
    uint32_t id = 0;
    const char *said = settings_text(b->s, KEY_ISOLATION_USER);
    if (said && form_user(said, &user, &id) < 0)
        return error_set(e, EINVAL, "isolation.user = %s", said);
    if (user == FORM_USER_SELF && identity_needs_root(p))
        user = FORM_USER_ROOT;
    if (user == FORM_USER_ID && id != 0 && b->host->uid != 0 && identity_needs_root(p))
        return error_set(e, EINVAL,
                         "isolation.user = %s (%s): %s makes no container without an id 0; mend: "
                         "--set isolation.user=root, or another runtime",
                         said, settings_origin(b->s, KEY_ISOLATION_USER), p->runtime);
    if (b->host->uid == 0) {
        int r = identity_by_root(b, user, id, e);
        if (r < 0)
            return r;
    } else {
        identity_by_user(b, user, id);
    }

    /* The caller's own name and place only where their own home is shown. */
    const char *home = settings_text(b->s, KEY_FILES_HOME);
    bool own = str_equal(home, "read-only") || str_equal(home, "overlay");
    if (own && str_equal(b->host->home, "/"))
        return error_set(e, EINVAL, "files.home = %s (%s): you have no home folder", home,
                         settings_origin(b->s, KEY_FILES_HOME));
    p->user_name = str_dup(p->uid == 0 ? "root" : own ? b->host->user : "user");
    if (own)
        p->home = str_dup(b->host->home);
    else if (str_equal(home, "none"))
        p->home = str_dup("/");
    else
        p->home = str_dup(p->uid == 0 ? "/root" : "/home/user");
    p->umask = 022;
    return 0;
}

/* --- the environment -----------------------------------------------------------------------------
 */

/* "NAME=VALUE", or "NAME" for the caller's own value, if there is one. */
static void environment_take(struct build *b, const char *item)
{
    if (strchr(item, '=')) {
        strv_put(&b->p->env, item);
        return;
    }
    ssize_t own = strv_find_name(b->r->caller_env, item);
    if (own >= 0)
        strv_put(&b->p->env, b->r->caller_env[own]);
}

void build_environment(struct build *b)
{
    struct plan *p = b->p;
    strv_add(&p->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (plan_host_find(b->host, "/run/current-system") && str_equal(p->image, "host"))
        strv_put(&b->p->env, "PATH=/run/current-system/sw/bin");
    strv_take(&p->env, str_format("HOME=%s", p->home));
    strv_take(&p->env, str_format("USER=%s", p->user_name));
    strv_take(&p->env, str_format("LOGNAME=%s", p->user_name));
    strv_add(&p->env, "LANG=C.UTF-8");
    strv_add(&p->env, "container=cofferdam");
    if (p->terminal) {
        const char *term = b->r->term ? b->r->term : "xterm-256color";
        strv_take(&p->env, str_format("TERM=%s", term));
        strv_add(&p->env, "COLORTERM=truecolor");
    }
    char *const *own = b->r->image ? b->r->image->env : NULL;
    for (size_t i = 0; own && own[i]; i++)
        if (strchr(own[i], '=') && own[i][0] != '=') /* never a name alone: that would be ours */
            strv_put(&b->p->env, own[i]);
    char *const *more = settings_list(b->s, KEY_WORKLOAD_ENVIRONMENT);
    for (size_t i = 0; more[i]; i++)
        environment_take(b, more[i]);
    for (size_t i = 0; b->r->env && b->r->env[i]; i++)
        environment_take(b, b->r->env[i]);
}

/* --- files that say who and where --------------------------------------------------------------
 */

/* A random UUID (version 4) that differs for each workload, made from its random id. */
static void identity_uuid(const char *id, const char *purpose, uint64_t half[2])
{
    uint64_t state = 0xcbf29ce484222325u;
    for (const char *c = id; *c; c++)
        state = (state ^ (unsigned char)*c) * 0x100000001b3u;
    for (const char *c = purpose; *c; c++)
        state = (state ^ (unsigned char)*c) * 0x100000001b3u;
    for (size_t i = 0; i < 2; i++) {
        state += 0x9e3779b97f4a7c15u;
        uint64_t z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        half[i] = z ^ (z >> 31);
    }
    half[0] = (half[0] & ~0xf000ull) | 0x4000;
    half[1] = (half[1] & ~(3ull << 62)) | (2ull << 62);
}

/* machine-id(5): no two workloads share one, and none has the host's. */
static void identity_machine_id(const char *id, char to[34])
{
    uint64_t half[2];
    identity_uuid(id, "", half);
    snprintf(to, 34, "%016llx%016llx\n", (unsigned long long)half[0], (unsigned long long)half[1]);
}

static char *identity_boot_id(const char *id)
{
    uint64_t half[2];
    identity_uuid(id, "boot", half);
    return str_format("%08llx-%04llx-%04llx-%04llx-%012llx\n", (unsigned long long)(half[0] >> 32),
                      (unsigned long long)(half[0] >> 16 & 0xffff),
                      (unsigned long long)(half[0] & 0xffff), (unsigned long long)(half[1] >> 48),
                      (unsigned long long)(half[1] & 0xffffffffffffull));
}

char *identity_text(const struct plan *p, const char *target)
{
    char machine_id[34];
    identity_machine_id(p->id, machine_id);
    if (str_equal(target, "/etc/machine-id"))
        return str_dup(machine_id);
    if (str_equal(target, "/etc/hostname"))
        return str_format("%s\n", p->hostname);
    if (str_equal(target, "/etc/hosts"))
        return str_format("127.0.0.1\tlocalhost\n127.0.1.1\t%s\n"
                          "::1\tlocalhost ip6-localhost ip6-loopback\n",
                          p->hostname);
    if (str_equal(target, IDENTITY_BOOT_ID))
        return identity_boot_id(p->id);
    return NULL;
}

static void identity_file(struct build *b, const char *target, unsigned mode)
{
    autofree char *text = identity_text(b->p, target);
    build_file(b, target, text, mode);
}

void build_boot_id(struct build *b)
{
    identity_file(b, IDENTITY_BOOT_ID, 0444);
    b->p->mounts[b->p->mounts_count - 1].flags |= PLAN_MOUNT_OPTIONAL;
}

void build_identity_small(struct build *b)
{
    struct plan *p = b->p;
    identity_file(b, "/etc/machine-id", 0444);
    identity_file(b, "/etc/hostname", 0644);
    identity_file(b, "/etc/hosts", 0644);
    static const char translated[] = "nameserver " PLAN_TRANSLATOR_DNS "\n";
    bool out = p->network == PLAN_NETWORK_HOST && b->host->resolv_conf;
    build_file(b, "/etc/resolv.conf",
               p->network == PLAN_NETWORK_PRIVATE ? translated
               : out                              ? b->host->resolv_conf
                                                  : "",
               0644);
    build_step(b, PLAN_MOUNT_SYMLINK, "/proc/self/mounts", "/etc/mtab", 0);
}

void build_identity_files(struct build *b)
{
    const struct plan *p = b->p;
    autobuf passwd = {0}, group = {0};
    buf_printf(&passwd, "root:x:0:0:root:%s:/bin/sh\n", p->uid == 0 ? p->home : "/root");
    buf_puts(&group, "root:x:0:\n");
    if (p->uid != 0 && p->uid != IDS_NOBODY)
        buf_printf(&passwd, "%s:x:%u:%u::%s:%s\n", p->user_name, p->uid, p->gid, p->home,
                   b->host->shell);
    if (p->gid != 0 && p->gid != IDS_NOBODY)
        buf_printf(&group, "%s:x:%u:\n", p->user_name, p->gid);
    buf_printf(&passwd, "nobody:x:%u:%u:nobody:/nonexistent:/usr/sbin/nologin\n", IDS_NOBODY,
               IDS_NOBODY);
    buf_printf(&group, "nogroup:x:%u:\n", IDS_NOBODY);
    build_file(b, "/etc/passwd", passwd.data, 0644);
    build_file(b, "/etc/group", group.data, 0644);
    build_identity_small(b);
}
