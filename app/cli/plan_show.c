#include "app/cli/plan_show.h"

#include "app/cli/out.h"
#include "app/plan/names.h"
#include "profiles/forms.h"

#include <signal.h>
#include <stdio.h>

static void show_line(const char *name, const char *text)
{
    autofree char *shown = out_text(text);
    printf("  %s%-14s%s %s\n", out_colour(OUT_DIM), name, out_colour(OUT_PLAIN), shown);
}

__attribute__((format(printf, 2, 3))) static void show_format(const char *name, const char *fmt,
                                                              ...)
{
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    show_line(name, text);
}

/* Where a value came from stands behind it, in a column of its own where the value leaves room. */
void plan_show_key(const struct plan *p, enum key_id key, const char *name, const char *text)
{
    enum { ROOM = 26 };
    autofree char *shown = out_text(text);
    autofree char *origin = out_text(p->origins[key] ? p->origins[key] : "default");
    printf("  %s%-14s%s %-*s  %s%s%s\n", out_colour(OUT_DIM), name, out_colour(OUT_PLAIN), ROOM,
           shown, out_colour(OUT_DIM), origin, out_colour(OUT_PLAIN));
}

__attribute__((format(printf, 4, 5))) static void
show_key_format(const struct plan *p, enum key_id key, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    plan_show_key(p, key, name, text);
}

static void show_title(const char *title)
{
    printf("%s%s%s\n", out_colour(OUT_BOLD), title, out_colour(OUT_PLAIN));
}

/* Owned by the caller. */
static char *bits_text(uint64_t bits, const char *const *names, const char *none)
{
    struct buf text = {0};
    for (unsigned i = 0; names[i]; i++)
        if (bits & (1ull << i))
            buf_printf(&text, "%s%s", text.used ? " " : "", names[i]);
    return text.used ? buf_take(&text) : str_dup(none);
}

static void show_choice(const struct plan *p)
{
    show_title("chosen");
    plan_show_key(p, KEY_ISOLATION_BOUNDARY, "boundary", plan_boundary_name(p->boundary));
    plan_show_key(p, KEY_ISOLATION_RUNTIME, "runtime", p->runtime);
    plan_show_key(p, KEY_FILES_IMAGE, "image", p->image);
}

static void show_maps(const char *name, const struct plan_id_map *maps, size_t count,
                      enum plan_map_by by)
{
    autobuf text = {0};
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s%u", i ? ", " : "", maps[i].inside);
        if (maps[i].count > 1)
            buf_printf(&text, "-%u", maps[i].inside + maps[i].count - 1);
        if (by == PLAN_MAP_PARENT && maps[i].outside == 0)
            buf_puts(&text, " → a range of its own");
        else
            buf_printf(&text, " → %u", maps[i].outside);
        if (maps[i].count > 1 && maps[i].outside)
            buf_printf(&text, "-%u", maps[i].outside + maps[i].count - 1);
    }
    show_line(name, text.data);
}

static void show_command(const struct plan *p)
{
    autofree char *argv = strv_join(p->argv, " ");
    autofree char *env = strv_join(p->env, " ");
    show_title("command");
    show_line("argv", argv);
    show_line("environment", env);
    plan_show_key(p, KEY_FILES_WORKDIR, "folder", p->cwd);
    show_key_format(p, KEY_ISOLATION_USER, "user", "%s (%u:%u)", p->user_name, p->uid, p->gid);
    plan_show_key(p, KEY_CONSOLE_TERMINAL, "terminal",
                  p->terminal ? "yes" : "no: three plain streams");
}

static void show_jailer(const struct plan_machine *m)
{
    autofree char *path = m->jailer ? out_text(m->jailer) : NULL;
    autofree char *why = m->no_jailer ? out_text(m->no_jailer) : NULL;
    if (path)
        show_format("jailer",
                    "%s starts the program: no user namespace, Landlock and filter of ours "
                    "around it",
                    path);
    else if (why)
        show_format("jailer", "not used: %s", why);
}

