/*
 * cofferdam sheet: what the launch sheet of the terminal interface asks for, found out beside it so
 * that it never waits: the stops of the dial with what each costs here, paths that begin so, and
 * what doctor says, as far as it is known.
 */
#include "app/cli/doctor.h"
#include "app/cli/launch.h"
#include "app/cli/measured.h"
#include "app/cli/open_way.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "backends/backend.h"
#include "base/fd.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const subverbs[] = {"dial", "doctor", "paths", NULL};

/* The four stops, from the lightest to the heaviest. */
static const struct stop {
    enum plan_boundary boundary;
    const char *profile, *protects, *open;
} stops[] = {
    {PLAN_CONTAINER, "contained",
     "your files, your network and your other programs: it sees none of them",                       "this machine's kernel, which it shares: a hole in that is a way out"},
    {PLAN_SANDBOX,   "untrusted", "the kernel too: another one, in user space, stands in between",
     "that one's own holes, and the few calls it makes itself; system calls are slower"                                                                                   },
    {PLAN_MICROVM,   "strong",
     "everything, by the processor: a kernel of its own on a minimal machine",                       "the hardware's borders and a few virtual devices"                   },
    {PLAN_VM,        "legacy-os", "everything, by the processor; any operating system, whole disks",
     "the hardware's borders and the many devices of a whole machine"                                                                                                     },
};

/* What would be run does not matter: whether it could be. */
static bool stop_there(const struct stop *s, struct error *e)
{
    struct launching l = {0};
    if (!backend_for(s->boundary, e))
        return false;
    int r = launching_load(&l, s->profile, NULL, e);
    if (r == 0)
        r = launching_build_any(&l, e);
    if (r == 0)
        r = launching_check(&l, NULL, NULL, e);
    launching_done(&l);
    return r == 0;
}

/*
 * How to get what is missing: the check's own words, which then lose it, or what the runtime names.
 * A machine's runtime is not asked: that would start its daemon. Owned by the caller; NULL: none.
 */
static char *stop_mend(const struct stop *s, struct error *e)
{
    static const char begins[] = "; mend: ";
    char *said = strstr(e->text, begins);
    struct error ignored;
    struct plan_host h = {0};
    struct backend_health health = {0};
    const struct backend *b = backend_for(s->boundary, &ignored);
    char *mend = NULL;
    if (said) {
        mend = str_dup(said + strlen(begins));
        *said = '\0';
        return mend;
    }
    if (!b || s->boundary > PLAN_SANDBOX || plan_host_read(&h, &ignored) < 0)
        return NULL;
    b->probe(&h, &health);
    for (size_t i = 0; !mend && i < health.checks_count; i++)
        if (health.checks[i].state == BACKEND_MISSING)
            mend = str_dup_or_null(health.checks[i].mend);
    backend_health_done(&health);
    plan_host_done(&h);
    return mend;
}

static char *stop_costs(const struct measured_all *all, const char *boundary)
{
    struct measured m = measured_of(all, boundary);
    char memory[32];
    if (!m.starts)
        return str_dup("not yet measured on this machine: cofferdam compare -- true does");
    autofree char *size =
        m.memory ? str_format(", %s of memory", str_from_size(m.memory, memory, sizeof(memory)))
                 : str_dup("");
    return str_format("starts in %llu.%llu ms%s (measured here, %llu start%s)",
                      (unsigned long long)m.start_us / 1000,
                      (unsigned long long)m.start_us / 100 % 10, size, (unsigned long long)m.starts,
                      m.starts == 1 ? "" : "s");
}

static json_t *stops_json(const struct measured_all *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
        const char *boundary = plan_boundary_name(stops[i].boundary);
        struct error e;
        bool there = stop_there(&stops[i], &e);
        autofree char *costs = stop_costs(all, boundary);
        autofree char *mend = there ? NULL : stop_mend(&stops[i], &e);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o}",
                                              "boundary", boundary, "profile", stops[i].profile,
                                              "protects", stops[i].protects, "open", stops[i].open,
                                              "costs", costs, "there", there, "lacks",
                                              there ? json_null() : out_json_string(e.text), "mend",
                                              out_json_string(mend)));
    }
    return list;
}