static void show_isolation(const struct plan *p)
{
    autofree char *spaces = bits_text(p->namespaces, plan_namespace_names, "none");
    autofree char *kept = bits_text(p->capabilities, form_capability_names, "none");
    autofree char *opened = bits_text(p->open, plan_open_names, "nothing");
    show_title("isolation");
    show_line("namespaces", spaces);
    show_maps("uids", p->uid_map, p->uid_map_count, p->map_by);
    show_maps("gids", p->gid_map, p->gid_map_count, p->map_by);
    plan_show_key(p, KEY_ISOLATION_CAPABILITIES, "capabilities", kept);
    plan_show_key(p, KEY_ISOLATION_NO_NEW_PRIVILEGES, "new privileges",
                  p->no_new_privileges ? "none can be gained" : "can be gained");
    plan_show_key(p, KEY_ISOLATION_SECCOMP, "seccomp", p->seccomp ? "allow-list" : "off");
    plan_show_key(p, KEY_ISOLATION_OPEN, "opened", opened);
    plan_show_key(p, KEY_ISOLATION_LANDLOCK, "landlock", plan_landlock_names[p->landlock]);
    if (p->apparmor)
        plan_show_key(p, KEY_ISOLATION_APPARMOR, "apparmor", p->apparmor);
    if (p->selinux)
        plan_show_key(p, KEY_ISOLATION_SELINUX, "selinux", p->selinux);
    if (p->platform)
        plan_show_key(p, KEY_ISOLATION_PLATFORM, "platform", p->platform);
    show_jailer(&p->machine);
    plan_show_key(p, KEY_NETWORK_MODE, "network", plan_network_names[p->network]);
    plan_show_key(p, KEY_ISOLATION_HOSTNAME, "hostname", p->hostname);
    for (size_t i = 0; i < p->sysctls_count; i++)
        show_format("sysctl", "%s = %s", p->sysctls[i].path, p->sysctls[i].value);
}

static void show_size(const struct plan *p, enum key_id key, const char *name, uint64_t bytes)
{
    char size[32];
    plan_show_key(p, key, name, bytes ? str_from_size(bytes, size, sizeof(size)) : "no limit");
}

static void show_machine_limits(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    char size[32];
    if (m->scratch)
        show_format("changes", "on a disk of %s, a sparse file without a name",
                    str_from_size(p->limits.disk, size, sizeof(size)));
    for (size_t i = 0; i < plan_more_disks(p); i++)
        show_format("further disk", "/dev/" PLAN_DISK "%zu is %s, read-only", i + 1, m->disks[i]);
    if (m->disk_format && m->disks)
        show_format("changes", "over %s (%s), in a sparse file without a name", m->disks[0],
                    m->disk_format);
    if (m->warmed)
        show_format(
            "template",
            m->warmed_bytes ? "%s on the disk, its memory shared by all that begin from it"
                            : "made by this start, up to %s on the disk",
            str_from_size(m->warmed_bytes ? m->warmed_bytes : m->memory, size, sizeof(size)));
}

static void show_limits(const struct plan *p)
{
    const struct plan_limits *l = &p->limits;
    show_title("limits");
    show_size(p, KEY_RESOURCES_MEMORY, "memory", l->memory);
    if (l->memory && l->swap)
        show_size(p, KEY_RESOURCES_SWAP, "swap", l->swap);
    show_size(p, KEY_RESOURCES_DISK, "disk", l->disk);
    if (l->pids)
        show_key_format(p, KEY_RESOURCES_PIDS, "processes", "%llu", (unsigned long long)l->pids);
    else
        plan_show_key(p, KEY_RESOURCES_PIDS, "processes", "no limit");
    if (l->cpu_milli)
        show_key_format(p, KEY_RESOURCES_CPUS, "processors", "%u.%02u", l->cpu_milli / 1000,
                        l->cpu_milli % 1000 / 10);
    else
        plan_show_key(p, KEY_RESOURCES_CPUS, "processors", "no limit");
    if (l->io_weight)
        show_key_format(p, KEY_RESOURCES_IO_WEIGHT, "io weight", "%u", l->io_weight);
    if (l->nice)
        show_key_format(p, KEY_RESOURCES_NICE, "nice", "%d", l->nice);
    plan_show_key(p, KEY_RESOURCES_LIMITS, "without cgroup",
                  l->best_effort ? "what resource limits can" : "refuses");
    show_machine_limits(p);
    for (size_t i = 0; i < p->rlimits_count; i++)
        show_format(p->rlimits[i].name, "%llu, at most %llu",
                    (unsigned long long)p->rlimits[i].soft, (unsigned long long)p->rlimits[i].hard);
}
static void show_life(const struct plan *p)
{
    char time[32];
    show_title("life");
    plan_show_key(p, KEY_LIFECYCLE_KEEP, "kept", plan_keep_names[p->keep]);
    plan_show_key(p, KEY_LIFECYCLE_RESTART, "restart", plan_restart_names[p->restart]);
    if (p->time_limit_ms)
        plan_show_key(p, KEY_LIFECYCLE_TIME_LIMIT, "time limit",
                      str_from_duration(p->time_limit_ms, time, sizeof(time)));
    if (p->idle_limit_ms)
        plan_show_key(p, KEY_LIFECYCLE_IDLE_LIMIT, "idle limit",
                      str_from_duration(p->idle_limit_ms, time, sizeof(time)));
    const char *name = sigabbrev_np(p->stop_signal);
    if (name)
        show_key_format(p, KEY_LIFECYCLE_STOP_SIGNAL, "stop", "SIG%s", name);
    else
        show_key_format(p, KEY_LIFECYCLE_STOP_SIGNAL, "stop", "signal %d", p->stop_signal);
    show_key_format(p, KEY_LIFECYCLE_STOP_GRACE, "kill", "after %s",
                    str_from_duration(p->stop_grace_ms, time, sizeof(time)));
}

void plan_show_step(const struct plan_mount *m)
{
    autofree char *target = out_text(m->target);
    autofree char *source = m->source ? out_text(m->source) : NULL;
    printf("  %-10s %s", plan_mount_names[m->kind], target);
    if (source && (m->kind == PLAN_MOUNT_SYMLINK || strcmp(source, target) != 0))
        printf(" %s %s", m->kind == PLAN_MOUNT_SYMLINK ? "→" : "from", source);
    for (unsigned bit = 0; plan_flag_names[bit]; bit++)
        if (m->flags & (1u << bit))
            printf(" %s", plan_flag_names[bit]);
    if (m->size)
        printf(" size=%llu", (unsigned long long)m->size);
    autofree char *origin = m->origin ? out_text(m->origin) : NULL;
    if (origin)
        printf("  (%s)", origin);
    putchar('\n');
}

static void show_steps(const struct plan *p)
{
    show_title("root, step by step");
    for (size_t i = 0; i < p->mounts_count; i++)
        plan_show_step(&p->mounts[i]);
}

void plan_show_text(const struct plan *p)
{
    autofree char *name = out_text(p->name), *profile = out_text(p->profile);
    autofree char *image = out_text(p->image);
    printf("%s%s%s: profile %s, boundary %s, runtime %s, image %s\n\n", out_colour(OUT_BOLD), name,
           out_colour(OUT_PLAIN), profile, plan_boundary_name(p->boundary), p->runtime, image);
    show_choice(p);
    show_command(p);
    show_isolation(p);
    show_limits(p);
    show_life(p);
    show_steps(p);
}

json_t *plan_show_json(const struct plan *p)
{
    autofree char *json = plan_to_json(p, false);
    return json_loads(json, 0, NULL);
}

static void show_findings(const struct plan_finding *found, size_t count, const char *refused)
{
    putchar('\n');
    for (size_t i = 0; i < count; i++) {
        bool refuses = found[i].weight == PLAN_REFUSES;
        autofree char *text = out_text(found[i].text);
        printf("%s%s%s: %s\n", out_colour(refuses ? OUT_RED : OUT_YELLOW),
               refuses ? "refused" : "note", out_colour(OUT_PLAIN), text);
        if (found[i].mend) {
            autofree char *mend = out_text(found[i].mend);
            printf("  mend: %s\n", mend);
        }
    }
    autofree char *why = refused ? out_text(refused) : NULL;
    if (why)
        printf("%sThis would not start%s: %s\n", out_colour(OUT_RED), out_colour(OUT_PLAIN), why);
    else
        printf("%sThis would start.%s\n", out_colour(OUT_GREEN), out_colour(OUT_PLAIN));
}

static json_t *findings_json(const struct plan_finding *found, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:b, s:o, s:o}", "refuses",
                                              found[i].weight == PLAN_REFUSES, "text",
                                              out_json_string(found[i].text), "mend",
                                              out_json_string(found[i].mend)));
    return list;
}

void plan_show(const struct cli *c, const struct plan *p, const struct plan_finding *found,
               size_t count, const char *refused)
{
    if (c->json) {
        out_json(json_pack("{s:o, s:b, s:o, s:o}", "plan", plan_show_json(p), "starts",
                           refused == NULL, "refused", out_json_string(refused), "findings",
                           findings_json(found, count)));
        return;
    }
    plan_show_text(p);
    show_findings(found, count, refused);
}