/* What the file is, and how far it should be trusted. */
static void add_file(json_t *to, const char *path)
{
    struct look l = {0};
    struct error e;
    autoclose int fd = FD_NONE;
    if (look_at(path, &l, &fd, &e) < 0) {
        autofree char *named = str_format("%s: ", path); /* who asks says that */
        size_t from = str_starts(e.text, named) ? strlen(named) : 0;
        json_object_set_new(to, "what", out_json_string(e.text + from));
        return;
    }
    const char *why;
    const struct open_stop *s = &open_stops[open_recommend(&l, &why)];
    autofree char *advice = str_format("trust it %s (%s): %s", s->word, s->profile, why);
    json_object_set_new(to, "what", out_json_string(l.what));
    json_object_set_new(to, "advice", out_json_string(advice));
    json_object_set_new(to, "profile", json_string(s->profile));
    look_done(&l);
}

static int sheet_dial(const char *path)
{
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(NULL, &e);
    struct measured_all *all = measured_look(&d);
    json_t *to = json_pack("{s:o}", "stops", stops_json(all));
    if (path)
        add_file(to, path);
    out_json(to);
    measured_free(all);
    dirs_done(&d);
    return 0;
}

/* Folders end with a slash. Names that no line can show are left out. */
static int sheet_paths(const char *begun)
{
    enum { MOST = 200 };
    const char *slash = strrchr(begun, '/');
    autofree char *folder = slash ? str_ndup(begun, (size_t)(slash - begun) + 1) : str_dup("");
    const char *name = slash ? slash + 1 : begun;
    DIR *dir = opendir(*folder ? folder : ".");
    const struct dirent *d;
    for (int shown = 0; dir && shown < MOST && (d = readdir(dir));) {
        autofree char *path = str_format("%s%s", folder, d->d_name);
        autofree char *safe = str_escape_z(path);
        struct stat st;
        bool hidden = d->d_name[0] == '.' &&
                      (*name != '.' || str_equal(d->d_name, ".") || str_equal(d->d_name, ".."));
        if (hidden || !str_starts(d->d_name, name) || !str_equal(safe, path))
            continue;
        bool is_folder = fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
        printf("%s%s\n", path, is_folder ? "/" : "");
        shown++;
    }
    if (dir)
        closedir(dir);
    return 0;
}

/* The page as it is now; a form feed behind it: the next one stands in its place. */
static void doctor_page(void *data, const struct doctor_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        doctor_print(&parts[i]);
    putchar('\f');
    fflush(stdout);
}

static int sheet_doctor(void)
{
    struct error e;
    bool usable;
    return doctor_run_all(doctor_page, NULL, &usable, &e) < 0 ? cli_fail(NULL, &e) : 0;
}

static int sheet_run(struct cli *c)
{
    if (c->args_count > 2 || !c->args_count)
        return cli_usage(c, "dial [FILE], doctor or paths BEGINNING");
    if (str_equal(c->args[0], "dial"))
        return sheet_dial(c->args[1]);
    if (str_equal(c->args[0], "doctor") && c->args_count == 1)
        return sheet_doctor();
    if (str_equal(c->args[0], "paths"))
        return sheet_paths(c->args[1] ? c->args[1] : "");
    return cli_usage(c, "dial [FILE], doctor or paths BEGINNING");
}

const struct verb verb_sheet = {
    .name = "sheet",
    .group = "Run",
    .usage = "dial [FILE]|doctor|paths BEGINNING",
    .summary = "for the terminal interface: the stops of the dial, what works here, and paths",
    .subverbs = subverbs,
    .flags = VERB_HIDDEN | VERB_SUBVERBS,
    .run = sheet_run,
};
